"""What it takes to list names: an item of a level is one seek, however much lies below it."""

import contextlib
import re
import sqlite3

import pytest
import sqlalchemy.dialects.postgresql
from sqlalchemy import insert

from pymdc.bridge.metadata import Metadata, Within, names, sqlite
from pymdc.bridge.metadata.tables import accounts, buckets, files
from steps import Steps

BUCKET, OTHER = "b" * 24, "c" * 24
FOLDERS = [f"{number:02}/" for number in range(10)]
ITEMS = 2 * len(FOLDERS)  # of the uppermost level: a file behind each folder


def fill(memory, count):
    """Fill two buckets with ten folders of so many files each, and a file behind each of them."""
    found = [name for folder in FOLDERS for name in (folder[:-1] + "x", *(f"{folder}{n:05}" for n in range(count)))]
    with memory._database.write() as db:
        db.execute(insert(accounts), {"email": "a", "password": "", "created": 0, "activated": True})
        for bucket in (BUCKET, OTHER):
            db.execute(insert(buckets), {
                "id": bucket, "email": "a", "created": 0, "name": "", "storage": 1, "transfer": 1,
            })
            db.execute(insert(files), [
                {"bucket": bucket, "hash": f"{n:040}", "filename": name, "mimetype": "a/b", "size": 1, "created": 1}
                for n, name in enumerate(found)
            ])


def values(most, prefix=""):
    end = names._end(prefix)
    return {"bucket_": BUCKET, "name": prefix, "hash": "", "end": end, "most": most, "length": len(prefix)}


def steps(tmp_path, count, *arguments):
    """Return the items of a page among so many names in each folder, and what it took."""
    with contextlib.closing(sqlite(tmp_path / f"{count}.sqlite")) as memory:
        fill(memory, count)
        with Steps(memory._database.read) as taken:
            rows, _ = memory.names.page(BUCKET, *arguments)
        return [row.get("folder") or row["filename"] for row in rows], taken


@pytest.mark.parametrize("arguments", [
    (Within("", folders=True), None, 1000), (Within("0", folders=True), ("03", ""), 5), (Within("03/"), None, 5),
    (Within(), ("05x", "f" * 40), 5),
])
def test_a_page_takes_sqlite_as_many_steps_whatever_lies_below_it_or_elsewhere(tmp_path, arguments):
    few, by_few = steps(tmp_path, 10, *arguments)
    many, by_many = steps(tmp_path, 3000, *arguments)

    assert few == many and few
    assert by_few.steps == by_many.steps < 250 * len(few)
    assert len(by_few.statements) == len(by_many.statements) == 1


@pytest.mark.parametrize("statement", [names.PAGE, names.LEVEL], ids=["page", "level"])
def test_a_page_seeks_names_in_an_index_of_sqlite(tmp_path, statement):
    with contextlib.closing(sqlite(tmp_path / "bridge.sqlite")):
        with contextlib.closing(sqlite3.connect(tmp_path / "bridge.sqlite")) as db:
            given = dict.fromkeys(re.findall(r":(\w+)", statement._text), 1)
            rows = db.execute("EXPLAIN QUERY PLAN " + statement._text, given)
            plan = [row[-1] for row in rows]

    assert not [step for step in plan if step.startswith("SCAN") and step not in ("SCAN steps", "SCAN CONSTANT ROW")]
    assert all("(bucket=? AND (filename,hash)>(?,?) AND filename<?)" in step or "PRIMARY KEY (rowid=?)" in step
               for step in plan if step.startswith("SEARCH"))


def read(memory, statement, most, prefix=""):
    """Return how many rows of files PostgreSQL has read for a page."""
    compiled = statement._statement.compile(dialect=sqlalchemy.dialects.postgresql.psycopg.dialect())
    with memory._database.read() as db:
        explain = "EXPLAIN (ANALYZE, FORMAT JSON) " + str(compiled)
        plan, = db.exec_driver_sql(explain, compiled.construct_params(values(most, prefix))).scalar_one()
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in _nodes(plan["Plan"]) if node.get("Relation Name") == "files"
    )


def _nodes(node):
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


@pytest.mark.parametrize("analyzed", [False, True])
def test_a_page_reads_as_many_rows_of_postgresql_as_it_has_items(postgresql, analyzed):
    with contextlib.closing(Metadata(postgresql.new_database())) as memory:
        fill(memory, 3000)
        if analyzed:
            with memory._database.write() as db:
                db.exec_driver_sql("ANALYZE")

        assert read(memory, names.LEVEL, 1000) <= 3 * (ITEMS + 1)  # each is sought, looked at to go on, and told
        assert read(memory, names.PAGE, 5, "03/") == 5
        assert read(memory, names.LEVEL, 5, "03/") <= 3 * 5


@pytest.mark.parametrize("prefix, end", [
    ("a", "b"), ("a/", "a0"), ("\x7f", "\x80"), ("\ud7ff", "\ue000"), ("\uffff", "\U00010000"), ("a\U0010ffff", "b"),
])
def test_what_begins_with_a_prefix_ends_before_the_next_character(prefix, end):
    assert names._end(prefix) == end


def test_nothing_comes_behind_all_names():
    assert names._end("") == names._end("\U0010ffff") > "\U0010ffff" * 255
