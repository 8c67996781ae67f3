"""Tokens for one file, and of a size; what is made with them can be revoked with them; tickets of links."""

from alembic import op
from sqlalchemy import (
    BigInteger, Column, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, String, Text, column, table, update,
)

from pymdc.bridge.metadata.tables import CONVENTION

revision = "6"
down_revision = "5"

LIFE = 5 * 60 * 1000  # milliseconds of almost every token so far

tokens = table("tokens", column("created"), column("expires"))


def upgrade():
    for added in (
        Column("created", BigInteger), Column("file", String(40)), Column("filename", Text),
        Column("max_size", BigInteger), Column("upload", String(16)),
    ):
        op.add_column("tokens", added)
    op.execute(update(tokens).values(created=tokens.c.expires - LIFE))
    with op.batch_alter_table("tokens", naming_convention=CONVENTION) as batch:
        batch.alter_column("created", existing_type=BigInteger, nullable=False)
    op.add_column("shard_tokens", Column("token", String(32)))
    op.create_index("ix_shard_tokens_token", "shard_tokens", ["token"])
    op.create_table(
        "tickets",
        Column("hash", String(64), nullable=False),
        Column("token", String(32), nullable=False),
        Column("bucket", String(24), nullable=False),
        Column("file", String(40), nullable=False),
        Column("filename", Text, nullable=False),
        Column("point", String(66)),
        Column("left", Integer, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("expires", BigInteger, nullable=False),
        PrimaryKeyConstraint("hash", name="pk_tickets"),
        ForeignKeyConstraint(["bucket"], ["buckets.id"], ondelete="CASCADE", name="fk_tickets_bucket"),
    )
    for name in ("token", "bucket", "point", "expires"):
        op.create_index(f"ix_tickets_{name}", "tickets", [name])
