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
    Plays one script to each connection.

    :param script: frames of ``channel.json``; those with ``dir`` "send" are waited for, the others are sent.  A frame
        with ``tcp`` drops the connection; at the end of the script it stays open.
    """

    def __init__(self, script):
        self.messages = []
        self._script = script
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
        _shake_hands(stream)
        for frame in self._script:
            if frame["dir"] == "send":
                self.messages.append(_read_frame(stream))
            elif "tcp" in frame:
                connection.shutdown(socket.SHUT_RDWR)
                return
            elif "opcode" in frame:
                _send_frame(stream, frame)


def payload(frame):
    """Return the bytes of a recorded frame; of a long one only the first are known."""
    if "length" in frame:
        start = binascii.unhexlify(frame["hex_start"])
        return start + b"\0" * (frame["length"] - len(start))
    return binascii.unhexlify(frame["hex"]) if "hex" in frame else frame["text"].encode("ascii")


def _shake_hands(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.readline()
    key = re.search(br"(?i)sec-websocket-key: (\S+)", head).group(1)
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # RFC 6455, 1.3
    stream.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    stream.flush()


def _read_frame(stream):
    first, second = bytearray(stream.read(2))
    length = second & 0x7F
    if length == 126:
        length, = struct.unpack("!H", stream.read(2))
    mask = bytearray(stream.read(4))
    data = bytearray(stream.read(length))
    return first & 0x0F, bytes(bytearray(byte ^ mask[index % 4] for index, byte in enumerate(data)))


def _send_frame(stream, frame):
    data = payload(frame)
    head = struct.pack("!B", frame["opcode"] | 0x80 * frame.get("fin", 1))
    if len(data) < 126:
        head += struct.pack("!B", len(data))
    elif len(data) < 65536:
        head += struct.pack("!BH", 126, len(data))
    else:
        head += struct.pack("!BQ", 127, len(data))
    stream.write(head + data)
    stream.flush()
