"""Files: upload, listing, pointers, shards over HTTP."""

import os
import secrets
import time
import urllib.parse

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from . import auth, fields
from .call import Call, JSON
from .clock import now
from .metadata import GIGABYTE, Room
from .multipart import FileReader
from .refusal import Refusal
from .upload import Upload

BATCH = 1024 * 1024  # bytes handed to a thread at a time
UPLOAD_LIFE = 10  # silences that an upload outlives without being renewed


def show(call: Call) -> Response:
    rows = call.metadata.files.of(auth.identify(call).email, call.ids["bucket"])
    return JSON([_file(row) for row in rows])


def delete(call: Call) -> Response:
    identity = auth.identify(call)
    call.metadata.files.delete(identity.email, call.ids["bucket"], call.ids["hash"])
    call.services.sweep(now())
    return Response(status_code=204)


async def upload(call: Call) -> Response:
    incoming = await run_in_threadpool(_admit, call)
    with call.services.metrics.uploads.track_inprogress():
        try:
            await _receive(call, incoming)
        except BaseException:
            await run_in_threadpool(_discard, call, incoming)
            raise
        return JSON(await run_in_threadpool(_enter, call, incoming))


def pointers(call: Call) -> Response:
    token = auth.spend_token(call)
    bucket_id = call.ids["bucket"]
    if token["operation"] != "PULL" or token["bucket"] != bucket_id:
        raise Refusal(401, "Not authorized to retrieve from bucket")
    texts, moment, settings = [], now(), call.services.settings
    terms = {"left": settings.shard_token_uses, "expires": moment + settings.shard_token_life * 1000}

    def make_token():
        texts.append(secrets.token_hex(20))
        return {"hash": auth.hash_token(texts[-1]), **terms}

    shards = call.metadata.files.hand_out(bucket_id, call.ids["hash"], make_token, moment)
    return JSON([_pointer(call, shard, text) for shard, text in zip(shards, texts)])


def shard(call: Call) -> Response:
    file, size = open_shard(call, call.headers.get("x-token", ""), call.ids["hash"])
    headers = {"Content-Length": str(size)}
    return StreamingResponse(blocks(file), headers=headers, media_type="application/octet-stream")


def open_shard(call: Call, token: str, shard_hash: str):
    """Spend a shard token, and return the shard as an open file and its size."""
    hashed = auth.hash_token(token)
    row = call.metadata.files.wanted_shard(hashed, shard_hash, now())
    file = _open(call, row)
    try:
        call.metadata.files.spend_shard_token(hashed, shard_hash, now())
    except BaseException:
        file.close()
        raise
    return file, row["size"]


async def blocks(file, size=BATCH):
    """Yield an open file in blocks, and close it."""
    try:
        while block := await run_in_threadpool(file.read, size):
            yield block
    finally:
        file.close()


def _open(call, row):
    try:
        file = call.services.store.open(row["object"])
    except FileNotFoundError:
        raise Refusal(410, "The shard is lost") from None
    if os.fstat(file.fileno()).st_size != row["size"]:
        file.close()
        raise Refusal(410, "The shard is damaged")
    return file


def _admit(call) -> Upload:
    """Check what can be known before the body is read, in the order of the protocol, and make room for the file."""
    token = auth.spend_token(call)
    bucket_id, size = call.ids["bucket"], fields.file_size(call.headers.get("x-filesize"))
    call.metadata.buckets.find(bucket_id)
    if token["operation"] != "PUSH" or token["bucket"] != bucket_id:
        raise Refusal(401, "Not authorized to store in bucket")
    services, moment = call.services, now()
    incoming = Upload(services.store, size)
    room = Room(account=int(services.settings.account_storage * GIGABYTE), disk=services.spare_space())
    row = {"id": incoming.id, "bucket": bucket_id, "size": size, "expires": _expiry(call)}
    call.metadata.uploads.begin(row, room, moment)
    return incoming


def _expiry(call):
    return now() + int(UPLOAD_LIFE * call.services.settings.silence * 1000)


async def _receive(call, incoming):
    reader = FileReader(call.headers.get("content-type", ""), incoming)
    silence = call.services.settings.silence
    renewed = time.monotonic()
    async for batch in _batches(call.chunks, silence):
        await run_in_threadpool(reader.feed, batch)
        if time.monotonic() - renewed >= silence:
            renewed = time.monotonic()
            await run_in_threadpool(call.metadata.uploads.renew, incoming.id, _expiry(call))
    reader.finish()


def _discard(call, incoming):
    try:
        incoming.discard()
    finally:
        call.metadata.uploads.end(incoming.id)


def _enter(call, incoming):
    """Enter the file in its bucket."""
    try:
        incoming.finish()
        entry = {"bucket": call.ids["bucket"], **incoming.entry()}
        duplicates = call.metadata.uploads.finish(incoming.id, entry, incoming.shards, now())
    except SQLAlchemyError:
        if call.metadata.uploads.is_known(incoming.id):  # so it has not been committed, which the error does not say
            _discard(call, incoming)
        raise
    except (Refusal, OSError):
        _discard(call, incoming)
        raise
    if duplicates:
        call.services.sweep(now())
    return entry


async def _batches(chunks, silence):
    """Put chunks together, but never hold one back for longer than a silence."""
    batch, begun = bytearray(), time.monotonic()
    async for chunk in chunks:
        batch += chunk
        if len(batch) >= BATCH or time.monotonic() - begun >= silence:
            yield bytes(batch)
            batch, begun = bytearray(), time.monotonic()
    yield bytes(batch)


def _file(row):
    return {name: row[name] for name in ("bucket", "mimetype", "filename", "size", "hash")}


def _pointer(call, row, token):
    base = call.services.public_url
    parts = urllib.parse.urlsplit(base)
    return {
        "hash": row["hash"],
        "token": token,
        "operation": "PULL",
        "channel": ("wss" if parts.scheme == "https" else "ws") + "://" + parts.netloc + parts.path,
        "size": row["size"],
        "url": f"{base}/shards/{row['hash']}",
    }
