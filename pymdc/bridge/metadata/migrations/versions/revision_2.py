"""Small content lies in the database."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Integer, LargeBinary, PrimaryKeyConstraint

revision = "2"
down_revision = "1"


def upgrade():
    op.create_table(
        "contents",
        Column("shard", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
        Column("content", LargeBinary, nullable=False),
        PrimaryKeyConstraint("shard", name="pk_contents"),
        ForeignKeyConstraint(["shard"], ["shards.id"], ondelete="CASCADE", name="fk_contents_shard"),
    )
