"""The data channel: one shard over a websocket, in the plain dialect.  Source: docs/protocol, "Data channel"."""

import asyncio
import json
import logging

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..refusal import Refusal
from ..request.call import Call
from . import files

BLOCK = 256 * 1024  # bytes of one message

_log = logging.getLogger("pymdc.bridge")


async def serve(call: Call, websocket: WebSocket):
    await websocket.accept()
    try:
        message = await asyncio.wait_for(websocket.receive(), call.services.settings.silence)
        if message["type"] == "websocket.disconnect":
            return
        try:
            token, shard_hash = _wanted(message.get("text"))
            shard = await run_in_threadpool(files.open_shard, call, token, shard_hash)
        except Refusal as refusal:
            call.record["error"] = refusal.text
            await _refuse(websocket, 400, refusal.text)
            return
        async for block in files.blocks(call, shard, BLOCK):
            await websocket.send_bytes(block)
        await websocket.send_text('{"code":200}')
        await websocket.close(1000)
    except asyncio.TimeoutError:
        await websocket.close(1008)
    except WebSocketDisconnect:
        pass  # nothing to tell, and nobody to tell it
    except (OSError, SQLAlchemyError) as error:
        _log.error("data channel: %s", error)
        await _refuse(websocket, 503, "The bridge cannot read or write its data")


async def _refuse(websocket, code, text):
    await websocket.send_text(json.dumps({"code": code, "message": text}, separators=(",", ":")))
    await websocket.close(1008)


def _wanted(text):
    """Return token and hash of the shard that a message asks for."""
    try:
        message = json.loads(text or "")
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise Refusal(400, "Failed to parse message")
    for field, complaint in (("token", "You did not supply a token"), ("hash", "You did not supply the data hash")):
        if not isinstance(message.get(field), str) or not message[field]:
            raise Refusal(400, complaint)
    if message.get("operation") != "PULL":
        raise Refusal(400, "Failed to handle the defined operation")
    return message["token"], message["hash"]
