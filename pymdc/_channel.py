"""
One shard from one farmer: over HTTP where the pointer has a url, else over a websocket.

Source: docs/protocol, "Data channel".
"""

from __future__ import absolute_import, division, print_function

import json
import socket
import struct

from ._compat import text_type
from ._connection import Pace
from .errors import Timeout, TransportError

__all__ = ["MAX_SHARD", "Refused", "chunks"]

MAX_SHARD = 9 * 1024 * 1024  # bytes; the bridges of 2016 cut at some 8 450 000


class Refused(TransportError):
    """The farmer does not give this shard for this token."""


def chunks(pointer, network):
    """
    Yield the bytes of the shard that *pointer* leads to, unverified.

    :param dict pointer: hash, token, and channel (``ws://`` or ``wss://``) or url (``http://`` or ``https://``).
    """
    if "url" in pointer:
        return _http_chunks(pointer, network)
    return _websocket_chunks(pointer, network)


def _http_chunks(pointer, network):
    headers = {"x-token": pointer["token"], "Accept-Encoding": "identity"}
    with network.send("GET", pointer["url"], headers) as reply:
        if reply.status != 200:
            refused = reply.status in (400, 401, 403, 404)
            error = (Refused if refused else TransportError)("the farmer answered {0}".format(reply.status))
            error.retry_after = reply.retry_after
            raise error
        for chunk in reply.chunks():
            yield chunk


def _websocket_chunks(pointer, network):
    import websocket  # takes long, and our own bridge offers HTTP

    channel = websocket.WebSocket(fire_cont_frame=True, skip_utf8_validation=True)
    _bound(channel, Pace(network.timeout[1]))
    # A LookupError is how some versions take a farmer that does not speak HTTP.
    failures = (websocket.WebSocketException, EnvironmentError, LookupError, ValueError)
    try:
        try:
            _open(channel, pointer, network)
            for chunk in _plain(channel, websocket.ABNF):
                yield chunk
            return
        except failures as error:
            failure = _translated(error, websocket, pointer["channel"])
        raise failure
    finally:
        channel.close(timeout=0)


def _bound(channel, pace):
    """Let nobody announce more than a shard, which websocket-client would read whatever its length, nor dribble."""
    buffer = channel.frame_buffer
    read, receive = buffer.recv_strict, buffer.recv

    def recv_strict(size):
        if size > MAX_SHARD:
            raise TransportError("the farmer announced a message of {0} bytes".format(size))
        return read(size)

    def recv(size):
        pace.begin()
        data = receive(size)
        pace.came(len(data))
        return data

    buffer.recv_strict, buffer.recv = recv_strict, recv


def _open(channel, pointer, network):
    options = network.websocket_options(pointer["channel"])
    channel.sock_opt.timeout, channel.sock_opt.sslopt = options.pop("timeout"), options.pop("sslopt", {})
    channel.connect(pointer["channel"], **options)
    if channel.handshake_response.status != 101:
        raise TransportError("the farmer answered {0}".format(channel.handshake_response.status))
    channel.settimeout(network.timeout[1])
    channel.send(json.dumps({"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL"}))


def _plain(channel, abnf):
    """Yield the binary messages until the farmer says, by ``{"code": 200}`` or by close 1000, that all are sent."""
    verdict = b""
    binary = False
    while True:
        opcode, frame = channel.recv_data_frame(control_frame=True)
        if opcode in (abnf.OPCODE_BINARY, abnf.OPCODE_TEXT):
            binary = opcode == abnf.OPCODE_BINARY
        if opcode == abnf.OPCODE_CLOSE:
            _check_close(frame.data)
            return
        if opcode in (abnf.OPCODE_PING, abnf.OPCODE_PONG):
            continue
        if binary:
            yield frame.data
            continue
        verdict += frame.data
        if len(verdict) > 65536:
            raise TransportError("the farmer's verdict is too long")
        if frame.fin:
            _check_verdict(verdict)
            return


def _check_close(data):
    code = struct.unpack("!H", data[:2])[0] if len(data) >= 2 else 1005
    if code != 1000:
        raise TransportError("the farmer closed with code {0}".format(code))


def _check_verdict(text):
    try:
        verdict = json.loads(text.decode("utf-8"))
    except (ValueError, RuntimeError):
        verdict = None
    if not isinstance(verdict, dict) or verdict.get("code") != 200:
        message = verdict.get("message") if isinstance(verdict, dict) else None
        known = isinstance(message, text_type) and len(message) <= 200
        raise Refused("the farmer refused: {0}".format(json.dumps(message) if known else "no reason given"))


def _translated(error, websocket, where):
    if isinstance(error, TransportError):
        return error
    if isinstance(error, (websocket.WebSocketTimeoutException, socket.timeout)):
        return Timeout("the farmer at {0} was silent for too long".format(where))
    return TransportError("the channel to {0} broke: {1}".format(where, type(error).__name__))
