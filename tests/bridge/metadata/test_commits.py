"""Transactions that wait for each other share a commit, and nobody is told success for what is not there."""

import contextlib
import re
import signal
import sqlite3
import threading

import pytest
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from pymdc.bridge.metadata import commits, sqliteengine
from pymdc.bridge.metadata.commits import InDoubt, Undone
from pymdc.bridge.refusal import Refusal
from shelf import PATIENCE, break_disk, broken_disk, fill_disk, interrupt, keep, kinds, lose, refuse
from waiting import eventually

FULL = "database or disk is full"


def break_off(db):
    db.invalidate()  # which SQLAlchemy does when Ctrl-C comes in the middle of a statement
    raise KeyboardInterrupt


def lose_unnoticed(db):
    db.exec_driver_sql("ROLLBACK")
    keep("stray")(db)  # by itself, since there is no transaction any more


def close_unnoticed(db):
    db.invalidate()


LOSSES = {
    fill_disk: (SQLAlchemyError, FULL),
    break_disk: (SQLAlchemyError, "disk I/O error"),
    interrupt: (SQLAlchemyError, "interrupted"),
    break_off: (KeyboardInterrupt, ""),
    lose_unnoticed: (InDoubt, "the transaction was lost|no such savepoint"),
    close_unnoticed: (InDoubt, "the transaction was lost|closed"),
}


def fail_commits(shelf, monkeypatch, error):
    def fail(connection):
        raise error
    monkeypatch.setattr(shelf.engine.dialect, "do_commit", fail)


def keep_without_sync(name):
    work = keep(name)
    work.sync = False
    return work


def test_those_that_wait_for_each_other_share_a_commit_and_are_answered_after_it(shelf):
    assert shelf.together(*map(keep, "abcde")) == ["kept"] * 5

    assert shelf.committed == [0]
    assert shelf.names() == set("abcde")


@pytest.mark.parametrize("works", ["abcdefg", "aBCdEFg"], ids=["all are kept", "some are refused"])
def test_so_many_share_a_commit_at_most(shelf, monkeypatch, works):
    monkeypatch.setattr(commits, "MOST", 3)

    shelf.together(*(refuse(name) if name.isupper() else keep(name) for name in works))

    assert len(shelf.committed) == 3
    assert shelf.names() == {name for name in works if name.islower()}


@pytest.mark.parametrize("works, levels", [
    ("ab", [1]), ("Ab", [2]), ("aB", [1, 2]), ("abCd", [1, 2]), ("aBCd", [1, 2]),
])
def test_only_those_that_need_no_sync_share_a_commit_without_one(shelf, works, levels):
    """Capitals need one."""
    found = []
    event.listen(shelf.engine, "commit", lambda connection: found.append(
        connection.connection.driver_connection.execute("PRAGMA synchronous").fetchone()[0],
    ))

    shelf.together(*(keep(name) if name.isupper() else keep_without_sync(name) for name in works))

    assert found == levels  # 1 is NORMAL, 2 is FULL
    assert shelf.names() == set(works)
    assert shelf.together(keep("again")) == ["kept"] and found == [*levels, 2]


def test_each_connection_is_told_what_its_next_commit_wants(shelf, monkeypatch):
    found = []

    def write(sync):
        with shelf.database.write(sync) as db:
            found.append(db.connection.dbapi_connection.execute("PRAGMA synchronous").fetchone()[0])

    write(False)
    shelf.database.close()
    write(False), write(True), write(False)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(commits._Shared, "_run", interrupted_behind(commits._Shared._run))
        write(True)
    write(False), write(True)

    assert found == [1, 1, 2, 1, 1, 2]


def interrupted_behind(run):
    def run_and_stop(shared, text):
        run(shared, text)
        raise KeyboardInterrupt
    return run_and_stop


@pytest.mark.parametrize("error", [Refusal(404, "no"), KeyboardInterrupt()], ids=["refusal", "Ctrl-C"])
@pytest.mark.parametrize("place", range(3))
def test_what_raises_is_undone_alone(shelf, place, error):
    works = [keep("a"), keep("b"), keep("c")]
    works[place] = keep("wrong", error)

    outcomes = shelf.together(*works)

    assert outcomes[place] is error
    assert outcomes.count("kept") == 2
    assert shelf.names() == set("abc") - {"abc"[place]}
    assert len(shelf.committed) == 1


def test_a_refusal_that_may_come_of_what_is_not_on_disk_yet_waits_for_that(shelf):
    shelf.together(keep("a"), refuse("b"), keep("c"))

    assert shelf.committed == [0]


def test_a_refusal_that_has_seen_nothing_of_others_waits_for_nobody(shelf, monkeypatch):
    fail_commits(shelf, monkeypatch, sqlite3.OperationalError(FULL))

    outcomes = shelf.together(refuse("a"), keep("b"))

    assert isinstance(outcomes[0], Refusal)
    assert FULL in str(outcomes[1])


@pytest.mark.parametrize("how", LOSSES)
@pytest.mark.parametrize("place", range(4))
def test_a_transaction_that_one_has_lost_is_lost_for_all_before_and_none_after(shelf, place, how):
    works = [keep("a"), refuse("b"), keep("c")]
    works.insert(place, lose(how))

    outcomes = shelf.together(*works)

    kind, words = LOSSES[how]
    told = outcomes.pop(place)
    assert isinstance(told, kind) and re.search(words, str(told))
    assert kinds(outcomes) == [Undone] * place + ["kept", Refusal, "kept"][place:]
    assert shelf.names() - {"stray"} == set("abc"[place:]) - {"b"}
    assert shelf.together(keep("again")) == ["kept"]


@pytest.mark.parametrize("after, expected", [
    (1, [Undone, Undone, "kept"]), (2, [Undone, Undone, Undone]), (3, [Undone, Undone, Undone]),
])
def test_a_transaction_that_is_lost_in_between_is_lost_for_all(shelf, monkeypatch, after, expected):
    lost = []

    def lose_before(method):
        def do(shared, *arguments):
            if shared.kept == after and not lost:
                lost.append(shared._driver.rollback())
            return method(shared, *arguments)
        return do

    for name in ("takes", "end"):
        monkeypatch.setattr(commits._Shared, name, lose_before(getattr(commits._Shared, name)))
    outcomes = shelf.together(*map(keep, "abc"))

    assert kinds(outcomes) == expected
    assert shelf.names() == {name for name, outcome in zip("abc", outcomes) if outcome == "kept"}


@pytest.mark.parametrize("error, told", [
    (sqlite3.OperationalError(FULL), Undone),
    (sqlite3.OperationalError("interrupted"), InDoubt),
    (KeyboardInterrupt(), InDoubt),
], ids=["full disk", "interrupt", "Ctrl-C"])
def test_when_the_commit_fails_all_have_failed(shelf, monkeypatch, error, told):
    with monkeypatch.context() as patch:
        fail_commits(shelf, patch, error)
        outcomes = shelf.together(keep("a"), refuse("b"), keep("c", InterruptedByHand()), keep("d"))

    assert kinds(outcomes[:3]) == [told, told, InterruptedByHand]
    assert str(error) in str(outcomes[3]) and not isinstance(outcomes[3], (Undone, InDoubt))
    assert shelf.names() == set()
    assert shelf.together(keep("e")) == ["kept"]


class InterruptedByHand(KeyboardInterrupt):
    pass


def test_when_something_fails_after_the_commit_all_are_in_doubt(shelf, monkeypatch):
    give_back = sqliteengine.Turn.__exit__

    def fail(turn, *exception):
        give_back(turn, *exception)
        raise OSError("no locks")

    monkeypatch.setattr(sqliteengine.Turn, "__exit__", fail)
    outcomes = shelf.together(keep("a"), keep("b"))

    assert kinds(outcomes) == [InDoubt, OSError]
    assert shelf.names() == {"a", "b"}


def test_when_the_disk_fails_in_the_commit_all_are_in_doubt(shelf):
    with contextlib.ExitStack() as stack:
        outcomes = shelf.together(
            keep("a"), refuse("b"), lambda db: stack.enter_context(broken_disk(shelf.path)), keep("d"),
        )

    assert kinds(outcomes[:3]) == [InDoubt] * 3
    assert "disk I/O error" in str(outcomes[3])
    assert shelf.names() == set()
    assert shelf.together(keep("e")) == ["kept"]


@pytest.mark.parametrize("most", [2, 32])
def test_a_refusal_with_which_a_commit_comes_that_fails_is_none(shelf, monkeypatch, most):
    monkeypatch.setattr(commits, "MOST", most)
    fail_commits(shelf, monkeypatch, sqlite3.OperationalError(FULL))

    outcomes = shelf.together(keep("a"), refuse("b"))

    assert kinds(outcomes) == [Undone, Undone]


@pytest.mark.parametrize("how", [fill_disk, break_disk, interrupt])
def test_who_is_alone_is_told_what_has_happened(shelf, how):
    outcome, = shelf.together(lose(how))

    assert LOSSES[how][1] in str(outcome) and not isinstance(outcome, (Undone, InDoubt))


def test_of_a_transaction_that_was_lost_nothing_is_kept_for_good(shelf):
    """A savepoint would begin another, with which the rest would be told as a success."""
    def work():
        with shelf.database.write() as db:
            keep("a")(db)
            db.exec_driver_sql("ROLLBACK")
        shelf.database.keep()
        with shelf.database.write() as db:
            keep("b")(db)

    with pytest.raises(InDoubt, match="the transaction was lost"):
        shelf.database.together(work)

    assert shelf.names() == set()
    assert shelf.together(keep("c")) == ["kept"]


@pytest.mark.parametrize("works", ["A", "aB"])
def test_what_is_broken_off_before_it_can_be_undone_is_lost(shelf, monkeypatch, works):
    """Capitals are refused."""
    def strike(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commits._Shared, "_undo", strike)
        outcomes = shelf.together(*(refuse(name) if name.isupper() else keep(name) for name in works))

    assert kinds(outcomes) == [Undone] * (len(works) - 1) + [KeyboardInterrupt]
    assert shelf.names() == set()


@pytest.mark.parametrize("error", [MemoryError, sqlite3.OperationalError, KeyboardInterrupt])
def test_a_rollback_that_fails_keeps_nobody_from_writing(shelf, monkeypatch, error):
    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(commits._Shared, "_undo", fail)
        patch.setattr(shelf.engine.dialect, "do_rollback", fail)
        shelf.together(refuse("a"))

    with contextlib.closing(sqlite3.connect(shelf.path, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
    assert shelf.together(keep("b")) == ["kept"]
    assert shelf.names() == {"b"}


def test_a_transaction_that_cannot_begin_keeps_nobody_else_from_beginning(shelf, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sqliteengine.fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError("no locks")))
        outcomes = shelf.together(keep("a"))

    assert isinstance(outcomes[0], OSError)
    assert shelf.together(keep("b")) == ["kept"]


@pytest.mark.parametrize("most", [1, 32])
@pytest.mark.parametrize("place", [1, 2])
def test_who_is_interrupted_when_his_turn_has_come_hands_it_on(shelf, monkeypatch, place, most):
    wait = commits._Place.wait

    def strike(waiting):
        wait(waiting)
        if threading.current_thread().name == f"place {place}":
            raise KeyboardInterrupt

    monkeypatch.setattr(commits, "MOST", most)
    monkeypatch.setattr(commits._Place, "wait", strike)
    outcomes = shelf.together(*map(keep, "abc"))

    assert isinstance(outcomes.pop(place), KeyboardInterrupt)
    assert outcomes == ["kept", "kept"]
    assert shelf.names() == set("abc") - {"abc"[place]}
    assert shelf.together(keep("again")) == ["kept"]


def test_who_is_interrupted_while_he_waits_is_passed_over(shelf):
    held, free = threading.Event(), threading.Event()

    def hold(db):
        held.set()
        assert free.wait(PATIENCE)

    holder = threading.Thread(target=shelf.run, args=(0, hold), daemon=True)
    holder.start()
    assert held.wait(PATIENCE)
    next_one = threading.Thread(target=shelf.run, args=(1, keep("b")), daemon=True)

    def strike():
        eventually(lambda: len(shelf.waiting) == 1)
        next_one.start()
        eventually(lambda: len(shelf.waiting) == 2)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=strike, daemon=True).start()
    with pytest.raises(KeyboardInterrupt), shelf.database.write():
        pass
    free.set()
    holder.join(PATIENCE)
    next_one.join(PATIENCE)

    assert shelf.outcomes == {0: "kept", 1: "kept"}
    assert shelf.names() == {"b"}
