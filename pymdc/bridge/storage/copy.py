"""A bridge that does not run, on its way to a cluster: its shards to a bucket, its database to a server."""

import collections
import contextlib
import dataclasses
import errno
import time
from concurrent.futures import ThreadPoolExecutor

from ..metadata import Metadata, is_inline, make_tables
from .data import Data, check_named, find_flaw
from .datafolder import DataFolder
from .objects import ObjectStore
from .scrub import tell_damaged
from .store import uploader
from .upgrade import upgrade

AT_ONCE = 8  # shards that are on their way at a time, each whole in memory
INTERVAL = 5  # seconds from one line about how far it is to the next
_BLOCK = 1024 * 1024


@dataclasses.dataclass
class Copied:
    shards: int = 0
    bytes: int = 0
    new: int = 0
    damaged: int = 0

    def __str__(self):
        return (f"{self.shards} shards of {self.bytes} bytes are there and checked, {self.new} of them put there now; "
                f"{self.damaged} damaged")


def copy(source: DataFolder, target: DataFolder, tell, progress) -> Copied:
    """
    Copy the data of a bridge on SQLite.  Broken off anywhere, it has changed nothing that could be served, and goes on
    the next time.  The database, if it is copied, goes last and at once: until then nothing is there.

    :param target: the same folder, with the URLs that the bridge shall have then.
    :param tell: is called with a line about each shard that is damaged, and one about mails that stay; *progress*, now
        and then, with one about how far it is.
    :raises OSError: somewhere in there is something else, which is left as it is, or it cannot be copied.
    """
    source.check_usable()
    with source.lock():
        upgrade(source, progress)
        check_named(source)
        with Data(source) as data, _database_of(target) as metadata:
            data.metadata.check_whole()
            if metadata is not None:
                data.metadata.check_taken_by(metadata)
            store = _store_of(target, source, data.metadata)
            if store is not None and metadata is None:
                source.begin_to_copy_shards()
            copied = _Copy(data, store, tell, progress).run()
            if metadata is not None:
                progress("copying the database")
                data.metadata.copy_rows_to(metadata)
                _tell_mails(source, tell)
        source.note_copied(database=metadata is not None, shards=store is not None)
    return copied


@contextlib.contextmanager
def _database_of(target):
    """The database to copy to, which has its tables then; None where it is to stay."""
    if target.database_url is None:
        yield None
        return
    make_tables(target.database_url)
    with contextlib.closing(Metadata(target.database_url)) as metadata:
        yield metadata


def _store_of(target, source, metadata):
    """Return the bucket to copy to, which has nothing but what an earlier run has left; None where the shards stay."""
    if target.store_url == source.store_url:
        return None
    store = ObjectStore(target.store_url)
    unheld = (name for name in store.objects() if metadata.shards.unheld(uploader(name), name))
    for stranger in (*_first(unheld), *_first(store.others())):
        raise OSError(errno.EEXIST, f"holds something else, such as {stranger}: take a prefix with nothing under it",
                      str(store))
    store.probe()
    return store


def _tell_mails(source, tell):
    """Say what lies in the outbox: whether somebody has taken it out of there by hand, nobody knows."""
    if count := len(list(source.outbox.glob("*.eml"))):
        tell(f"{count} mails stay in {source.outbox}; a bridge with this --data-dir and a --smtp-url sends them")


def _first(items):
    return [item for item, _ in zip(items, range(1))]


class _Copy:
    """Reads every shard here, and there, and brings there what is missing."""

    def __init__(self, data, store, tell, progress):
        self._data, self._store = data, store
        self._tell, self._progress = tell, progress
        self._copied = Copied()
        self._count, self._size = data.metadata.shards.total()
        self._next_line = 0

    def run(self) -> Copied:
        for shard, (flaw, new) in _in_parallel(self._bring, self._data.metadata.shards.all()):
            self._copied.shards += 1
            self._copied.bytes += shard["size"]
            self._copied.new += new
            self._note(shard, flaw)
            if time.monotonic() >= self._next_line:
                self._tell_progress()
        self._tell_progress()
        return self._copied

    def _bring(self, shard):
        """Return what is wrong with a shard, and whether it had to be brought there."""
        if self._store is None or is_inline(shard):
            return self._flaw(self._data.store, shard), False
        if self._flaw(self._store, shard) is None:
            return None, False
        if flaw := self._flaw(self._data.store, shard):
            return flaw, False
        self._store.put(shard["object"], self._read(shard))
        if flaw := self._flaw(self._store, shard):
            raise OSError(errno.EIO, f"{shard['object']}, which has been put there, {flaw}", str(self._store))
        return None, True

    def _flaw(self, store, shard):
        return find_flaw(self._data.metadata, store, shard)

    def _read(self, shard):
        with contextlib.closing(self._data.open(shard, 0, shard["size"])) as file:
            return b"".join(iter(lambda: file.read(_BLOCK), b""))

    def _note(self, shard, flaw):
        if flaw is not None:
            self._copied.damaged += 1
            tell_damaged(self._tell, shard, flaw, self._data.metadata.shards.mark(shard, damaged=True))
        elif shard["damaged"]:
            self._data.metadata.shards.mark(shard, damaged=False)

    def _tell_progress(self):
        self._next_line = time.monotonic() + INTERVAL
        self._progress(f"{self._copied.shards} of {self._count} shards, {self._copied.bytes} of {self._size} bytes")


def _in_parallel(work, items):
    """Yield each item, and what becomes of it, in order."""
    threads, under_way = ThreadPoolExecutor(AT_ONCE, "pymdc-copy"), collections.deque()
    try:
        for item in items:
            under_way.append((item, threads.submit(work, item)))
            if len(under_way) == 2 * AT_ONCE:
                first, done = under_way.popleft()
                yield first, done.result()
        for item, done in under_way:
            yield item, done.result()
    finally:
        threads.shutdown(cancel_futures=True)
