"""Passwords that are forgotten can be reset; an operator can disable an account, and give it room of its own."""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, ForeignKeyConstraint, PrimaryKeyConstraint, String

revision = "7"
down_revision = "6"


def upgrade():
    op.add_column("accounts", Column("disabled", BigInteger))
    op.add_column("accounts", Column("storage", Double))
    op.create_table(
        "resets",
        Column("token", String(64), nullable=False),
        Column("email", String(254), nullable=False),
        Column("created", BigInteger, nullable=False),
        PrimaryKeyConstraint("token", name="pk_resets"),
        ForeignKeyConstraint(["email"], ["accounts.email"], ondelete="CASCADE", name="fk_resets_email"),
    )
    op.create_index("ix_resets_email", "resets", ["email"])
    op.create_index("ix_resets_created", "resets", ["created"])
