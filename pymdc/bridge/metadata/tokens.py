"""The tokens of buckets."""

from sqlalchemy import bindparam, delete, insert

from .buckets import find_bucket
from .keys import check_may_ask
from .tables import tokens

KEEP = insert(tokens)
SPEND = delete(tokens).where(tokens.c.hash == bindparam("hash_"), tokens.c.expires > bindparam("now")).returning(tokens)
FORGET_EXPIRED = delete(tokens).where(tokens.c.expires <= bindparam("now"))


class Tokens:
    def __init__(self, database):
        self._database = database

    def add(self, token: dict, now: int):
        """Keep a token, unless the key that asks for it has lost its power since it was looked up."""
        with self._database.write() as db:
            check_may_ask(db, find_bucket(db, token["bucket"]), token["point"])
            db.execute(FORGET_EXPIRED, {"now": now})
            db.execute(KEEP, token)

    def spend(self, token: str, now: int):
        """Return the row of the token with this hash, once."""
        with self._database.write() as db:
            return db.execute(SPEND, {"hash_": token, "now": now}).mappings().first()
