"""
One shard from one farmer: over HTTP where the pointer has a url, else over a websocket.

Source: docs/protocol, "Data channel".
"""

from __future__ import absolute_import, division, print_function

import json

from .._compat import text_type, urlsplit
from ..errors import TransportError
from .binaryjs import DATA, END, NEW, OVERHEAD, PAUSE, RESUME, parsed, question

__all__ = ["MAX_SHARD", "Refused", "chunks"]

MAX_SHARD = 9 * 1024 * 1024  # bytes; the bridges of 2016 cut at some 8 450 000
MAX_VERDICT = 65536  # bytes
EMPTY = "ba084d3f143f2896809d3f1d7dffed472b39d8de"  # the hash of a shard without bytes


class Refused(TransportError):
    """
    The farmer does not give this shard for this token.

    :ivar bool spent: whether the token may have been used up.
    """

    spent = True


class _Wordless(TransportError):
    """The farmer closed as if all had been said, as one of 0.2 does when asked in plain text.  The token stays good."""


def chunks(pointer, network):
    """
    Yield the bytes of the shard that *pointer* leads to, unverified.

    :param dict pointer: hash, token, and channel (``ws://`` or ``wss://``) or url (``http://`` or ``https://``).
    """
    if "url" in pointer:
        return _http_chunks(pointer, network)
    return _websocket_chunks(pointer, network)


def _http_chunks(pointer, network):
    headers = {"x-token": pointer["token"]}
    with network.send("GET", pointer["url"], headers) as reply:
        if reply.status != 200:
            refused = reply.status in (400, 401, 403, 404, 410)
            error = (Refused if refused else TransportError)("the farmer answered {0}".format(reply.status))
            error.spent = reply.status == 401
            error.retry_after = reply.retry_after
            error.away = reply.status in (502, 503) and not _is_refusal(reply.read())
            raise error
        for chunk in reply.chunks():
            yield chunk


def _is_refusal(content):
    """Return whether these are words of a bridge's, not of a balancer's before it."""
    try:
        return "error" in json.loads(content.decode("utf-8"))
    except (TypeError, ValueError, RuntimeError):
        return False


def _websocket_chunks(pointer, network):
    """Speak the dialect that the farmer is known for; else plain text first, since BinaryJS crashes a plain farmer."""
    farmer = _host_and_port(pointer)
    known = network.dialects.get(farmer)
    try:
        if known is not _binaryjs:
            try:
                for chunk in _conversation(pointer, network, _plain):
                    yield chunk
                network.dialects[farmer] = _plain
                return
            except _Wordless:
                if known:
                    raise
        for chunk in _conversation(pointer, network, _binaryjs):
            yield chunk
        network.dialects[farmer] = _binaryjs
    except TransportError:
        network.dialects.pop(farmer, None)  # another may have taken its place
        raise


def _host_and_port(pointer):
    return urlsplit(pointer["channel"]).netloc.rpartition("@")[2]


def _conversation(pointer, network, dialect):
    from .websocket import FAILURES, FarmerSocket, translated  # takes long, and our own bridge offers HTTP

    channel = FarmerSocket(network.timeout[1], MAX_SHARD + OVERHEAD)
    try:
        try:
            channel.open(pointer["channel"], network)
            for chunk in dialect(channel, pointer):
                yield chunk
            return
        except FAILURES as error:
            failure = translated(error, _host_and_port(pointer))
        raise failure
    finally:
        channel.leave()


def _plain(channel, pointer):
    """Yield the binary messages until the farmer says, by ``{"code": 200}`` or by close 1000, that all are sent."""
    channel.send(json.dumps({"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL"}))
    verdict, wordless = b"", pointer["hash"] != EMPTY
    for binary, data, last in channel.frames():
        wordless = False
        if binary:
            yield data
            continue
        verdict += data
        if len(verdict) > MAX_VERDICT:
            raise TransportError("the farmer's verdict is too long")
        if last:
            _check_verdict(verdict, pointer)
            return
    if wordless:
        raise _Wordless("the farmer closed without a word")


def _binaryjs(channel, pointer):
    """Yield the data of the stream until the farmer ends it."""
    channel.send_binary(question(pointer["token"], pointer["hash"]))
    for message in _messages(channel):
        kind, payload, stream = _parsed(message)
        if kind == DATA and isinstance(payload, dict):
            raise _refused(payload, pointer)
        if kind == END and stream == 0:
            return
        if kind == DATA and stream == 0 and isinstance(payload, bytes) and payload:
            yield payload
        elif kind in (NEW, PAUSE, RESUME) or (kind == DATA and not payload):
            channel.idle()
        else:
            raise TransportError("the farmer sent what does not belong to the shard")
    raise TransportError("the farmer closed before the end of the shard")


def _messages(channel):
    """Yield the binary messages, each put together from its frames."""
    message = bytearray()
    for binary, data, last in channel.frames():
        if not binary:
            raise TransportError("the farmer sent text among its messages")
        if last and not message:
            yield data  # as a farmer of 0.2 sends them, so not copied
            continue
        message += data
        if len(message) > MAX_SHARD + OVERHEAD:
            raise TransportError("the farmer's message is longer than a shard can be")
        if last:
            yield message
            message = bytearray()


def _parsed(message):
    try:
        return parsed(message)
    except ValueError:
        pass
    raise TransportError("the farmer's message is not BinaryPack")


def _check_verdict(text, pointer):
    try:
        verdict = json.loads(text.decode("utf-8"))
    except (ValueError, RuntimeError):
        verdict = None
    if not isinstance(verdict, dict) or verdict.get("code") != 200:
        raise _refused(verdict, pointer)


def _refused(verdict, pointer):
    """Return the error that tells the farmer's words, when they are such, and do not repeat the token."""
    message = verdict.get("message") if isinstance(verdict, dict) else None
    known = isinstance(message, text_type) and len(message) <= 200 and pointer["token"] not in message.lower()
    return Refused("the farmer refused: {0}".format(json.dumps(message) if known else "no reason given"))
