"""Files: upload, listing, pointers, shards over HTTP."""

import secrets
import urllib.parse

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from . import auth, fields
from .call import Call, JSON, now
from .multipart import FileReader
from .refusal import Refusal
from .upload import Upload

BATCH = 1024 * 1024  # bytes handed to a thread at a time
SHARD_TOKEN_LIFE = 24 * 60 * 60 * 1000  # milliseconds
SHARD_TOKEN_USES = 3


def show(call: Call) -> Response:
    rows = call.metadata.files(auth.identify(call).email, call.ids["bucket"])
    return JSON([_file(row) for row in rows])


def delete(call: Call) -> Response:
    identity = auth.identify(call)
    call.services.store.delete(call.metadata.delete_file(identity.email, call.ids["bucket"], call.ids["hash"]))
    return Response(status_code=204)


async def upload(call: Call) -> Response:
    size = await run_in_threadpool(_admit, call)
    incoming = Upload(call.services.store, size)
    try:
        reader = FileReader(call.headers.get("content-type", ""), incoming)
        async for batch in _batches(call.chunks):
            await run_in_threadpool(reader.feed, batch)
        reader.finish()
        entry = await run_in_threadpool(_enter, call, incoming)
    except BaseException:
        await run_in_threadpool(incoming.discard)
        raise
    return JSON(entry)


def pointers(call: Call) -> Response:
    token = auth.spend_token(call)
    bucket_id = call.ids["bucket"]
    if token["operation"] != "PULL" or token["bucket"] != bucket_id:
        raise Refusal(401, "Not authorized to retrieve from bucket")
    texts, moment = [], now()

    def make_token():
        texts.append(secrets.token_hex(20))
        return {
            "hash": auth.hash_token(texts[-1]), "left": SHARD_TOKEN_USES, "expires": moment + SHARD_TOKEN_LIFE,
        }

    shards = call.metadata.hand_out(bucket_id, call.ids["hash"], make_token, moment)
    return JSON([_pointer(call, shard, text) for shard, text in zip(shards, texts)])


def shard(call: Call) -> Response:
    file, size = open_shard(call, call.headers.get("x-token", ""), call.ids["hash"])
    headers = {"Content-Length": str(size)}
    return StreamingResponse(blocks(file), headers=headers, media_type="application/octet-stream")


def open_shard(call: Call, token: str, shard_hash: str):
    """Spend a shard token, and return the shard as an open file and its size."""
    row = call.metadata.spend_shard_token(auth.hash_token(token), shard_hash, now())
    try:
        return call.services.store.open(row["object"]), row["size"]
    except FileNotFoundError:
        raise Refusal(404, "The shard is not in the store") from None


async def blocks(file, size=BATCH):
    """Yield an open file in blocks, and close it."""
    try:
        while block := await run_in_threadpool(file.read, size):
            yield block
    finally:
        file.close()


def _admit(call):
    """Check what can be known before the body is read, in the order of the protocol; return the declared size."""
    token = auth.spend_token(call)
    size = fields.file_size(call.headers.get("x-filesize"))
    bucket_id = call.ids["bucket"]
    call.metadata.bucket(bucket_id)
    if token["operation"] != "PUSH" or token["bucket"] != bucket_id:
        raise Refusal(401, "Not authorized to store in bucket")
    call.metadata.check_room(bucket_id, size)
    return size


def _enter(call, incoming):
    """Enter the file in its bucket.  Once that is tried, only a refusal says for sure that nobody holds its shards."""
    incoming.finish()
    entry = {"bucket": call.ids["bucket"], **incoming.entry()}
    shards = incoming.release()
    try:
        unneeded = call.metadata.add_file(entry, shards)
    except Refusal:
        call.services.store.delete(shard["object"] for shard in shards)
        raise
    call.services.store.delete(unneeded)
    return entry


async def _batches(chunks):
    batch = bytearray()
    async for chunk in chunks:
        batch += chunk
        if len(batch) >= BATCH:
            yield bytes(batch)
            batch.clear()
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
