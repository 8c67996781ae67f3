"""The bytes of files, and of shards over HTTP."""

import asyncio
import contextlib
import functools
import logging

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from ..refusal import Refusal
from ..request import auth, fields
from ..request.call import Call
from ..storage.outgoing import Outgoing
from .files import identify_reader

#: Bytes that a thread reads at a time; what is no longer is read before it is answered.  From 1 MiB on the memory for
#: each would be mapped and unmapped (see serving/server.py), which takes a sixth of the CPU of sending them.
BLOCK = 1024 * 1024 - 4096
_TRIES = 10  # to open a shard whose content comes again and again
TYPE = "application/octet-stream"

_log = logging.getLogger("pymdc.bridge")


def show(call: Call) -> Response:
    """Give a file, or the range of it that is asked for."""
    headers = {"ETag": f'"{call.ids["hash"]}"', "Accept-Ranges": "bytes"}
    part = _take(call, functools.partial(choose, call, headers["ETag"]))
    return send(call, part, headers, _open, _payer(call, call.ids["bucket"]))


def choose(call: Call, entity_tag: str, size: int) -> tuple[int, int]:
    """Return where the range begins and ends that is asked for, of a file that has so many bytes."""
    asked = call.headers.get("range", "") if call.headers.get("if-range") in (None, entity_tag) else ""
    return fields.byte_range(asked, size)


def send(call: Call, part, headers: dict, open_shard, give_back) -> Response:
    """
    Answer with a part of a file that has been charged.

    :param open_shard: opens a shard, as :func:`_open` does.
    :param give_back: is told how many of the last bytes have not been sent, when there are some.
    """
    def opened(row, start, end):
        return open_shard(call, row, start, end, lambda: call.metadata.shards.find(row["id"]))

    try:
        outgoing = Outgoing(list(part.pieces()), opened)
    except BaseException:
        give_back(part.end - part.start)
        raise
    if outgoing.left == part.size:
        return _answer(call, give_back, outgoing, headers)
    headers = {**headers, "Content-Range": f"bytes {part.start}-{part.end - 1}/{part.size}"}
    return _answer(call, give_back, outgoing, headers, 206)


def _payer(call, bucket_id):
    """Return what gives bytes that were not sent back to the bucket that was charged for them."""
    return functools.partial(call.metadata.files.give_back, bucket_id)


def _take(call, choose):
    """
    Let in who may read the file, and charge for the part of it that is chosen.  Of that nothing but a token is worth
    waiting for the disk: a power cut may forget a charge of the last second.
    """
    lasts = auth.comes_by_token(call)

    def take():
        asker, _ = identify_reader(call)
        return call.metadata.files.take(call.ids["bucket"], call.ids["hash"], asker, choose, sync=lasts)

    return call.together(take, sync=lasts)


def shard(call: Call) -> Response:
    outgoing, give_back = open_shard(call, call.headers.get("x-token", ""), call.ids["hash"])
    return _answer(call, give_back, outgoing, {})


def _answer(call, give_back, outgoing, headers, status=200):
    size = outgoing.left
    headers = {**headers, "Content-Length": str(size)}
    if size > BLOCK:
        return _Stream(blocks(call, give_back, outgoing), status, headers, TYPE)
    try:
        content = b"".join(iter(lambda: outgoing.read(BLOCK), b""))
        if outgoing.damaged:
            raise Refusal(410, "The shard is damaged")
    except BaseException:
        _settle(call, give_back, outgoing, unsent=size)
        raise
    _settle(call, give_back, outgoing, unsent=0)
    return Response(content, status, headers, TYPE)


class _Stream(StreamingResponse):
    """One that ends with its last byte, or, when the bytes end before that, with the connection."""

    async def stream_response(self, send):
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        left = int(self.headers["content-length"])
        async for block in self.body_iterator:
            left -= len(block)
            await send({"type": "http.response.body", "body": block, "more_body": left > 0})


def open_shard(call: Call, token: str, shard_hash: str) -> tuple:
    """Spend a shard token, and return the bytes of its shard, and what gives some of them back, for blocks()."""
    hashed = auth.hash_token(token)

    def wanted():
        return call.metadata.files.wanted_shard(hashed, shard_hash, call.now())

    def opened(row, start, end):
        return _open(call, row, start, end, lambda: call.metadata.shards.find(row["id"]) if spent else wanted())

    row, spent = wanted(), False
    outgoing = Outgoing([(row, 0, row["size"])], opened)
    try:
        call.metadata.files.spend_shard_token(hashed, shard_hash, call.now())
    except BaseException:
        outgoing.close()
        raise
    spent = True
    return outgoing, _payer(call, row["bucket"])


async def blocks(call: Call, give_back, outgoing: Outgoing, size=BLOCK):
    """
    Yield the bytes in blocks, and close them.  The next is read while one is sent.  They are accounted for before the
    last of them is gone.

    :param give_back: as of :func:`send`.
    """
    def read_on():
        return asyncio.ensure_future(run_in_threadpool(outgoing.read, size))

    reading = read_on()
    try:
        while block := await asyncio.shield(reading):
            last = not outgoing.left
            if last:
                await run_in_threadpool(_settle, call, give_back, outgoing, outgoing.unsent)
            else:
                reading = read_on()
            yield block
            if last:
                return
    except Refusal as refusal:  # it is too late to answer with that
        _log.warning("a download is cut: %s", refusal.text)
    finally:
        if not outgoing.settled:
            with anyio.CancelScope(shield=True):
                held = await _result(reading)
                await run_in_threadpool(_settle, call, give_back, outgoing, outgoing.unsent + len(held))


async def _result(reading) -> bytes:
    """Wait until a block has been read that nobody will send; return it, or none."""
    await asyncio.wait([reading])
    failed = reading.cancelled() or reading.exception()
    return b"" if failed else reading.result()


def _settle(call, give_back, outgoing, unsent):
    """Close a file, and take what nobody has to pay for off what was charged."""
    outgoing.settled = True
    outgoing.close()
    if outgoing.damaged:
        _log.error("%s is damaged", outgoing.damaged["object"])
        call.metadata.shards.mark(outgoing.damaged, damaged=True)
    if unsent:
        give_back(unsent)


def _open(call, row, start, end, find) -> tuple:
    """Open the content of a shard, given by its row; *find* returns that anew, if it has changed meanwhile."""
    for _ in range(_TRIES):
        flaw = "lost"
        with contextlib.suppress(FileNotFoundError):
            file = call.services.open(row, start, end)
            if not row["damaged"] and file.size == row["size"]:
                return file, row
            file.close()
            flaw = "damaged"
        if call.metadata.shards.mark(row, damaged=True):
            break
        row = find()  # its content came again meanwhile, or nothing holds it any more
    raise Refusal(410, f"The shard is {flaw}")


def open_verified(call: Call, row, start, end, find) -> tuple:
    """
    As :func:`_open`, once the whole of the shard has been read and is what it should be, however little of it is asked
    for: so nothing else is sent to who cannot verify it.
    """
    for _ in range(_TRIES):
        verified = _verify(call, row, find)
        file, row = _open(call, verified, start, end, find)
        if row["object"] == verified["object"]:  # which never changes
            return file, row
        file.close()
    raise Refusal(410, "The shard is lost")


def _verify(call, row, find):
    """Read a shard, and return its row, which is a newer one if its content has come again meanwhile."""
    rows = [row]

    def opened(*where):
        file, found = _open(call, *where, find)
        rows.append(found)
        return file, found

    outgoing = Outgoing([(row, 0, row["size"])], opened)
    try:
        while outgoing.read(BLOCK):
            pass
    finally:
        outgoing.close()
    if outgoing.damaged:
        call.metadata.shards.mark(outgoing.damaged, damaged=True)
        raise Refusal(410, "The shard is damaged")
    return rows[-1]
