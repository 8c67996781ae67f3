"""A database comes from each revision of the schema to the newest with all its rows, or stays as it was."""

import contextlib
import re
import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from next_revision import NEXT, RECREATE, NextVersion
from pymdc.bridge.metadata import migrate, migration, tables
from pymdc.bridge.metadata.database import Database
from pymdc.bridge.metadata.migrations.versions import revision_1
from used_database import DATABASES, load

REVISIONS = range(1, tables.REVISION + 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bridge.sqlite"


@pytest.fixture
def next_version(tmp_path, monkeypatch):
    """A function that lets this process be of a version that has one revision more."""
    def use(*arguments):
        NextVersion(tmp_path / "next", *arguments).use(monkeypatch)
    return use


def connect(path):
    return contextlib.closing(sqlite3.connect(path))


def dump(path):
    with connect(path) as db:
        return list(db.iterdump())


def rows(path):
    """Return the rows of each table, as dicts."""
    with connect(path) as db:
        db.row_factory = sqlite3.Row
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: in_order(map(dict, db.execute(f"SELECT * FROM {name}"))) for name in names
                if name != "alembic_version"}


def in_order(rows):
    return sorted(rows, key=repr)


def revision(path):
    with connect(path) as db:
        return [int(row[0]) for row in db.execute("SELECT version_num FROM alembic_version")]


def shape(path, with_names=True):
    """Return all that can be known of a schema.  Constraints of before revision 1 have no names."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    found = sqlalchemy.inspect(engine)
    shape = {}
    for table in found.get_table_names():
        constraints = [*found.get_foreign_keys(table), *found.get_unique_constraints(table),
                       found.get_pk_constraint(table), *found.get_check_constraints(table)]
        columns = [{**column, "type": str(column["type"])} for column in found.get_columns(table)]
        kept = [{**each, "name": each["name"] if with_names else None} for each in constraints]
        shape[table] = [sorted(map(repr, part)) for part in (columns, kept, found.get_indexes(table))]
    engine.dispose()
    with connect(path) as db:
        in_their_keys = db.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'")
        return {**shape, "rows in their keys": sorted(in_their_keys)}


def fresh(path):
    """Make a database as a new bridge has it."""
    Database(f"sqlite:///{path}").close()
    return path


def by_all_revisions(path):
    """Make a database by running all revisions."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as db:
        for number in REVISIONS:
            migration._step(db, number)
    engine.dispose()
    return path


def test_revisions_are_numbers_and_the_newest_is_that_of_the_tables():
    config = Config()
    config.set_main_option("script_location", str(migration.FOLDER))

    found = [(each.revision, each.down_revision) for each in ScriptDirectory.from_config(config).walk_revisions()]

    numbers = [str(number) for number in reversed(REVISIONS)]
    assert found == list(zip(numbers, [*numbers[1:], None]))


def test_each_revision_has_a_database_with_rows_in_all_tables(tmp_path):
    assert sorted(int(path.stem) for path in DATABASES.iterdir()) == list(REVISIONS)

    for number in REVISIONS:
        load(number, tmp_path / str(number))
        assert all(rows(tmp_path / str(number)).values())


def test_a_new_database_is_as_all_revisions_make_it_and_as_the_tables_say(tmp_path):
    made, run = fresh(tmp_path / "fresh"), by_all_revisions(tmp_path / "run")

    assert shape(made) == shape(run)
    assert revision(made) == revision(run) == [tables.REVISION]
    engine = sqlalchemy.create_engine(f"sqlite:///{run}")
    with engine.connect() as db:
        assert compare_metadata(MigrationContext.configure(db), tables.schema) == []
    engine.dispose()


@pytest.mark.parametrize("number", REVISIONS)
def test_a_database_of_each_revision_is_upgraded_with_all_its_rows(path, tmp_path, number):
    load(number, path)
    before = rows(path)

    assert migrate(path, lambda revision: None) == (number, tables.REVISION)

    after = rows(path)
    for name in before.keys() - meant_to_change(number):
        check_kept(before[name], after[name])
    assert shape(path, with_names=False) == shape(fresh(tmp_path / "fresh"), with_names=False)
    fresh(path)  # is opened


def check_kept(before, after):
    """Compare the rows of a table by the columns that have stayed."""
    columns = before[0].keys() & after[0].keys()
    was, became = ([sorted((name, row[name]) for name in columns) for row in rows] for rows in (before, after))
    assert in_order(was) == in_order(became)


def meant_to_change(number):
    """Return the tables whose rows the revisions above one say that they change."""
    found = set()
    for later in range(number + 1, tables.REVISION + 1):
        source = (migration.FOLDER / "versions" / f"revision_{later}.py").read_text()
        found.update(*re.findall(r"^changes_rows_of = \((.*)\)", source, re.MULTILINE))
    return found


def filled(make):
    """Return a function that makes a database, and fills it with the rows of one that was in use."""
    def make_and_fill(path):
        make(path)
        with connect(":memory:") as used, connect(path) as db, db:
            used.executescript((DATABASES / f"{tables.REVISION}.sql").read_text("utf-8"))
            for name, table in tables.schema.tables.items():
                columns = ", ".join(f'"{column}"' for column in table.c.keys())
                values = ", ".join("?" * len(table.c))
                rows = used.execute(f"SELECT {columns} FROM {name}")
                db.executemany(f"INSERT INTO {name} ({columns}) VALUES ({values})", rows)
    return make_and_fill


@pytest.mark.parametrize("make", [
    filled(fresh), filled(by_all_revisions), lambda path: load(1, path), lambda path: load(tables.REVISION, path),
])
def test_tables_that_others_point_to_are_made_anew_with_all_rows(path, next_version, make):
    make(path)
    before = rows(path)
    next_version(RECREATE)

    migrate(path, lambda revision: None)

    for name in ("buckets", "bucket_keys", "files", "file_shards"):
        check_kept(before[name], rows(path)[name])
    assert revision(path) == [NEXT]
    indexes, constraints = shape(path)["buckets"][2], shape(path)["files"][1]
    assert any("ix_buckets_created" in index for index in indexes)
    assert any("'uq_files_bucket_hash_filename'" in each for each in constraints)
    with connect(path) as db:
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("DELETE FROM buckets")
        assert db.execute("SELECT count(*) FROM files").fetchone() == (0,)  # what pointed to them does so still


@pytest.mark.parametrize("steps, complaint", [
    ('    op.execute("DELETE FROM rates")', "would leave 0 of the 8 rows of rates"),
    ('    op.drop_table("rates")', "would leave 0 of the 8 rows of rates"),
    (RECREATE + '    op.execute("INSERT INTO holds VALUES (\'more\', 0)")', "would leave 2 of the 1 rows of holds"),
    ('    op.execute("UPDATE files SET bucket = \'gone\' WHERE id = 2")', "1 rows of files point to rows of buckets"),
    (RECREATE + '    op.execute("UPDATE nowhere SET x = 1")', "no such table: nowhere"),
    (RECREATE + '    op.execute("ALTER TABLE rates ADD COLUMN more")', "whose table rates has other columns"),
    (RECREATE + "    raise OSError('no')", "no"),
])
def test_an_upgrade_that_would_lose_something_or_fails_is_undone(path, next_version, steps, complaint):
    load(tables.REVISION, path)
    fresh(path)
    before = dump(path)
    next_version(steps)

    with pytest.raises(OSError, match=re.escape(complaint)):
        migrate(path, lambda revision: None)

    assert dump(path) == before


def test_an_upgrade_that_means_to_change_the_count_of_rows_says_so(path, next_version):
    load(tables.REVISION, path)
    next_version('    op.execute("DELETE FROM rates")', 'changes_rows_of = ("rates",)')

    migrate(path, lambda revision: None)

    assert rows(path)["rates"] == []


def test_a_database_that_is_damaged_is_not_upgraded(path, next_version):
    load(tables.REVISION, path)
    with connect(path) as db:
        page, = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'files_of_content'").fetchone()
    with open(path, "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    before = path.read_bytes()
    next_version()

    with pytest.raises(OSError, match="the database is damaged"):
        migrate(path, lambda revision: None)

    assert path.read_bytes() == before


@pytest.fixture
def first_version(monkeypatch):
    """Lets this process be of the first version that knew revisions."""
    monkeypatch.setattr(tables, "schema", revision_1.first)
    monkeypatch.setattr(tables, "REVISION", 1)


@pytest.mark.usefixtures("first_version")
@pytest.mark.parametrize("use", [fresh, lambda path: migrate(path, pytest.fail)])
def test_what_was_made_before_there_were_revisions_is_revision_1(path, use):
    load(1, path)
    with connect(path) as db:
        db.execute("DROP INDEX files_in_order")  # which came late
    before = rows(path)

    use(path)

    assert revision(path) == [1] and rows(path) == before
    assert shape(path, with_names=False) == shape(fresh(path.with_name("fresh")), with_names=False)


@pytest.mark.usefixtures("first_version")
def test_shard_tokens_that_told_neither_file_nor_key_are_taken_over_from(path):
    """And texts that were seen were written otherwise, and small files counted as less."""
    load(1, path)
    with connect(path) as db:
        db.executescript("""
            DROP TABLE shard_tokens;
            CREATE TABLE shard_tokens (hash VARCHAR(64) PRIMARY KEY, shard INTEGER NOT NULL,
                                       bucket VARCHAR(24) NOT NULL, "left" INTEGER NOT NULL, expires BIGINT NOT NULL);
            UPDATE buckets SET stored = 7;
        """)

    fresh(path)

    found = rows(path)
    assert found["shard_tokens"] == []
    assert [row["stored"] for row in found["buckets"]] == [2 * 4096 + 60_000 + 80_000, 60_000]
    assert [row["floor"] for row in found["windows"]] == [row["highest"] for row in found["windows"]]


@pytest.mark.parametrize("harm, complaint", [
    (f"UPDATE alembic_version SET version_num = '{NEXT + 6}'",
     f"of a newer version: its schema has revision {NEXT + 6}, and this version knows {NEXT - 1}"),
    ("UPDATE alembic_version SET version_num = 'ae1027a6acf'",
     "the database of another program, whose alembic_version is 'ae1027a6acf'"),
    ("UPDATE alembic_version SET version_num = '01'", "of another program, whose alembic_version is '01'"),
    ("INSERT INTO alembic_version VALUES ('0')", "of another program, whose alembic_version is"),
    ("ALTER TABLE buckets ADD COLUMN colour TEXT", "whose table buckets has other columns"),
    ("DROP TABLE holds", "of another version, which lacks the table holds"),
    ("DROP TABLE alembic_version", r"of another version, whose table \w+ has other columns"),
])
def test_a_database_that_is_newer_or_none_of_ours_is_refused_and_left_as_it_is(path, harm, complaint):
    fresh(path)
    with connect(path) as db:
        db.executescript(harm)
    before = dump(path)

    for use in (lambda: Database(f"sqlite:///{path}"), lambda: migrate(path, pytest.fail) and fresh(path)):
        with pytest.raises(OSError, match=complaint):
            use()

    assert dump(path) == before


def test_a_database_that_is_older_is_refused_by_who_does_not_upgrade_it(path, next_version):
    fresh(path)
    before = dump(path)
    next_version()

    complaint = f"of an older version: its schema has revision {NEXT - 1}, and this version needs {NEXT}: start the bri"
    with pytest.raises(OSError, match=complaint):
        Database(f"sqlite:///{path}")

    assert dump(path) == before


def test_alembic_is_not_loaded_where_there_is_nothing_to_upgrade(path):
    script = (
        "import sys; from pathlib import Path; import pymdc.bridge; from pymdc.bridge.metadata import migrate, sqlite\n"
        "for _ in range(2):\n"
        "    sqlite(Path(sys.argv[1])).close(); migrate(Path(sys.argv[1]), print)\n"
        "print('alembic' in sys.modules)"
    )

    ended = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=60)

    assert ended.stdout == "False\n", ended.stderr
