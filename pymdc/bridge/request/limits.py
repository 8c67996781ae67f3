"""Who is slowed: wrong passwords, registrations, mails.  Figures: docs/bridge, "Limits"."""

import hashlib
import math

from .. import address
from ..refusal import Refusal
from .call import Call

MINUTE = 60_000  # milliseconds
DAY = 24 * 60 * MINUTE

RESETS_OF_ALL = 4  # times as many mails with a link to another password as one network can have sent to an address

_WRONG_PASSWORDS = "Too many wrong passwords"
_MAILS = "Too many mails to this address"


def are_on(call: Call) -> bool:
    return call.services.settings.rates == "on"


def check_guesses(call: Call, email: str):
    """Refuse who has been wrong too often.  By account and address: by the account, anyone could lock anyone out."""
    _slow(call, call.metadata.rates.wait, _WRONG_PASSWORDS, *_guesses(call, email))


def count_guess(call: Call, email: str):
    _slow(call, call.metadata.rates.take, _WRONG_PASSWORDS, *_guesses(call, email))


def forgive_guesses(call: Call, email: str):
    if are_on(call):
        call.metadata.rates.forget(_guesses(call, email)[0])


def check_guesses_of_address(call: Call):
    """Refuse an address that has been wrong too often, whatever the accounts; no right password makes up for that."""
    _slow(call, call.metadata.rates.wait, _WRONG_PASSWORDS, *_guesses_of_address(call))


def count_guess_of_address(call: Call):
    _slow(call, call.metadata.rates.take, _WRONG_PASSWORDS, *_guesses_of_address(call))


def count_registration(call: Call):
    burst = call.services.settings.registrations
    subject = _subject("registration", address.network(call.address))
    _slow(call, call.metadata.rates.take, "Too many registrations", subject, burst, _interval(MINUTE, burst))


def count_mail(call: Call, email: str, refusal: Refusal | None = None):
    """
    Count one more mail to an address.

    :param refusal: what to say when it is one too many, if it is not for how long to wait.
    """
    try:
        _count_mail(call, "mail", email)
    except Refusal as slowed:
        raise refusal or slowed from None


def count_asking_for_reset(call: Call):
    burst = call.services.settings.registrations
    subject = _subject("asking for reset", address.network(call.address))
    _slow(call, call.metadata.rates.take, "Too many requests for a reset", subject, burst, _interval(MINUTE, burst))


def count_reset(call: Call, email: str):
    """
    Count one more mail to an address that lets its account have another password.  By address and network: by the
    address, anyone could keep its owner from it, so that allows for more.
    """
    burst, rates = call.services.settings.resets, call.metadata.rates
    of_network = _subject("resets", email, address.network(call.address)), burst, _interval(DAY, burst)
    _slow(call, rates.wait, _MAILS, *of_network)  # who has had his own takes nothing of what is everybody's
    _count_mail(call, "reset", email)
    most = RESETS_OF_ALL * burst
    _slow(call, rates.take, _MAILS, _subject("resets", email), most, _interval(DAY, most))
    _slow(call, rates.take, _MAILS, *of_network)


def count_notice(call: Call, email: str):
    """
    Count one more mail to an address that tells of what was done there.  Apart from those that anybody can have sent
    to it: or who makes many of these would keep from it what it has to know.
    """
    _count_mail(call, "notice", email)


def _count_mail(call, kind, email):
    burst = call.services.settings.mails
    subject, interval = _subject(kind, email), _interval(MINUTE, burst)
    _slow(call, call.metadata.rates.take, _MAILS, subject, burst, interval)


def _guesses(call, email):
    return _subject("password", email, address.network(call.address)), call.services.settings.wrong_passwords, MINUTE


def _guesses_of_address(call):
    burst = call.services.settings.wrong_passwords_hourly
    return _subject("passwords", address.network(call.address)), burst, _interval(60 * MINUTE, burst)


def _interval(period, burst):
    """Return the milliseconds between two of *burst* in a period; an interval of 0 would be no limit."""
    return math.ceil(period / burst)


def _slow(call, ask, text, subject, burst, interval):
    """Refuse what *ask* says has to wait: more than *burst* in a row, then one in *interval* milliseconds."""
    wait = ask(subject, burst, interval, call.now()) if are_on(call) else 0
    if wait:
        seconds = math.ceil(wait / 1000)
        raise Refusal(429, f"{text}: wait {seconds} s", {"Retry-After": str(seconds)})


def _subject(*parts):
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
