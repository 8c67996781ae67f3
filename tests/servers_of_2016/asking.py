"""Who is asking."""

from __future__ import absolute_import, division, print_function

import base64
import binascii
import hashlib
import numbers
import re

import ecdsa

from .refusal import Refusal

try:
    from urllib.parse import parse_qs
except ImportError:  # Python 2
    from urlparse import parse_qs

INVALID_NONCE = "Invalid nonce supplied"
UNKNOWN_KEY = "Public key not registered"
_MALFORMED = "Invalid signature or public key supplied"
_NUMBER = re.compile(r"[+-]?(\d+[.]?\d*|[.]\d+)([eE][+-]?\d+)?\Z")


def asking(request):
    """Return the user who asks."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    email, _, password = base64.b64decode(credentials).decode("utf-8").partition(":")
    if scheme == "Basic" and password:
        return by_password(request, email.lower(), password)
    key = signing_key(request)
    user = request.server.users.get(request.server.keys.get(key))
    if user is None:
        raise request.refusal(UNKNOWN_KEY)
    if not user["activated"] and not request.version.inactive_may_sign:
        raise request.refusal("User account has not been activated")
    spend_nonce(request, user)
    return user


def by_password(request, email, password):
    user = request.server.users.get(email)
    if user is None or user["password"] != password:
        raise Refusal(500, "Invalid email or password")
    if not user["activated"]:
        raise request.refusal("User account has not been activated")
    return user


def signing_key(request):
    """Return the public key by which the request is signed, after its signature was verified."""
    key, signature = request.headers.get("x-pubkey"), request.headers.get("x-signature")
    if not key or not signature:
        raise request.refusal(_MALFORMED if request.is_of_0_2_2 else "No authentication strategy detected")
    payload = request.query.encode("ascii") if request.command in ("GET", "DELETE") else request.body
    message = "{0}\n{1}\n".format(request.command, request.path).encode("utf-8") + payload
    try:
        known = ecdsa.VerifyingKey.from_string(binascii.unhexlify(key), curve=ecdsa.SECP256k1)
        signed = binascii.unhexlify(signature)
    except (ecdsa.errors.MalformedPointError, ValueError, TypeError):
        raise request.refusal(_MALFORMED if request.is_of_0_2_2 else "Invalid signature")
    try:
        ecdsa.util.sigdecode_der(signed, ecdsa.SECP256k1.order)
    except (ecdsa.der.UnexpectedDER, ValueError, IndexError):
        raise Refusal(500, "Signature without r or s")
    try:
        known.verify(signed, message, hashlib.sha256, ecdsa.util.sigdecode_der)
    except ecdsa.BadSignatureError:
        raise request.refusal("Invalid signature")
    return key


def spend_nonce(request, user):
    """Take the nonce, which all keys of the user share; an equal one passes, a smaller one does not."""
    reading = request.command in ("GET", "DELETE")
    if reading and not request.version.reading_nonces:
        return
    nonce = parse_qs(request.query).get("__nonce", [None])[0] if reading else request.json.get("__nonce")
    if not request.version.nonce_needed and (nonce is None or nonce is True):
        return
    if nonce is None:
        raise request.refusal(INVALID_NONCE)
    number = number_of(nonce)
    if number is None:
        raise Refusal(500, "User validation failed")  # what is no number is not smaller, but cannot be kept
    with request.server.lock:
        if not number >= user["nonce"]:
            raise request.refusal(INVALID_NONCE)
        user["nonce"] = number


def number_of(value):
    """Return a value, or the number that is written in it, or None."""
    if isinstance(value, numbers.Real):
        return float(value)
    return float(value) if isinstance(value, (str, type(u""))) and _NUMBER.match(value) else None


def email_of(request, user):
    return next(email for email, known in request.server.users.items() if known is user)
