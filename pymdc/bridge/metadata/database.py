"""The database, of either kind: what a transaction is."""

import contextlib
import functools
import random
import threading
import time
from pathlib import Path

import anyio
import anyio.to_thread
import sqlalchemy

from . import revisions
from .failures import Undone
from .sqliteengine import SQLiteEngine
from .together import Together

_WAIT = 0.01  # seconds before a transaction is tried again, twice as long each time


class _Own(threading.local):
    together = None


class Database:
    """
    A pool of connections, for threads to share.

    :param url: as SQLAlchemy takes it, such as ``sqlite:////var/lib/pymdc/bridge.sqlite``.
    :ivar revision: of its schema.
    :ivar clock: what its times go by.
    """

    def __init__(self, url: str | sqlalchemy.URL):
        self._kind = _open(sqlalchemy.make_url(url))
        self._engine = self._kind.engine
        self.revision, self.clock = self._kind.revision, self._kind.clock
        self._own = _Own()

    def together(self, work, sync=True):
        """
        Return what *work* returns, and let all blocks that it comes by be one transaction: see :class:`Together`.  It
        is called again when that was undone by what may be otherwise then.

        :param sync: as of :meth:`write`.
        """
        return self.repeat(functools.partial(self._at_once, work, sync, self._kind.transaction))

    async def soon(self, work, sync=True):
        """
        As :meth:`together`, for an event loop.  On SQLite, where nothing is repeated, a thread does so for all that
        come at the same time.
        """
        if self._kind.lane is None:
            return await anyio.to_thread.run_sync(self.together, work, sync)
        with anyio.CancelScope(shield=True):  # as a thread is: what has begun is done
            return await self._kind.lane.order(functools.partial(self._at_once, work, sync))

    def _at_once(self, work, sync, begin):
        with Together(begin, sync) as self._own.together:
            try:
                return work()
            finally:
                self._own.together = None

    def keep(self):
        """Of what is done together, let what has been done so far be done, whatever is refused later."""
        if self._own.together is not None:
            self._own.together.keep()

    def repeat(self, work):
        """Return what *work* returns, one transaction; it is called again when that was undone."""
        tries = 1 if self._own.together is not None else self._kind.tries  # of what is done together, all is repeated
        for tried in range(1, tries):
            try:
                return work()
            except Undone:
                time.sleep(random.uniform(0, _WAIT * 2 ** tried))  # those that were in each other's way part
        return work()

    def write(self, sync=True):
        """
        A transaction that is on disk when the block ends; it is undone when the block raises.

        :param sync: whether it has to outlive a power cut too, not only the end of the process.
        """
        together = self._own.together
        return self._kind.transaction(sync) if together is None else contextlib.nullcontext(together.connection(sync))

    def read(self):
        """A transaction that changes nothing; on SQLite it sees one state of things."""
        together = self._own.together
        return self._kind.reading() if together is None else contextlib.nullcontext(together.connection())

    def copy_to(self, path: Path):
        """Write one state of a SQLite database to a file that is not there yet, while others write on."""
        self._kind.copy_to(path)

    def check_whole(self):
        """Raise OSError when a SQLite database has been cut or is damaged otherwise."""
        self._kind.check_whole()

    def check_revision(self):
        """Raise OSError when the database has another schema than it had at first."""
        with self.read() as db:
            revisions.check_same(db, self.revision)

    def close(self):
        self._kind.close()


def repeating(noun):
    """Let each public method of a class, which is one transaction, be called again when that was undone."""
    for name, method in list(vars(noun).items()):
        if not name.startswith("_"):
            setattr(noun, name, _repeating(method))
    return noun


def _repeating(method):
    @functools.wraps(method)
    def run(self, *arguments, **options):
        return self._database.repeat(functools.partial(method, self, *arguments, **options))
    return run


def check_url(url: str):
    """Raise ValueError for what is no URL of a server's database.  Nothing of it is repeated: it may be secret."""
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):  # of a port
        parsed = None
    if parsed is None or parsed.drivername != "postgresql+psycopg" or not parsed.database:
        raise ValueError("database-url must be like postgresql+psycopg://user@host:5432/database")
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        text = f'database-url needs the extra "cluster" ({error}): pip install ".[bridge,cluster]" in a clone'
        raise ValueError(text) from None


def _open(url):
    if url.get_backend_name() == "sqlite":
        return SQLiteEngine(url)
    from .postgresqlengine import PostgreSQLEngine  # whose driver not everybody has
    return PostgreSQLEngine(url)
