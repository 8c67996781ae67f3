"""Uploads: a file comes in, and is entered in its bucket."""

import asyncio
import contextlib
import time
from functools import partial

from anyio.to_thread import run_sync
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..metadata import GIGABYTE, Asker, Room
from ..refusal import Refusal
from ..request import auth, direct, fields, multipart
from ..request.call import Call, JSON, one_transaction
from ..storage.incoming import Incoming
from .files import told

BATCH = 1024 * 1024  # bytes handed to a thread at a time
LEAST_PACE = 1024  # bytes a second, on the average of a silence: who is slower keeps others out of his room


async def create(call: Call) -> Response:
    """Take a file, as a form by a token, or as it is."""
    file = direct.announced(call)
    small = file and file.size <= call.services.settings.inline and not call.needs_password
    with call.services.metrics.uploads.track_inprogress():
        return JSON(told(await (_take_at_once if small else _take)(call, file)))


async def take(call: Call, let_in, make_reader, finish) -> dict:
    """
    Let a file in, then read it, then enter it; return it.

    :param let_in: makes room for it, and returns what takes it.
    :param make_reader: returns what reads the body, given that.
    :param finish: enters the file, given that; returns it, and whether some objects are not needed any more.
    """
    incoming = await run_sync(let_in, limiter=call.limiter)
    try:
        await _receive(call, incoming, make_reader(incoming))
    except BaseException:
        await run_in_threadpool(_discard, call, incoming)
        raise
    return await run_in_threadpool(_enter, call, incoming, finish)


async def _take_at_once(call, file) -> dict:
    """Read a small file, then let it in and enter it, in one transaction."""
    content = b"".join([bytes(chunk) async for chunk in paced(call.chunks, call.services.settings.silence)])
    entry, replaced = await call.soon(partial(_store_at_once, call, file, content))
    if replaced:
        await run_in_threadpool(call.services.sweep, call.now())
    return entry


def _store_at_once(call, file, content):
    """Let a file in and enter it; return it, and whether what was there before can go."""
    size, asker = _authorize(call, file)
    call.metadata.uploads.admit(call.ids["bucket"], size, _room(call), call.steady(), asker)
    coming = incoming(call, size)
    direct.FileReader(file, coming).feed(content)
    entry = _entry(call, file, coming)
    return entry, call.metadata.uploads.enter(entry, coming.shards, file.replace)


async def _take(call, file) -> dict:
    let_in, make_reader, finish = (partial(step, call, file) for step in (_let_in, _reader, _finish))
    return await take(call, let_in, make_reader, finish)


@one_transaction
def _let_in(call, file) -> Incoming:
    """Check what can be known before the body is touched, in the order of the protocol, and make room for the file."""
    size, asker = _authorize(call, file)
    coming = incoming(call, size)
    begin(call, coming, size, asker)
    return coming


def incoming(call: Call, size: int) -> Incoming:
    return Incoming(call.services.store, size, call.services.settings.inline)


def begin(call: Call, incoming: Incoming, size: int, asker: Asker):
    """Make room for a file that may come."""
    row = {"id": incoming.id, "bucket": call.ids["bucket"], "size": size, "expires": call.services.expiry()}
    call.metadata.uploads.begin(row, _room(call), call.steady(), asker)


def _room(call):
    services, settings = call.services, call.services.settings
    return Room(
        account=int(settings.account_storage * GIGABYTE), at_once=settings.uploads_at_once,
        disk=services.spare_space, written=services.store.written,
    )


def _authorize(call, file):
    """Let in who may store in the bucket; return how many bytes are to come, and by what that is."""
    bucket_id = call.ids["bucket"]
    if file and not auth.comes_by_token(call):
        return file.size, auth.identify_for_bucket(call, bucket_id).asker
    if file and file.replace and "x-token" in call.headers:  # which may be a stranger's, who could pick any name
        raise Refusal(403, "A token stores a file and replaces none: only the owner, or a listed key, does")
    token = auth.spend_token(call)
    size = file.size if file else fields.file_size(call.headers.get("x-filesize"))
    call.metadata.buckets.find(bucket_id)
    if token["operation"] != "PUSH" or token["bucket"] != bucket_id:
        raise Refusal(401, "Not authorized to store in bucket")
    check_size(token, size)
    return size, Asker(token["point"])


def check_size(token, size: int):
    """Raise Refusal for a file that is larger than a token, given by its row, lets in."""
    if token["max_size"] is not None and size > token["max_size"]:
        raise Refusal(413, f"File is too large: it may have {token['max_size']} bytes by this token, and not {size}")


def _reader(call, file, incoming):
    if file:
        return direct.FileReader(file, incoming)
    return multipart.FileReader(call.headers.get("content-type", ""), incoming)


async def _receive(call, incoming, reader):
    silence = call.services.settings.silence
    renewed = time.monotonic()
    async for batch in _batches(paced(call.chunks, silence), silence):
        await _place(incoming, silence)
        await run_in_threadpool(reader.feed, batch)
        if time.monotonic() - renewed >= silence:
            renewed = time.monotonic()
            await run_in_threadpool(call.metadata.uploads.renew, incoming.id, call.services.expiry())
    reader.finish()
    await _place(incoming, silence)


async def _place(incoming, patience):
    """Wait until the store has a place for what comes, on no thread, since those who have one need threads."""
    place = incoming.place()
    if place is None or place.done():
        return
    try:
        await asyncio.wait_for(asyncio.wrap_future(place), patience)
    except asyncio.TimeoutError:
        raise Refusal(503, "Too much is on its way to the store: try again", {"Retry-After": "5"}) from None


def _discard(call, incoming):
    call.metadata.uploads.end(incoming.id, incoming.discard(), call.metadata.clock.steady())


def _enter(call, incoming, finish):
    """Enter the file in its bucket, or leave nothing of it."""
    try:
        file, replaced = finish(incoming)
    except SQLAlchemyError:
        with contextlib.suppress(SQLAlchemyError):  # then the row stays, and whoever tidies up takes care of the rest
            if call.metadata.uploads.give_up(incoming.id):  # so it is not entered, which the error does not say
                _discard(call, incoming)
        raise
    except (Refusal, OSError):
        _discard(call, incoming)
        raise
    if replaced:
        call.services.sweep(call.now())
    return file


def _finish(call, file, incoming):
    entry = _entry(call, file, incoming)
    replace = file is not None and file.replace
    return entry, call.metadata.uploads.finish(incoming.id, entry, incoming.shards, call.steady(), replace)


def _entry(call, file, incoming):
    found = entry(call, incoming)
    if file and file.hash not in (None, found["hash"]):
        raise Refusal(400, "Content does not match the hash")
    return found


def entry(call: Call, incoming: Incoming) -> dict:
    """Return what to enter of a file that has come whole."""
    incoming.finish()
    return {"bucket": call.ids["bucket"], "created": call.now(), **incoming.entry()}


async def paced(chunks, window):
    """Pass chunks on as long as they come by the least pace.  The time that whoever takes them needs does not count."""
    waited, came, begun = 0, 0, time.monotonic()
    async for chunk in chunks:
        waited += time.monotonic() - begun
        came += len(chunk)
        if waited >= window:
            if came < LEAST_PACE * waited:
                raise Refusal(408, f"Slower than {LEAST_PACE} bytes a second for {window:g} seconds")
            waited = came = 0
        yield chunk
        begun = time.monotonic()


async def _batches(chunks, silence):
    """Put chunks together, but never hold one back for longer than a silence."""
    batch, begun = bytearray(), time.monotonic()
    async for chunk in chunks:
        if len(chunk) == BATCH:
            if batch:
                yield bytes(batch)
            yield chunk
            batch, begun = bytearray(), time.monotonic()
            continue
        batch += chunk
        if len(batch) >= BATCH or time.monotonic() - begun >= silence:
            yield bytes(batch)
            batch, begun = bytearray(), time.monotonic()
    if batch:
        yield bytes(batch)
