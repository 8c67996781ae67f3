"""The database: how it is opened, and what a transaction is."""

import contextlib
import errno
import fcntl
import sqlite3
import threading
from pathlib import Path

import sqlalchemy
from sqlalchemy import event

from .. import private
from .earlier import take_over
from .sqlitefile import check_length
from .tables import schema


class Database:
    """
    A pool of connections, for threads to share.

    :param url: as SQLAlchemy takes it, such as ``sqlite:////var/lib/pymdc/bridge.sqlite``.
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
        _check_ours(self._engine)
        if file:
            self._turn = _Turn(file + "-turn")
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        with self.write() as transaction:
            take_over(transaction)
            schema.create_all(transaction)
            _check_columns(transaction)

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
        open(path, "xb", opener=private.opener).close()
        with contextlib.closing(sqlite3.connect(path)) as copy:
            with contextlib.closing(self._engine.raw_connection()) as connection:
                connection.driver_connection.backup(copy)

    def check_whole(self):
        """Raise OSError when a SQLite database has been cut or is damaged otherwise."""
        with self.read() as db:
            if db.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
                raise OSError(errno.EIO, "the database is damaged", self._engine.url.database)

    def close(self):
        self._engine.dispose()


def _check_ours(engine):
    """Raise OSError for the database of another program, before anything is set that it would keep."""
    with engine.connect() as connection:
        tables = set(sqlalchemy.inspect(connection).get_table_names())
    engine.dispose()
    if tables and not {"accounts", "buckets", "files", "shards"} <= tables:
        raise OSError(errno.EINVAL, "the database of another program", engine.url.database)


def _check_columns(connection):
    """Raise OSError for a database that another version of this program has made, and this one cannot use."""
    inspector = sqlalchemy.inspect(connection)
    for table in schema.sorted_tables:
        if {column["name"] for column in inspector.get_columns(table.name)} != set(table.c.keys()):
            text = f"the database of another version, whose table {table.name} has other columns"
            raise OSError(errno.EINVAL, text, connection.engine.url.database)


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
