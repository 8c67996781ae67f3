"""SQLite: one file, one writer at a time, and transactions that share their commits."""

import contextlib
import fcntl
import os
from pathlib import Path

import sqlalchemy
from sqlalchemy import event, text

from .. import private
from ..clock import HostClock
from . import revisions
from .commits import Commits
from .compiled import Compiled
from .lane import Lane
from .sqlitefile import check_length, check_whole, copy

POOL = 16  # connections

BEGIN = Compiled(text("BEGIN"))
BEGIN_WRITING = Compiled(text("BEGIN IMMEDIATE"))


class SQLiteEngine:
    """
    :param url: as SQLAlchemy takes it, such as ``sqlite:////var/lib/pymdc/bridge.sqlite``.
    :ivar engine: SQLAlchemy's.
    :ivar lane: for transactions that come from many at the same time.
    :ivar tries: how often a transaction is tried that was undone.  It is so when the disk fails or is full: once.
    :ivar revision: of the schema.
    :ivar clock: what its times go by.
    """

    tries = 1
    clock = HostClock()

    def __init__(self, url: sqlalchemy.URL):
        # What a failed statement was given does not belong into a log.
        self.engine = sqlalchemy.create_engine(
            url, pool_size=POOL, max_overflow=0, pool_timeout=60, hide_parameters=True,
        )
        file = self.engine.url.database
        open(file, "ab", opener=private.opener).close()  # what lies beside it is made alike
        check_length(file)
        revisions.check_ours(self.engine)
        self.commits = Commits(self.engine, Turn(file))
        self.lane = Lane(self.commits.in_series)
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)
        with self.transaction() as transaction:
            revisions.settle(transaction)
            self.revision = revisions.check(transaction)

    def transaction(self, sync=True):
        return self.commits.transaction(sync)

    @contextlib.contextmanager
    def reading(self):
        with self.engine.connect().execution_options(pymdc_read=True) as connection:
            yield connection

    def copy_to(self, path: Path):
        """Write one state of the database to a file that is not there yet, while others write on."""
        with contextlib.closing(self.engine.raw_connection()) as connection:
            copy(connection.driver_connection, path)

    def check_whole(self):
        """Raise OSError when the database has been cut or is damaged otherwise."""
        with self.reading() as db:
            check_whole(db)

    def close(self):
        self.lane.close()
        self.commits.close()
        self.engine.dispose()


class Turn:
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


def _prepare(connection, record):
    connection.isolation_level = None  # the driver's own transactions begin too late
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=60000"):
        connection.execute("PRAGMA " + pragma)


def _begin(connection):
    # A transaction that starts by reading and then writes fails at once when another has written meanwhile.
    reading = connection.get_execution_options().get("pymdc_read")
    (BEGIN if reading else BEGIN_WRITING).write(connection)
