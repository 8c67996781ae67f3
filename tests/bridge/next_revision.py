"""
A revision of the schema that no version has yet, for trying how one comes to another; and that version's command line.
"""

import shutil
import subprocess
import sys

from pymdc.bridge.metadata import migration, tables

NEXT = tables.REVISION + 1

#: Makes a table anew that others point to, and another one that points to it, as Alembic does it on SQLite.
RECREATE = """
    with op.batch_alter_table("buckets", recreate="always", naming_convention=CONVENTION) as batch:
        batch.create_index("ix_buckets_created", ["created"])
    with op.batch_alter_table("files", recreate="always", naming_convention=CONVENTION) as batch:
        batch.drop_constraint("uq_files_bucket_filename_hash", type_="unique")
        batch.create_unique_constraint("uq_files_bucket_hash_filename", ["bucket", "hash", "filename"])
        batch.drop_constraint("fk_files_bucket", type_="foreignkey")
        batch.create_foreign_key("fk_files_bucket", "buckets", ["bucket"], ["id"], ondelete="CASCADE")
"""

_REVISION = """
from alembic import op
from pymdc.bridge.metadata.tables import CONVENTION

revision, down_revision = "{revision}", "{before}"
{declared}

def upgrade():
{steps}
"""

_COMMAND = """
import sys
from pathlib import Path
from pymdc.bridge.metadata import migration, tables
migration.FOLDER, tables.REVISION = Path(sys.argv[1]), int(sys.argv[2])
from pymdc.bridge.commands import main
main(sys.argv[3:])
"""


def write_revisions(folder, steps=RECREATE, declared=""):
    """Make a folder of the migrations of a version that has one revision more."""
    shutil.copytree(migration.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    source = _REVISION.format(revision=NEXT, before=NEXT - 1, steps=steps, declared=declared)
    (folder / "versions" / f"revision_{NEXT}.py").write_text(source)
    return folder


class NextVersion:
    """A version whose schema has one revision more."""

    def __init__(self, folder, steps=RECREATE, declared=""):
        self.folder = write_revisions(folder, steps, declared)

    def use(self, monkeypatch):
        """Let this process be of it."""
        monkeypatch.setattr(migration, "FOLDER", self.folder)
        monkeypatch.setattr(tables, "REVISION", NEXT)

    def start(self, *arguments):
        return subprocess.Popen([sys.executable, "-c", _COMMAND, self.folder, str(NEXT), *map(str, arguments)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def command(self, *arguments):
        process = self.start(*arguments)
        said, complained = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, said, complained)
