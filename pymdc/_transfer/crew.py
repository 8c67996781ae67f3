"""Threads that fetch several shards of a file at once."""

from __future__ import absolute_import, division, print_function

import threading

from .._compat import monotonic
from .beginning import SOON
from .fileobject import hash_at

__all__ = ["Crew"]


class Crew(object):
    """
    Threads that fetch the shards of one file to their places in it, the first ones first.

    It begins with one, and is filled up once that one has to wait for an answer.

    :param list places: where each begins and ends.
    :param int first: the number of the first that is wanted.
    :param int left: up to where there may be something that an earlier download has left.
    """

    def __init__(self, pointers, part, places, first, left):
        self._pointers = pointers
        self._part = part
        self._places = places
        self._next = first
        self._left = left
        self._ready = set()
        self._failure = None
        self._stopped = False
        self._change = threading.Condition()
        self._writing = []  # a lock for each thread, held while it writes
        self._wanted = 0  # how many threads may still be started

    def start(self, count):
        """Begin; *count* is the number of threads at most."""
        self._wanted = min(count, len(self._places) - self._next)
        self._add_threads(min(1, self._wanted))

    def answered(self, seconds):
        """Note how long a question has been on its way until its answer came."""
        with self._change:
            if seconds > SOON and not self._stopped:
                self._add_threads(self._wanted)

    def _add_threads(self, count):
        self._wanted -= count
        for _ in range(count):
            self._writing.append(threading.Lock())
            thread = threading.Thread(target=self._work, args=(self._writing[-1],), name="pymdc-download")
            thread.daemon = True  # the thread that waits for them decides how long the interpreter lives
            thread.start()

    def wait(self, index):
        """Wait until a shard is in its place, or raise what stopped it."""
        with self._change:
            while index not in self._ready and self._failure is None:
                self._change.wait(3600)  # on Python 2 only a wait with an end can be interrupted
            if index not in self._ready:
                raise self._failure

    def stop(self):
        """Let nothing more be written once this returns.  A thread that waits for bytes is not waited for."""
        self._stopped = True
        for lock in self._writing:
            with lock:
                pass

    def _work(self, writing):
        try:
            with self._part.open_again() as file:
                for index in iter(self._take, None):
                    self._place(file, index, writing)
                    with self._change:
                        self._ready.add(index)
                        self._change.notify_all()
        except BaseException as error:
            with self._change:
                self._failure = self._failure or error
                self._change.notify_all()

    def _take(self):
        with self._change:
            if self._stopped or self._failure is not None or self._next >= len(self._places):
                return None
            self._next += 1
            return self._next - 1

    def _place(self, file, index, writing):
        start, end = self._places[index]
        asked = []  # when; until the answer comes

        def begin():
            if self._stopped:
                raise _Stopped()
            file.seek(start)
            asked[:] = [monotonic()]

        def write(data):
            if asked:
                self.answered(monotonic() - asked.pop())
            with writing:
                if self._stopped:
                    raise _Stopped()
                self._part.write_all(file, data)

        if end > self._left or hash_at(file, start, end) != self._pointers.hash(index):
            self._pointers.fetch(index, begin, write, verified=False)


class _Stopped(Exception):
    """Nobody waits for the shard any more."""
