"""Files: listing, pointers, shards over HTTP."""

import contextlib
import logging
import secrets
import urllib.parse

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from ..clock import now
from ..refusal import Refusal
from ..request import auth
from ..request.call import Call, JSON
from ..storage.outgoing import Outgoing
from . import listing

BLOCK = 1024 * 1024  # bytes of a shard that a thread reads at a time
_TRIES = 10  # to open a shard whose content comes again and again

_log = logging.getLogger("pymdc.bridge")


def show(call: Call) -> Response:
    email, bucket_id = auth.identify(call).email, call.ids["bucket"]
    return listing.answer(lambda after: call.metadata.files.page(email, bucket_id, after), _file)


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
    outgoing = open_shard(call, call.headers.get("x-token", ""), call.ids["hash"])
    headers = {"Content-Length": str(outgoing.shard["size"])}
    return StreamingResponse(blocks(call, outgoing), headers=headers, media_type="application/octet-stream")


def open_shard(call: Call, token: str, shard_hash: str) -> Outgoing:
    """Spend a shard token, and return the shard, to be read by blocks()."""
    hashed = auth.hash_token(token)
    outgoing = _open(call, hashed, shard_hash)
    try:
        call.metadata.files.spend_shard_token(hashed, shard_hash, now())
    except BaseException:
        outgoing.close()
        raise
    return outgoing


async def blocks(call: Call, outgoing: Outgoing, size=BLOCK):
    """Yield a shard in blocks, and close it.  Its account is settled before the last of them is gone."""
    try:
        while not outgoing.whole and (block := await run_in_threadpool(outgoing.read, size)):
            if outgoing.whole:
                await run_in_threadpool(_settle, call, outgoing)
            yield block
    finally:
        if not outgoing.settled:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(_settle, call, outgoing)


def _settle(call, outgoing):
    """Charge what was sent of a shard, and nothing for one that is damaged."""
    outgoing.settled = True
    outgoing.close()
    row = outgoing.shard
    if outgoing.damaged:
        _log.error("%s is damaged", row["object"])
        call.metadata.shards.mark(row, damaged=True)
    unsent = row["size"] if outgoing.damaged else row["size"] - outgoing.read_so_far
    if unsent:
        call.metadata.files.give_back(row["bucket"], unsent)


def _open(call, token, shard_hash):
    for _ in range(_TRIES):
        row = call.metadata.files.wanted_shard(token, shard_hash, now())
        flaw = "lost"
        with contextlib.suppress(FileNotFoundError):
            outgoing = Outgoing(call.services.store.open(row["object"]), row)
            if not (row["damaged"] or outgoing.damaged):
                return outgoing
            outgoing.close()
            flaw = "damaged"
        if call.metadata.shards.mark(row, damaged=True):
            break  # else its content came again meanwhile, as another object
    raise Refusal(410, f"The shard is {flaw}")


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
