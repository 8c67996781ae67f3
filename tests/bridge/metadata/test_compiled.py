"""Statements that SQLite's driver runs are part of their transaction, and fail as any other does."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from pymdc.bridge.metadata.compiled import Compiled, adding
from pymdc.bridge.metadata.database import Database
from pymdc.bridge.metadata.tables import windows

ADD = Compiled(adding(windows, "point", "highest", "floor", "texts"))
ALL = Compiled(select(windows.c.point, windows.c.texts).where(windows.c.floor < 5).order_by(windows.c.point))


def row(point):
    return {"point_": point, "highest_": 1.5, "floor_": 0.0, "texts_": 3}


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/bridge.sqlite")
    yield database
    database.close()


def test_it_is_part_of_its_transaction(database):
    with pytest.raises(ZeroDivisionError), database.write() as db:
        assert ADD.write(db, **row("a")) == 1
        assert ALL.all(db) == [{"point": "a", "texts": 3}]
        raise ZeroDivisionError
    with database.write() as db:
        ADD.write_all(db, [row("b"), row("c")])

    with database.read() as db:
        assert ALL.all(db) == [{"point": "b", "texts": 3}, {"point": "c", "texts": 3}]
        assert ALL.first(db) == {"point": "b", "texts": 3}


def test_its_errors_are_those_of_any_statement_and_tell_no_value(database):
    with pytest.raises(IntegrityError) as failure, database.write() as db:
        ADD.write_all(db, [row("secret"), row("secret")])

    assert "secret" not in str(failure.value)
    with database.read() as db:
        assert ALL.first(db) is None
    with pytest.raises(OperationalError, match="readonly"), database.read() as db:
        db.exec_driver_sql("PRAGMA query_only = ON")
        try:
            ADD.write(db, **row("a"))
        finally:
            db.exec_driver_sql("PRAGMA query_only = OFF")


def test_a_value_that_is_missing_is_not_taken_for_null(database):
    with pytest.raises(ProgrammingError, match="value for binding"), database.write() as db:
        ADD.write(db, point_="a", highest_=1.0, floor_=0.0)
