"""
One thread for what is short and comes from many at the same time.

With a thread for each of them they hand Python's lock to each other at every statement, and then all wake up for the
same commit, which takes longer than what they do.
"""

import asyncio
import collections
import contextlib
import functools
import queue
import threading

from .commits import MOST
from .failures import InDoubt

_PATIENCE = 5  # seconds


class Lane:
    """
    For one event loop, which is told of all at once that has shared a commit.

    :param do: does what is ordered: see :meth:`.Commits.in_series`.
    """

    def __init__(self, do):
        self._do = do
        self._orders = queue.SimpleQueue()
        self._thread = None
        self._closed = self._ended = False

    def order(self, work) -> asyncio.Future:
        """Return what the result of *work* will be in, once it is on disk."""
        if self._closed:
            raise RuntimeError("the database is closed")
        self._start()
        future = asyncio.get_running_loop().create_future()
        self._orders.put((work, future))
        return future

    def _start(self):
        """Start the thread, when it is first needed: those are lost that run when a process forks."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="pymdc-lane", daemon=True)
            thread.start()
            self._thread = thread

    def close(self):
        """End it, once all is done that has been ordered."""
        self._closed = True
        if self._thread is not None:
            self._orders.put(None)
            self._thread.join(_PATIENCE)

    def _run(self):
        while not self._ended:
            self._serve()

    def _serve(self):
        waiting = collections.deque()
        tell = functools.partial(_tell_soon, waiting)
        try:
            self._do(self._take(waiting), tell)
        except BaseException as error:  # of nothing that was ordered; but whoever waits must not wait for good
            if waiting:
                tell([(None, InDoubt(f"broken off: {error!r}")) for _ in waiting])

    def _take(self, waiting):
        """Wait for an order, and yield its work, and that of those that have come meanwhile; note their futures."""
        for _ in range(MOST):
            order = self._orders.get()
            if order is None:
                self._ended = True
                return
            work, future = order
            waiting.append(future)
            yield work
            if self._orders.empty():
                return


def _tell_soon(waiting, ends):
    futures = [waiting.popleft() for _ in ends]  # an error that still held them would be held by them
    with contextlib.suppress(RuntimeError):  # of a loop that is closed: nobody waits any more
        futures[0].get_loop().call_soon_threadsafe(_tell, futures, ends)


def _tell(futures, ends):
    for future, (result, error) in zip(futures, ends):
        if future.done():  # who waited for it has left
            continue
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration):  # which no future takes
            future.set_exception(RuntimeError(f"raised {error!r}"))
        else:
            future.set_exception(error)
