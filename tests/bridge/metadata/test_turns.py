"""Several processes write to one database, each in its turn, and lose nothing."""

import contextlib
import os
import subprocess
import sys
import threading

import pytest

from pymdc.bridge.metadata import sqliteengine
from pymdc.bridge.metadata.database import Database
from shelf import PATIENCE, keep
from waiting import eventually

WRITER = """
import sys, threading
from pymdc.bridge.metadata.database import Database

database = Database(sys.argv[1])

def count():
    for _ in range(50):
        with database.write() as db:
            db.exec_driver_sql("UPDATE rates SET idle = idle + 1 WHERE subject = 'count'")

threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

FILLER = """
import resource, sys, threading
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from pymdc.bridge.metadata.database import Database

url, process, disk = sys.argv[1:]
database, kept, failed = Database(url), [], []
if disk == "full":
    database.close()
    event.listen(database._engine, "connect", lambda driver, record: driver.execute("PRAGMA max_page_count = 200"))
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000,) * 2)

def fill(thread):
    for count in range(100):
        name = f"{process}-{thread}-{count}"
        try:
            with database.write() as db:
                db.exec_driver_sql("INSERT INTO rates VALUES (?, 1)", (name,))
                db.exec_driver_sql("INSERT INTO rates VALUES (?, 1)", (name + "x" * 3000,))
        except SQLAlchemyError as error:
            return failed.append(error)
        kept.append(name)

threads = [threading.Thread(target=fill, args=(number,)) for number in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(failed) == 16
print(*kept)
"""


def test_a_child_that_is_forked_meanwhile_keeps_nobody_from_writing(shelf):
    reader, writer = os.pipe()
    with shelf.database.write():
        child = os.fork()
        if not child:
            os.read(reader, 1)
            os._exit(0)

    parent = threading.Thread(target=shelf.run, args=(0, keep("parent")), daemon=True)
    parent.start()
    parent.join(PATIENCE)
    os.write(writer, b".")
    os.waitpid(child, 0)

    assert shelf.outcomes == {0: "kept"}
    assert shelf.names() == {"parent"}


def test_a_child_that_is_forked_in_between_can_write_too(shelf):
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            with Database(f"sqlite:///{shelf.path}").write() as db:
                keep("child")(db)
        os._exit(0)

    os.waitpid(child, 0)
    assert shelf.together(keep("parent")) == ["kept"]

    assert shelf.names() == {"parent", "child"}


def test_several_processes_of_several_threads_lose_nothing(shelf):
    with shelf.database.write() as db:
        keep("count")(db)
    command = [sys.executable, "-c", WRITER, f"sqlite:///{shelf.path}"]

    processes = [subprocess.Popen(command) for _ in range(3)]

    assert [process.wait(3 * PATIENCE) for process in processes] == [0] * 3
    with shelf.database.read() as db:
        assert db.exec_driver_sql("SELECT idle FROM rates").scalar() == 1 + 3 * 4 * 50


@pytest.mark.parametrize("disk", ["full", "broken"])
def test_what_was_kept_before_the_disk_failed_is_there(shelf, disk):
    command = [sys.executable, "-c", FILLER, f"sqlite:///{shelf.path}"]
    shelf.database.close()

    processes = [subprocess.Popen([*command, name, disk], stdout=subprocess.PIPE, text=True) for name in "ab"]
    told = [process.communicate(timeout=3 * PATIENCE)[0].split() for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    kept, names = set(told[0] + told[1]), {name for name in shelf.names() if not name.endswith("x")}
    assert kept
    assert kept == names if disk == "full" else kept <= names


def test_who_has_had_his_turn_comes_after_who_waits_for_it(tmp_path):
    path, order = str(tmp_path / "x"), []
    ours, theirs = sqliteengine.Turn(path), sqliteengine.Turn(path)

    def take():
        with theirs:
            order.append("theirs")

    waiting = threading.Thread(target=take, daemon=True)
    with ours:
        waiting.start()
        eventually(lambda: is_locked(path + "-door"))
    with ours:
        order.append("ours")
    waiting.join(PATIENCE)

    assert order == ["theirs", "ours"]


def is_locked(path):
    with open(path, "a") as file:
        try:
            sqliteengine.fcntl.flock(file, sqliteengine.fcntl.LOCK_EX | sqliteengine.fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
