"""
One shard from one farmer: over HTTP where the pointer has a url, else over a websocket.

Source: docs/protocol, "Data channel".
"""

from __future__ import absolute_import, division, print_function

import json
import socket
import struct

from ._compat import text_type, urlsplit
from .errors import Timeout, TransportError

__all__ = ["Refused", "chunks"]


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
            kind = Refused if 400 <= reply.status < 500 else TransportError
            raise kind("the farmer answered {0} {1}".format(reply.status, reply.reason))
        for chunk in reply.chunks():
            yield chunk


def _websocket_chunks(pointer, network):
    import websocket  # takes long, and our own bridge offers HTTP

    where = pointer["channel"]
    failures = (websocket.WebSocketException, EnvironmentError, ValueError)
    channel = None
    try:
        try:
            channel = websocket.create_connection(where, **_options(where, network))
            message = {"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL"}
            channel.settimeout(network.timeout[1])
            channel.send(json.dumps(message))
            for chunk in _plain(channel, websocket.ABNF):
                yield chunk
            return
        except failures as error:
            failure = _translated(error, websocket, where)
        raise failure
    finally:
        if channel is not None:
            channel.close(timeout=0)


def _plain(channel, abnf):
    """Yield the binary messages until the farmer says, by ``{"code": 200}`` or by close 1000, that all are sent."""
    while True:
        opcode, data = channel.recv_data(control_frame=True)
        if opcode == abnf.OPCODE_BINARY:
            yield data
        elif opcode == abnf.OPCODE_TEXT:
            _check_verdict(data)
            return
        elif opcode == abnf.OPCODE_CLOSE:
            code = struct.unpack("!H", data[:2])[0] if len(data) >= 2 else 1005
            if code != 1000:
                raise TransportError("the farmer closed with code {0}".format(code))
            return


def _check_verdict(data):
    try:
        verdict = json.loads(data.decode("utf-8"))
    except ValueError:
        verdict = None
    if not isinstance(verdict, dict) or verdict.get("code") != 200:
        message = verdict.get("message") if isinstance(verdict, dict) else None
        known = isinstance(message, text_type) and len(message) <= 200
        raise Refused("the farmer refused: {0}".format(message if known else "no reason given"))


def _options(where, network):
    """Return what websocket-client needs to behave as our HTTP does: certificates, proxy, timeout."""
    parts = urlsplit(where)
    secure = parts.scheme == "wss"
    options = {"timeout": network.timeout[0], "skip_utf8_validation": True, "http_no_proxy": [parts.hostname]}
    if secure:
        options["sslopt"] = network.tls_options()
    scheme = "https" if secure else "http"
    proxy = network.proxies_for(scheme + "://" + parts.netloc).get(scheme)
    if proxy:
        proxy = urlsplit(proxy)
        options.update(http_no_proxy=[""], http_proxy_host=proxy.hostname, http_proxy_port=proxy.port or 80)
        if proxy.username:
            options["http_proxy_auth"] = (proxy.username, proxy.password)
    return options


def _translated(error, websocket, where):
    if isinstance(error, TransportError):
        return error
    if isinstance(error, (websocket.WebSocketTimeoutException, socket.timeout)):
        return Timeout("the farmer at {0} was silent for too long".format(where))
    return TransportError("the channel to {0} broke: {1}".format(where, type(error).__name__))
