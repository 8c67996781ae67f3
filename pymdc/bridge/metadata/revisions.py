"""
Which revision of the schema a database has.

Alembic, which takes a database from one to the next, keeps that in a table of its own.  It is imported only where there
is something to be done: it takes as long to load as half of the bridge.
"""

import errno
import re
from pathlib import Path

import sqlalchemy
from sqlalchemy import URL, Column, MetaData, PrimaryKeyConstraint, String, Table, insert, pool, select

from . import tables

_OURS = {"accounts", "buckets", "files", "shards"}
_NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)

#: As Alembic makes it.
version = Table(
    "alembic_version", MetaData(),
    Column("version_num", String(32)),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

FIND = select(version.c.version_num)
STAMP = insert(version)


def check_ours(engine):
    """Raise OSError for the database of another program, before anything is set that it would keep."""
    with engine.connect() as connection:
        there = _names(connection)
    engine.dispose()
    if there and not _OURS <= there:
        raise OSError(errno.EINVAL, "the database of another program", where(engine.url))


def settle(db):
    """Make the tables where there are none.  What was made before there were revisions is revision 1."""
    if not make(db) and (version.name not in _names(db) or not _found(db)):
        from .migrations.versions import revision_1
        revision_1.make(db)
        check_columns(db, revision_1.first)
        _stamp(db, 1)


def make(db) -> bool:
    """Make the tables where there are none; return whether it has."""
    if _names(db):
        return False
    tables.schema.create_all(db)
    _stamp(db, tables.REVISION)
    return True


def read(db) -> int:
    """
    Return the revision of a database, which may be older than this version's.

    :raises OSError: it is newer, or none of ours.
    """
    found = _found(db)
    if len(found) != 1 or not _NUMBER.fullmatch(found[0]):
        names = " and ".join(f"{name!r:.40}" for name in found)
        raise _refusal(db, f"the database of another program, whose alembic_version is {names}")
    revision = int(found[0])
    if revision > tables.REVISION:
        raise _refusal(db, f"the database of a newer version: its schema has revision {revision}, and this version "
                           f"knows {tables.REVISION} at most: use that version, or restore a backup from before")
    return revision


def check(db) -> int:
    """Return the revision of a database, and raise OSError unless it is this version's."""
    revision = read(db)
    if revision < tables.REVISION:
        way_out = "start the bridge, or say" if db.dialect.name == "sqlite" else "say"
        raise _refusal(db, f"the database of an older version: its schema has revision {revision}, and this version "
                           f"needs {tables.REVISION}: {way_out} python -m pymdc.bridge upgrade")
    check_columns(db, tables.schema)
    return revision


def check_same(db, revision: int):
    """Raise OSError for a database that is not of this revision any more."""
    found = read(db)
    if found != revision:
        raise _refusal(db, f"its schema has revision {found}, and had {revision} when this bridge started: start it "
                           "again, with the version that has upgraded the database")


def check_made(db):
    """Raise OSError for a database that nobody has made the tables of a bridge in, or that is another program's."""
    there = _names(db)
    if not there:
        raise _refusal(db, "the database is empty: say python -m pymdc.bridge upgrade, which makes its tables")
    if version.name not in there or not _OURS <= there:
        raise _refusal(db, "the database of another program")


def check_known(path: Path):
    """Raise OSError for a SQLite database that is newer than this version, or none of ours.  It is left as it is."""
    engine = sqlalchemy.create_engine(URL.create("sqlite", database=str(path)), poolclass=pool.NullPool)
    check_ours(engine)
    with engine.connect() as connection:
        if version.name in _names(connection):
            read(connection)


def check_columns(db, wanted: MetaData):
    """Raise OSError for a database whose tables have other columns than these, whatever its revision."""
    inspector, there = sqlalchemy.inspect(db), _names(db)
    for table in wanted.sorted_tables:
        if table.name not in there:
            raise _refusal(db, f"the database of another version, which lacks the table {table.name}")
        if {column["name"] for column in inspector.get_columns(table.name)} != set(table.c.keys()):
            raise _refusal(db, f"the database of another version, whose table {table.name} has other columns")


def _stamp(db, revision):
    version.create(db, checkfirst=True)
    db.execute(STAMP, {"version_num": str(revision)})


def _found(db):
    return [str(found) for found in db.execute(FIND).scalars()]


def _names(db):
    return set(sqlalchemy.inspect(db).get_table_names())


def where(url: URL) -> str:
    """Return what to call a database in an error: its file, or its address without what may be secret in that."""
    if url.get_backend_name() == "sqlite":
        return url.database
    host = url.host or url.query.get("host")
    return f"{url.get_backend_name()}://{host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def _refusal(db, text):
    return OSError(errno.EINVAL, text, where(db.engine.url))
