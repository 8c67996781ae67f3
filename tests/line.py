"""A long line between a client and a bridge."""

from __future__ import absolute_import, division, print_function

import collections
import socket
import threading
import time

from pymdc._compat import monotonic, urlsplit

_BLOCK = 256 * 1024


class Line(object):
    """
    Passes everything on, both ways, and lets it be under way for so many seconds, however much that is.

    :param target: the URL of what it leads to; it can be set later.
    :ivar str url: where clients connect to.
    :ivar int trips: how often a client had to wait for the other side: once to connect, and once each time that it has
        sent something after it had received something.
    """

    def __init__(self, target=None, seconds=0.05):
        self.target = target
        self.trips = 0
        self._seconds = seconds
        self._lock = threading.Lock()
        self._sockets = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.url = "http://127.0.0.1:{0}".format(self._listener.getsockname()[1])
        _start(self._accept)

    def close(self):
        """End all connections."""
        for each in [self._listener] + self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except EnvironmentError:
                pass  # the other side has ended it
            each.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except EnvironmentError:
                return
            self._count()
            parts = urlsplit(self.target)
            bridge = socket.create_connection((parts.hostname, parts.port))
            self._sockets += [client, bridge]
            turns = _Turns(self._count)
            self._lead(client, bridge, turns.up)
            self._lead(bridge, client, turns.down)

    def _count(self):
        with self._lock:
            self.trips += 1

    def _lead(self, source, target, note):
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pieces, there = collections.deque(), threading.Semaphore(0)
        _start(self._take_in, source, pieces, there)
        _start(_let_out, target, pieces, there, note)

    def _take_in(self, source, pieces, there):
        piece = None
        while piece != b"":
            try:
                piece = source.recv(_BLOCK)
            except EnvironmentError:
                piece = b""
            pieces.append((monotonic() + self._seconds, piece))
            there.release()


def _let_out(target, pieces, there, note):
    """Send each piece when its time has come; an empty one is the end."""
    while True:
        there.acquire()
        due, piece = pieces.popleft()
        time.sleep(max(0, due - monotonic()))
        try:
            if not piece:
                return target.shutdown(socket.SHUT_WR)
            note()
            target.sendall(piece)
        except EnvironmentError:
            return  # the other side has left


class _Turns(object):
    """Which way the last piece of a connection went; *count* is called when it is the client's turn again."""

    def __init__(self, count):
        self._count = count
        self._is_up = False

    def up(self):
        if not self._is_up:
            self._is_up = True
            self._count()

    def down(self):
        self._is_up = False


def _start(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, name="line")
    thread.daemon = True
    thread.start()
