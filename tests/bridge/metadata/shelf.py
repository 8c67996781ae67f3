"""A database that rows can be kept in, by name, by several threads at a time."""

import contextlib
import sqlite3
import threading

from sqlalchemy import event

from pymdc.bridge.metadata.database import Database
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
