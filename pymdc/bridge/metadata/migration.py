"""
A database on its way from one revision of the schema to the next.

On SQLite, Alembic's batch mode, which most changes need there, drops a table and makes it again: with foreign keys that
are enforced, all rows that point to it would go along, without an error.
"""

import collections
import errno
from pathlib import Path

import sqlalchemy
from sqlalchemy import URL, event, func, pool, select, table

from . import revisions, tables
from .sqlitefile import check_length, check_whole

FOLDER = Path(__file__).parent / "migrations"

_PRAGMAS = ("foreign_keys=OFF", "synchronous=FULL", "busy_timeout=60000")


def migrate(path: Path, keep) -> tuple[int, int]:
    """
    Bring a SQLite database to the schema of this version, in one transaction: all of it, or nothing.

    :param keep: is called with the revision that it has, before anything is changed and while nobody else writes.
    :returns: the revision that it had, and the one that it has now.
    :raises OSError: it cannot be brought there, and is as it was.
    """
    check_length(str(path))
    url = URL.create("sqlite", database=str(path))
    engine = sqlalchemy.create_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    revisions.check_ours(engine)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    with engine.begin() as db:
        revisions.settle(db)
        before, after = revisions.read(db), tables.REVISION
        if before < after:
            check_whole(db)
            keep(before)
            _climb(db, before, after)
    return before, after


def migrate_postgresql(url: str | URL) -> tuple[int, int]:
    """
    Bring a PostgreSQL database to the schema of this version, as :func:`migrate`; make the tables where there are none.
    """
    from .postgresqlengine import make_engine
    engine = make_engine(url, poolclass=pool.NullPool)
    revisions.check_ours(engine)
    with engine.begin() as db:
        revisions.settle(db)
        db.exec_driver_sql(f"LOCK TABLE {revisions.version.name} IN EXCLUSIVE MODE")  # one upgrades it at a time
        before, after = revisions.read(db), tables.REVISION
        _climb(db, before, after)
    return before, after


def make_tables(url: str | URL):
    """Make the tables in a PostgreSQL database that is empty, and leave one that is not as it is."""
    from .postgresqlengine import make_engine
    engine = make_engine(url, poolclass=pool.NullPool)
    revisions.check_ours(engine)
    with engine.begin() as db:
        revisions.make(db)


def _climb(db, before, after):
    for revision in range(before + 1, after + 1):
        _step(db, revision)
    revisions.check_columns(db, tables.schema)


def _prepare(connection, record):
    connection.isolation_level = None  # the driver's own transactions begin too late
    for pragma in _PRAGMAS:
        connection.execute("PRAGMA " + pragma)


def _begin(connection):
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _step(db, revision):
    from alembic import command
    before = _counts(db)
    config = _config(db)
    try:
        command.upgrade(config, str(revision))
    except sqlalchemy.exc.DBAPIError as error:
        raise _refusal(db, revision, f"fails ({error.orig})") from error
    _check_counts(db, revision, before, _changed_by(config, revision))
    if db.dialect.name == "sqlite":
        _check_references(db, revision)


def _config(db):
    from alembic.config import Config
    config = Config(attributes={"connection": db})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def _changed_by(config, revision):
    """Return the names of the tables whose number of rows a revision means to change."""
    from alembic.script import ScriptDirectory
    module = ScriptDirectory.from_config(config).get_revision(str(revision)).module
    return getattr(module, "changes_rows_of", ())


def _counts(db):
    names = set(sqlalchemy.inspect(db).get_table_names()) - {revisions.version.name}
    return {name: db.execute(select(func.count()).select_from(table(name))).scalar() for name in names}


def _check_counts(db, revision, before, changed):
    after = _counts(db)
    for name in sorted(before.keys() - changed):
        if after.get(name) != before[name]:
            text = f"would leave {after.get(name, 0)} of the {before[name]} rows of {name}"
            raise _refusal(db, revision, text)


def _check_references(db, revision):
    """Look whether the rows that others point to are there, which nothing has enforced meanwhile."""
    lost = collections.Counter((row[0], row[2]) for row in db.exec_driver_sql("PRAGMA foreign_key_check"))
    if lost:
        (child, parent), count = lost.most_common(1)[0]
        raise _refusal(db, revision, f"would let {count} rows of {child} point to rows of {parent} that are not there")


def _refusal(db, revision, text):
    said = f"the upgrade to revision {revision} {text}, and is undone: go on with the version before, and report this"
    return OSError(errno.EIO, said, revisions.where(db.engine.url))
