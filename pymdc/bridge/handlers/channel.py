"""The data channel: one shard over a websocket, in the dialect of who asks.  Source: docs/protocol, "Data channel"."""

import asyncio
import json
import logging

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..refusal import Refusal
from ..request import binaryjs
from ..request.call import Call
from . import content

BLOCK = 256 * 1024  # bytes of a shard that are sent at a time
FAREWELL = 10  # seconds to wait for a client of BinaryJS, who closes the channel himself

_log = logging.getLogger("pymdc.bridge")


async def serve(call: Call, websocket: WebSocket):
    await websocket.accept()
    dialect = _Plain(websocket)
    try:
        message = await asyncio.wait_for(websocket.receive(), call.services.settings.silence)
        if message["type"] == "websocket.disconnect":
            return
        if (message.get("bytes") or b"")[:1] == bytes([binaryjs.FIRST_BYTE]):
            dialect = _BinaryJS(websocket)
        try:
            outgoing, give_back = await run_in_threadpool(content.open_shard, call, *_wanted(dialect, message))
        except Refusal as refusal:
            call.record["error"] = refusal.text
            await dialect.refuse(400, refusal.text)
            return
        async for block in content.blocks(call, give_back, outgoing, BLOCK):
            await dialect.send(block, more=outgoing.left > 0)
        if outgoing.damaged:
            await dialect.refuse(500, "The shard is damaged")
        else:
            await dialect.end()
    except asyncio.TimeoutError:
        await websocket.close(1008)
    except WebSocketDisconnect:
        pass  # nothing to tell, and nobody to tell it
    except (OSError, SQLAlchemyError) as error:
        _log.error("data channel: %s", error)
        await dialect.refuse(503, "The bridge cannot read or write its data")


def _wanted(dialect, message):
    """Return token and hash of the shard that a message asks for."""
    try:
        fields = dialect.fields(message)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise Refusal(400, "Failed to parse message")
    for field, complaint in (("token", "You did not supply a token"), ("hash", "You did not supply the data hash")):
        if not isinstance(fields.get(field), str) or not fields[field]:
            raise Refusal(400, complaint)
    if fields.get("operation") != "PULL":
        raise Refusal(400, "Failed to handle the defined operation")
    return fields["token"], fields["hash"]


class _Plain:
    """JSON, and the shard as one message in fragments: some clients of 2016 take the first message for all of it."""

    def __init__(self, websocket):
        self._websocket = websocket
        self._begun = False

    @staticmethod
    def fields(message):
        text = message.get("text")
        return json.loads(message["bytes"].decode("utf-8") if text is None else text)

    async def send(self, block, more):
        self._begun = True
        await self._websocket.send({"type": "websocket.send", "bytes": block, "more_body": more})

    async def end(self):
        if not self._begun:  # nothing is in the shard
            await self.send(b"", more=False)
        await self._websocket.close(1000)

    async def refuse(self, code, text):
        if self._begun:  # no text can stand in the middle of a message
            await self._websocket.close(1011)
            return
        await self._websocket.send_text(json.dumps({"code": code, "message": text}, separators=(",", ":")))
        await self._websocket.close(1008)


class _BinaryJS:
    """A message for each block, and then the client closes."""

    def __init__(self, websocket):
        self._websocket = websocket

    @staticmethod
    def fields(message):
        return binaryjs.fields(message["bytes"])

    async def send(self, block, more):
        await self._websocket.send_bytes(binaryjs.data(block))

    async def end(self):
        await self._websocket.send_bytes(binaryjs.end())
        try:
            await asyncio.wait_for(self._closed(), FAREWELL)
        except asyncio.TimeoutError:
            await self._websocket.close(1000)

    async def refuse(self, code, text):
        await self._websocket.send_bytes(binaryjs.error(text))
        await self._websocket.close(1000)

    async def _closed(self):
        while (await self._websocket.receive())["type"] != "websocket.disconnect":
            pass  # he may have told when to pause
