"""A port that can be shut and opened again."""

from __future__ import absolute_import, division, print_function

import socket
import threading

PATIENCE = 30  # seconds


class Door(object):
    """
    A port that can be shut, with all connections cut, and opened again.

    :param converse: is given each connection, on a thread of its own.
    """

    def __init__(self, converse):
        self.crashes = 0
        self._converse = converse
        self._connections = set()
        self._lock = threading.Lock()
        self._timer = None
        self._closed = False
        self.port = 0
        self._open()

    def crash(self, seconds=0):
        """Cut all connections, and let nobody in for so long."""
        with self._lock:
            self.crashes += 1
            self._shut()
            if not self._closed and seconds < PATIENCE:
                self._timer = threading.Timer(seconds, self.open_again)
                self._timer.start()

    def close(self):
        with self._lock:
            self._closed = True
            timer = self._timer
            self._shut()
        if timer is not None:
            timer.cancel()
            timer.join()

    def open_again(self):
        with self._lock:
            if self._is_shut and not self._closed:
                self._open()

    def _open(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        self._is_shut = False
        thread = threading.Thread(target=self._serve, args=(self._listener,))
        thread.daemon = True
        thread.start()

    def _shut(self):
        for connection in [self._listener] + list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except EnvironmentError:
                pass  # it is shut already
        self._listener.close()
        self._connections.clear()
        self._is_shut = True

    def _serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except EnvironmentError:
                return
            connection.settimeout(PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            thread = threading.Thread(target=self._meet, args=(connection,))
            thread.daemon = True
            thread.start()

    def _meet(self, connection):
        try:
            self._converse(connection)
        except EnvironmentError:
            pass  # the client has left, or was cut off
        finally:
            with self._lock:
                self._connections.discard(connection)
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except EnvironmentError:
                pass
            connection.close()
