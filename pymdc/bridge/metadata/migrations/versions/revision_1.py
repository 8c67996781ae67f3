"""What there was before there were revisions, and what an earlier version of that has left, made fit."""

import sqlalchemy
from alembic import op
from sqlalchemy import (
    BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint,
    case, func, select, update,
)

from pymdc.bridge.metadata.tables import CONVENTION

revision = "1"
down_revision = None

LEAST_FILE = 4096

first = MetaData(naming_convention=CONVENTION)
_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what it calls INTEGER


def _cascade(column):
    return ForeignKey(column, ondelete="CASCADE")


accounts = Table(
    "accounts", first,
    Column("email", String(254), primary_key=True),
    Column("password", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("activated", Boolean, nullable=False),
)

registrations = Table(
    "registrations", first,
    Column("token", String(64), primary_key=True),
    Column("email", _cascade("accounts.email"), nullable=False, index=True),
    Column("password", Text, nullable=False),
    Column("redirect", Text),
    Column("point", String(66), index=True),
    Column("text", String(130)),
    Column("created", BigInteger, nullable=False),
)

keys = Table(
    "keys", first,
    Column("id", _Id, primary_key=True),
    Column("point", String(66), nullable=False, unique=True),
    Column("text", String(130), nullable=False),
    Column("email", _cascade("accounts.email"), nullable=False, index=True),
    Column("proved", Boolean, nullable=False),
)

buckets = Table(
    "buckets", first,
    Column("number", _Id, primary_key=True),
    Column("id", String(24), nullable=False, unique=True),
    Column("email", _cascade("accounts.email"), nullable=False, index=True),
    Column("created", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("storage", Double, nullable=False),
    Column("transfer", Double, nullable=False),
    Column("stored", BigInteger, nullable=False, default=0),
    Column("transferred", BigInteger, nullable=False, default=0),
)

bucket_keys = Table(
    "bucket_keys", first,
    Column("bucket", _cascade("buckets.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("point", String(66), nullable=False, index=True),
    Column("text", String(130), nullable=False),
)

tokens = Table(
    "tokens", first,
    Column("hash", String(64), primary_key=True),
    Column("bucket", String(24), nullable=False, index=True),
    Column("operation", String(4), nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    Column("point", String(66), index=True),
)

files = Table(
    "files", first,
    Column("id", _Id, primary_key=True),
    Column("bucket", _cascade("buckets.id"), nullable=False),
    Column("hash", String(40), nullable=False),
    Column("filename", Text, nullable=False),
    Column("mimetype", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    UniqueConstraint("bucket", "hash"),
    Index("files_in_order", "bucket", "id"),
)

uploads = Table(
    "uploads", first,
    Column("id", String(16), primary_key=True),
    Column("bucket", String(24), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
)

shards = Table(
    "shards", first,
    Column("id", _Id, primary_key=True),
    Column("object", String(80), nullable=False, unique=True),
    Column("hash", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("damaged", Boolean, nullable=False, default=False),
    UniqueConstraint("sha256", "size"),
)

unneeded = Table(
    "unneeded", first,
    Column("object", String(80), primary_key=True),
)

holds = Table(
    "holds", first,
    Column("id", String(32), primary_key=True),
    Column("expires", BigInteger, nullable=False),
)

file_shards = Table(
    "file_shards", first,
    Column("file", _cascade("files.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("shard", ForeignKey("shards.id"), nullable=False, index=True),
)

shard_tokens = Table(
    "shard_tokens", first,
    Column("hash", String(64), primary_key=True),
    Column("shard", _cascade("shards.id"), nullable=False, index=True),
    Column("file", _cascade("files.id"), nullable=False, index=True),
    Column("bucket", _cascade("buckets.id"), nullable=False, index=True),
    Column("point", String(66), index=True),
    Column("left", Integer, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
)

windows = Table(
    "windows", first,
    Column("point", String(66), primary_key=True),
    Column("highest", Double, nullable=False),
    Column("floor", Double, nullable=False),
    Column("texts", Integer, nullable=False),
)

seen = Table(
    "seen", first,
    Column("point", String(66), primary_key=True),
    Column("text", String(64), primary_key=True),
    Column("nonce", Double, nullable=False),
    Index("seen_by_nonce", "point", "nonce"),
)

rates = Table(
    "rates", first,
    Column("subject", String(64), primary_key=True),
    Column("idle", BigInteger, nullable=False, index=True),
)


def upgrade():
    make(op.get_bind())


def make(db):
    """Make what is missing of revision 1, all of it or a part."""
    inspector = sqlalchemy.inspect(db)
    if inspector.has_table("shard_tokens"):
        if {column["name"] for column in inspector.get_columns("shard_tokens")} != set(shard_tokens.c.keys()):
            _drop_shard_tokens(db)
    first.create_all(db)
    for table in first.sorted_tables:
        for index in table.indexes:
            index.create(db, checkfirst=True)


def _drop_shard_tokens(db):
    """Take over from a version whose shard tokens told neither the file nor the key."""
    shard_tokens.drop(db)  # they are good for a day at most
    db.execute(update(windows).values(floor=windows.c.highest))  # texts that were seen are written otherwise now
    counted = case((files.c.size < LEAST_FILE, LEAST_FILE), else_=files.c.size)
    stored = select(func.coalesce(func.sum(counted), 0)).where(files.c.bucket == buckets.c.id).scalar_subquery()
    db.execute(update(buckets).values(stored=stored))
