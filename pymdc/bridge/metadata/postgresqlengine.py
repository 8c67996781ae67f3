"""
PostgreSQL: READ COMMITTED with row locks, over a bounded pool of connections.

Nothing is kept on a connection from one transaction to the next, neither prepared statements nor settings nor locks: a
pooler in between may give each transaction another one.
"""

import contextlib
import errno
from pathlib import Path

import sqlalchemy
from sqlalchemy import event, extract, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoneLeft

from ..clock import ServerClock
from . import revisions
from .failures import Away, InDoubt, Undone

POOL = 16  # connections of one process
PATIENCE = 30  # seconds in which one has to become free
CONNECTING = 10  # seconds in which the server has to answer

_SET_APART = ("40001", "40P01")  # a serialization failure, a deadlock
TIME = select(extract("epoch", func.clock_timestamp()) * 1000)
_NO_SYNC = "SET LOCAL synchronous_commit TO OFF"


class PostgreSQLEngine:
    """
    :param url: as SQLAlchemy takes it, such as ``postgresql+psycopg://pymdc@db.example/pymdc``.
    :ivar engine: SQLAlchemy's.
    :ivar lane: none, since here transactions run beside each other.
    :ivar tries: how often a transaction is tried that was undone.
    :ivar revision: of the schema.
    :ivar clock: what its times go by: the server's.
    """

    tries = 8
    lane = None

    def __init__(self, url: sqlalchemy.URL):
        self.engine = make_engine(url, pool_size=POOL, max_overflow=0, pool_timeout=PATIENCE, pool_pre_ping=True)
        with self.reading() as db:
            revisions.check_made(db)
            self.revision = revisions.check(db)
        self.clock = ServerClock(self._time)
        self.clock.set()

    def _time(self):
        with self.reading() as db:
            return int(db.execute(TIME).scalar())

    @contextlib.contextmanager
    def transaction(self, sync=True):
        """As :meth:`.commits.Commits.transaction`.  Each commits by itself: the server lets several share a sync."""
        with self.reading() as connection:
            if not sync:
                connection.exec_driver_sql(_NO_SYNC)
            yield connection
            _commit(connection)

    @contextlib.contextmanager
    def reading(self):
        """
        A connection whose transaction is rolled back, unless it is committed within the block.

        :raises Away: there is none.
        :raises Undone: another transaction, or the connection, has ended it.
        """
        connection = _connect(self.engine)
        try:
            yield connection
        except DBAPIError as error:
            if error.connection_invalidated or _code(error) in _SET_APART:
                raise Undone(_words(error)) from error
            raise
        finally:
            for end in (connection.rollback, connection.close):
                with contextlib.suppress(SQLAlchemyError):  # of a connection that is lost, and with it the transaction
                    end()

    def copy_to(self, path: Path):
        raise OSError(errno.ENOTSUP, "pg_dump copies a database of PostgreSQL", revisions.where(self.engine.url))

    def check_whole(self):
        """PostgreSQL looks after that itself."""

    def close(self):
        self.engine.dispose()


def make_engine(url: sqlalchemy.URL, **options) -> sqlalchemy.Engine:
    """Return an engine whose errors do not tell what a statement was given, or what is in a row."""
    engine = sqlalchemy.create_engine(
        url, isolation_level="READ COMMITTED", hide_parameters=True,
        connect_args={"prepare_threshold": None, "connect_timeout": CONNECTING}, **options,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "handle_error", _cut)
    return engine


def _cut(context):
    """Keep what went wrong, of an error, and not its detail, which may quote a whole row."""
    error, told = context.original_exception, context.sqlalchemy_exception
    diagnosis = getattr(error, "diag", None)
    if told is not None and diagnosis and diagnosis.message_primary:
        error.args = (diagnosis.message_primary,)
        told.args = (f"({type(error).__name__}) {diagnosis.message_primary}",)


def _connect(engine):
    try:
        return engine.connect()
    except NoneLeft:
        raise Away(f"none of the {POOL} connections has become free in {PATIENCE} seconds") from None
    except DBAPIError as error:
        raise Away(_words(error)) from error


def _commit(connection):
    try:
        connection.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise InDoubt(_words(error)) from error
        raise


def _code(error):
    return getattr(error.orig, "sqlstate", None)


def _words(error):
    return " ".join(str(error.orig).split())


def _prepare(connection, record):
    from psycopg.types.string import StrDumperUnknown

    class Dumper(StrDumperUnknown):
        """Lets a text with NUL be looked for, which PostgreSQL could not keep: it is not found, as on SQLite."""

        def dump(self, text):
            return super().dump(text.replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, Dumper)
