"""Transactions that run beside each other on PostgreSQL, and a server that goes away: clients see repeats at most."""

import collections
import contextlib
import logging
import random
import signal
import threading
import uuid

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from meeting import deadlocks_of
from pymdc.bridge import LocalBridge
from pymdc.bridge.metadata import Asker, Metadata, Room, Within
from pymdc.bridge.metadata.failures import Away, InDoubt, Undone
from pymdc.bridge.refusal import Refusal
from wire import Wire, race

EMAIL = "kim@example.com"
ROOM = Room(account=10**12, at_once=10**6, disk=lambda: 10**15, written=dict)
LATER = 10**15


@pytest.fixture
def url(postgresql):
    return postgresql.new_database()


@pytest.fixture
def both(url):
    """What two processes know that share a database."""
    with contextlib.closing(Metadata(url)) as one, contextlib.closing(Metadata(url)) as other:
        yield one, other


@pytest.fixture
def memory(both):
    return both[0]


def register(memory, email=EMAIL, token="t", point=None):
    memory.accounts.register({"email": email, "password": token, "created": 0}, {
        "token": token, "password": token, "redirect": None, "point": point, "text": point, "created": 0,
    })


def make_bucket(memory):
    return memory.buckets.add(EMAIL, 0, {"name": "b", "storage": 1000, "transfer": 1}, {}, Asker())["id"]


@pytest.fixture
def bucket(memory):
    register(memory)
    memory.accounts.activate("t", 1)
    return make_bucket(memory)


def enter(memory, bucket, numbers, file_hash, name=None, replace=False):
    """Enter a file of the shards with these numbers, in this order."""
    upload = uuid.uuid4().hex[:16]
    memory.uploads.begin({"id": upload, "bucket": bucket, "size": len(numbers), "expires": LATER}, ROOM, 0, Asker())
    pieces = [
        {"object": f"{upload}-{number}", "hash": f"{number:040}", "sha256": f"{number:064}", "size": 1}
        for number in numbers
    ]
    file = {"bucket": bucket, "mimetype": "text/plain", "size": len(numbers), "hash": file_hash, "created": 0}
    memory.uploads.finish(upload, {**file, "filename": name or file_hash}, pieces, 0, replace)


def listed(memory, bucket):
    """Return the rows of all files of a bucket."""
    rows, after = memory.names.page(bucket, Within(), None, None)
    while after is not None:
        more, after = memory.names.page(bucket, Within(), after, None)
        rows += more
    return rows


def objects(memory):
    return collections.Counter(row["object"] for row in memory.shards.all())


def test_eight_threads_that_want_the_same_shards_in_any_order_lose_nothing(both, bucket, full):
    memory = both[0]
    buckets = [bucket, *(make_bucket(memory) for _ in range(3))]
    kept = [set() for _ in range(8)]

    def work(thread):
        chance = random.Random(thread)
        for count in range(100 if full else 15):
            where, name = chance.choice(buckets), f"{thread:020}{count:020}"
            enter(both[thread % 2], where, chance.sample(range(12), 8), name)
            kept[thread].add((where, name))
            if chance.random() < 0.6:
                gone = chance.choice(sorted(kept[thread]))
                both[thread % 2].files.delete(EMAIL, *gone, Asker())
                kept[thread].discard(gone)
        return "done"

    with deadlocks_of(*(each._database._engine for each in both)) as deadlocks:
        assert race(8, work) == ["done"] * 8

    assert deadlocks.count == 0  # all lock in one order
    for where in buckets:
        rows = listed(memory, where)
        assert {(where, row["hash"]) for row in rows} == {file for each in kept for file in each if file[0] == where}
        for row in rows:
            part = memory.files.take(where, row["hash"], Asker(), lambda size: (0, 0))
            assert len(part.shards) == 8
        assert memory.buckets.find(where)["stored"] == 4096 * len(rows)
    held, unneeded = objects(memory), set(memory.shards.unneeded(0))
    assert not unneeded & set(held)
    for each in kept:
        for file in each:
            memory.files.delete(EMAIL, *file, Asker())
    assert not objects(memory)


def test_transactions_that_wait_for_each_other_are_run_again(memory, bucket):
    buckets, runs, met = [bucket, make_bucket(memory)], [], threading.Barrier(2)

    def charge(order):
        def work():
            runs.append(order)
            for count, each in enumerate(order):
                memory.files.give_back(each, -1)
                if count == 0 and len(runs) <= 2:
                    met.wait(30)
        memory._database.together(work)
        return "done"

    assert race(2, lambda number: charge(buckets if number else buckets[::-1])) == ["done"] * 2

    assert len(runs) > 2
    assert [memory.buckets.find(each)["transferred"] for each in buckets] == [2, 2]


def cut(memory, db):
    """Break a connection off, as a server that ends does."""
    with memory._database._engine.connect() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({db.connection.driver_connection.info.backend_pid}, 5000)")


@pytest.mark.parametrize("times, outcome", [(1, None), (100, Undone)])
def test_a_transaction_whose_connection_is_lost_before_its_commit_is_run_again_some_times(
    memory, bucket, times, outcome,
):
    runs = []

    def work():
        runs.append(1)
        memory.files.give_back(bucket, -1)
        if len(runs) <= times:
            with memory._database.write() as db:
                cut(memory, db)
        memory.files.give_back(bucket, -1)

    with pytest.raises(outcome) if outcome else contextlib.nullcontext():
        memory._database.together(work)

    assert 2 <= len(runs) <= 10
    assert memory.buckets.find(bucket)["transferred"] == (0 if outcome else 2)


@pytest.mark.parametrize("kept", [False, True])
def test_a_commit_during_which_the_connection_is_lost_is_in_doubt_and_not_run_again(memory, bucket, monkeypatch, kept):
    dialect, runs = memory._database._engine.dialect, []
    commit = type(dialect).do_commit

    def lose(connection):
        runs.append(1)
        if kept:
            commit(dialect, connection)
        with memory._database._engine.connect() as other:
            backend = connection.driver_connection.info.backend_pid
            other.exec_driver_sql(f"SELECT pg_terminate_backend({backend}, 5000)")
        connection.driver_connection.execute("SELECT 1")

    monkeypatch.setattr(dialect, "do_commit", lose)
    with pytest.raises(InDoubt):
        memory.files.give_back(bucket, -1)

    assert len(runs) == 1
    assert memory.buckets.find(bucket)["transferred"] == (1 if kept else 0)


def test_a_server_that_is_away_is_503_and_may_be_asked_later(postgresql, url, tmp_path):
    with LocalBridge(tmp_path, database_url=url) as bridge, contextlib.closing(Metadata(url)) as memory:
        assert Wire(bridge.url).get("/health").status_code == 200
        postgresql.stop(signal.SIGQUIT)
        try:
            answer = Wire(bridge.url).get("/activations/" + "0" * 64)
            with pytest.raises((Away, Undone)):
                memory.accounts.find(EMAIL)
            assert Wire(bridge.url).get("/health").status_code == 503
        finally:
            postgresql.start()
        assert Wire(bridge.url).get("/activations/" + "0" * 64).status_code == 400

    assert answer.status_code == 503 and answer.headers["Retry-After"]


@pytest.mark.parametrize("harm", [
    "ALTER TABLE registrations ADD CHECK (false) NOT VALID", "CREATE UNIQUE INDEX ON registrations (email)",
    "ALTER TABLE registrations ALTER COLUMN token TYPE VARCHAR(3) USING left(token, 3)",
], ids=["a row that is refused", "a value that is there already", "a value that is too long"])
def test_what_the_server_says_of_a_row_reaches_no_log_and_no_answer(url, caplog, harm):
    caplog.set_level(logging.DEBUG)
    asked = {"email": EMAIL, "password": "ab" * 32}
    with LocalBridge(database_url=url) as bridge, contextlib.closing(Metadata(url)) as memory:
        first = Wire(bridge.url).post("/users", asked)
        caplog.clear()  # it tells where the mail to that address is
        with memory._database.write() as db:
            (secret, password), = db.exec_driver_sql("SELECT token, password FROM registrations").all()
            db.exec_driver_sql(harm)
        told = Wire(bridge.url).post("/users", asked).text + caplog.text

    assert first.status_code == 200
    assert "registrations" in told and "INSERT INTO registrations" in told
    assert not [word for word in (EMAIL, secret, password, "argon2id", "DETAIL") if word in told]


def test_no_connection_that_is_left_is_503_and_may_be_asked_later(memory, monkeypatch):
    pool = memory._database._engine.pool
    monkeypatch.setattr(pool, "_timeout", 0.1)
    with contextlib.ExitStack() as stack:
        for _ in range(pool.size()):
            stack.enter_context(memory._database.read())

        with pytest.raises(Away, match="none of the 16 connections has become free"):
            memory.accounts.find(EMAIL)


def test_a_rate_holds_across_processes(both):
    waits = race(12, lambda number: both[number % 2].rates.take("who", 5, 60_000, 10**6))

    assert waits.count(0) == 5
    assert all(0 < wait <= 60_000 for wait in waits if wait)


def test_once_is_once_across_processes(both, bucket):
    memory = both[0]
    memory.tokens.add({"hash": "h", "bucket": bucket, "operation": "PUSH", "expires": LATER}, Asker(), 9, 0)
    enter(memory, bucket, [1], "f" * 40)
    terms = {"hash": "s", "left": 3, "expires": LATER}
    memory.files.hand_out(bucket, "f" * 40, Asker(), lambda: terms, 9, 0)

    def spend(number):
        with contextlib.suppress(Refusal):
            both[number % 2].files.spend_shard_token("s", f"{1:040}", 0)
            return "spent"

    assert race(8, spend).count("spent") == 3
    assert len([row for row in race(8, lambda number: both[number % 2].tokens.spend("h", 0, 0)) if row]) == 1
    assert race(8, lambda number: both[number % 2].nonces.see("p", 5.0, "text", 10, 10**6)).count(None) == 1


def test_of_racing_registrations_each_waits_and_one_is_the_first(both):
    def ask(number):
        account = {"email": EMAIL, "password": "x", "created": 0}
        return both[number % 2].accounts.register(account, {
            "token": f"{number}", "password": "x", "redirect": None, "point": None, "text": None, "created": 0,
        })

    assert race(8, ask).count(True) == 1

    def follow(number):
        with contextlib.suppress(Refusal):
            return both[number % 2].accounts.activate(f"{number}", 1)

    assert len([found for found in race(8, follow) if found]) == 1


def test_of_racing_keys_one_is_registered(both, bucket):
    register(both[0], "lee@example.com", "u")

    def add(number):
        with contextlib.suppress(Refusal):
            email = EMAIL if number % 4 < 2 else "lee@example.com"
            both[number % 2].keys.add(email, "02" + "5" * 64, "k", False, Asker())
            return "registered"

    assert race(8, add).count("registered") == 1


def test_a_registration_that_comes_while_the_waiting_are_forgotten_is_kept(both):
    for number in range(20):
        email, token = f"{number}@example.com", f"{number}"
        register(both[0], email, "old" + token)
        with both[0]._database.write() as db:
            db.exec_driver_sql("DELETE FROM registrations WHERE token LIKE 'old%%'")

        race(2, lambda which: both[0].accounts.forget_waiting(1) if which else register(both[1], email, token))

        assert both[0].accounts.activate(token, 1)[0]["email"] == email


def test_what_cannot_be_kept_can_be_looked_for(memory):
    assert memory.accounts.find("nobody\0@example.com") is None
    assert memory.keys.find("\0") is None
    with pytest.raises(Refusal, match="Bucket not found"):
        memory.buckets.find("\0")


def test_a_file_whose_number_is_taken_is_an_error_and_not_taken_for_one_that_came_again(memory, bucket):
    """As after a dump that was put back without its sequences."""
    enter(memory, bucket, [1], "a" * 40)
    with memory._database.write() as db:
        db.execute(text("SELECT setval(pg_get_serial_sequence('files', 'id'), 1, false)"))

    with pytest.raises(IntegrityError):
        enter(memory, bucket, [2], "b" * 40)

    assert [file["hash"] for file in listed(memory, bucket)] == ["a" * 40]


def test_nothing_stays_on_a_connection_for_the_next_transaction(memory, bucket):
    """Which a pooler in between may give another."""
    for _ in range(20):
        memory.files.give_back(bucket, -1)
        memory.nonces.see("p", random.random(), uuid.uuid4().hex, 10, 10**6, sync=False)

    with memory._database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar() == 0
        assert db.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert db.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").scalar() == 0
