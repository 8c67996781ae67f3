"""Shards: which objects of the store hold which content, and which are not needed any more."""

from collections.abc import Iterator

from sqlalchemy import and_, bindparam, delete, exists, insert, select, update

from .tables import file_shards, files, holds, shards, unneeded, uploads

_PAGE = 1000  # rows
_GROUP = 500  # values that a statement has room for

REPLACE = update(shards).where(shards.c.id == bindparam("known")).values(object=bindparam("fresh"), damaged=False)


class Shards:
    def __init__(self, database):
        self._database = database

    def all(self) -> Iterator:
        """Yield the row of each shard, a page at a time, so that others can write meanwhile."""
        page = self._page(0)
        while page:
            yield from page
            page = self._page(page[-1]["id"])

    def _page(self, after):
        with self._database.read() as db:
            query = select(shards).where(shards.c.id > after).order_by(shards.c.id).limit(_PAGE)
            return db.execute(query).mappings().all()

    def mark(self, shard, damaged: bool) -> list:
        """
        Let nobody get a shard that is damaged, or anybody again.

        :param shard: its row, as it was when the object was read.
        :returns: bucket, hash and name of each file that it belongs to; none when it has changed meanwhile.
        """
        with self._database.write() as db:
            same = and_(shards.c.id == shard["id"], shards.c.object == shard["object"])
            if not db.execute(update(shards).where(same).values(damaged=damaged)).rowcount:
                return []
            query = select(files.c.bucket, files.c.hash, files.c.filename).select_from(files.join(file_shards))
            return db.execute(query.where(file_shards.c.shard == shard["id"]).distinct()).mappings().all()

    def unheld(self, upload_id: str, name: str) -> bool:
        """Return whether an object belongs to no shard and no upload, and is not to be deleted anyway."""
        known = (shards.c.object == name, uploads.c.id == upload_id, unneeded.c.object == name)
        with self._database.read() as db:
            return not any(db.execute(select(exists().where(each))).scalar() for each in known)

    def unneeded(self, now: int) -> list[str]:
        """Return the objects to delete; none while a backup is copying."""
        with self._database.read() as db:
            if db.execute(select(exists().where(holds.c.expires > now))).scalar():
                return []
            return list(db.execute(select(unneeded.c.object)).scalars())

    def forget_unneeded(self, names):
        """Forget objects that have been deleted."""
        with self._database.write() as db:
            for name in names:
                db.execute(delete(unneeded).where(unneeded.c.object == name))

    def hold_back(self, who: str, expires: int):
        """Let no object be deleted until then, or until it is released."""
        with self._database.write() as db:
            db.execute(delete(holds).where(holds.c.id == who))
            db.execute(insert(holds).values(id=who, expires=expires))

    def is_held_back_by(self, who: str) -> bool:
        with self._database.read() as db:
            return db.execute(select(exists().where(holds.c.id == who))).scalar()

    def name_objects(self) -> bool:
        """Return whether anything at all is known to lie in the store."""
        with self._database.read() as db:
            return any(db.execute(select(exists().where(each.is_not(None)))).scalar()
                       for each in (shards.c.object, uploads.c.id, unneeded.c.object))

    def release(self, who: str):
        with self._database.write() as db:
            db.execute(delete(holds).where(holds.c.id == who))


def hold(db, pieces: list[dict]) -> tuple[list[int], list[str]]:
    """
    Let shards have the content of these pieces.  Their objects are what has just been written, so they replace those of
    content that was known, whatever has become of them.

    :returns: the id of the shard of each piece, and the objects that are not needed any more.
    """
    fresh = {_content(piece): piece for piece in reversed(pieces)}
    known = _with_content(db, pieces)
    if known:
        db.execute(REPLACE, [{"known": row["id"], "fresh": fresh[content]["object"]} for content, row in known.items()])
    new = [piece for content, piece in fresh.items() if content not in known]
    if new:
        db.execute(insert(shards), new)
    held = _with_content(db, pieces)
    kept = {row["object"] for row in held.values()}
    spare = [row["object"] for row in known.values()] + [piece["object"] for piece in pieces]
    return [held[_content(piece)]["id"] for piece in pieces], [name for name in spare if name not in kept]


def _content(piece):
    return piece["sha256"], piece["size"]


def _with_content(db, pieces):
    """Return the rows of the shards that have the content of these pieces, by content."""
    wanted, found = {_content(piece) for piece in pieces}, {}
    digests = list({digest for digest, _ in wanted})
    for start in range(0, len(digests), _GROUP):
        query = select(shards).where(shards.c.sha256.in_(digests[start:start + _GROUP]))
        found.update({_content(row): row for row in db.execute(query).mappings() if _content(row) in wanted})
    return found


def free(db, shard_ids):
    """Forget those of the shards that no file holds any more, and note that their objects are not needed."""
    held = exists().where(file_shards.c.shard == shards.c.id)
    for start in range(0, len(shard_ids), _GROUP):
        these = shards.c.id.in_(shard_ids[start:start + _GROUP])
        names = db.execute(delete(shards).where(these, ~held).returning(shards.c.object)).scalars().all()
        if names:
            db.execute(insert(unneeded), [{"object": name} for name in names])
