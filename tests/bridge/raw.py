"""Bytes over a socket, also such as no client should send, and the answers to them."""

import base64
import json
import os
import socket
import struct

LAST = b"OPTIONS /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Answer:
    """One answer of the bridge."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"

    def json(self):
        return json.loads(self.body)

    def without(self, *names):
        """Return all of the answer but some headers, to be compared."""
        return self.status, {name: value for name, value in self.headers.items() if name not in names}, self.body

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


class Connection:
    """One connection.  A bridge that resets it has closed it."""

    def __init__(self, url, timeout=4):
        host, port = url.split("//")[1].split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=timeout)
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._socket.close()

    def send(self, data):
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def finish(self):
        """Say that nothing more will come."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def answer(self):
        """Return the next answer, or None when the connection has ended."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if status == 100:
            return self.answer()
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, self._chunks())
        body = b"" if status in (101, 204) else self.exactly(int(headers["content-length"]))
        return Answer(status, headers, body)

    def answers(self):
        return list(iter(self.answer, None))

    def exactly(self, size):
        """Return so many bytes, or None when the connection ends before."""
        while len(self._rest) < size:
            if not self._more():
                return None
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def frame(self):
        """Return opcode and payload of the next frame of a websocket, or None when the connection has ended."""
        head = self.exactly(2)
        if head is None:
            return None
        size = head[1]
        if size > 125:
            size = int.from_bytes(self.exactly(2 if size == 126 else 8), "big")
        return head[0] & 15, self.exactly(size)

    def frames(self):
        return list(iter(self.frame, None))

    def _until(self, end):
        while end not in self._rest:
            if not self._more():
                return None
        found, _, self._rest = self._rest.partition(end)
        return found

    def _chunks(self):
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self.exactly(size + 2)[:-2]
        self._until(b"\r\n")
        return body

    def _more(self):
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            return False
        self._rest += data
        return bool(data)


def talk(url, data, answers=1):
    """
    Send *data*, wait for so many answers, and return all that come.

    What follows on a connection that stays open is one more request: whatever was still to be answered comes before.
    """
    with Connection(url) as connection:
        connection.send(data)
        read = [answer for answer in (connection.answer() for _ in range(answers)) if answer is not None]
        if not read or read[-1].closes:
            connection.finish()
            return read + connection.answers()
        connection.send(LAST)
        read += connection.answers()
        return read[:-1] if read[-1].status == 204 else read


def request(method, target, headers=(), body=b""):
    """Return a request that is well formed, unless what it is made of is not."""
    length = [("Content-Length", len(body))] if body or method in ("POST", "PUT", "PATCH") else []
    headers = [("Host", "x"), *(headers.items() if isinstance(headers, dict) else headers)]
    given = {_bytes(name).lower() for name, _ in headers}
    lines = [_bytes(method) + b" " + _bytes(target) + b" HTTP/1.1"]
    lines += [_bytes(name) + b": " + _bytes(value) for name, value in headers]
    if not given & {b"content-length", b"transfer-encoding"}:
        lines += [_bytes(name) + b": " + _bytes(value) for name, value in length]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(body, size=7):
    """Return *body* as chunks, without the last one."""
    pieces = [body[start:start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def handshake(target="/", **changes):
    """Return the opening handshake of a websocket; a header that is changed to None is left out."""
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    headers.update({name.replace("_", "-"): value for name, value in changes.items()})
    return request("GET", target, {name: value for name, value in headers.items() if value is not None})


def frame(opcode, payload=b"", final=True, reserved=0, mask=b"\x11\x22\x33\x44", length=None):
    """Return one frame of a websocket.  *length* is what is announced, when it is not the truth."""
    length = len(payload) if length is None else length
    first = (128 if final else 0) | reserved << 4 | opcode
    masked = 128 if mask else 0
    if length < 126:
        head = struct.pack("!BB", first, masked | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, masked | 126, length)
    else:
        head = struct.pack("!BBQ", first, masked | 127, length)
    if mask:
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return head + (mask or b"") + payload


def _bytes(value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8")
