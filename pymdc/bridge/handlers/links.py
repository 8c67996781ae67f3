"""Links: each lets anybody in once, for one download or one upload, with a browser or with curl."""

import contextlib
import functools
import hashlib
import secrets
import urllib.parse

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..clock import iso
from ..metadata.tokens import gone
from ..refusal import Refusal
from ..request import auth, fields
from ..request.call import Call, JSON
from . import content, link_pages, link_uploads, pages, uploads
from .attachment import disposition, last_part

AGAIN = 10 * 60 * 1000  # milliseconds for which another click is the same click
MAX_FORM = 4096  # bytes of the form of a download


def show(call: Call) -> Response:
    """Say what a link is good for, which spends nothing."""
    as_page = pages.wanted(call) or "application/json" not in call.headers.get("accept", "").lower()
    with _said_to(as_page):
        link = call.metadata.links.find(_hashed(call), call.now())
        return link_pages.offer(call, link) if as_page else JSON(_told(link))


async def follow(call: Call) -> Response:
    """Use a link: for a download, lead to where the file is for a day; or take a file."""
    with _said_to(pages.wanted(call)):
        link = await run_in_threadpool(_find, call)
        is_form = call.headers.get("content-type", "").lower().startswith("multipart/")
        if link is not None and link["operation"] == "PUSH":
            return await link_uploads.receive(call, link)
        if is_form:
            raise Refusal(400, "This link is for a download, and takes no file") if link else gone()
        return await run_in_threadpool(_open, call, await _form(call))


def download(call: Call) -> Response:
    """Give the file that a ticket is for, or a range of it, all verified."""
    with _said_to(pages.wanted(call)):
        if call.method == "HEAD":
            ticket = call.metadata.links.look(_hashed(call), call.now())
            return Response(b"", headers={**_offered(ticket), "Content-Length": str(ticket["size"])},
                            media_type=content.TYPE)
        ticket, part = call.metadata.links.take(
            _hashed(call), lambda file_hash, size: content.choose(call, f'"{file_hash}"', size), call.now(),
        )
        give_back = functools.partial(call.metadata.links.give_back, ticket, part)
        return content.send(call, part, _offered(ticket), content.open_verified, give_back)


@contextlib.contextmanager
def _said_to(as_page):
    """Let a browser be told of a refusal by a page."""
    try:
        yield
    except Refusal as refusal:
        refusal.page = link_pages.refused(refusal) if as_page else None
        raise


def _hashed(call):
    return auth.hash_token(call.ids["token"])


def _find(call):
    """Return the link, or None when it leads nowhere any more: it may have been followed by this very click."""
    try:
        return call.metadata.links.find(_hashed(call), call.now())
    except Refusal as refusal:
        if refusal.status != 404:
            raise


def _told(link):
    told = {name: link[name] for name in ("operation", "size", "max_size") if link.get(name) is not None}
    if link.get("filename") is not None:
        told["filename"] = last_part(link["filename"])  # whose folders are the owner's alone
    return {**told, "expires": iso(link["expires"])}


async def _form(call) -> bytes:
    body = bytearray()
    async for chunk in uploads.paced(call.chunks, call.services.settings.silence):
        body += chunk
        if len(body) > MAX_FORM:
            raise Refusal(413, f"Body is longer than {MAX_FORM} bytes")
    return bytes(body)


def _open(call, form):
    once = fields.once(form) if fields.is_form(call.headers) else None
    text, hashed, moment = _ticket(call.ids["token"], once), _hashed(call), call.now()
    settings = call.services.settings
    ticket = {
        "hash": auth.hash_token(text), "token": auth.id_of_token(hashed),
        "created": moment, "expires": moment + settings.shard_token_life * 1000,
    }
    filename, spent = call.metadata.links.open(
        hashed, ticket, settings.shard_token_uses, once is not None, moment - AGAIN, settings.account_tokens,
    )
    if spent:
        call.services.metrics.tokens.labels("PULL", "spent").inc()
    name = urllib.parse.quote(last_part(filename), safe="", errors="replace")
    return Response(status_code=303, headers={"Location": f"/links/{text}/{name}"})


def _ticket(token, once):
    """Return a new ticket; to the same click the same one, so that it need not be kept to be told again."""
    return secrets.token_hex(32) if once is None else hashlib.sha256(f"{token} {once}".encode()).hexdigest()


def _offered(ticket):
    return {
        "Content-Disposition": disposition(ticket["filename"]), "ETag": f'"{ticket["file"]}"', "Accept-Ranges": "bytes",
    }
