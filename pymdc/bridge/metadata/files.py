"""The files in buckets: their bytes, which are charged, and the tokens for their shards; further names, deletion."""

import itertools
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from ..refusal import Refusal
from .askers import Asker, check_may_ask, check_owner
from .buckets import GIGABYTE, charge, lock_bucket, lock_bucket_and_account
from .compiled import Compiled
from .database import repeating
from .entries import ALL_OF_CONTENT, THIS, add_name, find, find_named, remove
from .room import check_quotas
from .tables import contents, file_shards, shard_tokens, shards
from .tokens import check_shard_tokens

NOT_FOUND = "File not found"
NOT_ACCEPTED = "The supplied token is not accepted"

_TOKEN = shard_tokens.c.hash == bindparam("token_")

_SHARDS = (
    select(shards).join_from(shards, file_shards)
    .where(file_shards.c.file == bindparam("file_")).order_by(file_shards.c.position)
)
SHARDS = Compiled(_SHARDS)
SHARDS_TO_READ = Compiled(_SHARDS.add_columns(contents.c.content).outerjoin_from(shards, contents))

ADD_TOKENS = insert(shard_tokens)
WANTED = (
    select(shards, shard_tokens.c.bucket).join_from(shards, shard_tokens)
    .where(_TOKEN, shard_tokens.c.expires > bindparam("now"))
)
WANTED_TO_READ = WANTED.add_columns(contents.c.content).outerjoin_from(shards, contents)
SPEND_LAST = delete(shard_tokens).where(_TOKEN, shard_tokens.c.left <= 1)
SPEND = update(shard_tokens).where(_TOKEN).values(left=shard_tokens.c.left - 1)


@dataclass
class Part:
    """
    A part of a file.

    :ivar size: of the whole file.
    :ivar start: where the part begins; *end*: where it ends.
    :ivar shards: the rows of all shards of the file, in order, with the content of those where it lies here.
    """

    size: int
    start: int
    end: int
    shards: list

    def pieces(self):
        """Yield each shard that holds some of it, and where that begins and ends in the shard."""
        offset = 0
        for shard in self.shards:
            start, end = max(self.start - offset, 0), min(self.end - offset, shard["size"])
            if start < end:
                yield shard, start, end
            offset += shard["size"]

    def within_last(self, size: int) -> int:
        """Return of how many shards nothing is asked for but what is among the last so many bytes."""
        lengths = [end - start for _, start, end in self.pieces()]
        return sum(total <= size for total in itertools.accumulate(reversed(lengths)))


@repeating
class Files:
    def __init__(self, database):
        self._database = database

    def copy(self, file: dict, account: int, now: int, asker: Asker):
        """
        Let content that a bucket holds have one more name there.

        :param file: ``bucket``, ``hash``, ``filename`` and ``created``; and ``mimetype``, if it is another than that of
            this name, where it is there already, or than that of the newest.
        :param account: how many bytes all buckets of one account may hold.
        :param now: of the steady clock.
        :returns: the row of the file.
        """
        with self._database.write() as db:
            bucket = lock_bucket_and_account(db, file["bucket"])
            check_may_ask(db, bucket, asker)
            known = _found(db, file["bucket"], file["hash"])
            there = find_named(db, file)
            named = {"mimetype": (there or known)["mimetype"], "size": known["size"], **file}
            if there is None:
                check_quotas(db, bucket, known["size"], account, now)
            add_name(db, named, same_as=known["id"])
            return named

    def delete(self, email: str, bucket_id: str, file_hash: str, asker: Asker, filename: str | None = None):
        """
        Delete a file.

        :param filename: under which name alone; None for all that it has.
        """
        with self._database.write() as db:
            check_owner(db, lock_bucket_and_account(db, bucket_id, email), asker)
            if not remove(db, ALL_OF_CONTENT if filename is None else THIS, bucket_id, file_hash, filename):
                raise Refusal(404, NOT_FOUND)

    def hand_out(
        self, bucket_id: str, file_hash: str, asker: Asker, make_token, most: int, now: int, token: str | None = None,
    ):
        """
        Give each shard of a file a token, if the bucket's transfer allows for the file.

        :param make_token: returns hash, uses left and expiry of a new token.
        :param most: how many live ones the account may have before, so that each file can be had, however long it is.
        :param token: the id of the token that leads here, if one does.
        :returns: the rows of the shards, in order.
        """
        with self._database.write() as db:
            bucket = lock_bucket_and_account(db, bucket_id)
            file = wanted_file(db, bucket, file_hash, asker)
            check_transfer(bucket, file["size"])
            held = shards_of(db, SHARDS, file["id"])
            check_shard_tokens(db, bucket["email"], most, now)
            owed = {"file": file["id"], "bucket": bucket_id, "point": asker.point, "token": token}
            rows = [{"shard": shard["id"], **owed, **make_token()} for shard in held]
            if rows:
                db.execute(ADD_TOKENS, rows)
            return held

    def take(self, bucket_id: str, file_hash: str, asker: Asker, choose, sync=True) -> Part:
        """
        Charge a bucket's transfer for a part of a file.

        :param choose: is given the size of the file, and returns where the part begins and ends.
        :param sync: whether the charge has to outlive a power cut too.
        """
        with self._database.write(sync) as db:
            return take_part(db, lock_bucket(db, bucket_id), file_hash, asker, choose)

    def wanted_shard(self, token: str, shard_hash: str, now: int):
        """Return the row of the shard that a token, given by its hash, opens, with its content if that lies here."""
        with self._database.read() as db:
            return _wanted_shard(db, WANTED_TO_READ, token, shard_hash, now)

    def spend_shard_token(self, token: str, shard_hash: str, now: int):
        """Use a shard token once more, and charge its bucket's transfer."""
        with self._database.write() as db:
            shard = _wanted_shard(db, WANTED, token, shard_hash, now)
            _charge(db, lock_bucket(db, shard["bucket"]), shard["size"])
            if not any(db.execute(statement, {"token_": token}).rowcount for statement in (SPEND_LAST, SPEND)):
                raise Refusal(401, NOT_ACCEPTED)  # others have used it up meanwhile

    def give_back(self, bucket_id: str, size: int):
        """Take bytes that were charged, but not sent or not whole, off a bucket's transfer."""
        with self._database.write() as db:
            charge(db, bucket_id, -size)


def _found(db, bucket_id, file_hash, refusal=NOT_FOUND):
    file = find(db, bucket_id, file_hash)
    if file is None:
        raise Refusal(404, refusal)
    return file


def take_part(db, bucket, file_hash: str, asker: Asker, choose) -> Part:
    """As :meth:`Files.take`, of a bucket that is locked, given by its row."""
    file = wanted_file(db, bucket, file_hash, asker)
    start, end = choose(file["size"])
    _charge(db, bucket, end - start)
    return Part(file["size"], start, end, shards_of(db, SHARDS_TO_READ, file["id"]))


def wanted_file(db, bucket, file_hash, asker):
    """Return the row of a file in a bucket, given by its row, if somebody may read it."""
    check_may_ask(db, bucket, asker)
    return _found(db, bucket["id"], file_hash, "The requested file was not found")


def shards_of(db, statement, file_id):
    rows = statement.all(db, file_=file_id)
    lost = [str(number) for number, row in enumerate(rows, start=1) if row["damaged"]]
    if lost:
        raise Refusal(410, f"The file is damaged: of its {len(rows)} shards, number {', '.join(lost[:20])} is lost")
    return rows


def _wanted_shard(db, statement, token, shard_hash, now):
    shard = db.execute(statement, {"token_": token, "now": now}).mappings().first()
    if shard is None:
        raise Refusal(401, NOT_ACCEPTED)
    if shard["hash"] != shard_hash:
        raise Refusal(401, "Token not valid for hash")
    return shard


def _charge(db, bucket, size):
    check_transfer(bucket, size)
    charge(db, bucket["id"], size)


def check_transfer(bucket, size):
    used, room = bucket["transferred"], int(bucket["transfer"] * GIGABYTE)
    if used + size > room:
        raise Refusal(403, f"Bucket transfer exceeded: {size} bytes do not fit beside {used} of {room}")
