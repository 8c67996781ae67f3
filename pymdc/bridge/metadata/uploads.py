"""Uploads under way: the room they have been given, and how they become files."""

import dataclasses

from sqlalchemy import and_, delete, exists, func, insert, select, update

from ..refusal import Refusal
from .buckets import GIGABYTE, counted, find_bucket
from .shards import hold
from .tables import buckets, file_shards, files, shards, unneeded, uploads


@dataclasses.dataclass
class Room:
    """
    What an upload has to fit into.

    :ivar account: how many bytes all buckets of one account may hold.
    :ivar disk: how many bytes more the disk can take.
    :ivar at_once: how many uploads of one account there may be at a time.
    """

    account: int
    disk: int
    at_once: int


class Uploads:
    """
    Each has a row as long as it lives, which its sender's bytes renew; one that has expired is dead.  Times are those
    of the steady clock: none dies because the other one is set.
    """

    def __init__(self, database):
        self._database = database

    def begin(self, upload: dict, room: Room, now: int):
        """Give an upload the room that it needs, in its bucket, in its account and on the disk."""
        with self._database.write() as db:
            _check_room(db, find_bucket(db, upload["bucket"]), upload["size"], room, now)
            db.execute(insert(uploads).values({**upload, "size": counted(upload["size"])}))

    def renew(self, upload_id: str, expires: int):
        with self._database.write() as db:
            db.execute(update(uploads).where(uploads.c.id == upload_id).values(expires=expires))

    def end(self, upload_id: str):
        """Give back the room of an upload of which nothing is left in the store."""
        with self._database.write() as db:
            db.execute(delete(uploads).where(uploads.c.id == upload_id))

    def expire_all(self):
        """Let all uploads be dead, since their bridge is."""
        with self._database.write() as db:
            db.execute(update(uploads).values(expires=0))

    def bury(self, upload_id: str, names, now: int):
        """Forget an upload that has expired.  Of the objects that it has brought, those that no file holds can go."""
        with self._database.write() as db:
            expired = and_(uploads.c.id == upload_id, uploads.c.expires <= now)
            if not db.execute(delete(uploads).where(expired)).rowcount:
                return
            for name in names:
                if not db.execute(select(exists().where(shards.c.object == name))).scalar():
                    db.execute(delete(unneeded).where(unneeded.c.object == name))
                    db.execute(insert(unneeded).values(object=name))

    def is_known(self, upload_id: str) -> bool:
        with self._database.read() as db:
            return db.execute(select(exists().where(uploads.c.id == upload_id))).scalar()

    def finish(self, upload_id: str, file: dict, pieces: list[dict], now: int):
        """
        Enter a file whose shards are in the store.

        :param pieces: the rows of its shards, in order.
        :returns: whether some objects are not needed any more, since their content came again.
        """
        bucket_id = file["bucket"]
        with self._database.write() as db:
            alive = and_(uploads.c.id == upload_id, uploads.c.expires > now)
            if not db.execute(delete(uploads).where(alive)).rowcount:
                raise Refusal(408, "The upload was given up meanwhile")
            find_bucket(db, bucket_id)
            held, spare = hold(db, pieces)
            if spare:
                db.execute(insert(unneeded), [{"object": name} for name in spare])
            _enter(db, file, held)
            return bool(spare)

    def dead(self, now: int) -> set[str]:
        """Return the ids of the uploads that have expired."""
        with self._database.read() as db:
            return set(db.execute(select(uploads.c.id).where(uploads.c.expires <= now)).scalars())


def _enter(db, file, shard_ids):
    """Enter a file in its bucket.  The same content again is one entry, with the newest name and type."""
    known = db.execute(
        update(files).where(files.c.bucket == file["bucket"], files.c.hash == file["hash"])
        .values(filename=file["filename"], mimetype=file["mimetype"])
    ).rowcount
    if known:
        return
    file_id = db.execute(insert(files).values(**file)).inserted_primary_key[0]
    rows = [{"file": file_id, "position": position, "shard": shard} for position, shard in enumerate(shard_ids)]
    if rows:
        db.execute(insert(file_shards), rows)
    db.execute(update(buckets).where(buckets.c.id == file["bucket"])
               .values(stored=buckets.c.stored + counted(file["size"])))


def _check_room(db, bucket, size, room, now):
    live = uploads.c.expires > now
    own = select(buckets.c.id).where(buckets.c.email == bucket["email"])
    running = select(func.count()).select_from(uploads).where(live, uploads.c.bucket.in_(own))
    if db.execute(running).scalar() >= room.at_once:
        text = f"Too many uploads: an account may have {room.at_once} at a time"
        raise Refusal(429, text, {"Retry-After": "1"})
    needed, words = counted(size), f"{size} bytes"
    if needed > size:
        words += f", counted as {needed},"
    limits = [
        ("Bucket", bucket["stored"], uploads.c.bucket == bucket["id"], int(bucket["storage"] * GIGABYTE)),
        ("Account", _sum(db, buckets.c.stored, buckets.c.email == bucket["email"]), uploads.c.bucket.in_(own),
         room.account),
    ]
    for whose, stored, under_way, allowed in limits:
        used = stored + _sum(db, uploads.c.size, live, under_way)
        if used + needed > allowed:
            raise Refusal(413, f"{whose} storage exceeded: {words} do not fit beside {used} of {allowed}")
    if _sum(db, uploads.c.size, live) + needed > room.disk:
        raise Refusal(507, "No space left on the bridge")


def _sum(db, column, *conditions):
    return db.execute(select(func.coalesce(func.sum(column), 0)).where(*conditions)).scalar()
