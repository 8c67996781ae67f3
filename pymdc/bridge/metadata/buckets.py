"""Buckets."""

import secrets

from sqlalchemy import bindparam, delete, func, insert, select, update

from ..refusal import Refusal
from . import pages
from .askers import Asker, check_enabled, check_owner, lock_asker
from .compiled import Compiled
from .database import repeating
from .keys import check_count, lapse_in_bucket
from .locks import BUCKET, BUCKET_AND_ACCOUNT, FIND_BUCKET
from .shards import free, locking_held
from .tables import bucket_keys, buckets, files, tokens

GIGABYTE = 10**9
MAX_BUCKETS = 1000  # of an account
MAX_KEYS = 1000  # of a bucket
MAX_ALL_KEYS = 10_000  # of all buckets of an account together
LEAST_FILE = 4096  # bytes that a file counts as at least: its row, and its place on the disk
AFTERLIFE = 5 * 60 * 1000  # milliseconds that tokens outlive their bucket at most, since nothing counts them any more

_THIS = buckets.c.id == bindparam("bucket_")
_OF_ACCOUNT = buckets.c.email == bindparam("email_")
_ITS_KEYS = bucket_keys.c.bucket == bindparam("bucket_")

#: The ids of an account's buckets.
OWN = select(buckets.c.id).where(_OF_ACCOUNT)

FIND = Compiled(FIND_BUCKET)
PAGE = pages.paged(select(buckets).where(_OF_ACCOUNT), buckets.c.number)
COUNT = select(func.count()).where(_OF_ACCOUNT)
ADD = insert(buckets)
CHANGE = update(buckets).where(_THIS)
STORE = Compiled(update(buckets).where(_THIS).values(stored=buckets.c.stored + bindparam("more")))
CHARGE = Compiled(update(buckets).where(_THIS).values(transferred=buckets.c.transferred + bindparam("more")))
DELETE = delete(buckets).where(_THIS)
LAPSE_SOON = update(tokens).where(
    tokens.c.bucket == bindparam("bucket_"), tokens.c.expires > bindparam("end")
).values(expires=bindparam("end"))
HELD_SHARDS = locking_held(files.c.bucket == bindparam("bucket_"))

KEYS = Compiled(select(bucket_keys.c.text, bucket_keys.c.point).where(_ITS_KEYS).order_by(bucket_keys.c.position))
LIST_KEYS = insert(bucket_keys)
UNLIST_KEYS = delete(bucket_keys).where(_ITS_KEYS)
COUNT_ALL_KEYS = select(func.count()).where(bucket_keys.c.bucket.in_(OWN))


@repeating
class Buckets:
    def __init__(self, database):
        self._database = database

    def page(self, email: str, after: int = 0):
        """Return a page of an account's buckets, the oldest first, and where the next begins.  Keys fill it too."""
        with self._database.read() as db:
            rows, after = pages.read(db, PAGE, buckets.c.number, after, email_=email)
            found, count = [], 0
            for row in rows:
                found.append(_with_keys(db, row))
                count += len(found[-1]["pubkeys"])
                if count >= pages.PAGE:
                    return found, row["number"]
            return found, after

    def find(self, bucket_id: str, email: str | None = None):
        """
        Return a bucket; another account's is as good as none.  Whether its account is disabled is for whoever asks to
        look at: it is told to nobody but who may ask for something of the bucket.
        """
        with self._database.read() as db:
            return _found(FIND.first(db, bucket_=bucket_id), email)

    def find_with_keys(self, bucket_id: str, email: str | None = None):
        """As :meth:`find`, with its ``pubkeys``."""
        with self._database.read() as db:
            return _with_keys(db, _found(FIND.first(db, bucket_=bucket_id), email))

    def add(self, email: str, created: int, fields: dict, points: dict[str, str], asker: Asker):
        """
        Make a bucket.

        :param points: maps each public key, as written, to its point.
        """
        bucket_id = secrets.token_hex(12)
        with self._database.write() as db:
            lock_asker(db, email, asker)
            check_count(db, COUNT, email, MAX_BUCKETS, "buckets")
            db.execute(ADD, {"id": bucket_id, "email": email, "created": created, **fields})
            _set_keys(db, email, bucket_id, points)
            return _with_keys(db, find_bucket(db, bucket_id, email))

    def change(self, email: str, bucket_id: str, fields: dict, points: dict[str, str] | None, asker: Asker):
        """Change those fields, and its keys if there are *points*; as :meth:`add`."""
        with self._database.write() as db:
            check_owner(db, lock_bucket_and_account(db, bucket_id, email), asker)
            if fields:
                db.execute(CHANGE, {"bucket_": bucket_id, **fields})
            if points is not None:
                gone = set(_points(db, bucket_id).values()) - set(points.values())
                _set_keys(db, email, bucket_id, points)
                for point in gone:
                    lapse_in_bucket(db, point, bucket_id)
            return _with_keys(db, find_bucket(db, bucket_id, email))

    def delete(self, email: str, bucket_id: str, now: int, asker: Asker):
        """Delete a bucket with its files."""
        with self._database.write() as db:
            check_owner(db, lock_bucket_and_account(db, bucket_id, email), asker)
            held = db.execute(HELD_SHARDS, {"bucket_": bucket_id}).scalars().all()
            db.execute(DELETE, {"bucket_": bucket_id})
            db.execute(LAPSE_SOON, {"bucket_": bucket_id, "end": now + AFTERLIFE})
            free(db, held)


def counted(size: int) -> int:
    """Return the bytes of storage that a file of this size counts as."""
    return max(size, LEAST_FILE)


def store(db, bucket_id: str, more: int):
    """Count so many bytes more, or fewer, among those that a bucket stores."""
    STORE.write(db, bucket_=bucket_id, more=more)


def charge(db, bucket_id: str, more: int):
    """Take bytes off the transfer that a bucket has left, or give them back."""
    CHARGE.write(db, bucket_=bucket_id, more=more)


def find_bucket(db, bucket_id: str, email: str | None = None, statement=FIND):
    """Return a bucket's row; another account's is as good as none.  Refuse it where its account is disabled."""
    row = _found(statement.first(db, bucket_=bucket_id), email)
    check_enabled(row)
    return row


def check_account_of(db, bucket_id: str):
    """Raise Refusal for a bucket whose account is disabled; it may be gone."""
    row = FIND.first(db, bucket_=bucket_id)
    if row is not None:
        check_enabled(row)


def lock_bucket(db, bucket_id: str):
    """As :func:`find_bucket`, and let nobody else change it, or what is in it, until the transaction ends."""
    return find_bucket(db, bucket_id, statement=BUCKET)


def lock_bucket_and_account(db, bucket_id: str, email: str | None = None):
    """As :func:`find_bucket`, and the same as :func:`lock_bucket`, for its account too."""
    return find_bucket(db, bucket_id, email, BUCKET_AND_ACCOUNT)


def _found(row, email):
    if row is None or email not in (None, row["email"]):
        raise Refusal(404, "Bucket not found")
    return row


def _with_keys(db, row):
    return {**row, "pubkeys": list(_points(db, row["id"]))}


def _points(db, bucket_id):
    """Return the points of a bucket's keys, by how each is written, in order."""
    return {row["text"]: row["point"] for row in KEYS.all(db, bucket_=bucket_id)}


def _set_keys(db, email, bucket_id, points):
    db.execute(UNLIST_KEYS, {"bucket_": bucket_id})
    _check_room_for_keys(db, email, len(points))
    rows = [
        {"bucket": bucket_id, "position": position, "text": text, "point": point}
        for position, (text, point) in enumerate(points.items())
    ]
    if rows:
        db.execute(LIST_KEYS, rows)


def _check_room_for_keys(db, email, count):
    """Raise Refusal if a bucket, or all of its account, would list too many keys; it lists none now."""
    if count > MAX_KEYS:
        raise Refusal(400, f"Too many public keys: a bucket may list {MAX_KEYS}")
    if count and db.execute(COUNT_ALL_KEYS, {"email_": email}).scalar() + count > MAX_ALL_KEYS:
        raise Refusal(400, f"Too many public keys: the buckets of an account may list {MAX_ALL_KEYS} together")
