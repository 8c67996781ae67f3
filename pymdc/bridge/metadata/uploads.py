"""Uploads under way: the room they have been given, and how they become files."""

from sqlalchemy import bindparam, delete, exists, insert, select, update

from ..refusal import Refusal
from .askers import Asker, check_may_ask
from .buckets import counted, lock_bucket, lock_bucket_and_account
from .database import repeating
from .entries import beside, enter
from .room import Room, check_room
from .shards import note_unneeded
from .tables import shards, uploads

_NOW = bindparam("now")
_THIS, _LIVE = uploads.c.id == bindparam("upload_"), uploads.c.expires > _NOW

BEGIN = insert(uploads)
CHANGE = update(uploads).where(_THIS)
END = delete(uploads).where(_THIS)
FINISH = delete(uploads).where(_THIS, _LIVE)
BURY = delete(uploads).where(_THIS, ~_LIVE)
EXPIRE_ALL = update(uploads).where(_LIVE).values(expires=_NOW)
DEAD = select(uploads.c.id).where(~_LIVE)
IS_DEAD = select(exists().where(_THIS, ~_LIVE))
HELD = select(exists().where(shards.c.object == bindparam("object_")))


@repeating
class Uploads:
    """
    Each has a row as long as it lives, which its sender's bytes renew; one that has expired is dead.  Times are those
    of the steady clock: none dies because the other one is set.
    """

    def __init__(self, database):
        self._database = database

    def admit(self, bucket_id: str, size: int, room: Room, now: int, asker: Asker):
        """Check that an upload may come, and fits in its bucket, in its account and on the disk."""
        with self._database.write() as db:
            _admit(db, bucket_id, size, room, now, asker)

    def begin(self, upload: dict, room: Room, now: int, asker: Asker):
        """Give an upload the room that it needs; as :meth:`admit`."""
        with self._database.write() as db:
            _admit(db, upload["bucket"], upload["size"], room, now, asker)
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

    def enter(self, file: dict, pieces: list[dict], replace=False) -> bool:
        """Enter a file that has been admitted in the same transaction; as :meth:`finish`."""
        with self._database.write() as db:
            return enter(db, file, pieces, replace)

    def beside(self, file: dict, names) -> dict:
        """Return a file as it is entered, in the same transaction, so that no entry changes: by a name that is free."""
        with self._database.write() as db:
            lock_bucket(db, file["bucket"])
            return beside(db, file, names)

    def finish(self, upload_id: str, file: dict, pieces: list[dict], now: int, replace=False) -> bool:
        """
        Enter a file whose shards are in the store, or come with their content.

        :param pieces: the rows of its shards, in order.
        :param replace: whether what else has its name in its bucket goes.
        :returns: whether some objects may not be needed any more, since their content came again, or was replaced.
        """
        with self._database.write() as db:
            if not db.execute(FINISH, {"upload_": upload_id, "now": now}).rowcount:
                raise Refusal(408, "The upload was given up meanwhile")
            lock_bucket(db, file["bucket"])
            return enter(db, file, pieces, replace)

    def dead(self, now: int) -> set[str]:
        """Return the ids of the uploads that have expired."""
        with self._database.read() as db:
            return set(db.execute(DEAD, {"now": now}).scalars())


def _admit(db, bucket_id, size, room, now, asker):
    bucket = lock_bucket_and_account(db, bucket_id)
    check_may_ask(db, bucket, asker)
    check_room(db, bucket, size, room, now)
