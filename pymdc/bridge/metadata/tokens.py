"""The tokens of buckets."""

from sqlalchemy import delete, insert

from .buckets import find_bucket
from .keys import check_may_ask
from .tables import tokens


class Tokens:
    def __init__(self, database):
        self._database = database

    def add(self, token: dict, now: int):
        """Keep a token, unless the key that asks for it has lost its power since it was looked up."""
        with self._database.write() as db:
            check_may_ask(db, find_bucket(db, token["bucket"]), token["point"])
            db.execute(delete(tokens).where(tokens.c.expires <= now))
            db.execute(insert(tokens).values(**token))

    def spend(self, token: str, now: int):
        """Return the row of the token with this hash, once."""
        with self._database.write() as db:
            spent = delete(tokens).where(tokens.c.hash == token, tokens.c.expires > now).returning(tokens)
            return db.execute(spent).mappings().first()
