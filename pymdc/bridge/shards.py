"""Shards as plain files in a folder."""

import hashlib
import os
import secrets
from pathlib import Path

from .._digest import content_hash

SHARD_SIZE = 8 * 1024 * 1024


class Store:
    """A folder of objects, each written once under a name that is never used again."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for number in range(256):
            (folder / f"{number:02x}").mkdir(exist_ok=True)
        for each in (folder, folder.parent, folder.parent.parent):
            _sync_folder(each)

    def create(self) -> "ShardWriter":
        return ShardWriter(self)

    def open(self, name: str):
        """Open an object for reading.  A file that is open outlives its deletion."""
        return open(self.path(name), "rb")

    def delete(self, names):
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        return self._folder / name[:2] / name

    def temporary(self) -> Path:
        return self._incoming / secrets.token_hex(16)

    def discard_incoming(self):
        """Remove what a bridge that was killed had begun to write."""
        for leftover in self._incoming.iterdir():
            leftover.unlink()


class ShardWriter:
    """One shard on its way to the disk."""

    def __init__(self, store: Store):
        self._store = store
        self._path = store.temporary()
        self._file = open(self._path, "xb")
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data):
        self._file.write(data)
        self.sha256.update(data)
        self.size += len(data)

    def keep(self) -> dict:
        """Put the shard where it stays, on disk for good, and return its row."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        digest = content_hash(self.sha256)
        name = f"{digest}-{secrets.token_hex(8)}"
        target = self._store.path(name)
        os.rename(self._path, target)
        try:
            _sync_folder(target.parent)
        except OSError:
            target.unlink()
            raise
        return {"object": name, "hash": digest, "sha256": self.sha256.hexdigest(), "size": self.size}

    def discard(self):
        self._path.unlink(missing_ok=True)
        self._file.close()


def _sync_folder(folder: Path):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
