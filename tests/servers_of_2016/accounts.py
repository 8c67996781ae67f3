"""Users and keys."""

from __future__ import absolute_import, division, print_function

import re

from .asking import asking, email_of
from .ids import random_hex
from .refusal import Refusal

CREATED = "2016-03-21T12:00:00.000Z"
HEX = re.compile(r"[0-9a-fA-F]+\Z")
_KEY_TAKEN = "Public key is already registered"
_KEY = re.compile(r"(0[23][0-9a-fA-F]{64}|04[0-9a-fA-F]{128})\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+[.][^@\s]+\Z")


def register(request):
    if request.body.strip() == b"null":
        raise Refusal(500, "Cannot read property 'email' of null")
    server, (email, password) = request.server, account(request.json)
    pubkey = request.json.get("pubkey") if request.version.key_at_registration else None
    redirect = None if request.is_of_0_2_2 else request.json.get("redirect")
    with server.lock:
        if email in server.users:
            raise Refusal(request.version.email_taken, "Email is already registered")
        if pubkey in server.keys:
            raise Refusal(400, _KEY_TAKEN)
        server.users[email] = {"password": password, "activated": False, "nonce": 0.0, "redirect": redirect}
        server.activations[random_hex(32)] = email
        if pubkey:
            server.keys[pubkey] = email
    return 200, dict(user_answer(server, email), **({"pubkey": pubkey} if pubkey else {}))


def account(fields):
    """Return e-mail and password of somebody new."""
    email, password = fields.get("email"), fields.get("password")
    if not isinstance(password, type(u"")):
        raise Refusal(500, "Not a string or buffer")
    if len(password) % 2:
        raise Refusal(500, "Invalid hex string")
    if len(password) != 64 or not HEX.match(password):
        raise Refusal(500, "Password must be hex encoded SHA-256 hash")
    if not isinstance(email, type(u"")) or not _EMAIL.match(email):
        raise Refusal(500, "User validation failed")
    return email.lower(), password


def activate(request, token):
    with request.server.lock:
        if token not in request.server.activations:
            raise request.mistake(400, "Invalid activation token")
        email = request.server.activations.pop(token)
        request.server.users[email]["activated"] = True
    request.location = request.server.users[email]["redirect"]
    if request.location:
        return 302, "Found. Redirecting to " + request.location
    return 200, user_answer(request.server, email)


def user_answer(server, email):
    return {"activated": server.users[email]["activated"], "created": CREATED, "email": email, "id": email}


def list_keys(request):
    email = email_of(request, asking(request))
    return 200, [key_answer(email, key) for key, owner in request.server.keys.items() if owner == email]


def create_key(request):
    email, key = email_of(request, asking(request)), request.json.get("key")
    complaint = complaint_about(key, request.is_of_0_2_2)
    if complaint:
        raise request.mistake(400, complaint)
    with request.server.lock:
        if key in request.server.keys:
            raise request.mistake(400, _KEY_TAKEN)
        request.server.keys[key] = email
    return 200, key_answer(email, key)


def complaint_about(key, by_0_2_2):
    """Return what is wrong with a new key, of all that might be."""
    text = key if isinstance(key, type(u"")) else None
    if text == "" or (text is None and by_0_2_2):
        return "PublicKey validation failed"
    if text is None:
        return "Invalid public key supplied: Cannot read property 'length' of undefined"
    if ":" in text and not by_0_2_2:
        return 'Invalid public key supplied: Must not contain non-hexidecimal characters like ":"'
    digits = text.replace(":", "")
    if not _KEY.match(digits) and (by_0_2_2 or HEX.match(digits)):
        return "Invalid public key supplied: Unknown point format"
    return None


def delete_key(request, key):
    email = email_of(request, asking(request))
    with request.server.lock:
        if request.server.keys.get(key) != email:
            raise request.mistake(404, "Public key was not found")
        del request.server.keys[key]
    return 200, ""


def key_answer(email, key):
    return {"user": email, "key": key, "id": key}
