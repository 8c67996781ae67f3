"""
The entries of buckets, each a name of some content: how they come, and how they go.  All of it is done under the lock
of the bucket.
"""

import dataclasses

from sqlalchemy import bindparam, case, delete, func, insert, select, update

from .buckets import LEAST_FILE, counted, store
from .compiled import Compiled, adding
from .shards import free, hold, lock, note_unneeded
from .tables import file_shards, files, shard_tokens
from .tokens import lapse_with_files

_BUCKET, _HASH, _FILENAME = bindparam("bucket_"), bindparam("hash_"), bindparam("filename_")
_OF_BUCKET = files.c.bucket == _BUCKET
_OF_CONTENT = files.c.hash == _HASH
_OF_NAME = files.c.filename == _FILENAME

#: The newest, where content has several.
FIND = Compiled(
    select(files).where(_OF_BUCKET, _OF_CONTENT).order_by(files.c.created.desc(), files.c.id.desc()).limit(1)
)

ENTER = Compiled(
    adding(files, "bucket", "hash", "filename", "mimetype", "size", "created")
    .on_conflict_do_nothing(index_elements=["bucket", "filename", "hash"]).returning(files.c.id)
)
ENTER_SHARDS = Compiled(adding(file_shards, "file", "position", "shard"))
ENTER_SAME_SHARDS = Compiled(insert(file_shards).from_select(
    ["file", "position", "shard"],
    select(bindparam("file_", type_=file_shards.c.file.type), file_shards.c.position, file_shards.c.shard)
    .where(file_shards.c.file == bindparam("same_as")),
))
ENTER_AGAIN = Compiled(
    update(files).where(_OF_BUCKET, _OF_CONTENT, _OF_NAME)
    .values(mimetype=bindparam("mimetype_"), created=bindparam("created_"))
)
HAS_NAME = Compiled(select(files.c.id).where(_OF_BUCKET, _OF_NAME).limit(1))
FIND_NAMED = Compiled(select(files).where(_OF_BUCKET, _OF_CONTENT, _OF_NAME))


@dataclasses.dataclass
class Some:
    """The statements for those entries of a bucket that fulfil some conditions."""

    shards: Compiled  # that they hold
    counted: Compiled  # bytes of storage that they count as, by their content
    hand_on: Compiled  # the tokens of their shards, to the same content under another name, if there is one
    delete: Compiled


def _some(*conditions):
    ids = select(files.c.id).where(_OF_BUCKET, *conditions)
    size = case((files.c.size < LEAST_FILE, LEAST_FILE), else_=files.c.size)
    gone, other = files.alias("gone"), files.alias("other")
    same = (other.c.bucket == gone.c.bucket, other.c.hash == gone.c.hash, other.c.filename != gone.c.filename)
    heir = select(func.min(other.c.id)).where(*same, gone.c.id == shard_tokens.c.file).scalar_subquery()
    return Some(
        shards=Compiled(select(file_shards.c.shard).where(file_shards.c.file.in_(ids)).distinct()),
        counted=Compiled(
            select(files.c.hash, func.sum(size).label("bytes")).where(_OF_BUCKET, *conditions).group_by(files.c.hash)
        ),
        hand_on=Compiled(
            update(shard_tokens).where(shard_tokens.c.file.in_(ids), heir.is_not(None)).values(file=heir)
        ),
        delete=Compiled(delete(files).where(_OF_BUCKET, *conditions)),
    )


ALL_OF_CONTENT = _some(_OF_CONTENT)
THIS = _some(_OF_CONTENT, _OF_NAME)
OTHERS_OF_NAME = _some(_OF_NAME, files.c.hash != _HASH)


def find(db, bucket_id: str, file_hash: str):
    """Return the row of the newest entry of some content; None when the bucket has none."""
    return FIND.first(db, bucket_=bucket_id, hash_=file_hash)


def enter(db, file: dict, pieces: list[dict], replace=False) -> bool:
    """
    Enter a file in its bucket; where this content has this name there already, it has come again.

    :param pieces: the rows of its shards, in order.
    :param replace: whether what else has its name goes.
    :returns: whether some objects may not be needed any more.
    """
    values = _values(file)
    replaced = _shards(db, OTHERS_OF_NAME, values) if replace else []
    held, spare = hold(db, pieces, replaced)
    note_unneeded(db, spare)
    file_id = _add(db, file, values)
    if file_id is not None and held:
        ENTER_SHARDS.write_all(db, [
            {"file_": file_id, "position_": position, "shard_": shard} for position, shard in enumerate(held)
        ])
    return replace and _delete(db, OTHERS_OF_NAME, values, replaced) or bool(spare)


def beside(db, file: dict, names) -> dict:
    """
    Return a file as it can be entered while each entry stays as it is: by the first of *names* that is free, or has
    this very content, and then as the entry that is there.
    """
    for filename in names:
        named = {**file, "filename": filename}
        same = find_named(db, named)
        if same:
            return {**named, "mimetype": same["mimetype"], "created": same["created"]}
        if not HAS_NAME.first(db, **_values(named)):
            return named


def find_named(db, file: dict):
    """Return the row of the entry that gives content this name; None when it has another."""
    return FIND_NAMED.first(db, **_values(file))


def add_name(db, file: dict, same_as: int):
    """
    Enter a file with the content of another entry of its bucket, or again; as :func:`enter`.

    That entry holds the shards, so that nobody can free them meanwhile: they need no lock.
    """
    values = _values(file)
    file_id = _add(db, file, values)
    if file_id is not None:
        ENTER_SAME_SHARDS.write(db, file_=file_id, same_as=same_as)


def remove(db, some: Some, bucket_id: str, file_hash: str, filename: str | None = None) -> bool:
    """Take entries out of a bucket; return whether there were any."""
    values = {"bucket_": bucket_id, "hash_": file_hash, "filename_": filename}
    held = _shards(db, some, values)
    lock(db, held)
    return _delete(db, some, values, held)


def _values(file):
    return {name + "_": value for name, value in file.items()}


def _add(db, file, values):
    """Enter a file without its shards; return its id, or None where it has come again."""
    entered = ENTER.first(db, **values)
    if entered is None:
        ENTER_AGAIN.write(db, **values)
        return None
    store(db, file["bucket"], counted(file["size"]))
    return entered["id"]


def _shards(db, some, values):
    return [row["shard"] for row in some.shards.all(db, **values)]


def _delete(db, some, values, held):
    """Delete entries that hold these shards, which are locked; return whether there were any."""
    counts = {row["hash"]: int(row["bytes"]) for row in some.counted.all(db, **values)}
    if not counts:
        return False
    some.hand_on.write(db, **values)
    some.delete.write(db, **values)
    lapse_with_files(db, values["bucket_"], list(counts))
    store(db, values["bucket_"], -sum(counts.values()))
    free(db, held)
    return True
