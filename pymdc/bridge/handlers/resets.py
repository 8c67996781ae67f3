"""Another password for an account whose password is forgotten, by a link in a mail."""

import contextlib
import hashlib
import secrets
import time

import anyio
from starlette.responses import Response

from ..mail.message import changed_password_mail, reset_mail
from ..refusal import Refusal
from ..request import auth, fields, limits
from ..request.call import Call, JSON
from . import pages, reset_pages
from .users import user

_TAKES = 0.5  # seconds that each answer takes to who asks for a link, whether a mail has had to be written or not


def show_asking(call: Call) -> Response:
    """Show where a link can be asked for."""
    return reset_pages.asking()


def create(call: Call):
    """Mail a link, if the account is there, and not too many were mailed; neither the answer nor its time tells."""
    begun = time.monotonic()
    try:
        limits.count_asking_for_reset(call)
        email = fields.email(_fields(call).get("email"))
    except Refusal as flaw:
        if pages.wanted(call):
            return reset_pages.asking(flaw)
        raise
    call.services.check_space()
    with contextlib.suppress(Refusal):
        _mail_link(call, email)
    answer = reset_pages.mailed(email) if pages.wanted(call) else JSON({})
    return _Late(answer, begun + _TAKES) if limits.are_on(call) else answer


def show(call: Call) -> Response:
    """Show the form for another password; it spends nothing."""
    try:
        reset = call.metadata.resets.find(auth.hash_token(call.ids["token"]), call.now())
    except Refusal as refusal:
        return _refused(call, refusal)
    return reset_pages.choosing(reset["email"])


def use(call: Call) -> Response:
    """Set the password."""
    token, services = auth.hash_token(call.ids["token"]), call.services
    try:
        email = call.metadata.resets.find(token, call.now())["email"]
    except Refusal as refusal:
        return _refused(call, refusal)
    call.record["account"] = email
    try:
        hashed = services.passwords.hash(_password(call))
    except Refusal as flaw:
        if pages.wanted(call):
            return reset_pages.choosing(email, flaw)
        raise
    mail = changed_password_mail(email, services.public_url, services.sender)
    try:
        account = services.with_mail(mail, lambda: call.metadata.resets.use(token, hashed, call.now()))
    except Refusal as refusal:
        return _refused(call, refusal)
    limits.forgive_guesses(call, email)
    return reset_pages.changed(email) if pages.wanted(call) else JSON(user(account))


class _Late:
    """A response that is sent at some moment, and not as soon as it is made."""

    def __init__(self, response: Response, moment: float):
        self._response = response
        self._moment = moment

    async def __call__(self, scope, receive, send):
        await anyio.sleep(max(0, self._moment - time.monotonic()))
        await self._response(scope, receive, send)


def _mail_link(call, email):
    account = call.metadata.accounts.find(email)
    if account is None or not account["activated"] or account["disabled"] is not None:
        return
    limits.count_reset(call, email)
    token, services = secrets.token_hex(32), call.services
    mail = reset_mail(email, f"{services.public_url}/resets/{token}", services.public_url, services.sender)
    services.with_mail(mail, lambda: call.metadata.resets.add(email, auth.hash_token(token), call.now()))


def _refused(call, refusal):
    """Return what a link leads to that is good for nothing."""
    if pages.wanted(call):
        return reset_pages.refused(refusal, call.services.public_url)
    raise refusal


def _is_form(call):
    """Return whether the body is a form.  "curl -d" says so of JSON too, which no form begins like."""
    return fields.is_form(call.headers) and not call.body.lstrip().startswith(b"{")


def _fields(call):
    return fields.query(call.body) if _is_form(call) else call.fields


def _password(call):
    """Return the password that is to be set, as clients send it."""
    given = _fields(call)
    if not _is_form(call):
        return fields.password(given.get("password"))
    if not given.get("password"):
        raise Refusal(400, "The password is empty")
    if given.get("again") != given["password"]:
        raise Refusal(400, "The two passwords are not the same")
    return hashlib.sha256(given["password"].encode("utf-8")).hexdigest()
