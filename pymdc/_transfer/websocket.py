"""
A websocket to one farmer, who can neither flood its client nor hold it up for ever.

Importing this takes long, so it is done when the first pointer without a url comes.
"""

from __future__ import absolute_import, division, print_function

import errno
import re
import socket
import struct

import websocket
from websocket import ABNF

from .._http.connection import Pace
from .._http.failure import permanent_fault, reason
from ..errors import Timeout, TransportError

__all__ = ["FAILURES", "FarmerSocket", "translated"]

MAX_HANDSHAKE = 65536  # bytes
MAX_IDLE = 10000  # frames and messages, of one shard, that bring nothing of it: pings, empty ones, PAUSE and RESUME

# What websocket-client raises.  A LookupError is how some versions take a farmer that does not speak HTTP.
FAILURES = (websocket.WebSocketException, EnvironmentError, LookupError, ValueError)


class FarmerSocket(websocket.WebSocket):
    """
    A websocket whose other side is bounded in what it may send.

    :param float patience: seconds of silence, or of dribbling, that are borne.
    :param int max_message: bytes that a message may announce.
    """

    _bounded = None

    def __init__(self, patience, max_message):
        super(FarmerSocket, self).__init__(fire_cont_frame=True, skip_utf8_validation=True)
        self._patience = patience
        self._max_message = max_message
        self._idle = 0
        self.frame_buffer.recv_strict = self._receive_exactly

    @property
    def sock(self):
        return self._bounded

    @sock.setter
    def sock(self, sock):
        self._bounded = sock and _Bounded(sock, Pace(self._patience), MAX_HANDSHAKE)

    def open(self, url, network):
        """Connect, and shake hands."""
        if not re.match(r"[\x21-\x7e]+\Z", url):  # websocket-client sends on Python 2 whatever it says
            raise TransportError("the farmer's address is none", sent=False, passing=False)
        options = network.websocket_options(url)
        self.sock_opt.timeout, self.sock_opt.sslopt = options.pop("timeout"), options.pop("sslopt", {})
        self.connect(url, **options)
        if self.handshake_response.status != 101:
            raise TransportError("the farmer answered {0}".format(self.handshake_response.status))
        self.settimeout(network.timeout[1])
        self.sock.allow(2 * self._max_message)  # frames, and what is no part of the shard, have to fit in too

    def frames(self):
        """Yield ``(binary, bytes, whether a message ends with them)`` until the farmer closes with code 1000."""
        binary = False
        while True:
            opcode, frame = self.recv_data_frame(control_frame=True)
            if opcode == ABNF.OPCODE_CLOSE:
                _check_close(frame.data)
                return
            if opcode in (ABNF.OPCODE_PING, ABNF.OPCODE_PONG):
                self.idle()
                continue
            if opcode in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT):
                binary = opcode == ABNF.OPCODE_BINARY
            if not frame.data:
                self.idle()
            yield binary, frame.data, frame.fin

    def idle(self):
        """Note that something came which brings the shard no further, and raise when that is all that comes."""
        self._idle += 1
        if self._idle > MAX_IDLE:
            raise TransportError("the farmer says much and sends nothing")

    def leave(self):
        """Close the channel with code 1000, without waiting for the other side."""
        self.close(timeout=0)
        self.shutdown()  # which close leaves out when the farmer has closed first

    def _receive_exactly(self, size):
        """Stand in for websocket-client's own way, which takes whatever length a frame announces."""
        if size > self._max_message:
            raise TransportError("the farmer announced a message of {0} bytes".format(size))
        data = bytearray()
        while len(data) < size:
            data += self._recv(min(65536, size - len(data)))
        return bytes(data)


class _Bounded(object):
    """A socket that receives only so much, and not too slowly, and passes on no cookie."""

    def __init__(self, sock, pace, limit):
        self._sock = sock
        self._pace = pace
        self._left = limit

    def allow(self, size):
        self._left = size

    def send(self, data):
        if not data.startswith(b"GET "):
            return self._sock.send(data)
        # The handshake.  websocket-client remembers cookies for the whole process: what one farmer sets, for whichever
        # host he names, would go along with the next account's requests.
        self._sock.sendall(re.sub(br"\r\nCookie:[^\r\n]*", b"", data))
        return len(data)

    def recv(self, size):
        self._pace.begin()
        data = self._sock.recv(size)
        self._pace.came(len(data))
        self._left -= len(data)
        if self._left < 0:
            raise TransportError("the farmer sends more than a shard can be")
        return data

    def __getattr__(self, name):
        return getattr(self._sock, name)


def translated(error, where):
    """Return the error of ours that stands for one of ``FAILURES``."""
    if isinstance(error, TransportError):
        return error
    if isinstance(error, (websocket.WebSocketTimeoutException, socket.timeout)):
        return Timeout("the farmer at {0} was silent for too long".format(where))
    failure = permanent_fault(error, where)
    if failure is not None:
        return failure
    failure = TransportError("the channel to {0} broke: {1}".format(where, reason(error)))
    failure.away = getattr(error, "errno", None) == errno.ECONNREFUSED
    failure.sent = not failure.away
    return failure


def _check_close(data):
    code = struct.unpack("!H", data[:2])[0] if len(data) >= 2 else 1005
    if code != 1000:
        raise TransportError("the farmer closed with code {0}".format(code))
