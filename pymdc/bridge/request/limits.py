"""Who is slowed: wrong passwords, registrations, mails.  Figures: docs/bridge, "Limits"."""

import hashlib
import math

from .. import address
from ..clock import now
from ..refusal import Refusal
from .call import Call

MINUTE = 60_000  # milliseconds


def check_password_rate(call: Call, email: str):
    """Refuse who has been wrong too often.  By account and address: by the account, anyone could lock anyone out."""
    _slow(call, call.metadata.rates.wait, "Too many wrong passwords", *_wrong_passwords(call, email))


def count_wrong_password(call: Call, email: str):
    _slow(call, call.metadata.rates.take, "Too many wrong passwords", *_wrong_passwords(call, email))


def forgive_wrong_passwords(call: Call, email: str):
    if _on(call):
        call.metadata.rates.forget(_wrong_passwords(call, email)[0])


def count_registration(call: Call):
    burst = call.services.settings.registrations
    subject = _subject("registration", address.network(call.address))
    _slow(call, call.metadata.rates.take, "Too many registrations", subject, burst, MINUTE // burst)


def count_mail(call: Call, email: str):
    burst = call.services.settings.mails
    subject = _subject("mail", email)
    _slow(call, call.metadata.rates.take, "Too many mails to this address", subject, burst, MINUTE // burst)


def _wrong_passwords(call, email):
    return _subject("password", email, address.network(call.address)), call.services.settings.wrong_passwords, MINUTE


def _slow(call, ask, text, subject, burst, interval):
    """Refuse what *ask* says has to wait: more than *burst* in a row, then one in *interval* milliseconds."""
    wait = ask(subject, burst, interval, now()) if _on(call) else 0
    if wait:
        seconds = math.ceil(wait / 1000)
        raise Refusal(429, f"{text}: wait {seconds} s", {"Retry-After": str(seconds)})


def _on(call):
    return call.services.settings.rates == "on"


def _subject(*parts):
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
