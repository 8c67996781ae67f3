"""The tokens of buckets."""

from sqlalchemy import delete, exists, insert, select

from .buckets import find_bucket
from .keys import check_registered
from .tables import bucket_keys, tokens


class Tokens:
    def __init__(self, database):
        self._database = database

    def add(self, token: dict, now: int):
        """Keep a token, unless the key that asks for it has lost its power since it was looked up."""
        with self._database.write() as db:
            bucket, point = find_bucket(db, token["bucket"]), token["point"]
            listed = exists().where(bucket_keys.c.bucket == bucket["id"], bucket_keys.c.point == point)
            if point is not None and not db.execute(select(listed)).scalar():
                check_registered(db, bucket["email"], point)
            db.execute(delete(tokens).where(tokens.c.expires <= now))
            db.execute(insert(tokens).values(**token))

    def spend(self, token: str, now: int):
        """Return the row of the token with this hash, once."""
        with self._database.write() as db:
            spent = delete(tokens).where(tokens.c.hash == token, tokens.c.expires > now).returning(tokens)
            return db.execute(spent).mappings().first()
