"""The tokens of buckets."""

from sqlalchemy import bindparam, delete, func, insert, select

from ..refusal import Refusal
from .buckets import OWN, lock_bucket_and_account
from .database import repeating
from .keys import check_may_ask
from .locks import free_rows
from .tables import shard_tokens, tokens

_PATIENCE = 60  # seconds that who has too many is told to wait, since some of them expire all the time

KEEP = insert(tokens)
SPEND = delete(tokens).where(tokens.c.hash == bindparam("hash_"), tokens.c.expires > bindparam("now")).returning(tokens)
FORGET_EXPIRED, FORGET_EXPIRED_OF_SHARDS = (
    delete(table).where(free_rows(table.c.hash, table.c.expires <= bindparam("now")))
    for table in (tokens, shard_tokens)
)
COUNT, COUNT_OF_SHARDS = (select(func.count()).where(table.c.bucket.in_(OWN)) for table in (tokens, shard_tokens))


@repeating
class Tokens:
    def __init__(self, database):
        self._database = database

    def add(self, token: dict, most: int, now: int):
        """
        Keep a token, unless the key that asks for it has lost its power since it was looked up.

        :param most: how many live tokens the account may have, in all its buckets.
        """
        with self._database.write() as db:
            bucket = lock_bucket_and_account(db, token["bucket"])
            check_may_ask(db, bucket, token["point"])
            db.execute(FORGET_EXPIRED, {"now": now})
            _check_count(db, COUNT, bucket["email"], most, "tokens")
            db.execute(KEEP, token)

    def spend(self, token: str, now: int):
        """Return the row of the token with this hash, once."""
        with self._database.write() as db:
            return db.execute(SPEND, {"hash_": token, "now": now}).mappings().first()


def check_shard_tokens(db, email: str, most: int, now: int):
    """Raise Refusal if so many pointers of an account, or more, are live."""
    db.execute(FORGET_EXPIRED_OF_SHARDS, {"now": now})
    _check_count(db, COUNT_OF_SHARDS, email, most, "pointers")


def _check_count(db, count, email, most, what):
    if db.execute(count, {"email_": email}).scalar() >= most:
        text = f"Too many {what}: an account may have {most} that have not expired"
        raise Refusal(429, text, {"Retry-After": str(_PATIENCE)})
