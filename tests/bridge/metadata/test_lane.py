"""What an event loop asks for shares commits on one thread, and nobody is told success for what is not there."""

import asyncio
import functools
import gc
import os
import sqlite3
import threading
import weakref

import pytest
from sqlalchemy import event

from pymdc.bridge.metadata import commits, lane, sqliteengine
from pymdc.bridge.metadata.failures import InDoubt, Undone
from pymdc.bridge.refusal import Refusal
from shelf import PATIENCE, break_disk, broken_disk, fill_disk, interrupt, keep, kinds, lose, refuse
from waiting import eventually

FULL = sqlite3.OperationalError("database or disk is full")


class Counter:
    """Takes what is asked for from an event loop, all of which comes while the first of it is done."""

    def __init__(self, shelf):
        self._database, self._engine = shelf.database, shelf.engine
        self._lane = shelf.database._kind.lane
        self.threads = set()

    @property
    def ordered(self):
        """How many orders wait."""
        return self._lane._orders.qsize()

    def together(self, *works):
        """Return what these have come to."""
        return asyncio.run(self._together(works))

    async def _together(self, works):
        def first(db):
            eventually(lambda: self.ordered >= len(works) - 1)
            works[0](db)

        first.sync = getattr(works[0], "sync", True)
        found = await asyncio.gather(*map(self.soon, [first, *works[1:]]), return_exceptions=True)
        return [outcome or "kept" for outcome in found]

    def soon(self, work):
        return self._database.soon(functools.partial(self._do, work), getattr(work, "sync", True))

    def _do(self, work):
        self.threads.add(threading.current_thread())
        with self._database.write(getattr(work, "sync", True)) as db:
            work(db)

    def fail_commits(self, patch, error):
        def fail(connection):
            raise error
        patch.setattr(self._engine.dialect, "do_commit", fail)


@pytest.fixture
def counter(shelf):
    return Counter(shelf)


def without_sync(work):
    work.sync = False
    return work


def test_all_are_done_by_one_thread_and_share_a_commit(shelf, counter):
    assert counter.together(*map(keep, "abcde")) == ["kept"] * 5

    assert len(shelf.committed) == 1 and shelf.names() == set("abcde")
    assert [thread.name for thread in counter.threads] == ["pymdc-lane"]


def test_nobody_is_told_before_the_commit(shelf, counter, monkeypatch):
    told, at_commit = [], []
    tell = lane._tell
    monkeypatch.setattr(lane, "_tell", lambda *arguments: told.append(tell(*arguments)))
    event.listen(shelf.engine, "commit", lambda connection: at_commit.append(len(told)))

    counter.together(keep("a"), refuse("b"), keep("c"))

    assert at_commit == [0] and len(told) == 1  # all at once


@pytest.mark.parametrize("place", range(3))
def test_what_is_refused_is_undone_alone(shelf, counter, place):
    works = [keep("a"), keep("b"), keep("c")]
    works[place] = refuse("wrong")

    outcomes = counter.together(*works)

    assert isinstance(outcomes.pop(place), Refusal) and outcomes == ["kept", "kept"]
    assert shelf.names() == set("abc") - {"abc"[place]}


@pytest.mark.parametrize("how, words", [
    (fill_disk, "disk is full"), (break_disk, "disk I/O error"), (interrupt, "interrupted"),
])
@pytest.mark.parametrize("place", range(4))
def test_a_transaction_that_one_has_lost_is_lost_for_all_before_and_none_after(shelf, counter, place, how, words):
    works = [keep("a"), refuse("b"), keep("c")]
    works.insert(place, lose(how))

    outcomes = counter.together(*works)

    assert words in str(outcomes.pop(place))
    assert kinds(outcomes) == [Undone] * place + ["kept", Refusal, "kept"][place:]
    assert shelf.names() == set("abc"[place:]) - {"b"}
    assert counter.together(keep("again")) == ["kept"]


@pytest.mark.parametrize("error, told", [(FULL, Undone), (sqlite3.OperationalError("interrupted"), InDoubt)])
def test_when_the_commit_fails_all_have_failed_and_the_last_is_told_how(shelf, counter, monkeypatch, error, told):
    with monkeypatch.context() as patch:
        counter.fail_commits(patch, error)
        outcomes = counter.together(keep("a"), refuse("b"), keep("c"))

    assert kinds(outcomes[:2]) == [told, told]
    assert str(error) in str(outcomes[2]) and not isinstance(outcomes[2], (Undone, InDoubt))
    assert shelf.names() == set()
    assert counter.together(keep("d")) == ["kept"]


@pytest.mark.parametrize("works, told", [("a", "OperationalError"), ("aB", "Undone Undone"), ("B", "Refusal")])
def test_a_refusal_stands_that_has_seen_nothing_of_others(counter, monkeypatch, works, told):
    """Capitals are refused."""
    counter.fail_commits(monkeypatch, FULL)

    outcomes = counter.together(*(refuse(name) if name.isupper() else keep(name) for name in works))

    assert [type(outcome).__name__ for outcome in outcomes] == told.split()


def test_when_the_disk_fails_in_the_commit_all_are_in_doubt(shelf, counter):
    with broken_disk(shelf.path):
        outcomes = counter.together(keep("a"), keep("b"))

    assert isinstance(outcomes[0], InDoubt) and "disk I/O error" in str(outcomes[1])
    assert shelf.names() == set()


def test_what_cannot_begin_keeps_nothing_else_from_beginning(shelf, counter, monkeypatch):
    flock, calls = sqliteengine.fcntl.flock, []

    def fail_once(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError("no locks")
        return flock(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(sqliteengine.fcntl, "flock", fail_once)
        outcomes = asyncio.run(gather(counter.soon(keep("a")), counter.soon(keep("b"))))

    assert isinstance(outcomes[0], OSError) and outcomes[1] is None
    assert shelf.names() == {"b"}


async def gather(*awaitables):
    return await asyncio.gather(*awaitables, return_exceptions=True)


@pytest.mark.parametrize("works, levels", [("ab", [1]), ("Ab", [2]), ("aB", [1, 2]), ("abCd", [1, 2])])
def test_only_those_that_need_no_sync_share_a_commit_without_one(shelf, counter, works, levels):
    """Capitals need one."""
    found = []
    event.listen(shelf.engine, "commit", lambda connection: found.append(
        connection.connection.driver_connection.execute("PRAGMA synchronous").fetchone()[0],
    ))

    counter.together(*(keep(name) if name.isupper() else without_sync(keep(name)) for name in works))

    assert found == levels  # 1 is NORMAL, 2 is FULL
    assert shelf.names() == set(works)


def test_what_threads_ask_for_has_its_turn_in_between(shelf, counter, monkeypatch):
    monkeypatch.setattr(commits, "MOST", 2)
    order = []

    def noted(name):
        def work(db):
            order.append(name)
        return work

    def first(db):
        thread.start()
        eventually(lambda: shelf.waiting)
        order.append("a")

    thread = threading.Thread(target=shelf.run, args=(0, noted("thread")), daemon=True)
    counter.together(first, *map(noted, "bcdef"))
    thread.join(PATIENCE)

    assert order == ["a", "b", "thread", "c", "d", "e", "f"]


def test_so_many_wait_for_each_other_at_most(shelf, counter, monkeypatch):
    monkeypatch.setattr(lane, "MOST", 3)

    counter.together(*map(keep, "abcdefg"))

    assert len(shelf.committed) == 3


def test_it_waits_for_its_turn(shelf, counter):
    held, free = threading.Event(), threading.Event()

    def hold(db):
        held.set()
        assert free.wait(PATIENCE)
        keep("a")(db)

    async def ask():
        waiting = asyncio.create_task(counter.soon(keep("b")))
        await asyncio.to_thread(eventually, lambda: shelf.waiting)
        free.set()
        await waiting

    holder = threading.Thread(target=shelf.run, args=(0, hold), daemon=True)
    holder.start()
    assert held.wait(PATIENCE)
    asyncio.run(ask())
    holder.join(PATIENCE)

    assert shelf.outcomes == {0: "kept"} and shelf.names() == set("ab")


def test_who_does_not_wait_for_it_leaves_it_to_be_done(shelf, counter):
    async def leave():
        tasks = [asyncio.create_task(counter.soon(work)) for work in (hold, keep("b"))]
        await asyncio.to_thread(held.wait, PATIENCE)
        tasks[0].cancel()
        free.set()
        return await gather(*tasks)

    def hold(db):
        held.set()
        assert free.wait(PATIENCE)
        keep("a")(db)

    held, free = threading.Event(), threading.Event()

    assert [type(outcome) for outcome in asyncio.run(leave())] == [asyncio.CancelledError, type(None)]
    assert shelf.names() == set("ab")


def test_nothing_is_told_to_a_loop_that_is_closed(shelf, counter):
    free = threading.Event()

    def hold(db):
        assert free.wait(PATIENCE)
        keep("a")(db)

    async def ask():
        asyncio.create_task(counter.soon(hold))
        await asyncio.sleep(0)

    asyncio.run(ask())
    free.set()
    eventually(lambda: shelf.names() == {"a"})

    assert counter.together(keep("b")) == ["kept"]


def test_what_has_been_ordered_is_done_before_it_closes(shelf, counter):
    def slowly(db):
        eventually(lambda: shelf.database._kind.lane._closed)
        keep("a")(db)

    async def close():
        waiting = [asyncio.create_task(counter.soon(work)) for work in (slowly, keep("b"), keep("c"))]
        await asyncio.sleep(0)
        await asyncio.to_thread(shelf.database.close)
        alive = [thread for thread in counter.threads if thread.is_alive()]
        await asyncio.gather(*waiting)
        return alive

    assert asyncio.run(close()) == []
    assert shelf.names() == set("abc")


def test_each_is_told_when_its_commit_is_on_disk_whatever_others_wait_for(shelf, counter):
    """The first needs no sync, so the second cannot share its commit, and waits for a thread's turn."""
    free = threading.Event()

    def first(db):
        thread.start()
        eventually(lambda: shelf.waiting and counter.ordered)

    def hold(db):
        assert free.wait(PATIENCE)

    async def ask():
        tasks = [asyncio.create_task(counter.soon(work)) for work in (without_sync(first), keep("b"))]
        await asyncio.wait_for(tasks[0], PATIENCE)
        waits = not tasks[1].done()
        free.set()
        await tasks[1]
        return waits

    thread = threading.Thread(target=shelf.run, args=(0, hold), daemon=True)
    assert asyncio.run(ask())
    thread.join(PATIENCE)


def test_what_no_future_takes_keeps_nobody_from_being_told(counter):
    def stop(db):
        raise StopIteration

    outcomes = counter.together(keep("a"), stop, keep("c"))

    assert kinds(outcomes) == ["kept", RuntimeError, "kept"]


def test_whoever_waits_is_told_when_something_breaks_off_that_nobody_has_thought_of(shelf, counter, monkeypatch):
    def fail(end):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(commits._End, "told", fail)
        outcomes = counter.together(keep("a"), keep("b"))

    assert kinds(outcomes) == [InDoubt, InDoubt]
    assert counter.together(keep("c")) == ["kept"]


def test_it_goes_on_when_something_breaks_off_after_all_were_told(shelf, counter, monkeypatch):
    def do_and_fail(works, tell):
        shelf.commits.in_series(works, tell)
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(counter._lane, "_do", do_and_fail)
        outcomes = counter.together(keep("a"))

    assert outcomes == ["kept"]
    assert counter.together(keep("b")) == ["kept"]


def test_a_thread_that_cannot_start_is_started_the_next_time(shelf, counter, monkeypatch):
    def fail(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        outcome, = asyncio.run(gather(counter.soon(keep("a"))))

    assert isinstance(outcome, RuntimeError)
    assert counter.together(keep("b")) == ["kept"]
    assert shelf.names() == {"b"}


def test_what_comes_after_the_end_is_an_error(shelf, counter):
    counter.together(keep("a"))
    shelf.database.close()

    outcome, = asyncio.run(gather(counter.soon(keep("b"))))

    assert "closed" in str(outcome)


def test_an_error_is_gone_with_its_answer(shelf, counter):
    """It would hold the request until Python's collector comes."""
    errors = []

    def refused(db):
        error = Refusal(404, "no")
        errors.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    async def ask():
        try:
            await counter.soon(refused)
        except Refusal:
            pass

    gc.disable()
    try:
        asyncio.run(ask())

        eventually(lambda: [error() for error in errors] == [None])  # the thread may just be about to let go of it
    finally:
        gc.enable()


def test_a_process_that_is_forked_has_a_thread_of_its_own(shelf, counter):
    """As long as its parent has asked for nothing, which no parent of workers does."""
    child = os.fork()
    if not child:
        os._exit(counter.together(keep("a")) != ["kept"])

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counter.together(keep("b")) == ["kept"]
    assert shelf.names() == set("ab")
