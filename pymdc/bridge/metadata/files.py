"""The files in buckets, and the tokens for their shards."""

from sqlalchemy import and_, delete, insert, select, update

from ..refusal import Refusal
from . import pages
from .buckets import GIGABYTE, counted, find_bucket
from .keys import check_may_ask, check_registered
from .shards import free
from .tables import buckets, file_shards, files, shard_tokens, shards


class Files:
    def __init__(self, database):
        self._database = database

    def page(self, email: str, bucket_id: str, after: int = 0):
        """Return the rows of a page of a bucket's files, the oldest first, and where the next begins."""
        with self._database.read() as db:
            if not after:  # later on, one that has been deleted meanwhile has no more files
                find_bucket(db, bucket_id, email)
            return pages.read(db, select(files).where(files.c.bucket == bucket_id), files.c.id, after)

    def delete(self, email: str, bucket_id: str, file_hash: str, signer: str | None = None):
        """
        Delete a file.

        :param signer: the key that asks for it, if one does.
        """
        with self._database.write() as db:
            check_registered(db, email, signer)
            find_bucket(db, bucket_id, email)
            file = _file(db, bucket_id, file_hash)
            if file is None:
                raise Refusal(404, "File not found")
            held = db.execute(select(file_shards.c.shard).where(file_shards.c.file == file["id"]).distinct())
            shards = held.scalars().all()
            db.execute(delete(files).where(files.c.id == file["id"]))
            db.execute(update(buckets).where(buckets.c.id == bucket_id)
                       .values(stored=buckets.c.stored - counted(file["size"])))
            free(db, shards)

    def hand_out(self, bucket_id: str, file_hash: str, point: str | None, make_token, now: int):
        """
        Give each shard of a file a token, if the bucket's transfer allows for the file.

        :param point: the key that asked for the token that leads here, if one did.
        :param make_token: returns hash, uses left and expiry of a new token.
        :returns: the rows of the shards, in order.
        """
        with self._database.write() as db:
            bucket = find_bucket(db, bucket_id)
            check_may_ask(db, bucket, point)
            file = _file(db, bucket_id, file_hash)
            if file is None:
                raise Refusal(404, "The requested file was not found")
            _check_transfer(bucket, file["size"])
            held = _shards(db, file["id"])
            db.execute(delete(shard_tokens).where(shard_tokens.c.expires <= now))
            owed = {"file": file["id"], "bucket": bucket_id, "point": point}
            rows = [{"shard": shard["id"], **owed, **make_token()} for shard in held]
            if rows:
                db.execute(insert(shard_tokens), rows)
            return held

    def wanted_shard(self, token: str, shard_hash: str, now: int):
        """Return the row of the shard that a token, given by its hash, opens."""
        with self._database.read() as db:
            return _wanted_shard(db, token, shard_hash, now)

    def spend_shard_token(self, token: str, shard_hash: str, now: int):
        """Use a shard token once more, and charge its bucket's transfer."""
        with self._database.write() as db:
            shard = _wanted_shard(db, token, shard_hash, now)
            _check_transfer(find_bucket(db, shard["bucket"]), shard["size"])
            this = shard_tokens.c.hash == token
            if not db.execute(delete(shard_tokens).where(this, shard_tokens.c.left <= 1)).rowcount:
                db.execute(update(shard_tokens).where(this).values(left=shard_tokens.c.left - 1))
            db.execute(update(buckets).where(buckets.c.id == shard["bucket"])
                       .values(transferred=buckets.c.transferred + shard["size"]))

    def give_back(self, bucket_id: str, size: int):
        """Take bytes that were charged, but not sent or not whole, off a bucket's transfer."""
        with self._database.write() as db:
            db.execute(update(buckets).where(buckets.c.id == bucket_id)
                       .values(transferred=buckets.c.transferred - size))


def _file(db, bucket_id, file_hash):
    query = select(files).where(files.c.bucket == bucket_id, files.c.hash == file_hash)
    return db.execute(query).mappings().first()


def _shards(db, file_id):
    query = select(shards).select_from(shards.join(file_shards)).where(file_shards.c.file == file_id)
    rows = db.execute(query.order_by(file_shards.c.position)).mappings().all()
    lost = [str(number) for number, row in enumerate(rows, start=1) if row["damaged"]]
    if lost:
        raise Refusal(410, f"The file is damaged: of its {len(rows)} shards, number {', '.join(lost[:20])} is lost")
    return rows


def _wanted_shard(db, token, shard_hash, now):
    live = and_(shard_tokens.c.hash == token, shard_tokens.c.expires > now)
    query = select(shards, shard_tokens.c.bucket).select_from(shards.join(shard_tokens)).where(live)
    shard = db.execute(query).mappings().first()
    if shard is None:
        raise Refusal(401, "The supplied token is not accepted")
    if shard["hash"] != shard_hash:
        raise Refusal(401, "Token not valid for hash")
    return shard


def _check_transfer(bucket, size):
    used, room = bucket["transferred"], int(bucket["transfer"] * GIGABYTE)
    if used + size > room:
        raise Refusal(403, f"Bucket transfer exceeded: {size} bytes do not fit beside {used} of {room}")
