"""The data of a bridge: its memory and its store, kept in step with each other."""

import contextlib
import errno
import hashlib
import io
import logging

from sqlalchemy.exc import SQLAlchemyError

from ..metadata import is_inline, sqlite
from .datafolder import DataFolder
from .folder import Store, uploader

_log = logging.getLogger("pymdc.bridge")


class Data:
    """What a data folder holds.  Times are milliseconds since the epoch."""

    def __init__(self, folder: DataFolder):
        self.metadata = sqlite(folder.database)
        self.store = Store(folder.shards)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.metadata.close()

    def open(self, shard):
        """
        Open the content of a shard for reading.

        :param shard: its row, with its content if that lies in the database.
        :raises FileNotFoundError: it is gone.
        """
        if not is_inline(shard):
            return self.store.open(shard["object"])
        if shard["content"] is None:
            raise FileNotFoundError(errno.ENOENT, "not in the database", shard["object"])
        return io.BytesIO(shard["content"])

    def set_aside(self, shard):
        """Move the content of a shard to where nobody gets it, for an operator to look at."""
        if not is_inline(shard):
            self.store.set_aside(shard["object"])
        elif (content := self.metadata.contents.find(shard)) is not None:
            self.store.put_aside(shard["object"], content)
            self.metadata.contents.drop(shard)

    def sweep(self, now: int):
        """
        Delete the objects that nothing holds any more.  What cannot be deleted is tried again the next time: who has
        brought it about that it is not needed has had his answer.
        """
        try:
            names = self.metadata.shards.unneeded(now)
            if names:
                self.metadata.shards.forget_unneeded([name for name in names if self._deletes(name)])
        except SQLAlchemyError as error:
            _log.error("what is not needed cannot be deleted: %s", error)

    def _deletes(self, name):
        try:
            self.store.delete([name])
        except OSError as error:
            _log.error("%s cannot be deleted: %s", name, error.strerror)
            return False
        _log.debug("%s was not needed any more, and is deleted", name)
        return True

    def clear_uploads(self, now: int):
        """Remove what uploads have left behind that have expired; *now* is by the steady clock."""
        dead = self.metadata.uploads.dead(now)
        left = [name for name in self.store.objects() if uploader(name) in dead] if dead else []
        for upload_id in dead:
            self.metadata.uploads.bury(upload_id, [name for name in left if uploader(name) == upload_id], now)

    def remove_orphans(self) -> int:
        """Delete the objects that belong to nothing at all; return how many there were."""
        unheld = self.metadata.shards.unheld
        orphans = [name for name in self.store.objects() if unheld(uploader(name), name)]
        self.store.delete(orphans)
        return len(orphans)


def find_flaw(metadata, store: Store, shard) -> str | None:
    """Read the content of a shard, given by its row, and return what is wrong with it."""
    if not is_inline(shard):
        return store.flaw(shard)
    content = metadata.contents.find(shard)
    if content is None:
        return "is missing"
    return None if hashlib.sha256(content).hexdigest() == shard["sha256"] else "has wrong bytes"


def check_named(folder: DataFolder, way_out="put back the right one, or say --new to begin without them"):
    """Raise OSError where shards lie and the database names none: what is missing may be the database."""
    if any(Store(folder.shards).objects()) and not names_objects(folder):
        text = "shards lie beside it, and it names none: " + way_out
        raise OSError(errno.EINVAL, text, str(folder.database))


def set_unnamed_aside(folder: DataFolder):
    """Where the database names no shards, move those that lie there to where nobody gets them."""
    store = Store(folder.shards)
    unnamed = [] if names_objects(folder) else list(store.objects())
    for name in unnamed:
        store.set_aside(name)
    if unnamed:
        _log.warning("%d shards that the database does not name are in %s now", len(unnamed), folder.quarantine)


def names_objects(folder: DataFolder) -> bool:
    """Return whether there is a database in a folder that knows of any object."""
    if not folder.has_database():
        return False
    with contextlib.closing(sqlite(folder.database)) as metadata:
        return metadata.shards.name_objects()
