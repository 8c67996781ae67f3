"""A database that rows can be kept in, by name, by several threads at a time."""

import contextlib
import os
import resource
import sqlite3
import threading

from sqlalchemy import event

from pymdc.bridge.metadata.database import Database
from pymdc.bridge.refusal import Refusal
from waiting import eventually

PATIENCE = 20  # seconds


class Shelf:
    """
    :ivar outcomes: what each call of :meth:`together` has come to, by its place; without a key, to nothing yet.
    :ivar committed: how many outcomes there were at each commit.
    """

    def __init__(self, path):
        self.path = path
        self.database = Database(f"sqlite:///{path}")
        self.engine = self.database._engine
        self.commits = self.database._kind.commits
        self.outcomes, self.committed = {}, []
        event.listen(self.engine, "commit", lambda connection: self.committed.append(len(self.outcomes)))

    def together(self, *works):
        """Let each of these work on the database while the first one lasts; return what they have come to."""
        threads = [
            threading.Thread(target=self.run, args=(place, works[place]), name=f"place {place}", daemon=True)
            for place in range(1, len(works))
        ]

        def first(db):
            for count, thread in enumerate(threads, 1):
                thread.start()
                eventually(lambda: len(self.waiting) == count)
            works[0](db)

        first.sync = getattr(works[0], "sync", True)
        self.outcomes.clear()
        self.run(0, first)
        for thread in threads:
            thread.join(PATIENCE)
        assert len(self.outcomes) == len(works)
        return [self.outcomes[place] for place in range(len(works))]

    def names(self):
        """Return what is kept, as another program sees it."""
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            return {name for name, in other.execute("SELECT subject FROM rates")}

    @property
    def waiting(self):
        return self.commits._waiting

    def run(self, place, work):
        try:
            with self.database.write(sync=getattr(work, "sync", True)) as db:
                work(db)
            self.outcomes[place] = "kept"
        except BaseException as error:
            self.outcomes[place] = error


def keep(name, error=None):
    """Return work that keeps a row, and may end with an error."""
    def work(db):
        db.exec_driver_sql("INSERT INTO rates VALUES (?, 1)", (name,))
        if error is not None:
            raise error
    return work


def refuse(name):
    return keep(name, Refusal(404, "no"))


# How a transaction is lost, as a whole, by one of those that share it.

def fill_disk(db):
    pages = db.exec_driver_sql("PRAGMA page_count").scalar()
    db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    try:
        db.exec_driver_sql("INSERT INTO rates VALUES (?, 1)", ("x" * 100_000,))
    finally:
        db.connection.driver_connection.execute("PRAGMA max_page_count = 1000000")


def break_disk(db):
    db.exec_driver_sql("PRAGMA cache_size = 1")  # so that not only the commit writes
    with broken_disk(db.engine.url.database):
        for count in range(100):
            db.exec_driver_sql("INSERT INTO rates VALUES (?, 1)", (f"{count}" + "x" * 10_000,))


def interrupt(db):
    driver = db.connection.driver_connection
    driver.create_function("interrupt", 0, driver.interrupt)
    db.exec_driver_sql("UPDATE rates SET idle = coalesce(interrupt(), idle + 1)")


def lose(how):
    """Return work that keeps a row, upon which the whole transaction is lost."""
    def work(db):
        keep("lost")(db)
        how(db)
    return work


@contextlib.contextmanager
def broken_disk(path):
    """Let the log of a database not grow any more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(f"{path}-wal"), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def kinds(outcomes):
    return [outcome if outcome == "kept" else type(outcome) for outcome in outcomes]
