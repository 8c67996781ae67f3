"""Callbacks on worker threads."""

from __future__ import absolute_import, division, print_function

import collections
import logging
import threading
from concurrent.futures import CancelledError, Future

from ._compat import main_thread
from ._fork import PerProcess
from .errors import Timeout, as_answer

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
        self._state = PerProcess(_State)

    def submit(self, work, callback, listing=False, raising=False):
        """
        Run *work* soon, and *callback* with its result, or with a :class:`pymdc.errors.Refusal`, exactly once.

        :param bool listing: whether the result is a list.
        :param bool raising: whether the future raises what *work* has raised, in place of returning the refusal.
        :returns: a ``concurrent.futures.Future`` of what the callback is given.
        """
        if not callable(callback):
            raise TypeError("callback must be callable, not {0!r}".format(type(callback).__name__))
        future, state = Future(), self._state.get()
        with state.lock:
            state.queue.append((future, work, callback, listing, raising))
            # Once the main thread has ended a new thread might not be waited for, or not even start: then the workers
            # that there are do it, or the caller.
            if state.running < self._workers and main_thread().is_alive():
                _start_worker(state)
            alone = not state.running
            state.running += alone
        if alone:
            _run(state)
        return future


class _State(object):
    def __init__(self):
        self.queue = collections.deque()
        self.lock = threading.Lock()
        self.running = 0  # how many workers there are
        self.given_up = None  # the timeout that ended a call while the interpreter waited to end


def _start_worker(state):
    worker = threading.Thread(target=_run, args=(state,), name="pymdc-worker")
    worker.daemon = False
    state.running += 1  # before it can be interrupted: the worker takes itself off
    try:
        worker.start()
    except (RuntimeError, threading.ThreadError):
        state.running -= 1  # no room for another thread


def _run(state):
    while True:
        with state.lock:
            if not state.queue:
                state.running -= 1
                return
            job = state.queue.popleft()
        _do(state, *job)
        del job  # or the last result would live as long as this thread


def _do(state, future, work, callback, listing, raising):
    if future.set_running_or_notify_cancel():
        answer, error = _outcome(state, work)
        if error is not None:
            answer = as_answer(error, listing)
        if error is not None and raising:
            future.set_exception(error)
        else:
            future.set_result(answer)
    else:
        answer = as_answer(CancelledError("Cancelled"), listing)
    try:
        callback(answer)
    except BaseException:  # also SystemExit: it is the callback that ends, not the worker
        _log.exception("a callback raised")


def _outcome(state, work):
    """Return what *work* returns, and what it raises; one of the two is None."""
    if state.given_up is not None:
        return None, state.given_up
    try:
        return work(), None
    except BaseException as error:
        if isinstance(error, Timeout) and not main_thread().is_alive():
            state.given_up = error  # the interpreter waits for one timeout, not for one after the other
        return None, error
