"""Objects that nothing holds any more can be kept for a while."""

from alembic import op
from sqlalchemy import BigInteger, Column

revision = "3"
down_revision = "2"


def upgrade():
    op.add_column("unneeded", Column("since", BigInteger))
    op.create_index("ix_unneeded_since", "unneeded", ["since"])
