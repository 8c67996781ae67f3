"""Small content, which lies in the database and not in the store."""

from sqlalchemy import bindparam, delete, exists, select

from .compiled import Compiled, adding
from .database import repeating
from .tables import contents, shards

_INLINE = "inline-"  # begins the name of what lies here; in the store, each begins with a hash

_SHARD = bindparam("shard_")

FIND = select(contents.c.content).where(contents.c.shard == _SHARD)
KEEP = Compiled(adding(contents, "shard", "content"))
DROP = delete(contents).where(contents.c.shard == _SHARD)
DROP_UNCHANGED = DROP.where(exists().where(shards.c.id == _SHARD, shards.c.object == bindparam("object_")))
IN_STORE = shards.c.object.not_like(_INLINE + "%")


@repeating
class Contents:
    def __init__(self, database):
        self._database = database

    def find(self, shard) -> bytes | None:
        """Return the content of a shard, given by its row; None when it is not here."""
        with self._database.read() as db:
            return db.execute(FIND, {"shard_": shard["id"]}).scalar()

    def drop(self, shard):
        """Forget the content of a shard, given by its row as it was when the content was read."""
        with self._database.write() as db:
            db.execute(DROP_UNCHANGED, {"shard_": shard["id"], "object_": shard["object"]})


def inline_name(content_hash: str, upload_id: str) -> str:
    """Return what stands in the place of an object's name where content lies here: as unique as that."""
    return f"{_INLINE}{content_hash}-{upload_id}"


def is_inline(shard) -> bool:
    """Return whether the content of a shard, given by its row, lies here."""
    return shard["object"].startswith(_INLINE)


def keep_contents(db, held: dict[int, dict]):
    """Keep what is to lie here of these pieces, by the id of their shard."""
    rows = [{"shard_": shard, "content_": piece["content"]} for shard, piece in held.items() if is_inline(piece)]
    if rows:
        KEEP.write_all(db, rows)


def drop_contents(db, rows):
    """Forget the content of those of the shards, given by their rows, whose content lies here."""
    inline = [{"shard_": row["id"]} for row in rows if is_inline(row)]
    if inline:
        db.execute(DROP, inline)
