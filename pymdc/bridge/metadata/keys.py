"""Public keys."""

from sqlalchemy import and_, delete, exists, func, insert, select, update

from ..refusal import Refusal
from . import pages
from .tables import bucket_keys, buckets, keys, registrations, shard_tokens, tokens

KEY_TAKEN = "Public key is already registered"
MAX_KEYS = 1000  # of an account


class Keys:
    def __init__(self, database):
        self._database = database

    def find(self, point: str):
        """Return ``email``, ``text`` and ``activated`` of a key, also of one that waits with its account; or None."""
        with self._database.read() as db:
            for table, activated in ((keys, True), (registrations, False)):
                query = select(table.c.email, table.c.text).where(table.c.point == point)
                row = db.execute(query).mappings().first()
                if row is not None:
                    return {**row, "activated": activated}
        return None

    def page(self, email: str, after: int = 0):
        """Return the rows of a page of an account's keys, the oldest first, and where the next begins."""
        with self._database.read() as db:
            return pages.read(db, select(keys).where(keys.c.email == email), keys.c.id, after)

    def add(self, email: str, point: str, text: str, proved: bool, signer: str | None):
        """
        Register a key.  A proved one takes the place of one that its account has not proved to hold.

        :param signer: the key that asks for it, if one does.
        """
        with self._database.write() as db:
            check_registered(db, email, signer)
            unproved = and_(keys.c.point == point, keys.c.proved.is_(False))
            if proved:
                displaced = delete(keys).where(unproved, keys.c.email != email).returning(keys.c.email)
                for loser in db.execute(displaced).scalars().all():
                    lapse(db, point, buckets.c.email == loser)
                db.execute(update(keys).where(unproved).values(proved=True))
            if not taken(db, point):
                check_count(db, keys.c.email == email, MAX_KEYS, "public keys")
                db.execute(insert(keys).values(email=email, point=point, text=text, proved=proved))
                return
        raise Refusal(400, KEY_TAKEN)

    def delete(self, email: str, text: str, signer: str | None = None):
        """Forget a key, and take away its power over all that is the account's; as :meth:`add`."""
        with self._database.write() as db:
            check_registered(db, email, signer)
            point = db.execute(
                delete(keys).where(keys.c.email == email, keys.c.text == text).returning(keys.c.point)
            ).scalar()
            if point is None:
                raise Refusal(404, "Public key was not found")
            own = select(buckets.c.id).where(buckets.c.email == email)
            db.execute(delete(bucket_keys).where(bucket_keys.c.point == point, bucket_keys.c.bucket.in_(own)))
            lapse(db, point, buckets.c.email == email)


def check_count(db, whose, most: int, what: str):
    """Raise Refusal if there are so many rows already for which *whose* is true."""
    if db.execute(select(func.count()).where(whose)).scalar() >= most:
        raise Refusal(400, f"Too many {what}: an account may have {most}")


def check_registered(db, email: str, point: str | None):
    """Raise Refusal if the key that has signed a request has been deleted since it was looked up."""
    if point is not None:
        registered = exists().where(keys.c.point == point, keys.c.email == email)
        if not db.execute(select(registered)).scalar():
            raise Refusal(401, "Public key not registered")


def check_may_ask(db, bucket, point: str | None):
    """Raise Refusal if a key is (no longer) one that may ask for tokens of a bucket, given by its row."""
    listed = exists().where(bucket_keys.c.bucket == bucket["id"], bucket_keys.c.point == point)
    if point is not None and not db.execute(select(listed)).scalar():
        check_registered(db, bucket["email"], point)


def lapse(db, point: str, whose):
    """
    End the tokens that a key has asked for, and what they led to, in those buckets for which it may ask no more.

    :param whose: a condition on the buckets.
    """
    listed = exists().where(bucket_keys.c.bucket == buckets.c.id, bucket_keys.c.point == point)
    registered = exists().where(keys.c.email == buckets.c.email, keys.c.point == point)
    lost = select(buckets.c.id).where(whose, ~listed, ~registered)
    for table in (tokens, shard_tokens):
        db.execute(delete(table).where(table.c.point == point, table.c.bucket.in_(lost)))


def taken(db, point: str) -> bool:
    """Return whether any account has registered this key."""
    return db.execute(select(exists().where(keys.c.point == point))).scalar()
