"""The database: how it is opened, and what a transaction is."""

import contextlib
import fcntl
import threading
from pathlib import Path

import sqlalchemy
from sqlalchemy import event

from .. import private
from . import revisions
from .sqlitefile import check_length, check_whole, copy


class Database:
    """
    A pool of connections, for threads to share.

    :param url: as SQLAlchemy takes it, such as ``sqlite:////var/lib/pymdc/bridge.sqlite``.
    :ivar revision: of its schema.
    """

    def __init__(self, url: str | sqlalchemy.URL):
        # What a failed statement was given does not belong into a log.
        self._engine = sqlalchemy.create_engine(
            url, pool_size=16, max_overflow=0, pool_timeout=60, hide_parameters=True,
        )
        self._turn = contextlib.nullcontext()
        file = self._engine.url.database if self._engine.dialect.name == "sqlite" else None
        if file:
            open(file, "ab", opener=private.opener).close()  # what lies beside it is made alike
            check_length(file)
        revisions.check_ours(self._engine)
        if file:
            self._turn = _Turn(file + "-turn")
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        with self.write() as transaction:
            revisions.settle(transaction)
            self.revision = revisions.check(transaction)

    @contextlib.contextmanager
    def write(self):
        """A transaction that is on disk when the block ends; it is undone when the block raises."""
        with self._turn, self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self):
        """A transaction that sees one state of things and changes nothing."""
        with self._engine.connect().execution_options(pymdc_read=True) as connection:
            yield connection

    def copy_to(self, path: Path):
        """Write one state of a SQLite database to a file that is not there yet, while others write on."""
        with contextlib.closing(self._engine.raw_connection()) as connection:
            copy(connection.driver_connection, path)

    def check_whole(self):
        """Raise OSError when a SQLite database has been cut or is damaged otherwise."""
        with self.read() as db:
            check_whole(db)

    def close(self):
        self._engine.dispose()


class _Turn:
    """Lets one write at a time, thread or process.  Fairer than SQLite's own waiting, which starves some."""

    def __init__(self, path: str):
        self._threads = threading.Lock()
        self._path = path

    def __enter__(self):
        self._threads.acquire()
        try:
            self._file = open(self._path, "w", opener=private.opener)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, *exception):
        self._file.close()
        self._threads.release()


def _prepare_sqlite(connection, record):
    connection.isolation_level = None  # the driver's own transactions begin too late
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=60000"):
        connection.execute("PRAGMA " + pragma)


def _begin_sqlite(connection):
    # A transaction that starts by reading and then writes fails at once when another has written meanwhile.
    reading = connection.get_execution_options().get("pymdc_read")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
