"""Who is slowed: wrong passwords, registrations, mails.  Figures: docs/bridge, "Limits"."""

import hashlib
import ipaddress
import math

from .call import Call, now
from .refusal import Refusal

MINUTE = 60_000  # milliseconds

WRONG_PASSWORDS = (10, MINUTE)  # so many in a row, then one in so many milliseconds
REGISTRATIONS = (60, MINUTE // 60)
MAILS = (1, MINUTE)


def check_password_rate(call: Call, email: str):
    """Refuse who has been wrong too often.  By account and address: by the account, anyone could lock anyone out."""
    if _on(call):
        wait = call.metadata.rates.wait(_subject("password", email, _network(call)), *WRONG_PASSWORDS, now())
        _refuse(wait, "Too many wrong passwords")


def count_wrong_password(call: Call, email: str):
    if _on(call):
        wait = call.metadata.rates.take(_subject("password", email, _network(call)), *WRONG_PASSWORDS, now())
        _refuse(wait, "Too many wrong passwords")  # when others were wrong at the same time


def forgive_wrong_passwords(call: Call, email: str):
    if _on(call):
        call.metadata.rates.forget(_subject("password", email, _network(call)))


def count_registration(call: Call):
    if _on(call):
        wait = call.metadata.rates.take(_subject("registration", _network(call)), *REGISTRATIONS, now())
        _refuse(wait, "Too many registrations")


def count_mail(call: Call, email: str):
    if _on(call):
        _refuse(call.metadata.rates.take(_subject("mail", email), *MAILS, now()), "Too many mails to this address")


def _on(call):
    return call.services.settings.rates == "on"


def _subject(*parts):
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _network(call):
    """Return whose address it is: of IPv6, everybody has a whole /64."""
    try:
        address = ipaddress.ip_address(call.address.partition("%")[0])
    except ValueError:
        return call.address
    return str(address if address.version == 4 else ipaddress.ip_network((address, 64), strict=False))


def _refuse(wait, text):
    if wait:
        seconds = math.ceil(wait / 1000)
        raise Refusal(429, f"{text}: wait {seconds} s", {"Retry-After": str(seconds)})
