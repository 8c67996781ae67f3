"""What one thread does in several blocks, as one transaction."""

import contextlib

from sqlalchemy import text

from ..refusal import Refusal
from .compiled import Compiled
from .failures import InDoubt

KEEP = Compiled(text("SAVEPOINT kept"))
UNDO = Compiled(text("ROLLBACK TO kept"))


class Together:
    """
    Begins with the first block.  A refusal undoes what has been done since the last :meth:`keep`; anything else, all.

    :param begin: makes a context manager, a transaction, given whether it has to be synced.
    :param sync: whether this one has to be.
    """

    def __init__(self, begin, sync: bool):
        self._begin = begin
        self._sync = sync
        self._stack = contextlib.ExitStack()
        self._connection = None
        self._kept = False

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if not self._kept or error is not None and not isinstance(error, Refusal):
            return self._stack.__exit__(kind, error, traceback)
        with self._stack:
            if error is not None:
                UNDO.write(self._connection)

    def connection(self, sync=False):
        """
        Return the connection.

        :param sync: whether what is going to be done has to be synced.
        """
        if sync and not self._sync:
            raise ValueError("a write that has to be synced, in a transaction that is not")
        if self._connection is None:
            self._connection = self._stack.enter_context(self._begin(self._sync))
        return self._connection

    def keep(self):
        """Let what has been done so far be done, whatever is refused later."""
        _check(self._connection)
        KEEP.write(self._connection)
        self._kept = True


def _check(db):
    """Raise InDoubt where SQLite has undone the transaction itself: a savepoint would begin another, and hide that."""
    if db.dialect.name == "sqlite" and not db.connection.dbapi_connection.in_transaction:
        raise InDoubt("the transaction was lost")
