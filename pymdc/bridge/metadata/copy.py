"""All rows of a database on their way to an empty one of PostgreSQL: in one transaction, all of them or none."""

import errno
import hashlib

from sqlalchemy import delete, exists, func, select

from .revisions import where
from .tables import holds, rates, schema, uploads, unneeded

_LEFT = {holds, uploads, unneeded}  # they are about objects that are not copied
COPIED = [table for table in schema.sorted_tables if table not in _LEFT]
_PAGE = 1000  # rows


def check_takes(source, target):
    """Raise OSError unless a database of PostgreSQL is empty, but for what a bridge leaves there, or a copy already."""
    with source.read() as here, target.read() as there:
        _is_copy(here, there)


def copy(source, target):
    """Copy the rows, and read them again.  What is a copy already stays as it is."""
    with source.read() as here, target.write() as there:
        _lock(there)
        if not _is_copy(here, there):
            there.execute(delete(rates))
            for table in COPIED:
                _copy_table(table, here, there)


def _lock(db):
    """Let nobody else write what is to be empty, nor copy to it at the same time."""
    names = ", ".join(map(db.dialect.identifier_preparer.format_table, COPIED))
    db.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


def _is_copy(here, there):
    filled = [table for table in COPIED if table is not rates and there.execute(select(exists(select(table)))).scalar()]
    for table in filled:
        if _digest(table, here) != _digest(table, there):
            text = f"neither empty nor what is to be copied, nor as that was copied: see its table {table.name}"
            raise OSError(errno.EEXIST, text, where(there.engine.url))
    return bool(filled)


def _copy_table(table, here, there):
    digest = _fill(table, there, _rows(table, here))
    if _digest(table, there) != digest:
        text = f"what is in its table {table.name} is not what was put there; all is undone"
        raise OSError(errno.EIO, text, where(there.engine.url))
    if (number := table.autoincrement_column) is not None:
        highest = select(func.max(number)).scalar_subquery()
        there.execute(select(func.setval(func.pg_get_serial_sequence(table.name, number.name), highest)))


def _fill(table, db, rows):
    """Put rows into a table; return their digest."""
    import psycopg
    preparer, digest = db.dialect.identifier_preparer, 0
    columns = ", ".join(map(preparer.format_column, table.c))
    try:
        with db.connection.cursor().copy(f"COPY {preparer.format_table(table)} ({columns}) FROM STDIN") as copying:
            for row in rows:
                copying.write_row(row)
                digest += _hash(row)
    except psycopg.Error as error:  # whose text may quote a row
        text = f"does not take the rows of {table.name}: {error.diag.message_primary or type(error).__name__}"
        raise OSError(errno.EIO, text, where(db.engine.url)) from None
    return digest


def _digest(table, db):
    """Return what tells whether two tables have the same rows, in whatever order."""
    return sum(map(_hash, _rows(table, db)))


def _rows(table, db):
    return map(tuple, db.execute(select(table), execution_options={"yield_per": _PAGE}))


def _hash(row):
    return int.from_bytes(hashlib.sha256(repr(row).encode("utf-8")).digest(), "big")
