"""Content may have several names in a bucket; they are kept in the order of their bytes, and when each came."""

import sqlalchemy
from alembic import op
from sqlalchemy import BigInteger, Column, Text, func, select, update

from pymdc.bridge.metadata.tables import CONVENTION

revision = "5"
down_revision = "4"

_NAME = Text().with_variant(Text(collation="C"), "postgresql")

files = sqlalchemy.table("files", *map(sqlalchemy.column, ("id", "bucket", "created")))
buckets = sqlalchemy.table("buckets", *map(sqlalchemy.column, ("id", "created")))


def upgrade():
    op.add_column("files", Column("created", BigInteger))
    _date()
    op.drop_index("files_in_order", "files")
    with op.batch_alter_table("files", naming_convention=CONVENTION) as batch:  # SQLite makes it anew
        batch.alter_column("created", existing_type=BigInteger(), nullable=False)
        batch.alter_column("filename", existing_type=Text(), type_=_NAME, existing_nullable=False)
        batch.drop_constraint("uq_files_bucket_hash", type_="unique")
        batch.create_unique_constraint("uq_files_bucket_filename_hash", ["bucket", "filename", "hash"])
    op.create_index("files_of_content", "files", ["bucket", "hash", "id"])


def _date():
    """Let the files of a bucket have come a millisecond after each other, once it was made: when, nobody has kept."""
    other = files.alias()
    first = select(func.min(other.c.id)).where(other.c.bucket == files.c.bucket).scalar_subquery()
    made = select(buckets.c.created).where(buckets.c.id == files.c.bucket).scalar_subquery()
    op.get_bind().execute(update(files).values(created=made + files.c.id - first))
