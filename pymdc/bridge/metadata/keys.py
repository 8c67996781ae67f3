"""Public keys."""

from sqlalchemy import and_, delete, exists, insert, select, update

from ..refusal import Refusal
from .tables import accounts, bucket_keys, buckets, keys, tokens


class Keys:
    def __init__(self, database):
        self._database = database

    def find(self, point: str):
        """Return the key's row with its account's ``activated``, or None."""
        query = select(keys, accounts.c.activated).select_from(keys.join(accounts)).where(keys.c.point == point)
        with self._database.read() as db:
            return db.execute(query).mappings().first()

    def of(self, email: str):
        """Return the rows of an account's keys, the oldest first."""
        with self._database.read() as db:
            return db.execute(select(keys).where(keys.c.email == email).order_by(keys.c.id)).mappings().all()

    def add(self, email: str, point: str, text: str, proved: bool):
        """Register a key.  A proved one takes the place of one that its account has not proved to hold."""
        with self._database.write() as db:
            unproved = and_(keys.c.point == point, keys.c.proved.is_(False))
            if proved:
                db.execute(delete(keys).where(unproved, keys.c.email != email))
                db.execute(update(keys).where(unproved).values(proved=True))
            if not taken(db, point):
                db.execute(insert(keys).values(email=email, point=point, text=text, proved=proved))
                return
        raise Refusal(400, "Public key is already registered")

    def delete(self, email: str, text: str):
        """Forget a key and take all its power away."""
        with self._database.write() as db:
            point = db.execute(
                delete(keys).where(keys.c.email == email, keys.c.text == text).returning(keys.c.point)
            ).scalar()
            if point is None:
                raise Refusal(404, "Public key was not found")
            own = select(buckets.c.id).where(buckets.c.email == email)
            db.execute(delete(bucket_keys).where(bucket_keys.c.point == point, bucket_keys.c.bucket.in_(own)))
            db.execute(delete(tokens).where(tokens.c.point == point))


def taken(db, point: str) -> bool:
    """Return whether any account has registered this key."""
    return db.execute(select(exists().where(keys.c.point == point))).scalar()
