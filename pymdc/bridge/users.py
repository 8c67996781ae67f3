"""Accounts."""

import secrets
import urllib.parse

from starlette.responses import Response

from . import auth, fields
from .call import Call, JSON, iso, now
from .mail import activation_mail
from .metadata import EMAIL_TAKEN
from .refusal import Refusal


def create(call: Call) -> Response:
    body = call.fields
    email, password = fields.email(body.get("email")), fields.password(body.get("password"))
    text = None if body.get("pubkey") is None else fields.public_key(body["pubkey"])
    redirect = _redirect(body.get("redirect"))
    token, created, hashed = secrets.token_hex(32), now(), auth.hash_password(password)
    mail = activation_mail(email, _link(call, token, redirect))
    first = call.metadata.register(
        {"email": email, "password": hashed, "created": created},
        {"token": auth.hash_token(token), "password": hashed, "redirect": redirect, "created": created},
        None if text is None else {"point": fields.point(text), "text": text},
    )
    call.services.outbox.send(mail)
    if not first:
        raise Refusal(400, EMAIL_TAKEN)
    user = _user({"email": email, "created": created, "activated": False})
    return JSON(user if text is None else {**user, "pubkey": text})


def activate(call: Call) -> Response:
    account, _ = call.metadata.activate(auth.hash_token(call.ids["token"]))
    return JSON(_user(account))


def _user(account) -> dict:
    return {
        "activated": account["activated"],
        "created": iso(account["created"]),
        "email": account["email"],
        "id": account["email"],
    }


def _link(call, token, redirect):
    link = f"{call.services.public_url}/activations/{token}"
    return link if redirect is None else link + "?" + urllib.parse.urlencode({"redirect": redirect})


def _redirect(value):
    if value in (None, ""):
        return None
    if not isinstance(value, str) or len(value) > 2000 or any(ord(character) < 33 for character in value):
        raise Refusal(400, "User validation failed: redirect is not a URL")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Refusal(400, "User validation failed: redirect is not a URL") from None
    return value
