"""Bridges that reach PostgreSQL through pgbouncer, which gives each of their transactions another connection."""

import collections
import contextlib
import os
import signal
import subprocess
import sys

import pytest

from library_load import Load
from needed import is_missing
from once import Once
from pgbouncer import CONNECTIONS, PgBouncer
from postgresql import PostgreSQL
from pymdc.bridge import LocalBridge
from pymdc.bridge.metadata import Metadata, migrate_postgresql
from running_bridge import RunningBridge
from wire import Wire, multipart, race, registered

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")


@pytest.fixture(scope="module")
def server():
    """One that may go away: the others share that of the session."""
    if is_missing("pgbouncer", "/usr/sbin") or is_missing("postgres", "/usr/lib/postgresql/*/bin"):
        pytest.skip("needs pgbouncer and PostgreSQL, which .ci/run installs")
    with contextlib.closing(PostgreSQL()) as server:
        yield server


@pytest.fixture(scope="module")
def pooler(server):
    with contextlib.closing(PgBouncer(server)) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def url(server, pooler):
    return pooler.url(server.new_database())


@pytest.fixture(scope="module")
def bridges(url):
    """Two, of two processes each."""
    with contextlib.ExitStack() as stack:
        first = RunningBridge("--database-url", url, "--workers", "2")
        stack.callback(first.close)
        second = RunningBridge("--database-url", url, "--workers", "2", "--data-dir", first.data_dir)
        stack.callback(second.close)
        yield first, second


@pytest.fixture(scope="module")
def account(bridges):
    return registered(bridges[0])


def test_the_tables_are_made_and_checked(server, pooler):
    url = pooler.url(server.new_database(empty=True))

    migrate_postgresql(url)

    with contextlib.closing(Metadata(url)) as memory:
        assert memory.accounts.find("nobody@example.com") is None


def test_the_walk_through(bridges):
    told = {**os.environ, "PYMDC_TEST_BRIDGE_URL": bridges[0].url, "PYMDC_TEST_OUTBOX": bridges[0].outbox}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_walkthrough.py"]

    ended = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=300)

    assert ended.returncode == 0, ended.stdout


def test_more_transactions_run_at_once_than_there_are_connections(url, server):
    with contextlib.closing(Metadata(url)) as memory:
        def know(number):
            return [memory.rates.take(f"{number}", 1, 1000, 0) for _ in range(20)].count(0)

        assert race(16, know) == [1] * 16

        with server.connect(url.rpartition("/")[2]) as connection:
            statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            assert connection.execute(statement).fetchone()[0] <= CONNECTIONS + 1


def test_a_token_is_good_once(bridges, account):
    bucket = account.bucket()
    token = account.token(bucket)

    def upload(number):
        path = f"/buckets/{bucket}/files"
        return Wire(bridges[number % 2].url).put(path, multipart(b"once"), token, 4).status_code

    assert collections.Counter(race(20, upload)) == {200: 1, 401: 19}


def test_upkeep_is_done_by_one_bridge_at_a_time(server, pooler):
    url = pooler.url(server.new_database())
    with LocalBridge(database_url=url) as one, LocalBridge(database_url=url) as other:
        services = [bridge._server.services for bridge in (one, other)]

        assert sorted(race(8, lambda number: services[number % 2].tidy())) == [False] * 7 + [True]


def restart_the_pooler(server, pooler):
    pooler.stop()
    pooler.start()


def restart_the_server(server, pooler):
    """So that the pooler is there, and has nobody to turn to."""
    server.stop(signal.SIGINT)
    server.start()


@pytest.mark.parametrize("trouble", [restart_the_pooler, restart_the_server])
def test_what_was_answered_is_there_through_a_pooler_and_nothing_passes_twice(server, pooler, bridges, account, trouble,
                                                                              full):
    load, once = Load(bridges[0]), Once(bridges[0], account)

    with load.running(), once.running():
        for _ in range(50 if full else 2):
            load.wait_for(15)
            trouble(server, pooler)
        load.wait_for(15)

    load.check()
    once.check()
