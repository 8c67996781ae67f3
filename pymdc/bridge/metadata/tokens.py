"""The tokens of buckets."""

from sqlalchemy import and_, bindparam, delete, exists, func, insert, or_, select, update

from ..refusal import Refusal
from . import pages
from .askers import Asker, check_may_ask, check_owner
from .buckets import OWN, check_account_of, find_bucket, lock_bucket_and_account
from .database import repeating
from .locks import ROWS, free_rows
from .tables import accounts, buckets, files, shard_tokens, tickets, tokens, uploads

_PATIENCE = 60  # seconds that who has too many is told to wait, since some of them expire all the time

_THIS, _UNEXPIRED = tokens.c.hash == bindparam("hash_"), tokens.c.expires > bindparam("now")
_OF_BUCKET, _EXPIRED = tokens.c.bucket == bindparam("bucket_"), tokens.c.expires <= bindparam("now")
#: Of a token: an upload by its link is under way, and was renewed not long ago.
_IS_HELD = exists().where(uploads.c.id == tokens.c.upload, uploads.c.expires > bindparam("renewed"))
_IS_DISABLED = exists().where(
    buckets.c.id == tokens.c.bucket, accounts.c.email == buckets.c.email, accounts.c.disabled.is_not(None)
)

KEEP = insert(tokens)
HAS_FILE = select(exists().where(files.c.bucket == bindparam("bucket_"), files.c.hash == bindparam("file_")))
SPEND = delete(tokens).where(_THIS, _UNEXPIRED, tokens.c.upload.is_(None), ~_IS_DISABLED).returning(tokens)
SPEND_LEFT = delete(tokens).where(_THIS).returning(tokens)
FIND = select(tokens).where(_THIS, _UNEXPIRED)
LOCK = FIND.with_for_update(**ROWS)
IS_HELD = select(_IS_HELD).where(_THIS)
HOLD = update(tokens).where(_THIS)
SPEND_HELD = delete(tokens).where(_THIS, tokens.c.upload == bindparam("upload_"))
PAGE = pages.paged(select(tokens).where(_OF_BUCKET, _UNEXPIRED), tokens.c.hash)

REVOKE = delete(tokens).where(_OF_BUCKET, tokens.c.hash.between(bindparam("id_"), bindparam("end_")))
#: What has been made with a token.
END, END_OF_SHARDS = (
    delete(table).where(table.c.bucket == bindparam("bucket_"), table.c.token == bindparam("id_"))
    for table in (tickets, shard_tokens)
)
LAPSE_WITH_FILES = [
    delete(table).where(
        table.c.bucket == bindparam("bucket_"), table.c.file.in_(bindparam("hashes", expanding=True)),
        ~exists().where(files.c.bucket == table.c.bucket, files.c.hash == table.c.file),
    )
    for table in (tokens, tickets)
]
FORGET_EXPIRED = delete(tokens).where(
    free_rows(tokens.c.hash, and_(_EXPIRED, or_(tokens.c.upload.is_(None), ~_IS_HELD)))
)
FORGET_EXPIRED_OF_SHARDS, FORGET_EXPIRED_TICKETS = (
    delete(table).where(free_rows(table.c.hash, table.c.expires <= bindparam("now")))
    for table in (shard_tokens, tickets)
)
COUNT, COUNT_OF_SHARDS, COUNT_TICKETS = (
    select(func.count()).where(table.c.bucket.in_(OWN)) for table in (tokens, shard_tokens, tickets)
)


@repeating
class Tokens:
    def __init__(self, database):
        self._database = database

    def add(self, token: dict, asker: Asker, most: int, now: int):
        """
        Keep a token, unless what it is asked for by has lost its power since it was looked up.

        :param most: how many live tokens the account may have, in all its buckets.
        """
        with self._database.write() as db:
            bucket = lock_bucket_and_account(db, token["bucket"])
            check_may_ask(db, bucket, asker)
            _check_there(db, bucket["id"], token.get("file"))
            db.execute(FORGET_EXPIRED, {"now": now, "renewed": self._database.clock.steady()})
            _check_count(db, COUNT, bucket["email"], most, "tokens")
            db.execute(KEEP, {**token, "point": asker.point, "created": now})

    def spend(self, token: str, now: int, renewed: int):
        """
        Return the row of the token with this hash, once.

        :param renewed: when an upload expires that was renewed just in time: if one by the token's link does so before,
            it holds the token no more.
        """
        with self._database.write() as db:
            row = db.execute(SPEND, {"hash_": token, "now": now}).mappings().first()
            if row is None and _is_free(db, token, now, renewed):
                return db.execute(SPEND_LEFT, {"hash_": token}).mappings().first()
            return row

    def hold(self, token: str, upload_id: str, now: int, renewed: int):
        """
        Let an upload by its link, which is about to begin, hold a token until it ends or stalls.

        :param renewed: as of :meth:`spend`.
        :returns: the row of the token.
        """
        with self._database.write() as db:
            row = db.execute(FIND, {"hash_": token, "now": now}).mappings().first()
            if row is None:
                raise gone()
            lock_bucket_and_account(db, row["bucket"])
            row = _lock(db, token, now)
            if row is None:
                raise gone()
            if _is_held(db, row, renewed):
                raise Refusal(409, "The link is in use: a file is coming by it")
            db.execute(HOLD, {"hash_": token, "upload": upload_id})
            return row

    def spend_held(self, token: str, upload_id: str):
        """Use up a token that an upload holds, whose file has been entered in the same transaction."""
        with self._database.write() as db:
            if not db.execute(SPEND_HELD, {"hash_": token, "upload_": upload_id}).rowcount:
                raise gone()

    def page(self, email: str, bucket_id: str, after: str, now: int):
        """Return the rows of a page of a bucket's unused tokens, and the hash that the next begins after."""
        with self._database.read() as db:
            if not after:  # later on, one that has been deleted meanwhile has no more tokens
                find_bucket(db, bucket_id, email)
            return pages.read(db, PAGE, tokens.c.hash, after, bucket_=bucket_id, now=now)

    def revoke(self, email: str, bucket_id: str, token_id: str, asker: Asker):
        """
        End a token, used or not, and what has been made with it.

        :param token_id: the first digits of its hash.
        """
        with self._database.write() as db:
            check_owner(db, find_bucket(db, bucket_id, email), asker)
            which = {"bucket_": bucket_id, "id_": token_id, "end_": token_id + "g"}
            # The token first: who is using it has its row, and is waited for, and what he makes is seen then.
            if not sum([db.execute(statement, which).rowcount for statement in (REVOKE, END, END_OF_SHARDS)]):
                raise Refusal(404, "Token not found")


def _is_free(db, token, now, renewed):
    """Return whether a token is there and no upload holds it; it is locked then.  Refuse one of a disabled account."""
    row = _lock(db, token, now)
    if row is None:
        return False
    check_account_of(db, row["bucket"])
    return not _is_held(db, row, renewed)


def _lock(db, token, now):
    return db.execute(LOCK, {"hash_": token, "now": now}).mappings().first()


def _is_held(db, row, renewed):
    """
    Return whether an upload holds a token, given by its row, which is locked.

    That is a statement by itself: to the one that has waited for the lock, PostgreSQL shows an upload that has begun
    meanwhile in the token's row, and not in its own.
    """
    return row["upload"] and db.execute(IS_HELD, {"hash_": row["hash"], "renewed": renewed}).scalar()


def gone() -> Refusal:
    """Return what is said of a link that leads nowhere: it is not known which of them has become of it."""
    return Refusal(404, "Link not found: it works once, and may have been used or revoked, or have expired")


def lapse_with_files(db, bucket_id: str, hashes: list[str]):
    """End the tokens and tickets for such of these contents as are not in the bucket any more, under any name."""
    for statement in LAPSE_WITH_FILES:
        db.execute(statement, {"bucket_": bucket_id, "hashes": hashes})


def _check_there(db, bucket_id, file_hash):
    if file_hash and not db.execute(HAS_FILE, {"bucket_": bucket_id, "file_": file_hash}).scalar():
        raise Refusal(404, "File not found")


def check_shard_tokens(db, email: str, most: int, now: int):
    """Raise Refusal if so many pointers of an account, or more, are live."""
    db.execute(FORGET_EXPIRED_OF_SHARDS, {"now": now})
    _check_count(db, COUNT_OF_SHARDS, email, most, "pointers")


def check_tickets(db, email: str, most: int, now: int):
    """Raise Refusal if so many tickets of an account, or more, are live."""
    db.execute(FORGET_EXPIRED_TICKETS, {"now": now})
    _check_count(db, COUNT_TICKETS, email, most, "tickets")


def _check_count(db, count, email, most, what):
    if db.execute(count, {"email_": email}).scalar() >= most:
        text = f"Too many {what}: an account may have {most} that have not expired"
        raise Refusal(429, text, {"Retry-After": str(_PATIENCE)})
