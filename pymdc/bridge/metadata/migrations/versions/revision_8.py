"""
Of the names of some content the newest is the one that came last, also one that was there already.  And whoever deletes
a file looks at its own links, not at all that a bucket has.
"""

from alembic import op

revision = "8"
down_revision = "7"


def upgrade():
    op.drop_index("files_of_content", "files")
    op.create_index("files_of_content", "files", ["bucket", "hash", "created", "id"])
    for table in ("tokens", "tickets"):
        op.drop_index(f"ix_{table}_bucket", table)
        op.create_index(f"{table}_of_file", table, ["bucket", "file"])
