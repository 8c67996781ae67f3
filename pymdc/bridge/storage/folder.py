"""A store of plain files in a folder."""

import contextlib
import errno
import hashlib
import logging
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..._digest import content_hash
from .. import private
from .datafolder import sync_folder
from .store import SHARD_SIZE, Places, Reader, uploader

_BLOCK = 1024 * 1024
_NAME = re.compile(r"([0-9a-f]{40}-)?\w+-\w+")
_BEING_WRITTEN = re.compile(r"(\w+)-(\d+)", re.ASCII)
_log = logging.getLogger("pymdc.bridge")


class FolderStore:
    """A folder of objects; while one is being written, its name lacks the hash."""

    settles = 0  # what the system was told is done

    def __init__(self, folder: Path):
        self.places = Places()
        self._folder = folder
        self._incoming = folder / "incoming"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        self._folders = [folder / f"{number:02x}" for number in range(256)]
        for each in self._folders:
            each.mkdir(mode=0o700, exist_ok=True)
        for each in (folder, folder.parent, folder.parent.parent):
            sync_folder(each)

    def create(self, upload_id: str, number: int | str) -> "ShardWriter":
        return ShardWriter(self, f"{upload_id}-{number}")

    def open(self, name: str, start: int, end: int) -> Reader:
        """
        Open an object for reading.  A file that is open outlives its deletion.

        :raises FileNotFoundError: the object is gone, or what is there is no file, as repairs of a disk leave it; when
            all of its folder is gone, that is another OSError.
        """
        file = self._open(name)
        file.seek(start)
        return Reader(file, os.fstat(file.fileno()).st_size)

    def _open(self, name):
        path = self.path(name)
        if not path.parent.is_dir():
            raise OSError(errno.ENODEV, "the folder is gone", str(path.parent))
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO is not waited for
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(errno.ENOENT, "no file", str(path))
        return open(descriptor, "rb")

    def size(self, name: str) -> int | None:
        """Return how many bytes an object has; None when it is not here."""
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return None

    def take(self, other: "FolderStore", name: str):
        """Copy an object from another store; one whose bytes do not fit its name gets another name."""
        *_, upload_id, number = name.split("-")
        writer = self.create(upload_id, number)
        with other._open(name) as file:
            shutil.copyfileobj(file, writer, _BLOCK)
        writer.keep()

    def delete(self, names) -> list[str]:
        return [name for name in names if not self._deletes(name)]

    def _deletes(self, name):
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError as error:
            _log.error("%s cannot be deleted: %s", name, error.strerror)
            return False
        return True

    def objects(self) -> Iterator[str]:
        for folder in (self._incoming, *self._folders):
            for entry in os.scandir(folder):
                if _NAME.fullmatch(entry.name):
                    yield entry.name

    def brought_by(self, upload_ids: set[str]) -> Iterator[str]:
        return (name for name in self.objects() if uploader(name) in upload_ids)

    def set_aside(self, name: str):
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.path(name), self._quarantine() / name)

    def put_aside(self, name: str, content: bytes):
        with open(self._quarantine() / name, "wb", opener=private.opener) as file:
            file.write(content)

    def _quarantine(self):
        folder = self._folder.parent / "quarantine"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def probe(self):
        """Raise unless something can be written, and read again, and all folders are there."""
        written = secrets.token_bytes(4096)
        for folder in (self._incoming, secrets.choice(self._folders)):
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(written)
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                if file.read() != written:
                    raise OSError(errno.EIO, "what was written is not there", str(folder))
        for folder in self._folders:
            folder.stat()

    def free_space(self) -> int:
        return shutil.disk_usage(self._folder).free

    def written(self) -> dict[str, int]:
        found = {}
        for entry in os.scandir(self._incoming):
            if name := _BEING_WRITTEN.fullmatch(entry.name):
                with contextlib.suppress(FileNotFoundError):  # it has been written meanwhile
                    size = int(name[2]) * SHARD_SIZE + entry.stat().st_size
                    found[name[1]] = max(size, found.get(name[1], 0))  # the one before may be on its way to the disk
        return found

    def path(self, name: str) -> Path:
        if name.count("-") == 1:
            return self._incoming / name
        return self._folder / name[:2] / name


class ShardWriter:
    """One shard on its way to the disk, under a name that its hash is going to lead."""

    def __init__(self, store: FolderStore, name: str):
        self._store = store
        self._name = name
        self._file = open(store.path(name), "wb", opener=private.opener)
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
        name = f"{digest}-{self._name}"
        target = self._store.path(name)
        os.rename(self._store.path(self._name), target)
        try:
            sync_folder(target.parent)
        except OSError:
            target.unlink()
            raise
        return {"object": name, "hash": digest, "sha256": self.sha256.hexdigest(), "size": self.size}

    def discard(self) -> list[str]:
        with contextlib.suppress(OSError):  # of a disk that is full: closing writes what is left
            self._file.close()
        return self._store.delete([self._name])
