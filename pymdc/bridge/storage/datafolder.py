"""The data folder: what lies where in it, and the lock that keeps it to one bridge."""

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

from .. import private

PATIENCE = 2  # seconds in which the workers of a bridge that was killed notice it


class DataFolder:
    """
    A folder that holds all data of a bridge.  It is made where there is none.

    :param database_url: of the database, where that is a server's, and not in the folder.
    :param store_url: of the bucket of the shards, where they are not in the folder.
    :ivar database: the file of the SQLite database.
    :ivar shards: the folder of the shards; *outbox*: of the mails; *quarantine*: of shards set aside.
    """

    def __init__(self, path: str | os.PathLike, database_url: str | None = None, store_url: str | None = None):
        self.path = Path(path)
        self.database_url = database_url
        self.store_url = store_url
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in missing:
            sync_folder(folder.parent)
        self.database = self.path / "bridge.sqlite"
        self.shards = self.path / "shards"
        self.outbox = self.path / "outbox"
        self.quarantine = self.path / "quarantine"
        self._lock = self.path / "lock"
        self._backup = self.path / "BACKUP"
        self._unfinished = self.path / "UNFINISHED"
        self._copying_shards = self.path / "COPYING-SHARDS"
        self._copied = {"database": self.path / "DATABASE-COPIED", "store": self.path / "SHARDS-COPIED"}

    def mark_as_backup(self):
        """Let this folder hold a backup, if it is empty or has held one before."""
        if any(self.path.iterdir()) and not self._backup.exists():
            raise OSError(errno.ENOTEMPTY, "neither empty nor a backup", str(self.path))
        self._backup.write_text("A backup of a Metadisk bridge: to use it, restore it to a folder of its own.\n")

    def is_backup(self) -> bool:
        return self._backup.exists()

    def has_database(self) -> bool:
        return self.database.exists() and self.database.stat().st_size > 0

    @contextlib.contextmanager
    def being_restored(self):
        """While the block lasts, and for good if it or the power fails, no bridge can be served from this folder."""
        if any(self.path.iterdir()):
            raise OSError(errno.ENOTEMPTY, "not empty", str(self.path))
        self._write(self._unfinished, "What is being restored to this folder is not whole.\n")
        yield
        os.sync()
        self._unfinished.unlink()
        sync_folder(self.path)

    def check_usable(self):
        """Raise OSError unless a bridge may be served from this folder."""
        if self.is_backup():
            raise OSError(errno.EINVAL, "a backup, to be restored to a folder of its own", str(self.path))
        if self._unfinished.exists():
            raise OSError(errno.EINVAL, "its restore was broken off: empty it, and restore again", str(self.path))

    def begin_to_copy_shards(self):
        """From here to a bucket, which until then is not what the database speaks of."""
        self._write(self._copying_shards, "The shards are not all in the bucket yet: copy them again.\n")

    def note_copied(self, database: bool, shards: bool):
        """Let what has been copied to elsewhere not be served from here by mistake: it would go its own way."""
        for kind in [kind for kind, copied in (("database", database), ("store", shards)) if copied]:
            self._write(self._copied[kind], "Delete this to serve what is here all the same, as it was.\n")
        self._copying_shards.unlink(missing_ok=True)
        sync_folder(self.path)

    def check_current(self):
        """Raise OSError where what is to be served has been copied to elsewhere, or has not all been copied there."""
        if self.store_url is not None and self._copying_shards.exists():
            raise OSError(errno.EINVAL, "its shards are not all in a bucket: copy them again", str(self.path))
        for kind, url in (("database", self.database_url), ("store", self.store_url)):
            if url is None and self._copied[kind].exists():
                text = f"it was copied to elsewhere: say where with --{kind}-url, or delete this to serve what is here"
                raise OSError(errno.EINVAL, text, str(self._copied[kind]))

    def _write(self, path, text):
        with open(path, "w", opener=private.opener) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.path)

    def tighten(self):
        """Take from others what they could do in this folder, however it came to be; only single shards are left."""
        beside = self.path.glob(self.database.name + "*")
        for path in (self.path, self.quarantine, self.outbox, self.shards, self._lock, *beside):
            private.tighten(path)
        for path in (*self.outbox.glob("*"), *self.shards.glob("*")):
            private.tighten(path)

    def lock(self):
        """
        Return an open file; as long as it, or a copy in a forked process, is open, no other bridge may serve, but those
        that share a server's database.
        """
        kind = fcntl.LOCK_EX if self.database_url is None else fcntl.LOCK_SH
        file = open(self._lock, "w", opener=private.opener)
        for _ in range(10 * PATIENCE):
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
                return file
            except BlockingIOError:
                time.sleep(0.1)
        file.close()
        raise OSError(errno.EBUSY, "another bridge is running on it", str(self.path))


class NoDataFolder:
    """What a bridge has in place of a data folder whose database, shards and mails are all elsewhere."""

    outbox = None

    def __init__(self, database_url: str, store_url: str):
        self.database_url = database_url
        self.store_url = store_url

    def check_usable(self):
        """It is."""

    def check_current(self):
        """It is."""

    def tighten(self):
        """There is nothing."""

    def lock(self):
        """Return what can be closed, as the lock of a data folder that others share."""
        return contextlib.ExitStack()


def data_folder(path, database_url: str | None, store_url: str | None) -> DataFolder | NoDataFolder:
    """Return the data folder of a bridge; with None as its path there is none, and both URLs say where all is."""
    if path is None:
        return NoDataFolder(database_url, store_url)
    return DataFolder(path, database_url, store_url)


def sync_folder(folder: Path):
    """Let a power cut not undo what was created, renamed or deleted in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
