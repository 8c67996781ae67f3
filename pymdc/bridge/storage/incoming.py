"""A file on its way in: cut into shards, hashed, in the store, or held in memory where it is small."""

import contextlib
import hashlib
import secrets
from concurrent.futures import Future, ThreadPoolExecutor

from ..._digest import content_hash
from ..refusal import Refusal
from .inline import InlineWriter
from .store import SHARD_SIZE, Store

_keepers = ThreadPoolExecutor(16, "pymdc-keeper")  # beside what comes


class Incoming:
    """
    Takes a file's bytes and keeps them as shards.  What is not entered in the end has to be discarded.

    :param size: how many bytes are to come.
    :param inline: up to how many bytes a file does not go to the store, but into the database with its row.
    :ivar id: part of the names of its objects.
    """

    def __init__(self, store: Store, size: int, inline: int = 0):
        self.id = secrets.token_hex(8)
        self.filename = ""
        self.mimetype = "text/plain"
        self.shards = []  # their rows, in order
        self._store = store
        self._kept = self._keeping = None  # the shard before, while it is put into the store, and what becomes of that
        self._size = size
        self._inline = size <= inline
        self._left = size
        self._sha256 = hashlib.sha256()
        self._writer = None
        self._place = self._next_place = None  # in the store: of the shard that comes, and what the next one waits for
        self._rest = b""  # bytes of the next one meanwhile

    def begin(self, filename: str, mimetype: str):
        self.filename, self.mimetype = filename, mimetype

    def place(self) -> Future | None:
        """Return what to wait for, on no thread, before more is written or all is finished; None if it is nothing."""
        if self._writer is not None or self._inline or not (self._left or self._rest):
            return None
        if self._next_place is None:
            self._next_place = self._store.places.take()
        return self._next_place

    def write(self, data: memoryview):
        self._left -= len(data)
        if self._left < 0:
            raise Refusal(400, "File size exceeds declared size")
        self._write_rest()
        self._fill(data)

    def end(self):
        """Let what has come be all of it, though more was to come."""
        self._size -= self._left
        self._left = 0
        if self._rest:
            return
        if self._writer is not None and not self._writer.size:
            self._writer.discard()
            self._writer = None
            self._leave_place()
        self._leave_next_place()

    def finish(self):
        """Wait until all that goes to the store is there for good."""
        if self._left:
            raise Refusal(400, "File does not match the declared size")
        self._write_rest()
        self._settle()
        if self._writer is not None:
            if not self.shards:
                self._sha256 = self._writer.sha256
            self.shards.append(self._keep(self._writer, self._place))
            self._writer = None

    def entry(self) -> dict:
        """Return the file, as the protocol describes one."""
        digest = content_hash(self._sha256)
        return {"mimetype": self.mimetype, "filename": self.filename or digest, "size": self._size, "hash": digest}

    def discard(self) -> list[str]:
        """Remove all that was written; return the names of the objects that may be left all the same."""
        with contextlib.suppress(OSError):
            self._settle()
        left = []
        for writer in (self._kept, self._writer):
            if writer is not None:
                left += writer.discard()
        self._leave_next_place()
        self._leave_place()
        return left + self._store.delete([shard["object"] for shard in self.shards if not self._inline])

    def _fill(self, data):
        """Write what has a place.  The rest waits for one, here: who has a place must not wait for another."""
        while len(data):
            if not self._has_place():
                self._rest = bytes(data)
                return
            self._begin_shard()
            piece = data[:SHARD_SIZE - self._writer.size]
            self._writer.write(piece)
            if self._number():  # the hash of the first shard is that of the file so far: no need for both
                self._sha256.update(piece)
            if self._writer.size == SHARD_SIZE:
                self._keep_beside()
            data = data[len(piece):]
        if self._left and self._has_place():
            self._begin_shard()  # which tells the store how many there are before it

    def _write_rest(self):
        while self._rest:
            rest, self._rest = self._rest, b""
            self._begin_shard()
            self._fill(memoryview(rest))

    def _has_place(self):
        place = self.place()
        return place is None or place.done()

    def _begin_shard(self):
        if self._writer is not None:
            return
        if self._inline:
            self._writer = InlineWriter(self.id)
            return
        place, self._next_place = self._next_place or self._store.places.take(), None
        self._place = place.result()
        self._writer = self._store.create(self.id, self._number())

    def _leave_next_place(self):
        if self._next_place is not None and not self._next_place.cancel():
            self._next_place.result().give_back()

    def _leave_place(self):
        if self._place is not None:
            self._place.give_back()

    def _number(self):
        """Return how many shards there are before the one that comes."""
        return len(self.shards) + (self._kept is not None)

    def _keep_beside(self):
        """Put the shard into the store while the next one comes, but one at a time: a slow store slows the sender."""
        self._settle()
        if not self.shards:
            self._sha256 = self._writer.sha256.copy()
        self._kept, self._writer = self._writer, None
        self._keeping = _keepers.submit(self._keep, self._kept, self._place)

    @staticmethod
    def _keep(writer, place):
        try:
            return writer.keep()
        finally:
            if place is not None:
                place.give_back()

    def _settle(self):
        """Wait until the shard before is in the store."""
        if self._kept is not None:
            self.shards.append(self._keeping.result())
            self._kept = None
