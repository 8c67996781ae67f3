"""Buckets."""

import secrets

from sqlalchemy import delete, func, insert, select, update

from ..refusal import Refusal
from . import pages
from .keys import check_count, check_registered, lapse
from .shards import free
from .tables import bucket_keys, buckets, file_shards, files

GIGABYTE = 10**9
MAX_BUCKETS = 1000  # of an account
MAX_KEYS = 1000  # of a bucket
MAX_ALL_KEYS = 10_000  # of all buckets of an account together
LEAST_FILE = 4096  # bytes that a file counts as at least: its row, and its place on the disk


class Buckets:
    def __init__(self, database):
        self._database = database

    def page(self, email: str, after: int = 0):
        """Return a page of an account's buckets, the oldest first, and where the next begins.  Keys fill it too."""
        with self._database.read() as db:
            rows, after = pages.read(db, select(buckets).where(buckets.c.email == email), buckets.c.number, after)
            found, count = [], 0
            for row in rows:
                found.append(_with_keys(db, row))
                count += len(found[-1]["pubkeys"])
                if count >= pages.PAGE:
                    return found, row["number"]
            return found, after

    def find(self, bucket_id: str, email: str | None = None):
        """Return a bucket with its ``pubkeys``; another account's is as good as none."""
        with self._database.read() as db:
            return _with_keys(db, find_bucket(db, bucket_id, email))

    def add(self, email: str, created: int, fields: dict, points: dict[str, str], signer: str | None):
        """
        Make a bucket.

        :param points: maps each public key, as written, to its point.
        :param signer: the key that asks for it, if one does.
        """
        bucket_id = secrets.token_hex(12)
        with self._database.write() as db:
            check_registered(db, email, signer)
            check_count(db, buckets.c.email == email, MAX_BUCKETS, "buckets")
            db.execute(insert(buckets).values(id=bucket_id, email=email, created=created, **fields))
            _set_keys(db, bucket_id, points)
            return _with_keys(db, find_bucket(db, bucket_id, email))

    def change(self, email: str, bucket_id: str, fields: dict, points: dict[str, str] | None, signer: str | None):
        """Change those fields, and its keys if there are *points*; as :meth:`add`."""
        with self._database.write() as db:
            check_registered(db, email, signer)
            find_bucket(db, bucket_id, email)
            if fields:
                db.execute(update(buckets).where(buckets.c.id == bucket_id).values(**fields))
            if points is not None:
                gone = set(_points(db, bucket_id).values()) - set(points.values())
                _set_keys(db, bucket_id, points)
                for point in gone:
                    lapse(db, point, buckets.c.id == bucket_id)
            return _with_keys(db, find_bucket(db, bucket_id, email))

    def delete(self, email: str, bucket_id: str, signer: str | None = None):
        """Delete a bucket with its files; as :meth:`add`."""
        with self._database.write() as db:
            check_registered(db, email, signer)
            find_bucket(db, bucket_id, email)
            held = select(file_shards.c.shard).select_from(file_shards.join(files)).where(files.c.bucket == bucket_id)
            shards = db.execute(held.distinct()).scalars().all()
            db.execute(delete(buckets).where(buckets.c.id == bucket_id))
            free(db, shards)


def counted(size: int) -> int:
    """Return the bytes of storage that a file of this size counts as."""
    return max(size, LEAST_FILE)


def find_bucket(db, bucket_id: str, email: str | None = None):
    """Return a bucket's row; another account's is as good as none."""
    query = select(buckets).where(buckets.c.id == bucket_id)
    if email is not None:
        query = query.where(buckets.c.email == email)
    row = db.execute(query).mappings().first()
    if row is None:
        raise Refusal(404, "Bucket not found")
    return row


def _with_keys(db, row):
    points = _points(db, row["id"])
    return {**row, "pubkeys": list(points), "points": points}


def _points(db, bucket_id):
    """Return the points of a bucket's keys, by how each is written, in order."""
    query = select(bucket_keys.c.text, bucket_keys.c.point).where(bucket_keys.c.bucket == bucket_id)
    return dict(db.execute(query.order_by(bucket_keys.c.position)).all())


def _set_keys(db, bucket_id, points):
    db.execute(delete(bucket_keys).where(bucket_keys.c.bucket == bucket_id))
    _check_room_for_keys(db, bucket_id, len(points))
    rows = [
        {"bucket": bucket_id, "position": position, "text": text, "point": point}
        for position, (text, point) in enumerate(points.items())
    ]
    if rows:
        db.execute(insert(bucket_keys), rows)


def _check_room_for_keys(db, bucket_id, count):
    """Raise Refusal if a bucket, or all of its account, would list too many keys; it lists none now."""
    if count > MAX_KEYS:
        raise Refusal(400, f"Too many public keys: a bucket may list {MAX_KEYS}")
    if count:
        email = select(buckets.c.email).where(buckets.c.id == bucket_id).scalar_subquery()
        elsewhere = bucket_keys.c.bucket.in_(select(buckets.c.id).where(buckets.c.email == email))
        if db.execute(select(func.count()).where(elsewhere)).scalar() + count > MAX_ALL_KEYS:
            raise Refusal(400, f"Too many public keys: the buckets of an account may list {MAX_ALL_KEYS} together")
