"""Uploads under way: the room they have been given, and how they become files."""

import dataclasses
from collections.abc import Callable

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from ..refusal import Refusal
from .buckets import GIGABYTE, OWN, counted, lock_bucket, lock_bucket_and_account, store
from .compiled import Compiled, adding
from .database import repeating
from .keys import check_may_ask
from .shards import hold, note_unneeded
from .tables import buckets, file_shards, files, shards, uploads

_UPLOAD, _NOW = bindparam("upload_"), bindparam("now")
_BUCKET, _EMAIL = bindparam("bucket_"), bindparam("email_")
_THIS, _LIVE = uploads.c.id == _UPLOAD, uploads.c.expires > _NOW

BEGIN = insert(uploads)
CHANGE = update(uploads).where(_THIS)
END = delete(uploads).where(_THIS)
FINISH = delete(uploads).where(_THIS, _LIVE)
BURY = delete(uploads).where(_THIS, ~_LIVE)
EXPIRE_ALL = update(uploads).where(_LIVE).values(expires=_NOW)
DEAD = select(uploads.c.id).where(~_LIVE)
IS_DEAD = select(exists().where(_THIS, ~_LIVE))
HELD = select(exists().where(shards.c.object == bindparam("object_")))


def _sum(column, *conditions):
    return select(func.coalesce(func.sum(column), 0)).where(*conditions).scalar_subquery()


_OWN = uploads.c.bucket.in_(OWN)

#: How many uploads an account has under way; bytes stored, and bytes that uploads under way have been given.
USED = Compiled(select(
    select(func.count()).select_from(uploads).where(_LIVE, _OWN).scalar_subquery().label("running"),
    _sum(buckets.c.stored, buckets.c.email == _EMAIL).label("account_stored"),
    _sum(uploads.c.size, _LIVE, uploads.c.bucket == _BUCKET).label("bucket_coming"),
    _sum(uploads.c.size, _LIVE, _OWN).label("account_coming"),
    _sum(uploads.c.size, _LIVE).label("coming"),
))
COMING = select(uploads.c.id, uploads.c.size).where(_LIVE)

ENTER = Compiled(adding(files, "bucket", "hash", "filename", "mimetype", "size").returning(files.c.id))
ENTER_SHARDS = Compiled(adding(file_shards, "file", "position", "shard"))
ENTER_AGAIN = Compiled(
    update(files).where(files.c.bucket == _BUCKET, files.c.hash == bindparam("hash_"))
    .values(filename=bindparam("filename_"), mimetype=bindparam("mimetype_"))
)


@dataclasses.dataclass
class Room:
    """
    What an upload has to fit into.

    :ivar account: how many bytes all buckets of one account may hold.
    :ivar at_once: how many uploads of one account there may be at a time.
    :ivar disk: returns how many bytes more the disk can take.
    :ivar written: returns how many bytes each upload under way has on the disk already, by its id; less is no harm.
    """

    account: int
    at_once: int
    disk: Callable[[], int]
    written: Callable[[], dict[str, int]]


@repeating
class Uploads:
    """
    Each has a row as long as it lives, which its sender's bytes renew; one that has expired is dead.  Times are those
    of the steady clock: none dies because the other one is set.
    """

    def __init__(self, database):
        self._database = database

    def admit(self, bucket_id: str, size: int, room: Room, now: int, point: str | None = None):
        """
        Check that an upload may come, and fits in its bucket, in its account and on the disk.

        :param point: the key that has asked for it, or for the token that lets it in, if one did.
        """
        with self._database.write() as db:
            _admit(db, bucket_id, size, room, now, point)

    def begin(self, upload: dict, room: Room, now: int, point: str | None = None):
        """Give an upload the room that it needs; as :meth:`admit`."""
        with self._database.write() as db:
            _admit(db, upload["bucket"], upload["size"], room, now, point)
            db.execute(BEGIN, {**upload, "size": counted(upload["size"])})

    def renew(self, upload_id: str, expires: int):
        with self._database.write() as db:
            db.execute(CHANGE, {"upload_": upload_id, "expires": expires})

    def end(self, upload_id: str, left: list[str], now: int):
        """
        Give back the room of an upload.  Where these objects may be left of it in the store, or come yet, they can go,
        and it is as if it had expired now.
        """
        with self._database.write() as db:
            if left:
                db.execute(CHANGE, {"upload_": upload_id, "expires": now})
                note_unneeded(db, left)
            else:
                db.execute(END, {"upload_": upload_id})

    def expire_all(self, now: int):
        """Let all uploads be dead, since their bridge is."""
        with self._database.write() as db:
            db.execute(EXPIRE_ALL, {"now": now})

    def bury(self, upload_id: str, names, now: int, settles: int = 0):
        """
        Forget an upload that has expired.  Of the objects that it has brought, those that no file holds can go.

        :param settles: for how many milliseconds after that more objects may come of it; so long it is kept in mind.
        """
        with self._database.write() as db:
            buried = db.execute(BURY, {"upload_": upload_id, "now": now - settles}).rowcount
            if not buried and not db.execute(IS_DEAD, {"upload_": upload_id, "now": now}).scalar():
                return
            for name in names:
                if not db.execute(HELD, {"object_": name}).scalar():
                    note_unneeded(db, [name])

    def give_up(self, upload_id: str) -> bool:
        """Let an upload be dead; return whether it has been under way.  Else it is entered, or was given up before."""
        with self._database.write() as db:
            return db.execute(CHANGE, {"upload_": upload_id, "expires": 0}).rowcount > 0

    def enter(self, file: dict, pieces: list[dict]) -> bool:
        """Enter a file that has been admitted in the same transaction; as :meth:`finish`."""
        with self._database.write() as db:
            return _enter(db, file, pieces)

    def finish(self, upload_id: str, file: dict, pieces: list[dict], now: int) -> bool:
        """
        Enter a file whose shards are in the store, or come with their content.

        :param pieces: the rows of its shards, in order.
        :returns: whether some objects are not needed any more, since their content came again.
        """
        with self._database.write() as db:
            if not db.execute(FINISH, {"upload_": upload_id, "now": now}).rowcount:
                raise Refusal(408, "The upload was given up meanwhile")
            lock_bucket(db, file["bucket"])
            return _enter(db, file, pieces)

    def dead(self, now: int) -> set[str]:
        """Return the ids of the uploads that have expired."""
        with self._database.read() as db:
            return set(db.execute(DEAD, {"now": now}).scalars())


def _admit(db, bucket_id, size, room, now, point):
    bucket = lock_bucket_and_account(db, bucket_id)
    check_may_ask(db, bucket, point)
    _check_room(db, bucket, size, room, now)


def _enter(db, file, pieces):
    held, spare = hold(db, pieces)
    note_unneeded(db, spare)
    _enter_once(db, file, held)
    return bool(spare)


def _enter_once(db, file, shard_ids):
    """Enter a file in its bucket.  The same content again is one entry, with the newest name and type."""
    values = {name + "_": value for name, value in file.items()}
    if ENTER_AGAIN.write(db, **values):
        return
    file_id = ENTER.first(db, **values)["id"]
    rows = [{"file_": file_id, "position_": position, "shard_": shard} for position, shard in enumerate(shard_ids)]
    if rows:
        ENTER_SHARDS.write_all(db, rows)
    store(db, file["bucket"], counted(file["size"]))


def _check_room(db, bucket, size, room, now):
    used = USED.first(db, bucket_=bucket["id"], email_=bucket["email"], now=now)
    if used["running"] >= room.at_once:
        text = f"Too many uploads: an account may have {room.at_once} at a time"
        raise Refusal(429, text, {"Retry-After": "1"})
    needed, words = counted(size), f"{size} bytes"
    if needed > size:
        words += f", counted as {needed},"
    limits = [
        ("Bucket", bucket["stored"] + used["bucket_coming"], int(bucket["storage"] * GIGABYTE)),
        ("Account", used["account_stored"] + used["account_coming"], room.account),
    ]
    for whose, taken, allowed in limits:
        if taken + needed > allowed:
            raise Refusal(413, f"{whose} storage exceeded: {words} do not fit beside {taken} of {allowed}")
    if used["coming"] + needed > room.disk() and _still_coming(db, room, now) + needed > room.disk():
        raise Refusal(507, "No space left on the bridge")


def _still_coming(db, room, now):
    """
    Return how many bytes uploads under way have still to bring.  The disk is looked at after that: what comes meanwhile
    counts twice then, and not never.
    """
    coming, written = db.execute(COMING, {"now": now}).all(), room.written()
    return sum(max(0, size - written.get(upload_id, 0)) for upload_id, size in coming)
