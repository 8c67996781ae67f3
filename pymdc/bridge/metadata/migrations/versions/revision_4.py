"""Mails wait in the database."""

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, PrimaryKeyConstraint, Text

revision = "4"
down_revision = "3"


def upgrade():
    op.create_table(
        "mails",
        Column("name", Text, nullable=False),
        Column("recipient", Text, nullable=False),
        Column("content", LargeBinary, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("due", BigInteger),
        Column("claimed", BigInteger, nullable=False),
        PrimaryKeyConstraint("name", name="pk_mails"),
    )
    op.create_index("ix_mails_due", "mails", ["due"])
