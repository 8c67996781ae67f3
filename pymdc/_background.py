"""Callbacks on worker threads."""

from __future__ import absolute_import, division, print_function

import collections
import logging
import os
import threading
from concurrent.futures import Future

from ._compat import main_thread
from .errors import as_answer

__all__ = ["Background"]

_log = logging.getLogger("pymdc")


class Background(object):
    """
    Runs calls on a few worker threads, and their callbacks after them.

    The threads are made when there is work and end when there is none, and the interpreter waits for them: a script
    that ends right after a call still gets its callback.  A ``ThreadPoolExecutor`` will not do, since it refuses the
    call that a callback starts after the main thread has ended.

    :param int workers: how many threads there are at most.
    """

    def __init__(self, workers=16):
        self._workers = workers
        self._start_anew()

    def submit(self, work, callback):
        """
        Run *work* soon, and *callback* with its result, or with ``{"error": text}``, exactly once.

        :returns: a ``concurrent.futures.Future`` of what the callback is given.
        """
        if not callable(callback):
            raise TypeError("callback must be callable, not {0!r}".format(type(callback).__name__))
        if os.getpid() != self._pid:  # a forked child has none of the threads, and maybe a lock nobody will release
            self._start_anew()
        future = Future()
        with self._lock:
            self._queue.append((future, work, callback))
            # Once the main thread has ended a new thread might not be waited for, or not even start: then the workers
            # that there are do it, or the caller.
            if self._running < self._workers and main_thread().is_alive():
                self._start_worker()
            alone = not self._running
            self._running += alone
        if alone:
            self._run()
        return future

    def _start_anew(self):
        self._pid = os.getpid()
        self._queue = collections.deque()
        self._lock = threading.Lock()
        self._running = 0

    def _start_worker(self):
        worker = threading.Thread(target=self._run, name="pymdc-worker")
        worker.daemon = False
        try:
            worker.start()
        except (RuntimeError, threading.ThreadError):
            return  # no room for another thread
        self._running += 1

    def _run(self):
        while True:
            with self._lock:
                if not self._queue:
                    self._running -= 1
                    return
                job = self._queue.popleft()
            _do(*job)
            del job  # or the last result would live as long as this thread


def _do(future, work, callback):
    if future.set_running_or_notify_cancel():
        answer = _answer(work)
        future.set_result(answer)
    else:
        answer = {"error": "Cancelled"}
    try:
        callback(answer)
    except BaseException:  # also SystemExit: it is the callback that ends, not the worker
        _log.exception("a callback raised")


def _answer(work):
    try:
        return work()
    except BaseException as error:
        return as_answer(error)
