"""The database: how it is opened, and what a transaction is."""

import contextlib
import fcntl
import os
import threading
from pathlib import Path

import sqlalchemy
from sqlalchemy import event

from .. import private
from . import revisions
from .commits import Commits
from .sqlitefile import check_length, check_whole, copy
from .together import Together


class _Own(threading.local):
    together = None


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
        file = self._engine.url.database if self._engine.dialect.name == "sqlite" else None
        if file:
            open(file, "ab", opener=private.opener).close()  # what lies beside it is made alike
            check_length(file)
        revisions.check_ours(self._engine)
        self._own = _Own()
        self._commits = None
        if file:
            self._commits = Commits(self._engine, _Turn(file))
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        with self.write() as transaction:
            revisions.settle(transaction)
            self.revision = revisions.check(transaction)

    @contextlib.contextmanager
    def together(self, sync=True):
        """
        Let all blocks that this thread comes by until this one ends be one transaction: see :class:`Together`.

        :param sync: as of :meth:`write`.
        """
        with Together(self._begin, sync) as self._own.together:
            try:
                yield
            finally:
                self._own.together = None

    def keep(self):
        """Of what is done together, let what has been done so far be done, whatever is refused later."""
        if self._own.together is not None:
            self._own.together.keep()

    def write(self, sync=True):
        """
        A transaction that is on disk when the block ends; it is undone when the block raises.

        :param sync: whether it has to outlive a power cut too, not only the end of the process.
        """
        together = self._own.together
        return self._begin(sync) if together is None else contextlib.nullcontext(together.connection(sync))

    def _begin(self, sync):
        return self._commits.transaction(sync) if self._commits else self._engine.begin()

    def read(self):
        """A transaction that sees one state of things and changes nothing."""
        together = self._own.together
        return self._look() if together is None else contextlib.nullcontext(together.connection())

    @contextlib.contextmanager
    def _look(self):
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
    """
    Lets one process write at a time.  Fairer than SQLite's own waiting, which starves some: who waits stands in the
    door, and whoever has had his turn has to come through that to have another.
    """

    def __init__(self, path: str):
        self._path = path

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            with _locked(self._path + "-door"):
                stack.enter_context(_locked(self._path + "-turn"))
            self._held = stack.pop_all()

    def __exit__(self, *exception):
        self._held.close()


@contextlib.contextmanager
def _locked(path):
    file = private.opener(path, os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)  # a process that has been forked meanwhile has the file open too
        os.close(file)


def _prepare_sqlite(connection, record):
    connection.isolation_level = None  # the driver's own transactions begin too late
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=60000"):
        connection.execute("PRAGMA " + pragma)


def _begin_sqlite(connection):
    # A transaction that starts by reading and then writes fails at once when another has written meanwhile.
    reading = connection.get_execution_options().get("pymdc_read")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
