"""
Upgrades copies of a data folder, each of which is killed one step further on than the one before, until one ends.  Run
as a process of its own, which has no threads and so may fork: FOLDER COPIES MIGRATIONS REVISION STRIDE.
"""

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path

import alembic.command  # noqa: F401  so that not each child has to
import sqlalchemy

from pymdc.bridge.metadata import migration, tables
from pymdc.bridge.storage.datafolder import DataFolder
from pymdc.bridge.storage.upgrade import upgrade

WRITES = ("open", "os.remove", "os.rename", "sqlite3.connect")


def _upgrade_and_be_killed(path, moment):
    """Upgrade, and die before the step with this number: a statement, a commit, or something done to a file."""
    left, here = itertools.count(-moment), str(path)

    def step(*_):
        if next(left) >= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", step)
    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", step)
    sys.addaudithook(lambda name, arguments: name in WRITES and here in str(arguments[0]) and step())
    upgrade(DataFolder(path), lambda line: None)


def _is_killed_at(path, moment):
    child = os.fork()
    if not child:
        try:
            _upgrade_and_be_killed(path, moment)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(folder, copies, migrations, revision, stride):
    migration.FOLDER, tables.REVISION = Path(migrations), int(revision)
    for moment in range(0, 1000, int(stride)):
        copy = Path(copies, f"{moment:04}")
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("shards"))
        if not _is_killed_at(copy, moment):
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
