"""Two transactions on PostgreSQL that meet: one stops after each of its statements in turn, and the other comes."""

import contextlib
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import event

from pymdc.bridge.refusal import Refusal
from waiting import eventually

DEADLOCK = "40P01"
PATIENCE = 30  # seconds
WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Deadlocks:
    """:ivar count: how many transactions have ended so, to be run again."""

    count = 0

    def see(self, context):
        self.count += getattr(context.original_exception, "sqlstate", None) == DEADLOCK


@contextlib.contextmanager
def deadlocks_of(*engines):
    """Count those of what these engines do."""
    deadlocks = Deadlocks()
    for engine in engines:
        event.listen(engine, "handle_error", deadlocks.see)
    try:
        yield deadlocks
    finally:
        for engine in engines:
            event.remove(engine, "handle_error", deadlocks.see)


def meetings(memory):
    """Yield a :class:`Meeting` for each place where one of two can have got to when the other comes."""
    for turned in (False, True):
        for number in itertools.count(1):
            meeting = Meeting(memory, number, turned)
            yield meeting
            if not meeting.stopped:
                break


class Meeting:
    """
    :param memory: what both work on.
    :param number: of the statement after which the first one stops, until the other has ended or waits for it.
    :param turned: whether the second one given is the first.
    :ivar stopped: whether the first one came so far.
    :ivar between: which of the two given came and went while the other one had stopped; None if it had to wait.
    """

    def __init__(self, memory, number, turned):
        self._engine = memory._database._engine
        self._number, self._turned = number, turned
        self._thread, self._count = None, 0
        self._there, self._go_on = threading.Event(), threading.Event()
        self.stopped, self.between = False, None

    def __call__(self, one, other):
        """Run both; return what each has returned, or the Refusal it has raised.  None may wait for each other."""
        first, second = (other, one) if self._turned else (one, other)
        with self._watched() as deadlocks, ThreadPoolExecutor(2) as threads:
            running = threads.submit(self._run, first)
            assert self._there.wait(PATIENCE)
            coming = threads.submit(second)
            eventually(lambda: coming.done() or waiting(self._engine))
            if self.stopped and coming.done():
                self.between = 0 if self._turned else 1
            self._go_on.set()
            results = [_outcome(each) for each in (running, coming)]
        assert not deadlocks.count, f"after statement {self._number}"
        return results[::-1] if self._turned else results

    def _run(self, first):
        self._thread = threading.get_ident()
        try:
            return first()
        finally:
            self._thread = None  # it may be the other one's next
            self._there.set()

    @contextlib.contextmanager
    def _watched(self):
        event.listen(self._engine, "after_cursor_execute", self._executed)
        try:
            with deadlocks_of(self._engine) as deadlocks:
                yield deadlocks
        finally:
            self._go_on.set()
            event.remove(self._engine, "after_cursor_execute", self._executed)

    def _executed(self, *arguments):
        if threading.get_ident() == self._thread:
            self._count += 1
            if self._count == self._number:
                self.stopped = True
                self._there.set()
                assert self._go_on.wait(PATIENCE)


def waiting(engine) -> int:
    """Return how many wait for another's lock."""
    with engine.connect() as db:
        return db.exec_driver_sql(WAITING).scalar()


def _outcome(future):
    try:
        return future.result(PATIENCE)
    except Refusal as refusal:
        return refusal
