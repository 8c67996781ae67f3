"""
What a transaction locks, on PostgreSQL, where others run beside it.  The order is the same everywhere, or they would
wait for each other: windows of nonces, accounts by e-mail, bucket, shards by id, tokens and tickets, and then what is
inserted.  A token that a request presents is spent before all of them, since one statement does it: whoever ends it at
that moment may have to begin again.  On SQLite one writes at a time, and these are statements like any other.
"""

from sqlalchemy import bindparam, select

from .compiled import Compiled
from .tables import accounts, buckets

#: As a statement that changes rows without their keys: others may insert rows that point to them.
ROWS = {"key_share": True}

ACCOUNTS = (
    select(accounts.c.email, accounts.c.password, accounts.c.disabled)
    .where(accounts.c.email.in_(bindparam("emails", expanding=True)))
    .order_by(accounts.c.email).with_for_update(**ROWS)
)
#: A bucket, with what its account goes by, and what an operator says of that.
FIND_BUCKET = (
    select(buckets, accounts.c.password, accounts.c.disabled, accounts.c.storage.label("account_storage"))
    .join_from(accounts, buckets)
    .where(buckets.c.id == bindparam("bucket_"))
)
BUCKET = Compiled(FIND_BUCKET.with_for_update(**ROWS, of=buckets))
BUCKET_AND_ACCOUNT = Compiled(FIND_BUCKET.with_for_update(**ROWS, of=[accounts, buckets]))


def free_rows(key, condition):
    """
    Return the condition for those rows that fulfil one, but for what others have locked, to tidy up in passing.

    :param key: the column that tells the rows of the table apart.
    """
    return key.in_(select(key).where(condition).with_for_update(skip_locked=True))


def lock_accounts(db, *emails: str) -> dict:
    """
    Let nobody else change what belongs to these accounts until the transaction ends.

    :returns: ``email``, ``password`` and ``disabled`` of those there are, by e-mail.
    """
    return {row["email"]: row for row in db.execute(ACCOUNTS, {"emails": emails}).mappings()}
