"""What an earlier version has left in a database, made fit for this one."""

import sqlalchemy
from sqlalchemy import case, func, select, update
from sqlalchemy.schema import CreateIndex

from .buckets import LEAST_FILE
from .tables import buckets, files, schema, shard_tokens, windows


def take_over(db):
    """Take a database over from an earlier version, if it is from one."""
    inspector = sqlalchemy.inspect(db)
    if not inspector.has_table("shard_tokens"):
        return
    if {column["name"] for column in inspector.get_columns("shard_tokens")} != set(shard_tokens.c.keys()):
        _renew_shard_tokens(db)
    for table in set(inspector.get_table_names()) & set(schema.tables):
        for index in schema.tables[table].indexes:
            db.execute(CreateIndex(index, if_not_exists=True))


def _renew_shard_tokens(db):
    """Take over from a version whose shard tokens told neither the file nor the key."""
    shard_tokens.drop(db)  # they are good for a day at most
    db.execute(update(windows).values(floor=windows.c.highest))  # texts that were seen are written otherwise now
    counted = case((files.c.size < LEAST_FILE, LEAST_FILE), else_=files.c.size)
    stored = select(func.coalesce(func.sum(counted), 0)).where(files.c.bucket == buckets.c.id).scalar_subquery()
    db.execute(update(buckets).values(stored=stored))
