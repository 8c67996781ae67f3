"""Callbacks on worker threads."""

from __future__ import absolute_import, division, print_function

import collections
import functools
import logging
import threading
from concurrent.futures import CancelledError, Future

from ._compat import main_thread
from ._fork import PerProcess
from .errors import Timeout, as_answer

__all__ = ["Background", "is_last_to_end"]

_OURS = "pymdc-"  # how the names of our threads begin
_log = logging.getLogger("pymdc")


class Background(object):
    """
    Runs calls on a few worker threads, and their callbacks after them.

    The threads are made when there is work and end when there is none, and the interpreter waits for them: a script
    that ends right after a call still gets its callback.  A ``ThreadPoolExecutor`` will not do, since it refuses the
    call that a callback starts after the main thread has ended.

    :param int workers: how many calls are under way at most.  A thread that runs a callback is not counted, for it may
        wait for other calls.
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
        _check_callback(callback)
        future, state = Future(), self._state.get()
        with state.lock:
            state.queue.append((callback, (future, work, listing, raising)))
            self._start_worker(state)
            alone = not state.running
            state.running += alone
        if alone:
            self._run(state)
        return future

    def _start_worker(self, state):
        """Start another worker, if there is work for one; hold the lock meanwhile."""
        if not state.queue or state.running >= self._workers or _in_exit_handler():
            return
        worker = threading.Thread(target=self._run, args=(state,), name=_OURS + "worker")
        worker.daemon = False
        state.running += 1  # before it can be interrupted: the worker takes itself off
        try:
            worker.start()
        except (RuntimeError, threading.ThreadError):
            state.running -= 1  # no room for another thread

    def _run(self, state):
        """Work until there is nothing left to do; who calls this is counted already."""
        while True:
            with state.lock:
                job = state.queue.popleft() if state.queue else None
                if job is None:
                    state.running -= 1
                    return
            callback, call = job
            answer = _do(state, *call)
            with state.lock:
                state.running -= 1  # while it runs the callback
                self._start_worker(state)
            _call(callback, answer)
            del job, call, callback, answer  # or the last result would live as long as this thread
            with state.lock:
                if not state.queue or state.running >= self._workers:
                    return
                state.running += 1


class _State(object):
    def __init__(self):
        self.queue = collections.deque()
        self.lock = threading.Lock()
        self.running = 0  # how many workers do a call
        self.given_up = None  # the timeout that ended a call while the interpreter waited to end


def is_last_to_end():
    """
    Return whether the interpreter waits for nothing but calls in the background, and this is one of them.

    As long as other threads go on after the main one has ended, the program does.
    """
    main = main_thread()
    if main.is_alive() or not (_in_exit_handler() or _is_ours(threading.current_thread())):
        return False
    return all(thread.daemon or thread is main or _is_ours(thread) for thread in threading.enumerate())


def _is_ours(thread):
    return thread.name.startswith(_OURS)


def _in_exit_handler():
    """Return whether nobody would wait for a new thread, or it would not even start."""
    main = main_thread()
    # Python 2 has forgotten by then that the thread which runs is the main one.
    return not main.is_alive() and threading.current_thread().ident == main.ident


def _check_callback(callback):
    if not callable(callback):
        raise ValueError("callback must be callable, not {0!r}".format(type(callback).__name__))
    while isinstance(callback, functools.partial):
        callback = callback.func
    if _makes_coroutines(callback) or _makes_coroutines(type(callback).__call__):
        raise ValueError("callback must be a plain function: nobody would await a coroutine on a worker thread")


def _makes_coroutines(function):
    import inspect  # takes long, and only a callback needs it

    return any(
        getattr(inspect, kind)(function) for kind in ("iscoroutinefunction", "isasyncgenfunction")
        if hasattr(inspect, kind)  # Python 2 knows neither
    )


def _do(state, future, work, listing, raising):
    """Run a call, and return what its callback is given."""
    if not future.set_running_or_notify_cancel():
        return as_answer(CancelledError("Cancelled"), listing)
    answer, error = _outcome(state, work)
    if error is not None:
        answer = as_answer(error, listing)
    try:
        if error is not None and raising:
            future.set_exception(error)
        else:
            future.set_result(answer)
    except BaseException:  # of what waits for the future, which is not the worker's business either
        _log.exception("a callback of a future raised")
    return answer


def _outcome(state, work):
    """Return what *work* returns, and what it raises; one of the two is None."""
    if state.given_up is not None:
        return None, state.given_up
    try:
        return work(), None
    except BaseException as error:
        if isinstance(error, Timeout) and is_last_to_end():
            state.given_up = error  # the interpreter waits for one timeout, not for one after the other
        return None, error


def _call(callback, answer):
    try:
        callback(answer)
    except BaseException:  # also SystemExit: it is the callback that ends, not the worker
        _log.exception("a callback raised")
