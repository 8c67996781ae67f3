"""A file on its way in: cut into shards, hashed, on disk, or held in memory where it is small."""

import hashlib
import secrets

from ..._digest import content_hash
from ..refusal import Refusal
from .folder import SHARD_SIZE, Store
from .inline import InlineWriter


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
        self._size = size
        self._inline = size <= inline
        self._left = size
        self._sha256 = hashlib.sha256()
        self._writer = None

    def begin(self, filename: str, mimetype: str):
        self.filename, self.mimetype = filename, mimetype

    def write(self, data: memoryview):
        self._left -= len(data)
        if self._left < 0:
            raise Refusal(400, "File size exceeds declared size")
        while len(data):
            self._begin_shard()
            piece = data[:SHARD_SIZE - self._writer.size]
            self._writer.write(piece)
            if self.shards:  # the hash of the first shard is that of the file so far: no need for both
                self._sha256.update(piece)
            if self._writer.size == SHARD_SIZE:
                self._keep()
            data = data[len(piece):]
        if self._left:
            self._begin_shard()  # which tells the store how many there are before it

    def finish(self):
        """Put the last shard on disk, if it goes to the store."""
        if self._left:
            raise Refusal(400, "File does not match the declared size")
        if self._writer is not None:
            self._keep()

    def entry(self) -> dict:
        """Return the file, as the protocol describes one."""
        digest = content_hash(self._sha256)
        return {"mimetype": self.mimetype, "filename": self.filename or digest, "size": self._size, "hash": digest}

    def discard(self):
        """Remove all that was written."""
        try:
            if self._writer is not None:
                self._writer.discard()
        finally:
            self._store.delete(shard["object"] for shard in self.shards if not self._inline)

    def _begin_shard(self):
        if self._writer is None:
            self._writer = InlineWriter(self.id) if self._inline else self._store.create(self.id, len(self.shards))

    def _keep(self):
        if not self.shards:
            self._sha256 = self._writer.sha256.copy()
        self.shards.append(self._writer.keep())
        self._writer = None
