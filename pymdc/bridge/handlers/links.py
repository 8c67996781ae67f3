"""Links: each lets anybody in once, for one download or one upload, with a browser or with curl."""

import contextlib
import dataclasses
import functools
import hashlib
import secrets
import urllib.parse

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..clock import iso
from ..metadata import Asker
from ..metadata.tokens import gone
from ..refusal import Refusal
from ..request import auth, fields, multipart
from ..request.call import Call, JSON
from ..storage.incoming import Incoming
from . import content, files, link_pages, pages, uploads
from .attachment import disposition, last_part

AGAIN = 10 * 60 * 1000  # milliseconds for which another click is the same click
MAX_FORM = 4096  # bytes of the form of a download

_FORM = "application/x-www-form-urlencoded"


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
            return await _receive(call, link)
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
    told = {name: link[name] for name in ("operation", "filename", "size", "max_size") if link.get(name) is not None}
    return {**told, "expires": iso(link["expires"])}


# A download

async def _form(call) -> bytes:
    body = bytearray()
    async for chunk in uploads.paced(call.chunks, call.services.settings.silence):
        body += chunk
        if len(body) > MAX_FORM:
            raise Refusal(413, f"Body is longer than {MAX_FORM} bytes")
    return bytes(body)


def _open(call, form):
    is_form = call.headers.get("content-type", "").lower().startswith(_FORM)
    once = fields.once(form) if is_form else None
    text, hashed, moment = _ticket(call.ids["token"], once), _hashed(call), call.now()
    settings = call.services.settings
    ticket = {
        "hash": auth.hash_token(text), "token": auth.id_of_token(hashed),
        "created": moment, "expires": moment + settings.shard_token_life * 1000,
    }
    filename = call.metadata.links.open(
        hashed, ticket, settings.shard_token_uses, once is not None, moment - AGAIN, settings.account_tokens,
    )
    name = urllib.parse.quote(last_part(filename), safe="", errors="replace")
    return Response(status_code=303, headers={"Location": f"/links/{text}/{name}"})


def _ticket(token, once):
    """Return a new ticket; to the same click the same one, so that it need not be kept to be told again."""
    return secrets.token_hex(32) if once is None else hashlib.sha256(f"{token} {once}".encode()).hexdigest()


def _offered(ticket):
    return {
        "Content-Disposition": disposition(ticket["filename"]), "ETag": f'"{ticket["file"]}"', "Accept-Ranges": "bytes",
    }


# An upload

async def _receive(call, link):
    arrival = _Arrival(dataclasses.replace(call, ids={**call.ids, "bucket": link["bucket"]}), link)
    with call.services.metrics.uploads.track_inprogress():
        file = await uploads.take(arrival.call, arrival.let_in, arrival.reader, arrival.finish)
    call.services.metrics.tokens.labels("PUSH", "spent").inc()
    return link_pages.arrived(file) if pages.wanted(call) else JSON(files.told(file))


class _Form(multipart.FileReader):
    """Of the form only its length is known before it comes, not that of the file in it."""

    def finish(self):
        super().finish()
        self.sink.end()


class _Arrival:
    """
    A file that comes by a link.  The token is held meanwhile, and spent with the file's entry: where there is none, it
    is free again with the end of the upload.
    """

    def __init__(self, call: Call, link: dict):
        self.call = call
        self._link, self._token = link, _hashed(call)
        self._length = fields.content_length(call.headers.get("content-length"))
        self._incoming = None
        self._named, self._size = False, 0
        most = link["max_size"]
        if most is not None and self._length > most + multipart.MAX_BESIDE:
            raise self._too_large()

    def let_in(self) -> Incoming:
        return self.call.metadata.together(self._let_in)

    def _let_in(self):
        call, incoming = self.call, uploads.incoming(self.call, self._length)
        link = call.metadata.tokens.hold(self._token, incoming.id, call.now(), call.services.expiry_of_hold())
        uploads.begin(call, incoming, self._length, Asker(link["point"]))
        return incoming

    def reader(self, incoming: Incoming) -> multipart.FileReader:
        self._incoming = incoming
        return _Form(self.call.headers.get("content-type", ""), self)

    def begin(self, filename: str, mimetype: str):
        self._named = bool(filename)
        self._incoming.begin(filename, mimetype)

    def write(self, data: memoryview):
        self._size += len(data)
        if self._link["max_size"] is not None and self._size > self._link["max_size"]:
            raise self._too_large()
        self._incoming.write(data)

    def end(self):
        self._incoming.end()

    def finish(self, incoming: Incoming) -> tuple[dict, bool]:
        if not (self._named or self._size):  # a form in which none was chosen
            raise Refusal(400, "No file in the request")
        file = uploads.entry(self.call, incoming)
        return file, self.call.metadata.together(functools.partial(self._enter, incoming, file))

    def _enter(self, incoming, file):
        replaced = self.call.metadata.uploads.finish(incoming.id, file, incoming.shards, self.call.steady())
        self.call.metadata.tokens.spend_held(self._token, incoming.id)
        return replaced

    def _too_large(self):
        return Refusal(413, f"File is too large: it may have {self._link['max_size']} bytes by this link")
