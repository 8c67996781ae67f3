"""The file of a SQLite database: whether it is whole, and a copy of it.  Source: sqlite.org/fileformat2.html"""

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

from .. import private

_MAGIC = b"SQLite format 3\0"
_HEADER, _LOG_HEADER, _FRAME_HEADER = 100, 32, 24  # bytes


def check_length(path: str):
    """
    Raise OSError, before SQLite opens it, for a database that has been cut, unless what is missing waits in the log
    beside it.

    SQLite looks at the length only where there is no log; else it would fill the file up with zeros.
    """
    with open(path, "rb") as file:
        header = file.read(_HEADER)
    if not header.startswith(_MAGIC):
        return  # which SQLite itself calls no database
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32], "big")
    if os.path.getsize(path) >= page * pages:
        return
    logged = _logged_pages(path + "-wal", page)
    there = os.path.getsize(path) // page  # now, for a bridge that runs may have written them meanwhile
    if not logged.issuperset(range(there + 1, pages + 1)):
        raise OSError(errno.EIO, "the database has been cut: put back a backup", path)


def check_whole(db):
    """Raise OSError for a database, by a connection of SQLAlchemy's, that is damaged inside."""
    if db.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
        raise OSError(errno.EIO, "the database is damaged", db.engine.url.database)


def copy(source: sqlite3.Connection, path: Path):
    """Write one state of a database to a file that is not there yet, while others write on."""
    open(path, "xb", opener=private.opener).close()
    try:
        with contextlib.closing(sqlite3.connect(path)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        raise OSError(errno.EIO, f"the database cannot be copied: {error}", str(path)) from None


def _logged_pages(path, page):
    """Return the numbers of the pages that a log holds."""
    found = set()
    try:
        with open(path, "rb") as log:
            log.seek(_LOG_HEADER)
            while frame := log.read(_FRAME_HEADER):
                found.add(int.from_bytes(frame[:4], "big"))
                log.seek(page, os.SEEK_CUR)
    except FileNotFoundError:
        pass
    return found
