"""
Connections that notice an answer which comes before the request was sent.

A bridge that refuses an upload may say so at once and then stop reading.  The stock connection of requests sends the
whole body first, so it waits until it breaks, and the answer is lost.  Here each write first looks whether something
is there to be read.
"""

from __future__ import absolute_import, division, print_function

import errno
import functools
import io
import socket
import ssl

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.wait import wait_for_socket

__all__ = ["Adapter"]

_BLOCK = 256 * 1024


class Adapter(HTTPAdapter):
    """
    A transport adapter of requests whose connections are watchful.

    :param float silence: seconds that may pass between two writes.
    """

    def __init__(self, silence, **options):
        self._pools = {
            "http": _watchful_pool(HTTPConnectionPool, silence),
            "https": _watchful_pool(HTTPSConnectionPool, silence),
        }
        super(Adapter, self).__init__(**options)

    def init_poolmanager(self, *args, **options):
        super(Adapter, self).init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args, **options):
        manager = super(Adapter, self).proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _watchful_pool(pool_class, silence):
    class Connection(_Watchful, pool_class.ConnectionCls):
        write_timeout = silence

    class Pool(pool_class):
        ConnectionCls = Connection

    return Pool


class _Watchful(object):
    def connect(self):
        super(_Watchful, self).connect()
        self.response_class = type(self).response_class

    def send(self, data):
        if self.sock is None:
            self.connect()
        blocks = iter(lambda: data.read(_BLOCK), b"") if hasattr(data, "read") else (data,)
        for block in blocks:
            self._send_block(block)

    def _send_block(self, block):
        if not isinstance(self.sock, socket.socket):  # TLS within TLS, through an https proxy
            self.sock.sendall(block)
            return
        rest, patience = memoryview(block), self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            while len(rest):
                if not wait_for_socket(self.sock, read=True, write=True, timeout=self.write_timeout):
                    raise socket.timeout("timed out while sending")
                if self._answered():
                    # urllib3 takes this as "the other side has closed" and goes on to read the answer.
                    raise IOError(errno.EPIPE, "answered before the request was sent")
                rest = rest[self._send_some(rest):]
        finally:
            self.sock.settimeout(patience)

    def _send_some(self, rest):
        try:
            return self.sock.send(rest)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except EnvironmentError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                return 0
            raise

    def _answered(self):
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                # What makes the socket readable may be only a session ticket; then there is nothing to read yet.
                first = self.sock.recv(1)
            else:
                self.sock.recv(1, socket.MSG_PEEK)
                first = b""
        except ssl.SSLWantReadError:
            return False
        except EnvironmentError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                return False
            first = b""  # broken: reading will tell how
        self.response_class = functools.partial(_EarlyResponse, type(self).response_class, first)
        return True


def _EarlyResponse(base, first, sock, *args, **options):
    """Make a response of class *base* that begins with the byte *first* and ends its connection."""
    class Response(base):
        def begin(self):
            base.begin(self)
            self.will_close = True  # the rest of the request was never sent

    response = Response(sock, *args, **options)
    if first:
        response.fp = io.BufferedReader(_Prefixed(first, sock, response.fp))
    return response


class _Prefixed(io.RawIOBase):
    """What comes from a socket, with one byte that was read before put back at its head."""

    def __init__(self, first, sock, held):
        self._first = first
        self._sock = sock
        self._held = held  # keeps the socket open until the response is closed

    def readable(self):
        return True

    def readinto(self, buffer):
        if self._first:
            buffer[:1], self._first = self._first, b""
            return 1
        return self._sock.recv_into(buffer)

    def close(self):
        self._held.close()
        super(_Prefixed, self).close()
