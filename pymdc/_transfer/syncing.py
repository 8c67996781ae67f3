"""Having a file on disk."""

from __future__ import absolute_import, division, print_function

import os
import threading

__all__ = ["STEP", "Syncing"]

STEP = 64 * 1024 * 1024  # bytes


class Syncing(object):
    """
    Puts what is written to a file on disk while more of it comes: so little of it is left to wait for in the end.

    A thread begins to sync once STEP bytes have come that none has synced, unless one still does; shorter files take
    none.

    :param file: is open until the end.
    :ivar failure: what the system has said of what it could not put on disk, which it says once; or None.
    """

    def __init__(self, file):
        self.failure = None
        self._file = file
        self._lock = threading.Lock()
        self._waiting = 0  # bytes
        self._thread = None
        self._ended = False

    def wrote(self, count):
        """
        Note that so many bytes have been written, by whatever thread.

        :raises EnvironmentError: some that were written before cannot be put on disk.
        """
        self._check()
        with self._lock:
            self._waiting += count
            if self._waiting >= STEP and not self._ended and not self._is_under_way():
                self._waiting = 0
                self._start()

    def end(self):
        """Let no thread use the file any more, and wait for one that does."""
        with self._lock:
            self._ended = True
        while self._is_under_way():
            self._thread.join(3600)  # on Python 2 only a wait with an end can be interrupted

    def finish(self):
        """Have all on disk, or raise EnvironmentError."""
        self.end()
        self._sync()
        self._check()

    def _is_under_way(self):
        return self._thread is not None and self._thread.is_alive()

    def _start(self):
        self._thread = threading.Thread(target=self._sync, name="pymdc-sync")
        try:
            self._thread.start()
        except (RuntimeError, threading.ThreadError):
            pass  # no room for another thread: the next one syncs this as well, or the end does

    def _sync(self):
        try:
            os.fsync(self._file.fileno())
        except (EnvironmentError, ValueError) as error:  # of a file that is closed, after an interrupted wait
            self.failure = error

    def _check(self):
        if self.failure is not None:
            raise self.failure
