"""The data of a bridge: its memory and its store, kept in step with each other."""

import contextlib
import errno
import hashlib
import io
import logging

from sqlalchemy.exc import SQLAlchemyError

from ..metadata import Metadata, is_inline, sqlite
from .datafolder import DataFolder
from .folder import FolderStore
from .objects import ObjectStore
from .store import Reader, Store, uploader

HOUR = 60 * 60 * 1000  # milliseconds
_BLOCK = 1024 * 1024

_log = logging.getLogger("pymdc.bridge")


class Data:
    """
    What a data folder holds, or leads to.  Times are milliseconds since the epoch.

    :param keep_deleted: how many hours objects are kept that nothing holds any more.
    """

    def __init__(self, folder: DataFolder, keep_deleted: float = 0):
        self._kept = int(keep_deleted * HOUR)
        self.metadata = _metadata(folder)
        self.store = store_of(folder)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.metadata.close()

    def open(self, shard, start: int, end: int) -> Reader:
        """
        Open the content of a shard to read it from *start* on, and to *end* at most.

        :param shard: its row, with its content if that lies in the database.
        :raises FileNotFoundError: it is gone.
        """
        if not is_inline(shard):
            return self.store.open(shard["object"], start, end)
        if shard["content"] is None:
            raise FileNotFoundError(errno.ENOENT, "not in the database", shard["object"])
        return Reader(io.BytesIO(shard["content"][start:]), len(shard["content"]))

    def set_aside(self, shard):
        """Move the content of a shard to where nobody gets it, for an operator to look at."""
        if not is_inline(shard):
            self.store.set_aside(shard["object"])
        elif (content := self.metadata.contents.find(shard)) is not None:
            self.store.put_aside(shard["object"], content)
            self.metadata.contents.drop(shard)

    def sweep(self, now: int):
        """
        Delete the objects that nothing holds any more, when they have been kept long enough.  What cannot be deleted is
        tried again the next time: who has brought it about that it is not needed has had his answer.
        """
        try:
            names = self.metadata.shards.unneeded(now, self._kept)
            if names:
                left = set(self.store.delete(names))
                deleted = [name for name in names if name not in left]
                self.metadata.shards.forget_unneeded(deleted)
                _log.debug("not needed any more, and deleted: %s", " ".join(deleted))
        except SQLAlchemyError as error:
            _log.error("what is not needed cannot be deleted: %s", error)

    def clear_uploads(self, now: int):
        """Remove what uploads have left behind that have expired; *now* is by the steady clock."""
        dead = self.metadata.uploads.dead(now)
        left = list(self.store.brought_by(dead)) if dead else []
        for upload_id in dead:
            names = [name for name in left if uploader(name) == upload_id]
            self.metadata.uploads.bury(upload_id, names, now, self.store.settles)

    def remove_orphans(self) -> int:
        """Delete the objects that belong to nothing at all; return how many there were."""
        unheld = self.metadata.shards.unheld
        orphans = [name for name in self.store.objects() if unheld(uploader(name), name)]
        return len(orphans) - len(self.store.delete(orphans))


def store_of(folder: DataFolder) -> Store:
    return FolderStore(folder.shards) if folder.store_url is None else ObjectStore(folder.store_url)


def find_flaw(metadata, store: Store, shard) -> str | None:
    """Read the content of a shard, given by its row, and return what is wrong with it."""
    if not is_inline(shard):
        return _flaw_of_object(store, shard)
    content = metadata.contents.find(shard)
    if content is None:
        return "is missing"
    return None if hashlib.sha256(content).hexdigest() == shard["sha256"] else "has wrong bytes"


def _flaw_of_object(store, shard):
    try:
        digest = _sha256(store, shard)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        if error.errno != errno.EIO:  # what is wrong is not the shard
            raise
        return "cannot be read"
    return None if digest == shard["sha256"] else "has wrong bytes"


def _sha256(store, shard):
    """Return the hash of an object; None where it has not the size of the shard."""
    sha256 = hashlib.sha256()
    with contextlib.closing(store.open(shard["object"], 0, shard["size"])) as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
        return sha256.hexdigest() if file.size == shard["size"] else None


def check_named(folder: DataFolder, way_out="put back the right one, or say --new to begin without them"):
    """
    Raise OSError where shards lie and the database names none: what is missing may be the database.  Or where it names
    some, and the bucket has none, or there is no folder: they may lie elsewhere.
    """
    in_bucket = folder.store_url is not None
    no_folder = not in_bucket and not folder.shards.exists()
    where = folder.store_url or str(folder.shards)
    if not no_folder and any(store_of(folder).objects()):
        if not names_objects(folder):
            if folder.database_url is None and not in_bucket:
                raise OSError(errno.EINVAL, f"shards lie beside it, and it names none: {way_out}", str(folder.database))
            raise OSError(errno.EINVAL, f"shards lie here, and the database names none: {way_out}", where)
    elif (in_bucket or no_folder) and _asked(folder, lambda metadata: metadata.shards.are_in_store()):
        text = ("no shards lie here, and the database names some: say with --store-url where they are, put them back, "
                "or say --new to go on without them")
        raise OSError(errno.EINVAL, text, where)


def set_unnamed_aside(folder: DataFolder):
    """Where the database names no shards, move those that lie there to where nobody gets them."""
    store = store_of(folder)
    unnamed = [] if names_objects(folder) else list(store.objects())
    for name in unnamed:
        store.set_aside(name)
    if unnamed:
        where = f"{folder.store_url}/quarantine" if folder.store_url is not None else folder.quarantine
        _log.warning("%d shards that the database does not name are in %s now", len(unnamed), where)


def names_objects(folder: DataFolder) -> bool:
    """Return whether there is a database in a folder that knows of any object."""
    return _asked(folder, lambda metadata: metadata.shards.name_objects())


def _asked(folder, question):
    """Return the answer to a question that a database, if there is one, can say yes to."""
    if folder.database_url is None and not folder.has_database():
        return False
    with contextlib.closing(_metadata(folder)) as metadata:
        return question(metadata)


def _metadata(folder):
    return sqlite(folder.database) if folder.database_url is None else Metadata(folder.database_url)
