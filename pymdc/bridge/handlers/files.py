"""Files: listing, pointers, shards over HTTP."""

import os
import secrets
import urllib.parse

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from ..clock import now
from ..refusal import Refusal
from ..request import auth
from ..request.call import Call, JSON

BLOCK = 1024 * 1024  # bytes of a shard that a thread reads at a time


def show(call: Call) -> Response:
    rows = call.metadata.files.of(auth.identify(call).email, call.ids["bucket"])
    return JSON([_file(row) for row in rows])


def delete(call: Call) -> Response:
    identity = auth.identify(call)
    call.metadata.files.delete(identity.email, call.ids["bucket"], call.ids["hash"], identity.point)
    call.services.sweep(now())
    return Response(status_code=204)


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

    shards = call.metadata.files.hand_out(bucket_id, call.ids["hash"], token["point"], make_token, moment)
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


async def blocks(file, size=BLOCK):
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
