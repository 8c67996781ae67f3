"""
The statements of almost every request.  What SQLAlchemy does each time to run one takes ten times as long as SQLite
does; so there they are compiled once, and the driver runs the text, on the connection of the same transaction.
"""

import sqlite3

from sqlalchemy import bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError


class Compiled:
    """:param statement: whose values SQLite's driver takes and returns as they are: numbers, texts and bytes."""

    def __init__(self, statement):
        self._statement = statement.execution_options(preserve_rowcount=True)
        compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
        self._text = compiled.string
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}

    def first(self, db, **values) -> dict | None:
        """Return the first row, by the names of its columns."""
        rows, names = self._rows(db, values)
        return dict(zip(names, rows[0])) if rows else None

    def all(self, db, **values) -> list[dict]:
        """Return all rows; as :meth:`first`."""
        rows, names = self._rows(db, values)
        return [dict(zip(names, row)) for row in rows]

    def write(self, db, **values) -> int:
        """Return how many rows have been written."""
        return self._run(db, values).rowcount

    def write_all(self, db, rows: list[dict]):
        """Write once with each of those values."""
        self._run(db, rows)

    def _rows(self, db, values):
        result = self._run(db, values)
        if db.dialect.name != "sqlite":
            return result.all(), result.keys()
        return result.fetchall(), [column[0] for column in result.description]

    def _run(self, db, values):
        if db.dialect.name != "sqlite":
            return db.execute(self._statement, values)
        driver = db.connection.dbapi_connection
        try:
            if isinstance(values, list):
                return driver.executemany(self._text, [self._constants | row for row in values])
            return driver.execute(self._text, self._constants | values)
        except sqlite3.Error as error:
            raise DBAPIError.instance(self._text, None, error, sqlite3.Error, True, dialect=db.dialect) from error


def adding(table, *columns):
    """Return the statement that adds a row, whose values are called as the columns, with ``_`` at the end."""
    return insert(table).values({name: bindparam(name + "_") for name in columns})
