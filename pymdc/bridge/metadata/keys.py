"""Public keys."""

from sqlalchemy import bindparam, delete, exists, func, null, select, update
from sqlalchemy.dialects.postgresql import insert

from ..refusal import Refusal
from . import pages
from .askers import Asker, lock_asker
from .compiled import Compiled
from .database import repeating
from .tables import accounts, bucket_keys, buckets, keys, registrations, shard_tokens, tickets, tokens

KEY_TAKEN = "Public key is already registered"
MAX_KEYS = 1000  # of an account

#: What opens something for whoever has it: it ends with what it was asked for by.
HANDED_OUT = (tokens, shard_tokens, tickets)

_POINT, _EMAIL = bindparam("point_"), bindparam("email_")
_UNPROVED = (keys.c.point == _POINT, keys.c.proved.is_(False))

FIND = Compiled(
    select(keys.c.email, keys.c.text, accounts.c.disabled).join_from(keys, accounts).where(keys.c.point == _POINT)
)
FIND_WAITING = Compiled(
    select(registrations.c.email, registrations.c.text, null().label("disabled")).where(registrations.c.point == _POINT)
)
PAGE = pages.paged(select(keys).where(keys.c.email == _EMAIL), keys.c.id)
COUNT = select(func.count()).where(keys.c.email == _EMAIL)
TAKEN = select(exists().where(keys.c.point == _POINT))

ADD = insert(keys).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
PROVE = update(keys).where(*_UNPROVED).values(proved=True)
DISPLACE = delete(keys).where(*_UNPROVED, keys.c.email != _EMAIL).returning(keys.c.email)
DELETE = delete(keys).where(keys.c.email == _EMAIL, keys.c.text == bindparam("text_")).returning(keys.c.point)
UNLIST = delete(bucket_keys).where(
    bucket_keys.c.point == _POINT, bucket_keys.c.bucket.in_(select(buckets.c.id).where(buckets.c.email == _EMAIL))
)


def _lapse(whose):
    """Return the statements that end what a key has asked for, in those of the buckets for which it may ask no more."""
    listed = exists().where(bucket_keys.c.bucket == buckets.c.id, bucket_keys.c.point == _POINT)
    registered = exists().where(keys.c.email == buckets.c.email, keys.c.point == _POINT)
    lost = select(buckets.c.id).where(whose, ~listed, ~registered)
    return [delete(table).where(table.c.point == _POINT, table.c.bucket.in_(lost)) for table in HANDED_OUT]


LAPSE_IN_ACCOUNT = _lapse(buckets.c.email == _EMAIL)
LAPSE_IN_BUCKET = _lapse(buckets.c.id == bindparam("bucket_"))


@repeating
class Keys:
    def __init__(self, database):
        self._database = database

    def find(self, point: str):
        """
        Return ``email`` and ``text`` of a key, also of one that waits with its account, which is not ``activated``
        then, and when that was ``disabled``; or None.
        """
        with self._database.read() as db:
            for statement, activated in ((FIND, True), (FIND_WAITING, False)):
                row = statement.first(db, point_=point)
                if row is not None:
                    return {**row, "activated": activated}
        return None

    def page(self, email: str, after: int = 0):
        """Return the rows of a page of an account's keys, the oldest first, and where the next begins."""
        with self._database.read() as db:
            return pages.read(db, PAGE, keys.c.id, after, email_=email)

    def add(self, email: str, point: str, text: str, proved: bool, asker: Asker):
        """Register a key.  A proved one takes the place of one that its account has not proved to hold."""
        with self._database.write() as db:
            holder = FIND.first(db, point_=point)
            lock_asker(db, email, asker, *([holder["email"]] if holder else []))
            if proved:
                for loser in db.execute(DISPLACE, {"point_": point, "email_": email}).scalars().all():
                    _lapse_in_account(db, point, loser)
                db.execute(PROVE, {"point_": point})
            if not taken(db, point):
                check_count(db, COUNT, email, MAX_KEYS, "public keys")
                if db.execute(ADD, {"email": email, "point": point, "text": text, "proved": proved}).rowcount:
                    return
        raise Refusal(400, KEY_TAKEN)

    def delete(self, email: str, text: str, asker: Asker):
        """Forget a key, and take away its power over all that is the account's."""
        with self._database.write() as db:
            lock_asker(db, email, asker)
            point = db.execute(DELETE, {"email_": email, "text_": text}).scalar()
            if point is None:
                raise Refusal(404, "Public key was not found")
            db.execute(UNLIST, {"point_": point, "email_": email})
            _lapse_in_account(db, point, email)


def check_count(db, count, email: str, most: int, what: str):
    """Raise Refusal if an account has so many already, by the statement that counts them."""
    if db.execute(count, {"email_": email}).scalar() >= most:
        raise Refusal(400, f"Too many {what}: an account may have {most}")


def lapse_in_bucket(db, point: str, bucket_id: str):
    """End the tokens that a key has asked for, and what they led to, in a bucket for which it may ask no more."""
    for statement in LAPSE_IN_BUCKET:
        db.execute(statement, {"point_": point, "bucket_": bucket_id})


def _lapse_in_account(db, point, email):
    for statement in LAPSE_IN_ACCOUNT:
        db.execute(statement, {"point_": point, "email_": email})


def taken(db, point: str) -> bool:
    """Return whether any account has registered this key."""
    return db.execute(TAKEN, {"point_": point}).scalar()
