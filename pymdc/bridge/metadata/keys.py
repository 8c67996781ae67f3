"""Public keys."""

from sqlalchemy import and_, delete, exists, insert, select, update

from ..refusal import Refusal
from .tables import bucket_keys, buckets, keys, registrations, tokens

KEY_TAKEN = "Public key is already registered"


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

    def of(self, email: str):
        """Return the rows of an account's keys, the oldest first."""
        with self._database.read() as db:
            return db.execute(select(keys).where(keys.c.email == email).order_by(keys.c.id)).mappings().all()

    def add(self, email: str, point: str, text: str, proved: bool, signer: str | None):
        """
        Register a key.  A proved one takes the place of one that its account has not proved to hold.

        :param signer: the key that asks for it, if one does.
        """
        with self._database.write() as db:
            check_registered(db, email, signer)
            unproved = and_(keys.c.point == point, keys.c.proved.is_(False))
            if proved:
                db.execute(delete(keys).where(unproved, keys.c.email != email))
                db.execute(update(keys).where(unproved).values(proved=True))
            if not taken(db, point):
                db.execute(insert(keys).values(email=email, point=point, text=text, proved=proved))
                return
        raise Refusal(400, KEY_TAKEN)

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


def check_registered(db, email: str, point: str | None):
    """Raise Refusal if the key that has signed a request has been deleted since it was looked up."""
    if point is not None:
        registered = exists().where(keys.c.point == point, keys.c.email == email)
        if not db.execute(select(registered)).scalar():
            raise Refusal(401, "Public key not registered")


def taken(db, point: str) -> bool:
    """Return whether any account has registered this key."""
    return db.execute(select(exists().where(keys.c.point == point))).scalar()
