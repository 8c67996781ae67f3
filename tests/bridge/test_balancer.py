"""Three bridges on PostgreSQL and an S3 store, behind nginx, are one Metadisk, whatever of it goes away for a while."""

import collections
import contextlib
import os
import signal
import subprocess
import sys

import pytest

from cluster import Cluster
from library_load import Load
from needed import is_missing
from once import Once
from wire import Wire, multipart, race, registered

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")


@pytest.fixture(scope="module")
def cluster(s3):
    if is_missing("nginx") or is_missing("postgres", "/usr/lib/postgresql/*/bin"):
        pytest.skip("needs nginx and PostgreSQL, which .ci/run installs")
    with contextlib.closing(Cluster(s3)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def account(cluster):
    return registered(cluster)


def run(cluster, *command):
    """Run a Python program with what tests of a bridge that is there are told; return how it has ended."""
    environment = {**os.environ, "PYMDC_TEST_BRIDGE_URL": cluster.url, "PYMDC_TEST_OUTBOX": cluster.outbox}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=600)


def test_the_walk_through(cluster):
    ended = run(cluster, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_walkthrough.py")

    assert ended.returncode == 0, ended.stdout


def test_it_keeps_to_the_protocol(cluster):
    ended = run(cluster, "-m", "pymdc.conformance", cluster.url, "--outbox", cluster.outbox)

    otherwise = [line for line in ended.stdout.splitlines() if " otherwise: " in line]
    assert ended.returncode in (0, 1) and " as the protocol says, " in ended.stdout, ended.stderr
    # nginx tells the length of a body in chunks when all of it has come with the headers.
    assert all("size is a whole number and the length of the body" in line for line in otherwise), otherwise


def test_a_token_is_good_once(cluster, account):
    bucket = account.bucket()
    token = account.token(bucket)

    def upload(number):
        return Wire(cluster.url).put(f"/buckets/{bucket}/files", multipart(b"once"), token, 4).status_code

    assert collections.Counter(race(30, upload)) == {200: 1, 401: 29}


def test_a_signed_request_is_good_once(cluster, account):
    account.signed.deliver = lambda request: None
    account.signed.post("/buckets", {"name": "once"})
    del account.signed.deliver
    prepared = account.signed.last

    def again(number):
        wire = Wire(cluster.url)
        wire.last = prepared.copy()
        return wire.send_again().status_code

    assert collections.Counter(race(30, again)) == {200: 1, 401: 29}


def test_a_link_is_good_once(cluster):
    wire = Wire(cluster.url)
    wire.post("/users", {"email": "once@example.com", "password": "ab" * 32})
    path = "/activations/" + cluster.activation_token("once@example.com")

    answers = race(30, lambda number: Wire(cluster.url).get(path).status_code)

    assert collections.Counter(answers) == {200: 1, 400: 29}


def test_no_more_is_stored_than_fits(cluster, account):
    bucket = account.signed.post("/buckets", {"name": "small", "storage": 0.001, "transfer": 1}).json()["id"]
    contents = [os.urandom(100_000) for _ in range(30)]

    def upload(number):
        content, token = contents[number], account.token(bucket)
        return Wire(cluster.url).put(f"/buckets/{bucket}/files", multipart(content), token, len(content)).status_code

    counts = collections.Counter(race(30, upload))

    listed = account.signed.get(f"/buckets/{bucket}/files").json()
    assert counts[200] == len(listed) <= 10 and counts[200] + counts[413] == 30, counts


def kill_a_process(cluster, number):
    bridge = cluster.bridges[number % len(cluster.bridges)]
    bridge.stop(kill=True)
    bridge.start()


def restart_the_database(cluster, number):
    """In turn fast, and as in a crash."""
    cluster.postgresql.stop((signal.SIGINT, signal.SIGQUIT)[number % 2])
    cluster.postgresql.start()


def stop_the_store(cluster, number):
    """It is away for some seconds, which it needs to start."""
    cluster.s3.stop()
    cluster.s3.start()


@pytest.mark.parametrize("trouble", [kill_a_process, restart_the_database, stop_the_store])
def test_what_was_answered_is_there_nothing_passes_twice_and_the_library_bears_it(cluster, account, trouble, full):
    load, once = Load(cluster), Once(cluster, account)

    with load.running(), once.running():
        for number in range(50 if full else 3):
            load.wait_for(15)
            trouble(cluster, number)
        load.wait_for(15)

    load.check()
    once.check()
