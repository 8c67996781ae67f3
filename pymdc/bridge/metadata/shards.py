"""Shards: which objects of the store hold which content, and which are not needed any more."""

from collections.abc import Iterator

from sqlalchemy import bindparam, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from ..refusal import Refusal
from .compiled import Compiled, adding
from .contents import IN_STORE, drop_contents, is_inline, keep_contents
from .database import repeating
from .failures import Undone
from .locks import ROWS
from .tables import contents, file_shards, files, holds, shards, unneeded, uploads

_PAGE = 1000  # rows
_GROUP = 500  # values that a statement has room for

_SHARD, _OBJECT, _HOLD = bindparam("shard_"), bindparam("object_"), holds.c.id == bindparam("who")
_THESE = shards.c.id.in_(bindparam("these", expanding=True))

PAGE = select(shards).where(shards.c.id > bindparam("after")).order_by(shards.c.id).limit(bindparam("page"))
FIND = select(shards, contents.c.content).outerjoin_from(shards, contents).where(shards.c.id == _SHARD)
OF_CONTENT = Compiled(
    select(shards).where(shards.c.sha256 == bindparam("sha256_"), shards.c.size == bindparam("size_"))
)
LOCK = select(shards).where(_THESE).order_by(shards.c.id).with_for_update(**ROWS)
ADD = Compiled(
    adding(shards, "object", "hash", "sha256", "size", "damaged").on_conflict_do_nothing().returning(shards.c.id)
)
REPLACE = update(shards).where(shards.c.id == _SHARD).values(object=_OBJECT, damaged=False)
MARK = update(shards).where(shards.c.id == _SHARD, shards.c.object == _OBJECT)
FILES = (
    select(files.c.bucket, files.c.hash, files.c.filename).distinct()
    .join_from(files, file_shards).where(file_shards.c.shard == _SHARD)
)
FREE = delete(shards).where(_THESE, ~exists().where(file_shards.c.shard == shards.c.id)).returning(shards.c.object)
HELD = select(
    exists().where(shards.c.object == _OBJECT)
    | exists().where(uploads.c.id == bindparam("upload_"))
    | exists().where(unneeded.c.object == _OBJECT)
)
ANYTHING = select(exists(select(shards)) | exists(select(uploads)) | exists(select(unneeded)))
OBJECTS = select(exists(select(shards).where(IN_STORE)) | exists(select(uploads)) | exists(select(unneeded)))
STORED = select(exists(select(shards).where(IN_STORE, shards.c.damaged.is_(False))))
TOTAL = select(func.count(), func.coalesce(func.sum(shards.c.size), 0))

UNNEEDED = select(unneeded.c.object).where(~exists().where(holds.c.expires > bindparam("now")))
UNNEEDED_SINCE = UNNEEDED.where(unneeded.c.since <= bindparam("moment"))
NEW_UNNEEDED = select(exists().where(unneeded.c.since.is_(None)))
STAMP_UNNEEDED = update(unneeded).where(unneeded.c.since.is_(None)).values(since=bindparam("now"))
NOTE_UNNEEDED = insert(unneeded).on_conflict_do_nothing()
FORGET_UNNEEDED = delete(unneeded).where(unneeded.c.object == _OBJECT)

HOLD_BACK = insert(holds)
HELD_BACK_BY = select(exists().where(_HOLD))
RELEASE = delete(holds).where(_HOLD)


@repeating
class Shards:
    def __init__(self, database):
        self._database = database

    def all(self) -> Iterator:
        """Yield the row of each shard, a page at a time, so that others can write meanwhile."""
        page = self._page(0)
        while page:
            yield from page
            page = self._page(page[-1]["id"])

    def total(self) -> tuple[int, int]:
        """Return how many there are, and how many bytes they have."""
        with self._database.read() as db:
            return tuple(db.execute(TOTAL).one())

    def _page(self, after):
        with self._database.read() as db:
            return db.execute(PAGE, {"after": after, "page": _PAGE}).mappings().all()

    def find(self, shard_id: int):
        """Return the row of a shard, with its content if that lies here."""
        with self._database.read() as db:
            row = db.execute(FIND, {"shard_": shard_id}).mappings().first()
        if row is None:
            raise Refusal(410, "The file was deleted meanwhile")
        return row

    def mark(self, shard, damaged: bool) -> list:
        """
        Let nobody get a shard that is damaged, or anybody again.

        :param shard: its row, as it was when the object was read.
        :returns: bucket, hash and name of each file that it belongs to; none when it has changed meanwhile.
        """
        with self._database.write() as db:
            same = {"shard_": shard["id"], "object_": shard["object"]}
            if not db.execute(MARK, {**same, "damaged": damaged}).rowcount:
                return []
            return db.execute(FILES, {"shard_": shard["id"]}).mappings().all()

    def unheld(self, upload_id: str, name: str) -> bool:
        """Return whether an object belongs to no shard and no upload, and is not to be deleted anyway."""
        with self._database.read() as db:
            return not db.execute(HELD, {"object_": name, "upload_": upload_id}).scalar()

    def unneeded(self, now: int, kept: int = 0) -> list[str]:
        """
        Return the objects to delete; none while a backup is copying.

        :param kept: for how many milliseconds they are kept, from when they were first asked for here.
        """
        if kept:
            self._stamp_unneeded(now)
        with self._database.read() as db:
            if kept:
                return db.execute(UNNEEDED_SINCE, {"now": now, "moment": now - kept}).scalars().all()
            return db.execute(UNNEEDED, {"now": now}).scalars().all()

    def _stamp_unneeded(self, now):
        with self._database.read() as db:
            if not db.execute(NEW_UNNEEDED).scalar():
                return
        with self._database.write() as db:
            db.execute(STAMP_UNNEEDED, {"now": now})

    def forget_unneeded(self, names):
        """Forget objects that have been deleted."""
        with self._database.write() as db:
            for name in names:
                db.execute(FORGET_UNNEEDED, {"object_": name})

    def hold_back(self, who: str, expires: int):
        """Let no object be deleted until then, or until it is released."""
        with self._database.write() as db:
            db.execute(RELEASE, {"who": who})
            db.execute(HOLD_BACK, {"id": who, "expires": expires})

    def is_held_back_by(self, who: str) -> bool:
        with self._database.read() as db:
            return db.execute(HELD_BACK_BY, {"who": who}).scalar()

    def name_objects(self) -> bool:
        """Return whether anything at all is known to lie in the store."""
        with self._database.read() as db:
            return db.execute(OBJECTS).scalar()

    def are_in_store(self) -> bool:
        """Return whether there are any that are not known to be damaged and lie in the store."""
        with self._database.read() as db:
            return db.execute(STORED).scalar()

    def are_there(self) -> bool:
        """Return whether there are any, or may be soon, here or in the store."""
        with self._database.read() as db:
            return db.execute(ANYTHING).scalar()

    def release(self, who: str):
        with self._database.write() as db:
            db.execute(RELEASE, {"who": who})


def locking_held(condition):
    """Return the statement that locks the shards of those files that fulfil a condition, and returns their ids."""
    held = select(file_shards.c.shard).join_from(file_shards, files).where(condition)
    return select(shards.c.id).where(shards.c.id.in_(held)).order_by(shards.c.id).with_for_update(**ROWS)


def hold(db, pieces: list[dict], besides=()) -> tuple[list[int], list[str]]:
    """
    Let shards have the content of these pieces, each the row of a shard, with its ``content`` if that is to lie here.
    It is what has just been written, so it replaces what was known of such content, whatever has become of that.

    :param besides: the ids of further shards to lock, since those that are there are locked in one go.
    :returns: the id of the shard of each piece, and the objects that are not needed any more.
    """
    fresh = {_content(piece): piece for piece in reversed(pieces)}
    locked = lock(db, {*_known(db, fresh), *besides})
    known = {content: row for content, row in locked.items() if content in fresh}
    if known:
        db.execute(REPLACE, [
            {"shard_": row["id"], "object_": fresh[content]["object"]} for content, row in known.items()
        ])
        drop_contents(db, known.values())
    held = {content: row["id"] for content, row in known.items()}
    held.update({content: _add(db, piece) for content, piece in sorted(fresh.items()) if content not in known})
    keep_contents(db, {held[content]: piece for content, piece in fresh.items()})
    kept = {piece["object"] for piece in fresh.values()}
    spare = [row for row in (*known.values(), *pieces) if row["object"] not in kept]
    return [held[_content(piece)] for piece in pieces], _objects(spare)


def lock(db, shard_ids):
    """Let nobody else change, hold or free these shards; return their rows as they are now, by content."""
    ids, locked = sorted(shard_ids), {}
    for start in range(0, len(ids), _GROUP):
        found = db.execute(LOCK, {"these": ids[start:start + _GROUP]}).mappings()
        locked.update({_content(row): row for row in found})
    return locked


def _add(db, piece):
    """Enter a new shard, and return its id."""
    values = {name + "_": piece[name] for name in ("object", "hash", "sha256", "size")}
    row = ADD.first(db, **values, damaged_=False)
    if row is None:
        raise Undone("the same content came at the same time")  # it is known, the next time
    return row["id"]


def _objects(rows):
    """Return the names of the objects of those shards that have one."""
    return [row["object"] for row in rows if not is_inline(row)]


def _content(piece):
    return piece["sha256"], piece["size"]


def _known(db, contents):
    """Return the ids of the shards that have one of these contents."""
    rows = (OF_CONTENT.first(db, sha256_=sha256, size_=size) for sha256, size in contents)
    return [row["id"] for row in rows if row]


def free(db, shard_ids):
    """Forget those of the shards that no file holds any more, and note that their objects, if they have any, can go."""
    for start in range(0, len(shard_ids), _GROUP):
        freed = db.execute(FREE, {"these": shard_ids[start:start + _GROUP]}).mappings().all()
        note_unneeded(db, _objects(freed))


def note_unneeded(db, names):
    """Note that objects are not needed any more."""
    if names:
        db.execute(NOTE_UNNEEDED, [{"object": name} for name in names])
