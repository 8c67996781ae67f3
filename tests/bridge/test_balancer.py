"""Three bridges on PostgreSQL and an S3 store, behind nginx, are one Metadisk, whatever of it goes away for a while."""

import collections
import contextlib
import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback

import pytest

import pymdc
import pymdc.testing
from cluster import Cluster
from needed import is_missing
from pymdc._digest import content_hash
from wire import Wire, multipart, race, registered

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
MIB = 1024 * 1024
CLIENTS = 6
PATIENCE = 120  # seconds that anything may take


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
    account.signed.send_again = lambda: None
    account.signed.post("/buckets", {"name": "once"})
    del account.signed.send_again
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


class Load:
    """
    Clients that store, read and delete by the library without pause, and what was answered to them.

    :ivar held: the contents that were stored, by their hashes; *sent*: all that may be there besides, and *gone*: all
        that was deleted.
    :ivar failures: what the library did not bear.
    """

    def __init__(self, cluster, seed):
        self.held, self.sent, self.gone, self.failures = {}, set(), set(), []
        # More retries than there are troubles: one call may meet them all.
        made = pymdc.testing.account(cluster, pymdc.Client(cluster.url, raise_errors=True, retries=100))
        created = pymdc.api.Buckets(made.key_pair, client=made.client).create("load", 10, 1000, [made.key_pair])
        self.files = pymdc.api.Bucket(created, made.key_pair, client=made.client).files
        self._lock, self._over = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(random.Random(seed + number),), daemon=True)
                         for number in range(CLIENTS)]

    @contextlib.contextmanager
    def running(self):
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)

    def wait_for(self, count):
        """Wait until so many more uploads have been answered."""
        wanted, end = self.count + count, time.monotonic() + PATIENCE
        while self.count < wanted and not self.failures:
            assert time.monotonic() < end, "nothing goes on"
            self._over.wait(0.05)

    @property
    def count(self):
        return len(self.held) + len(self.gone)

    def _run(self, chance):
        steps = {self._store: 10, self._read: 4, self._delete: 2}
        while not self._over.is_set():
            try:
                chance.choices(list(steps), steps.values())[0](chance)
            except Exception:
                self.failures.append(traceback.format_exc())
                return

    def _store(self, chance):
        size = chance.choices([chance.randrange(16_000), chance.randrange(300_000), 9 * MIB], [10, 6, 1])[0]
        content = chance.randbytes(size + 16)
        self.sent.add(content_hash(hashlib.sha256(content)))
        stored = self.files.upload(io.BytesIO(content), filename="load.bin")
        with self._lock:
            self.held[stored["hash"]] = content

    def _read(self, chance):
        with self._lock:
            chosen = chance.choice(list(self.held.items())) if self.held else None
        if chosen:
            try:
                assert content_of(self.files, chosen[0]) == chosen[1]
            except pymdc.errors.APIError as error:
                assert error.status in (404, 410) and chosen[0] not in self.held, error  # somebody has deleted it

    def _delete(self, chance):
        with self._lock:
            file_hash = chance.choice(list(self.held)) if len(self.held) > 20 else None
            self.held.pop(file_hash, None)
        if file_hash:
            self.files.delete(file_hash)
            self.gone.add(file_hash)


def content_of(files, file_hash):
    target = io.BytesIO()
    files.download(file_hash, target)
    return target.getvalue()


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
def test_what_was_answered_is_there_and_the_library_bears_it(cluster, trouble, full):
    seed = random.SystemRandom().getrandbits(32)
    load = Load(cluster, seed)

    with load.running():
        for number in range(50 if full else 3):
            load.wait_for(15)
            trouble(cluster, number)
        load.wait_for(15)

    assert not load.failures, f"seed {seed}\n" + "\n".join(load.failures)
    listed = {file["hash"] for file in load.files.list()}
    assert set(load.held) <= listed <= load.sent - load.gone, f"seed {seed}"
    for file_hash, content in load.held.items():
        assert content_of(load.files, file_hash) == content, f"seed {seed}: {file_hash}"
