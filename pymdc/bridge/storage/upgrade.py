"""The upgrade of a data folder's database to the schema of this version, and the copy that is kept of what it was."""

import contextlib
import os
import sqlite3
import time

from ..metadata import migrate
from ..metadata.sqlitefile import copy
from .datafolder import DataFolder, sync_folder

KEPT = 3  # copies, the newest


def upgrade(folder: DataFolder, tell, keep_copy: bool = True):
    """
    Upgrade the database of a data folder, if it is older than this version, after a copy of it beside it.  Who calls
    this has the lock of the folder.

    :param tell: is called with a line about what is done.
    :raises OSError: it cannot be upgraded, and is as it was.
    """
    if not folder.has_database():
        return  # who opens it makes it
    copies = _Copies(folder)
    try:
        before, after = migrate(folder.database, copies.add if keep_copy else lambda revision: None)
    except BaseException:
        copies.withdraw()
        raise
    if before != after:
        beside = f"; as it was it is in {copies.added}" if keep_copy else ""
        tell(f"the database is upgraded from revision {before} to {after}{beside}")


class _Copies:
    """
    The copies beside a database from before its upgrades.

    :ivar added: the newest, if it is of this upgrade.
    """

    def __init__(self, folder):
        self._database = folder.database
        self.added = None

    def add(self, revision):
        partial = self._database.with_name(self._database.name + ".partial")
        partial.unlink(missing_ok=True)  # of an upgrade that was killed
        self._remove_all_but(KEPT - 1)
        with contextlib.closing(sqlite3.connect(self._database)) as connection:
            copy(connection, partial)
        _sync(partial)
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        added = self._database.with_name(f"{self._database.name}.{moment}.revision-{revision}")
        os.replace(partial, added)
        sync_folder(added.parent)
        self.added = added

    def withdraw(self):
        """Remove the copy of an upgrade that has come to nothing."""
        if self.added:
            self.added.unlink()

    def _remove_all_but(self, count):
        copies = sorted(self._database.parent.glob(self._database.name + ".*.revision-*"))
        for path in copies[:len(copies) - count]:
            path.unlink()


def _sync(path):
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
