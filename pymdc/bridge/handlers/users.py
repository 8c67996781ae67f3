"""Accounts."""

import re
import secrets
import urllib.parse

from starlette.responses import RedirectResponse, Response

from ..clock import iso
from ..mail.message import activation_mail, changed_password_mail, deleted_account_mail
from ..metadata.accounts import EMAIL_TAKEN
from ..refusal import Refusal
from ..request import auth, fields, limits
from ..request.call import Call, JSON
from . import pages


def create(call: Call) -> Response:
    limits.count_registration(call)
    body = call.fields
    email, password = fields.email(body.get("email")), fields.password(body.get("password"))
    text = None if body.get("pubkey") is None else fields.public_key(body["pubkey"])
    point = None if text is None else fields.point(text)
    redirect = fields.redirect(body.get("redirect"))
    token, created = secrets.token_hex(32), call.now()
    mail = activation_mail(email, _link(call, token, redirect), call.services.sender)
    waits = call.metadata.accounts.check_free(email, point, created)
    call.services.check_space()
    hashed = call.services.passwords.hash(password)
    limits.count_mail(call, email, Refusal(400, EMAIL_TAKEN) if waits else None)
    first = call.services.with_mail(mail, lambda: call.metadata.accounts.register(
        {"email": email, "password": hashed, "created": created},
        {"token": auth.hash_token(token), "password": hashed, "redirect": redirect, "created": created,
         "point": point, "text": text},
    ))
    if not first:
        raise Refusal(400, EMAIL_TAKEN)
    account = user({"email": email, "created": created, "activated": False})
    return JSON(account if text is None else {**account, "pubkey": text})


def activate(call: Call) -> Response:
    for_browser = pages.wanted(call)
    try:
        account, redirect = call.metadata.accounts.activate(auth.hash_token(call.ids["token"]), call.now())
    except Refusal:
        if for_browser:
            return pages.not_activated()
        raise
    if redirect is not None and _may_lead_to(call, redirect):
        return RedirectResponse(redirect, 302)
    return pages.activated(account["email"]) if for_browser else JSON(user(account))


def update(call: Call) -> Response:
    account = _own(call)
    password = fields.password(call.fields.get("password"))
    if call.services.passwords.remembered(account["password"], password):
        return JSON(user(account))  # it has this one already: the answer to who asks again, not knowing
    email, services = account["email"], call.services
    limits.count_notice(call, email)
    hashed = services.passwords.hash(password)
    mail = changed_password_mail(email, services.public_url, services.sender)
    row = services.with_mail(
        mail, lambda: call.metadata.accounts.change_password(email, account["password"], hashed)
    )
    return JSON(user(row))


def delete(call: Call) -> Response:
    account, moment = _own(call), call.now()
    email, services = account["email"], call.services
    mail = deleted_account_mail(email, services.public_url, services.sender)
    services.with_mail(mail, lambda: call.metadata.accounts.delete(email, account["password"]))
    services.sweep(moment)
    return Response(status_code=204)


def _own(call):
    """Return the row of the account that asks, which may ask for nothing of another one."""
    account = auth.identify_by_password(call)
    if call.ids["email"].lower() != account["email"]:
        raise Refusal(404, "User not found")
    return account


def user(account) -> dict:
    """Return what is told of an account, given by its row."""
    return {
        "activated": account["activated"],
        "created": iso(account["created"]),
        "email": account["email"],
        "id": account["email"],
    }


def _link(call, token, redirect):
    link = f"{call.services.public_url}/activations/{token}"
    return link if redirect is None else link + "?" + urllib.parse.urlencode({"redirect": redirect})


def _may_lead_to(call, redirect):
    # Stricter than urllib, which takes http://evil.example\@good.example for a page of good.example.
    host = re.match(r"https?://([\w.-]+)(:\d+)?([/?#]|$)", redirect, re.ASCII | re.IGNORECASE)
    return host is not None and host[1].lower() in map(str.lower, call.services.settings.redirect_host)
