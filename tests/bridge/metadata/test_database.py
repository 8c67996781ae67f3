"""The database that a bridge opens is its own, or left as it is."""

import contextlib
import os
import sqlite3

import pytest

from pymdc.bridge.metadata.database import Database


@pytest.mark.parametrize("table", ["accounts", "songs"])
def test_the_database_of_another_program_is_refused_and_left_as_it_is(tmp_path, table):
    path = tmp_path / "bridge.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as theirs:
        theirs.execute(f"CREATE TABLE {table} (name)")
    before = path.read_bytes()

    with pytest.raises(OSError, match="the database of another program"):
        Database(f"sqlite:///{path}")

    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["bridge.sqlite"]
