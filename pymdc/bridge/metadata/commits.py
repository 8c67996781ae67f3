"""
Transactions of one process that wait for each other share a commit, since its sync is what takes the time.

All of them are done within one transaction of SQLite, on whose connection they take turns; each is a savepoint, unless
nothing is kept yet that would be undone with it.  SQLite undoes the whole transaction when the disk is full, or a
statement is interrupted; then what follows would be committed by itself, statement by statement, and the commit of
nothing reported as a success.  So the driver is asked before each member, behind one without a savepoint, and before
the commit, whether there still is a transaction, and a savepoint that is gone cannot be released.  When the transaction
is lost, all that have shared it have failed.

A transaction that may do without a sync shares one that is not, or that of others; one that may not shares no other.

What asks may be a thread for each, which hand on the transaction to each other, or one thread for several.
"""

import collections
import contextlib
import sqlite3
import threading

from sqlalchemy.exc import SQLAlchemyError

from .failures import InDoubt, Undone

MOST = 32  # that share a commit; then another process may have its turn


class Commits:
    """
    :param engine: whose connections begin with ``BEGIN IMMEDIATE``.
    :param turn: a context manager that keeps the other processes out.
    """

    def __init__(self, engine, turn):
        self._engine = engine
        self._turn = turn
        self._lock = threading.Lock()
        self._waiting = collections.deque()
        self._busy = False
        self._connection = None  # of whoever's turn it is: to take one from the pool each time costs as much again

    def close(self):
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextlib.contextmanager
    def transaction(self, sync=True):
        """
        A connection for a transaction, which is on disk when the block ends; it is undone when the block raises.

        :param sync: whether it has to outlive a power cut too, which costs the time of a sync.

        What the block raises may come of what those before it have done: it is passed on when that is on disk.

        :raises Undone: the transaction was lost, of which this one was a part.
        :raises InDoubt: the same, but some of it may be kept.
        """
        shared = self._join(sync)
        try:
            with shared.member():
                yield shared.connection
        except BaseException as error:
            self._leave(shared, error)
            raise
        self._leave(shared)

    def in_series(self, works, tell):
        """
        Do in one thread what several ask for, as transactions that share a commit as far as they may.

        :param works: functions; each is given what to call in place of :meth:`transaction`.
        :param tell: is given, for the next of them that have shared a commit, once that is on disk: a list of what
            each has returned, and what it has raised.
        """
        series = _Series(self._join, self._hand_on, tell)
        try:
            for work in works:
                series.do(work)
        finally:
            series.leave()

    def _join(self, sync):
        """Return a transaction to take part in, when it is this thread's turn."""
        place = None
        with self._lock:
            if self._busy:
                self._waiting.append(place := _Place(sync))
            self._busy = True
        shared = place and self._wait(place)
        return shared or self._begin(sync)

    def _wait(self, place):
        try:
            place.wait()
        except BaseException:  # Ctrl-C
            with self._lock:
                if not place.handed:
                    self._waiting.remove(place)
            if place.handed:
                with contextlib.suppress(SQLAlchemyError):  # of which those know whose commit it was
                    self._hand_on(place.shared)
            raise
        return place.shared

    def _begin(self, sync):
        try:
            if self._connection is None or self._connection.invalidated:
                self.close()
                self._connection = self._engine.connect()
            return _Shared(self._connection, self._turn, sync)
        except BaseException:
            self._call_next(None)
            raise

    def _leave(self, shared, error=None):
        """Let others have their turn; return when all is on disk that this one has done, or may have seen."""
        end = _End(shared, error)
        try:
            self._hand_on(shared)
        except Exception as failure:
            end.fail(failure)
        told = end.told()
        if told is not error:
            raise told

    def _hand_on(self, shared):
        """Let the next thread go on with a transaction; when it is full, or none waits that may, end it."""
        if shared and self._call_next(shared):
            return
        try:
            if shared:
                shared.end()
        finally:
            self._call_next(None)

    def _call_next(self, shared):
        """Let the next thread go on with a transaction, or with None begin one; return whether one may."""
        with self._lock:
            if self._waiting and (shared is None or shared.takes(self._waiting[0].sync)):
                self._waiting.popleft().hand(shared)
                return True
            if shared is None:
                self._busy = False
            return False


def _stands(error):
    """Return whether an error is one whatever becomes of the commit: of the database, or Ctrl-C."""
    return error is not None and (isinstance(error, SQLAlchemyError) or not isinstance(error, Exception))


class _Series:
    """
    What one thread does in several transactions, before it waits for any of them.

    :param join: returns a transaction to take part in, when it is this thread's turn.
    :param hand_on: gives the turn to others.
    :param tell: as of :meth:`Commits.in_series`.
    """

    def __init__(self, join, hand_on, tell):
        self._join, self._hand_on, self._tell = join, hand_on, tell
        self._shared = None
        self._done = []  # since the last commit

    def do(self, work):
        try:
            result = work(self._transaction)
        except BaseException as error:
            self._done.append((None, _End(self._shared, error)))
        else:
            self._done.append((result, _End(self._shared, None)))

    @contextlib.contextmanager
    def _transaction(self, sync):
        if self._shared is None or not self._shared.takes(sync):
            self.leave()
            self._shared = self._join(sync)
        with self._shared.member():
            yield self._shared.connection

    def leave(self):
        """Let others have their turn, and tell what has been done so far."""
        shared, self._shared = self._shared, None
        done, self._done = self._done, []
        if shared is not None:
            try:
                self._hand_on(shared)
            except Exception as failure:
                if done:
                    done[-1][1].fail(failure)
        if done:
            self._tell([(result, end.told()) for result, end in done])


class _End:
    """
    How it has ended what a thread has done.

    :param shared: the transaction that this was a part of, or that it may have seen; None without one.
    :param error: what it has raised.
    """

    def __init__(self, shared, error):
        self._error = error
        self._shared = shared if shared is not None and shared.kept > 0 else None

    def fail(self, failure):
        """It was the last one, with which the commit came, so it is told itself how that has failed."""
        if self._error is None:
            self._error, self._shared = failure, None

    def told(self):
        """Return what it has raised, or what has become of it since, once all is on disk that it depends on."""
        if self._shared is not None and not _stands(self._error):
            try:
                self._shared.wait()
            except SQLAlchemyError as lost:
                return lost
        return self._error


class _Place:
    """
    Where a thread waits for its turn.

    :ivar sync: whether its transaction has to be synced.
    :ivar handed: whether it has come; *shared*: the transaction to go on with, if it is not to begin one.
    """

    def __init__(self, sync):
        self.sync = sync
        self.handed, self.shared = False, None
        self._closed = threading.Lock()
        self._closed.acquire()

    def wait(self):
        self._closed.acquire()

    def hand(self, shared):
        self.handed, self.shared = True, shared
        self._closed.release()


class _Shared:
    """
    A transaction that several take part in, one after the other.

    :ivar sync: whether its commit is synced.
    :ivar kept: how many have succeeded so far.
    """

    def __init__(self, connection, turn, sync):
        self.connection = connection
        self.sync = sync
        self.kept = 0
        self._members = 0
        self._ended = threading.Event()
        self._failure, self._in_doubt = None, False
        with contextlib.ExitStack() as stack:
            stack.enter_context(turn)
            self._driver = connection.connection.driver_connection
            self._set_level()
            stack.callback(self._roll_back)
            connection.begin()
            self._stack = stack.pop_all()

    def _set_level(self):
        """Let the commit be synced, or not, which cannot change later; the connection keeps it in mind."""
        if self.connection.info.get("synced") is not self.sync:
            self.connection.info.pop("synced", None)  # if this is broken off, nobody knows
            self._run("PRAGMA synchronous = " + ("FULL" if self.sync else "NORMAL"))
            self.connection.info["synced"] = self.sync

    @contextlib.contextmanager
    def member(self):
        """
        As long as nothing is kept that would be undone with it, a member has no savepoint: SQLite keeps each page that
        one changes as it was, and in a file when there are more than 15, as a small upload may have.
        """
        self._members += 1
        self._check(Undone)
        alone = not self.kept
        if not alone:
            self._run("SAVEPOINT member")
        self._failure = Undone("broken off")  # until it has succeeded: Ctrl-C may come in any line
        try:
            yield
            if alone:
                self._check(InDoubt)  # what came after the transaction was lost, if it was, is committed by now
            else:
                self._run("RELEASE member")
        except BaseException as error:
            self._undo(error, alone)
            raise
        self.kept += 1
        self._failure = None

    def takes(self, sync):
        """Return whether one more may take part, which has to be synced or not."""
        return self._failure is None and self._members < MOST and (self.sync or not sync)

    def end(self):
        """Commit what has been done, and let those know that wait for it."""
        try:
            with self._stack:
                if self._failure is None:
                    self._check(Undone)
                    self._commit()
        except BaseException as error:
            self._failure = self._failure or error
            raise
        finally:
            self._ended.set()

    def wait(self):
        """Return when the transaction is on disk; raise if it is not."""
        self._ended.wait()
        if self._failure is not None:
            kind = InDoubt if self._in_doubt else Undone
            raise kind(f"lost with what it shared a commit with: {self._failure}") from self._failure

    def _commit(self):
        self._in_doubt = True  # an error of the disk, or Ctrl-C, may come when all is written
        try:
            self.connection.commit()
        except BaseException as error:
            self._in_doubt = "disk is full" not in str(error)
            self.connection.invalidate()  # SQLAlchemy takes the transaction for ended, which it need not be
            raise

    def _undo(self, error, alone):
        """Undo what the member has done that ended with this error; the rest stays, if it still is there."""
        self._failure = error
        with contextlib.suppress(InDoubt):
            if alone:
                self._run("ROLLBACK")
                self._run("BEGIN IMMEDIATE")
            else:
                self._run("ROLLBACK TO member")  # which stays, with nothing in it, until the commit
            self._failure = None

    def _check(self, kind):
        """Raise an error of this kind where there is no transaction any more."""
        if not self._is_there():
            self._failure = kind("the transaction was lost")
            raise self._failure

    def _is_there(self):
        try:
            return self._driver.in_transaction
        except sqlite3.ProgrammingError:  # the connection was closed
            return False

    def _roll_back(self):
        """Undo what has not been committed; where that fails, the connection would keep everybody from writing."""
        try:
            self.connection.rollback()
        except BaseException:
            self.connection.invalidate()
            raise

    def _run(self, text):
        try:
            self._driver.execute(text)
        except sqlite3.Error as error:  # what came after the transaction was lost, if it was, is committed by now
            raise InDoubt(str(error)) from error
