"""The schema of a PostgreSQL database: made, upgraded with all its rows, or refused in words; no secret is told."""

import contextlib
import os
import subprocess
import sys

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from next_revision import NEXT, NextVersion
from postgresql import PASSWORD
from pymdc.bridge import LocalBridge
from pymdc.bridge.metadata import Metadata, migrate_postgresql, migration, revisions, tables
from pymdc.bridge.settings import Settings
from used_bridge import command
from used_database import load
from wire import Wire

REVISIONS, TABLES = range(1, tables.REVISION + 1), tables.schema.tables
STEPS = '\n    op.create_table("more", __import__("sqlalchemy").Column("x", __import__("sqlalchemy").Integer))'


@pytest.fixture
def empty(postgresql):
    return postgresql.new_database(empty=True)


@pytest.fixture
def url(postgresql):
    return postgresql.new_database()


@contextlib.contextmanager
def opened(url):
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as db:
        yield db
    engine.dispose()


def make(url, number):
    """Let a database be of a revision, as the revisions make it."""
    with opened(url) as db:
        for each in range(1, number + 1):
            migration._step(db, each)


def fill(url, number, path):
    """Copy the rows of the database that is kept of a revision; return how many there are in each table."""
    load(number, path)
    counts = {}
    with opened(f"sqlite:///{path}") as source, opened(url) as target:
        there = MetaData()
        there.reflect(source)
        for table in there.sorted_tables:
            if table.name != revisions.version.name:
                rows = [dict(row) for row in source.execute(sqlalchemy.select(table)).mappings()]
                target.execute(sqlalchemy.insert(table), rows)
                counts[table.name] = len(rows)
    assert all(counts.values())
    return counts


def keys(db):
    """Return the columns of each table's primary key."""
    found = sqlalchemy.inspect(db)
    return {name: found.get_pk_constraint(name)["constrained_columns"] for name in TABLES}


@pytest.mark.parametrize("number", REVISIONS)
def test_a_database_of_each_revision_is_upgraded_with_all_its_rows_and_is_as_the_tables_say(empty, tmp_path, number):
    make(empty, number)
    counts = fill(empty, number, tmp_path / "old.sqlite")

    assert migrate_postgresql(empty) == (number, tables.REVISION)

    with opened(empty) as db:
        assert counts.items() <= migration._counts(db).items()
        found = compare_metadata(MigrationContext.configure(db, opts={"compare_type": True}), tables.schema)
        assert found == [] and keys(db) == {name: table.primary_key.columns.keys() for name, table in TABLES.items()}
    with contextlib.closing(Metadata(empty)) as memory:
        assert memory.revision == tables.REVISION


def test_an_empty_database_is_refused_until_an_upgrade_makes_its_tables(empty, tmp_path):
    refused = command("serve", "--port", 0, "--data-dir", tmp_path, "--database-url", empty)
    made = command("upgrade", "--database-url", empty)
    again = command("upgrade", "--database-url", empty)

    assert refused.returncode == 1
    assert "the database is empty: say python -m pymdc.bridge upgrade" in refused.stderr
    assert (made.returncode, made.stderr) == (again.returncode, again.stderr) == (0, "")
    assert f"schema has revision {tables.REVISION}, as this version wants it" in made.stdout
    with LocalBridge(tmp_path, database_url=empty) as bridge:
        assert bridge.url
    with opened(empty) as db:
        assert compare_metadata(MigrationContext.configure(db, opts={"compare_type": True}), tables.schema) == []


@pytest.mark.parametrize("harm, complaint", [
    (f"UPDATE alembic_version SET version_num = '{NEXT + 6}'", f"a newer version: its schema has revision {NEXT + 6}"),
    ("UPDATE alembic_version SET version_num = 'ae1027a6acf'", "another program, whose alembic_version is"),
    ("DROP TABLE alembic_version", "the database of another program"),
    ("ALTER TABLE buckets ADD COLUMN colour TEXT", "whose table buckets has other columns"),
    ("DROP TABLE holds", "which lacks the table holds"),
])
def test_a_database_that_is_newer_or_none_of_ours_is_refused_in_words_without_the_password(url, harm, complaint):
    with opened(url) as db:
        db.exec_driver_sql(harm)

    with pytest.raises(OSError, match=complaint) as refused:
        Metadata(url)

    assert PASSWORD not in str(refused.value) and refused.value.filename.startswith("postgresql://127.0.0.1:")


def test_the_database_of_another_program_gets_no_tables(empty):
    with opened(empty) as db:
        db.exec_driver_sql("CREATE TABLE songs (name text)")

    for use in (Metadata, migrate_postgresql):
        with pytest.raises(OSError, match="the database of another program"):
            use(empty)

    with opened(empty) as db:
        assert sqlalchemy.inspect(db).get_table_names() == ["songs"]


def test_an_older_database_is_refused_until_it_is_upgraded(url, tmp_path):
    version = NextVersion(tmp_path / "next", STEPS)

    refused = version.command("serve", "--port", 0, "--data-dir", tmp_path / "data", "--database-url", url)
    upgraded = version.command("upgrade", "--database-url", url)

    assert f"of an older version: its schema has revision {NEXT - 1}, and this version needs {NEXT}: say python" in (
        refused.stderr
    )
    assert f"revision {NEXT}, from {NEXT - 1}" in upgraded.stdout


def test_a_bridge_whose_database_was_upgraded_meanwhile_is_not_well(url, tmp_path, caplog):
    version = NextVersion(tmp_path / "next", STEPS)
    with LocalBridge(database_url=url) as bridge:
        before = Wire(bridge.url).get("/health")
        version.command("upgrade", "--database-url", url)
        after = Wire(bridge.url).get("/health")

    assert (before.status_code, before.json()["schema"]) == (200, NEXT - 1)
    assert (after.status_code, after.json()["database"]) == (503, "failing")
    assert f"its schema has revision {NEXT}" in caplog.text


def test_an_upgrade_that_would_lose_something_is_undone(url, tmp_path, monkeypatch):
    with contextlib.closing(Metadata(url)) as memory:
        memory.shards.hold_back("a backup", 1)
    NextVersion(tmp_path / "next", STEPS + '\n    op.execute("DELETE FROM holds")').use(monkeypatch)

    with pytest.raises(OSError, match="would leave 0 of the 1 rows of holds"):
        migrate_postgresql(url)

    with opened(url) as db:
        assert not sqlalchemy.inspect(db).has_table("more") and revisions.read(db) == NEXT - 1


@pytest.mark.parametrize("where", ["backup", "restore"])
def test_what_is_for_sqlite_says_so(url, tmp_path, where):
    ended = command(where, "--data-dir", tmp_path / "data", "--database-url", url, tmp_path)

    assert ended.returncode == 2 and "this is for bridges on SQLite" in ended.stderr


@pytest.mark.parametrize("wrong", [
    "", "secret", "postgresql://u:secret@h/d", "postgresql+psycopg2://u:secret@h/d", "postgresql+psycopg://u:secret@h",
    "sqlite:///secret.sqlite", "postgresql+psycopg://u:secret@h:port/d",
])
def test_what_is_no_url_of_a_database_is_refused_and_not_repeated(wrong):
    with pytest.raises(ValueError, match="database-url must be like postgresql") as refused:
        Settings(data_dir=None, database_url=wrong)

    assert "secret" not in str(refused.value)


def test_no_password_is_told(postgresql, url, tmp_path):
    wrong = url.replace(PASSWORD, "another-s3cret")
    by_query = url.replace(f":{PASSWORD}@", "@") + f"?password={PASSWORD}x"

    ended = [
        subprocess.run(
            [sys.executable, "-m", "pymdc.bridge", *arguments, "--database-url", address],
            capture_output=True, text=True, timeout=60,
        )
        for address in (wrong, by_query)
        for arguments in (["serve", "--port", "0", "--log-level", "debug", "--data-dir", str(tmp_path)], ["upgrade"])
    ]

    for each in ended:
        assert each.returncode == 1 and "password authentication failed" in each.stderr
        assert "another-s3cret" not in each.stderr + each.stdout and PASSWORD not in each.stderr + each.stdout
    assert "keep it in PGPASSWORD" in ended[0].stderr
    assert PASSWORD not in repr(Settings(data_dir=None, database_url=url))


@pytest.mark.parametrize("by", ["PGPASSWORD", "PGPASSFILE", "PYMDC_BRIDGE_DATABASE_URL"])
def test_a_password_comes_from_the_environment(url, tmp_path, by):
    bare, environment = url.replace(f":{PASSWORD}@", "@"), dict(os.environ)
    if by == "PGPASSFILE":
        (tmp_path / "pass").write_text(f"127.0.0.1:*:*:postgres:{PASSWORD}\n")
        (tmp_path / "pass").chmod(0o600)
    environment[by] = {"PGPASSWORD": PASSWORD, "PGPASSFILE": str(tmp_path / "pass")}.get(by, url)
    arguments = [] if by == "PYMDC_BRIDGE_DATABASE_URL" else ["--database-url", bare]

    ended = subprocess.run([sys.executable, "-m", "pymdc.bridge", "upgrade", *arguments], env=environment, timeout=60,
                           capture_output=True, text=True)

    assert (ended.returncode, ended.stderr) == (0, "")
