"""A farmer that says what a script tells it: websocket frames as they were recorded, on a real socket."""

from __future__ import absolute_import, division, print_function

import base64
import binascii
import hashlib
import re
import socket
import struct
import threading

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


class ScriptedFarmer(object):
    """
    Plays one script to each connection; the last one to all that come after.

    :param scripts: frames of ``channel.json``; those with ``dir`` "send" are waited for, the others are sent.  A frame
        with ``raw`` is sent as these bytes, one with ``tcp`` drops the connection; at the end of the script it stays
        open.
    :ivar bytes headers: further headers of its side of the handshake, each with its line end.
    :ivar list heads: what each client has begun with.
    """

    def __init__(self, *scripts):
        self.headers = b""
        self.heads = []
        self.messages = []
        self.count = 0
        self._scripts = scripts
        self._connections = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.url = "ws://127.0.0.1:{0}".format(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()
        self._thread.join()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except EnvironmentError:
                return
            self._connections.append(connection)
            connection.settimeout(10)
            try:
                self._play(connection)
            except EnvironmentError:
                pass  # the client has left

    def _play(self, connection):
        stream = connection.makefile("rwb")
        self.heads.append(shake_hands(stream, self.headers))
        self.count += 1
        for frame in self._scripts[min(self.count, len(self._scripts)) - 1]:
            if frame["dir"] == "send":
                self.messages.append(read_frame(stream))
            elif "tcp" in frame:
                connection.shutdown(socket.SHUT_RDWR)
                return
            elif "raw" in frame:
                stream.write(frame["raw"])
                stream.flush()
            elif "opcode" in frame:
                send_frame(stream, frame["opcode"], payload(frame), frame.get("fin", 1))


def payload(frame):
    """Return the bytes of a recorded frame; of a long one only the first are known."""
    if "length" in frame:
        start = binascii.unhexlify(frame["hex_start"])
        return start + b"\0" * (frame["length"] - len(start))
    return binascii.unhexlify(frame["hex"]) if "hex" in frame else frame["text"].encode("ascii")


def shake_hands(stream, headers=b""):
    """Answer the request that begins a websocket, and return its head."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _read(stream, 1)
    key = re.search(br"(?i)sec-websocket-key: (\S+)", head).group(1)
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # RFC 6455, 1.3
    stream.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept + b"\r\n" + headers + b"\r\n")
    stream.flush()
    return head


def read_frame(stream):
    """Return opcode and payload of a frame, which is masked and shorter than 64 KiB."""
    first, second = bytearray(_read(stream, 2))
    length = second & 0x7F
    if length == 126:
        length, = struct.unpack("!H", _read(stream, 2))
    mask = bytearray(_read(stream, 4))
    data = bytearray(_read(stream, length))
    return first & 0x0F, bytes(bytearray(byte ^ mask[index % 4] for index, byte in enumerate(data)))


def _read(stream, size):
    data = stream.read(size)
    if len(data) < size:
        raise IOError("the client has left")
    return data


def send_frame(stream, opcode, data, fin=1):
    head = struct.pack("!B", opcode | 0x80 * fin)
    if len(data) < 126:
        head += struct.pack("!B", len(data))
    elif len(data) < 65536:
        head += struct.pack("!BH", 126, len(data))
    else:
        head += struct.pack("!BQ", 127, len(data))
    stream.write(head + data)
    stream.flush()
