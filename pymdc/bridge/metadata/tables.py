"""The tables.  Times are milliseconds since the epoch; a point is a public key's compressed form in lower-case hex."""

from sqlalchemy import (
    BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text,
    UniqueConstraint,
)

REVISION = 9  # of this schema: the newest in migrations/versions

#: What constraints are called, so that a revision can name them.  Those of databases from before revision 1 have no
#: names: a revision that recreates a table hands this to Alembic, which then takes them for named.
CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

schema = MetaData(naming_convention=CONVENTION)
_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what it calls INTEGER
_Name = Text().with_variant(Text(collation="C"), "postgresql")  # in the order of its bytes, as SQLite has all texts


def _cascade(column):
    return ForeignKey(column, ondelete="CASCADE")


accounts = Table(
    "accounts", schema,
    Column("email", String(254), primary_key=True),
    Column("password", Text, nullable=False),  # argon2id over the hash that the client sends
    Column("created", BigInteger, nullable=False),
    Column("activated", Boolean, nullable=False),
    Column("disabled", BigInteger),  # when an operator has done so
    Column("storage", Double),  # GB of all its buckets; none where it is what all have
)

#: What waits for its link to be followed.  An address may have several; the first that is followed decides.
registrations = Table(
    "registrations", schema,
    Column("token", String(64), primary_key=True),  # SHA-256 of the activation token
    Column("email", _cascade("accounts.email"), nullable=False, index=True),
    Column("password", Text, nullable=False),
    Column("redirect", Text),
    Column("point", String(66), index=True),  # the key to register along, if any
    Column("text", String(130)),
    Column("created", BigInteger, nullable=False),
)

#: Links that let an account whose password is forgotten have another one.
resets = Table(
    "resets", schema,
    Column("token", String(64), primary_key=True),  # SHA-256 of the token in the link
    Column("email", _cascade("accounts.email"), nullable=False, index=True),
    Column("created", BigInteger, nullable=False, index=True),
)

keys = Table(
    "keys", schema,
    Column("id", _Id, primary_key=True),
    Column("point", String(66), nullable=False, unique=True),
    Column("text", String(130), nullable=False),  # as it was registered, and is looked up
    Column("email", _cascade("accounts.email"), nullable=False, index=True),
    Column("proved", Boolean, nullable=False),  # a request signed with it has registered it
)

buckets = Table(
    "buckets", schema,
    Column("number", _Id, primary_key=True),
    Column("id", String(24), nullable=False, unique=True),
    Column("email", _cascade("accounts.email"), nullable=False, index=True),
    Column("created", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("storage", Double, nullable=False),  # GB
    Column("transfer", Double, nullable=False),  # GB
    Column("stored", BigInteger, nullable=False, default=0),  # bytes of its files
    Column("transferred", BigInteger, nullable=False, default=0),  # bytes handed out
)

bucket_keys = Table(
    "bucket_keys", schema,
    Column("bucket", _cascade("buckets.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("point", String(66), nullable=False, index=True),
    Column("text", String(130), nullable=False),
)

#: Unused tokens.  They outlive their bucket, so that the answer to a late one is that the bucket is gone.
tokens = Table(
    "tokens", schema,
    Column("hash", String(64), primary_key=True),  # SHA-256 of the token
    Column("bucket", String(24), nullable=False),
    Column("operation", String(4), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    Column("point", String(66), index=True),  # the key that asked for it, if one did
    Column("file", String(40)),  # the hash of the only file that it opens
    Column("filename", Text),  # what a link calls that, if not as the bucket does
    Column("max_size", BigInteger),  # bytes of the file that it lets in
    Column("upload", String(16)),  # by a link: it holds the token as long as it is alive
    Index("tokens_of_file", "bucket", "file"),
)

#: One for each name and content in a bucket: content may have several names there, and a name several contents.
files = Table(
    "files", schema,
    Column("id", _Id, primary_key=True),
    Column("bucket", _cascade("buckets.id"), nullable=False),
    Column("hash", String(40), nullable=False),
    Column("filename", _Name, nullable=False),
    Column("mimetype", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),  # or uploaded again, under the same name
    UniqueConstraint("bucket", "filename", "hash"),
    Index("files_of_content", "bucket", "hash", "created", "id"),
)

#: Uploads under way.  They outlive their bucket, so that the answer is that the bucket is gone.
uploads = Table(
    "uploads", schema,
    Column("id", String(16), primary_key=True),
    Column("bucket", String(24), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),  # bytes of room that it has been given
    Column("expires", BigInteger, nullable=False),
)

shards = Table(
    "shards", schema,
    Column("id", _Id, primary_key=True),
    Column("object", String(80), nullable=False, unique=True),  # its name in the store, or "inline-…"
    Column("hash", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("damaged", Boolean, nullable=False, default=False),  # its bytes are wrong or gone
    UniqueConstraint("sha256", "size"),
)

#: Small content, in place of an object.  In the rows of shards, whoever looks through those would read it.
contents = Table(
    "contents", schema,
    Column("shard", _cascade("shards.id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

#: Objects that nothing holds any more and that are to be deleted from the store.
unneeded = Table(
    "unneeded", schema,
    Column("object", String(80), primary_key=True),
    Column("since", BigInteger, index=True),  # noted when somebody first looks, where they are kept for a while
)

#: As long as one of these lasts, a backup is copying, and no object is deleted.
holds = Table(
    "holds", schema,
    Column("id", String(32), primary_key=True),
    Column("expires", BigInteger, nullable=False),
)

#: What is not delivered yet.
mails = Table(
    "mails", schema,
    Column("name", Text, primary_key=True),  # of its file, without ".eml": the newest last
    Column("recipient", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),  # as it goes to a server: it may hold a link
    Column("created", BigInteger, nullable=False),
    Column("due", BigInteger, index=True),  # when it is tried, by the steady clock; none when it is given up
    Column("claimed", BigInteger, nullable=False),  # until when somebody delivers it, by the steady clock
)

file_shards = Table(
    "file_shards", schema,
    Column("file", _cascade("files.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("shard", ForeignKey("shards.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

shard_tokens = Table(
    "shard_tokens", schema,
    Column("hash", String(64), primary_key=True),  # SHA-256 of the token
    Column("shard", _cascade("shards.id"), nullable=False, index=True),
    Column("file", _cascade("files.id"), nullable=False, index=True),
    Column("bucket", _cascade("buckets.id"), nullable=False, index=True),
    Column("point", String(66), index=True),  # the key that asked for the token that led to it, if one did
    Column("token", String(32), index=True),  # the id of that token, if one did
    Column("left", Integer, nullable=False),  # how often it may still be used
    Column("expires", BigInteger, nullable=False, index=True),
)

#: What has become of links to a file: leave to fetch it, for a while.
tickets = Table(
    "tickets", schema,
    Column("hash", String(64), primary_key=True),  # SHA-256 of the ticket
    Column("token", String(32), nullable=False, index=True),  # the id of the token of the link
    Column("bucket", _cascade("buckets.id"), nullable=False),
    Column("file", String(40), nullable=False),  # its hash
    Column("filename", Text, nullable=False),
    Column("point", String(66), index=True),  # the key that asked for the token, if one did
    Column("left", Integer, nullable=False),  # how many shards may still be sent
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    Index("tickets_of_file", "bucket", "file"),
)

#: What is known of the nonces of one key, whether registered, granted or deleted.
windows = Table(
    "windows", schema,
    Column("point", String(66), primary_key=True),
    Column("highest", Double, nullable=False),
    Column("floor", Double, nullable=False),  # at or below it, nothing passes
    Column("texts", Integer, nullable=False),  # how many are kept in seen
)

#: The signed texts within the window of a key.
seen = Table(
    "seen", schema,
    Column("point", String(66), primary_key=True),
    Column("nonce", Double, primary_key=True),
    Column("text", String(64), primary_key=True),  # SHA-256 of the signed text, which has the nonce, and of its r
    sqlite_with_rowid=False,
)

rates = Table(
    "rates", schema,
    Column("subject", String(64), primary_key=True),
    Column("idle", BigInteger, nullable=False, index=True),  # when it will have its whole burst again
)
