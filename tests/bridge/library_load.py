"""Clients that use a bridge by the library without pause, while something of it goes away and comes back."""

import contextlib
import hashlib
import io
import random
import threading
import time
import traceback

import pymdc
import pymdc.testing
from pymdc._digest import content_hash

CLIENTS = 6
MIB = 1024 * 1024
PATIENCE = 120  # seconds that anything may take


class Load:
    """
    What they do, and what was answered to them.

    :param bridge: where they have an account, as :func:`pymdc.testing.account` takes it.
    :ivar held: the contents that were stored, by their hashes; *sent*: all that may be there besides, and *gone*: all
        that was deleted.
    :ivar failures: what the library did not bear.
    """

    def __init__(self, bridge):
        self.seed = random.SystemRandom().getrandbits(32)
        self.held, self.sent, self.gone, self.failures = {}, set(), set(), []
        # More retries than there are troubles: one call may meet them all.
        made = pymdc.testing.account(bridge, pymdc.Client(bridge.url, raise_errors=True, retries=100))
        created = pymdc.api.Buckets(made.key_pair, client=made.client).create("load", 10, 1000, [made.key_pair])
        self.files = pymdc.api.Bucket(created, made.key_pair, client=made.client).files
        self._lock, self._over = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(random.Random(self.seed + number),), daemon=True)
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

    def check(self):
        """Find what was stored, nothing that was deleted, and that the library bore it all."""
        assert not self.failures, f"seed {self.seed}\n" + "\n".join(self.failures)
        listed = {file["hash"] for file in self.files.list()}
        assert set(self.held) <= listed <= self.sent - self.gone, f"seed {self.seed}"
        for file_hash, content in self.held.items():
            assert content_of(self.files, file_hash) == content, f"seed {self.seed}: {file_hash}"

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
