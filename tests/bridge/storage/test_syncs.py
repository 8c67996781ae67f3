"""How many syncs of the disk an operation takes, and of what, as strace counts them."""

import contextlib
import io
import os
import re

import pytest

from needed import is_missing
from running_bridge import new_bucket
from traced_bridge import TracedBridge
from wire import race

if is_missing("strace"):
    pytest.skip("needs strace, which .ci/run installs", allow_module_level=True)

SHARD = 8 * 1024 * 1024
SYNCS = ("-e", "trace=fsync,fdatasync,sync,syncfs,sync_file_range,msync")
SLOWLY = ("-e", "inject=fsync,fdatasync:delay_enter=100000")  # microseconds, as some disks take

COMMIT = ["bridge.sqlite-wal"]
STORE = ["shards/incoming/*", "shards/*"]  # a shard, then the folder that it has been renamed to


class CountedBridge(TracedBridge):
    """
    A bridge whose syncs are counted.

    :ivar bucket: of somebody who keeps his connection.
    """

    def __init__(self, trace, *options, strace=()):
        super().__init__(trace, *options, strace=(*SYNCS, *strace))
        self.bucket = new_bucket(self)
        self._told = len(self.calls_so_far())

    def syncs(self):
        """Return what has been synced since the last time, in order."""
        calls = self.calls_so_far()
        news, self._told = calls[self._told:], len(calls)
        return [self._kind(call) for call in news]

    def _kind(self, call):
        path = os.path.relpath(call.target or call.name, self.folder)
        return re.sub("^(shards/|shards/incoming/)[0-9a-f-]+$", r"\1*", path)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A function that starts a bridge, or returns the one that runs with these options."""
    bridges = {}
    with contextlib.ExitStack() as stack:
        def start(options, strace=()):
            if (options, strace) not in bridges:
                bridge = CountedBridge(tmp_path_factory.mktemp("syncs") / "trace", *options, strace=strace)
                bridges[options, strace] = stack.enter_context(contextlib.closing(bridge))
            return bridges[options, strace]

        yield start


def stored(files, size, token=None):
    """Store a file that is like no other, and return what the bridge says of it."""
    return files.upload(io.BytesIO(os.urandom(size)), token)


def fetched(files, file):
    return files.download(file, io.BytesIO())


def deleted(files, file):
    return files.delete(file)


DEFAULTS, NO_INLINE = (), ("--inline", "0")

#: With which options a file of how many bytes is there first, what is done then, and what that syncs.
OPERATIONS = {
    "upload 4 KiB": (DEFAULTS, None, lambda files, _: stored(files, 4096), COMMIT),
    "upload 4 KiB by a token": (
        DEFAULTS, None, lambda files, _: stored(files, 4096, files.token("PUSH")), 2 * COMMIT),
    "upload 4 KiB to the store": (
        NO_INLINE, None, lambda files, _: stored(files, 4096), COMMIT + STORE + COMMIT),  # let in; entered
    "upload 3 shards": (
        DEFAULTS, None, lambda files, _: stored(files, 2 * SHARD + 5), COMMIT + 3 * STORE + COMMIT),
    "download 4 KiB": (DEFAULTS, 4096, fetched, []),
    "download 4 KiB by a token": (
        DEFAULTS, 4096, lambda files, file: files.download(file, io.BytesIO(), files.token("PULL")), 3 * COMMIT),
    "download 4 KiB from the store": (NO_INLINE, 4096, fetched, []),
    "download 3 shards": (DEFAULTS, 2 * SHARD + 5, fetched, 3 * COMMIT),  # pointers to all but the first, and those
    "list files": (DEFAULTS, 4096, lambda files, _: files.list(), []),
    "ask for a token": (DEFAULTS, None, lambda files, _: files.token("PULL"), COMMIT),
    "delete 4 KiB": (DEFAULTS, 4096, deleted, COMMIT),
    "delete 3 shards": (DEFAULTS, 2 * SHARD + 5, deleted, 2 * COMMIT),  # the rows, then that the objects are gone
}


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_an_operation_takes_so_many_syncs(start, name):
    options, size, operate, syncs = OPERATIONS[name]
    bridge = start(options)
    file = None if size is None else stored(bridge.bucket.files, size)
    bridge.syncs()

    operate(bridge.bucket.files, file)

    assert bridge.syncs() == syncs


def test_who_comes_together_shares_syncs(start):
    bridge = start(DEFAULTS, SLOWLY)
    bridge.syncs()

    sent = race(16, lambda number: [stored(bridge.bucket.files, 4096) for _ in range(4)])

    assert sum(map(len, sent)) == 64
    assert 0 < bridge.syncs().count(*COMMIT) <= 64 // 2
