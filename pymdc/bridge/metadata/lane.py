"""
One thread for what is short and comes from many at the same time.

With a thread for each of them they hand Python's lock to each other at every statement, and then all wake up for the
same commit, which takes longer than what they do.
"""

import asyncio
import contextlib
import queue
import threading

from .commits import MOST  # so many at most wait for each other's answers, too

_PATIENCE = 5  # seconds


class Lane:
    """
    For one event loop.

    :param do_all: does several works, and returns how each has ended: see :meth:`.Commits.all`.
    """

    def __init__(self, do_all):
        self._do_all = do_all
        self._orders = queue.SimpleQueue()
        self._thread = None

    def order(self, work) -> asyncio.Future:
        """Return what the result of *work* will be in, once it is on disk."""
        if self._thread is None:  # not before: those threads are lost that run when a process forks
            self._thread = threading.Thread(target=self._run, name="pymdc-lane", daemon=True)
            self._thread.start()
        future = asyncio.get_running_loop().create_future()
        self._orders.put((work, future))
        return future

    def close(self):
        """End it, once all is done that has been ordered."""
        if self._thread is not None:
            self._orders.put(None)
            self._thread.join(_PATIENCE)

    def _run(self):
        while self._serve():
            pass

    def _serve(self):
        """Do what has been ordered; return whether there was anything but that it is to end."""
        futures = []
        ends = self._do_all(self._works(futures))
        if not futures:
            return False
        with contextlib.suppress(RuntimeError):  # of a loop that is closed: nobody waits any more
            futures[0].get_loop().call_soon_threadsafe(_tell, futures, ends)
        return True

    def _works(self, futures):
        """Wait for an order, and yield its work, and that of those that have come meanwhile; note whom to tell."""
        while len(futures) < MOST and not (futures and self._orders.empty()):
            order = self._orders.get()
            if order is None:
                if futures:
                    self._orders.put(None)  # for the next time
                return
            work, future = order
            futures.append(future)
            yield work


def _tell(futures, ends):
    for future, (result, error) in zip(futures, ends):
        if future.cancelled():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
    futures.clear()  # or an error holds them, by the frames that it came through, and they hold it
    ends.clear()
