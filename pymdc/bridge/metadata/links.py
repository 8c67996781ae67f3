"""Links: tokens that a browser follows, and the tickets that come of those to a file."""

import functools

from sqlalchemy import bindparam, insert, select, update

from ..refusal import Refusal
from .askers import Asker
from .buckets import charge, check_account_of, lock_bucket, lock_bucket_and_account
from .database import repeating
from .entries import find
from .files import SHARDS, Part, check_transfer, shards_of, take_part, wanted_file
from .tables import tickets
from .tokens import FIND, SPEND, check_tickets, gone

_THIS = tickets.c.hash == bindparam("hash_")

KEEP = insert(tickets)
FIND_AGAIN = select(tickets).where(
    _THIS, tickets.c.token == bindparam("token_"), tickets.c.created > bindparam("since")
)
FIND_TICKET = select(tickets).where(_THIS, tickets.c.expires > bindparam("now"))
_COUNT = bindparam("count")
USE = update(tickets).where(_THIS, tickets.c.left >= _COUNT).values(left=tickets.c.left - _COUNT)
USE_LESS = update(tickets).where(_THIS).values(left=tickets.c.left + _COUNT)


@repeating
class Links:
    def __init__(self, database):
        self._database = database

    def find(self, token: str, now: int) -> dict:
        """
        Return the row of the token, given by its hash, of a link; for a file, with its ``size`` and the ``filename``
        under which it is offered.
        """
        with self._database.read() as db:
            row = db.execute(FIND, {"hash_": token, "now": now}).mappings().first()
            if row is None or (row["operation"] == "PULL" and row["file"] is None):
                raise gone()
            check_account_of(db, row["bucket"])
            return {**row, **_offered(_file(db, row), row)} if row["file"] else dict(row)

    def open(self, token: str, ticket: dict, uses: int, again: bool, since: int, most: int) -> tuple[str, bool]:
        """
        Spend the token of a link to a file for a ticket; return the name under which the file is offered, and whether
        the token has been there to be spent.

        :param ticket: its ``hash``, the ``token``'s id, when it is ``created`` and when it ``expires``.
        :param uses: how often the whole file may be fetched by it.
        :param again: whether this ticket may have been made already, *since* then: then it is good again.
        :param most: how many live ones the account may have.
        """
        now = ticket["created"]
        with self._database.write() as db:
            row, bucket = _spend(db, token, now)
            if row is None and again:
                return _made_before(db, ticket, since)["filename"], False
            if row is None or row["file"] is None:
                raise gone()
            file = wanted_file(db, bucket, row["file"], Asker(row["point"]))
            check_transfer(bucket, file["size"])
            count = len(shards_of(db, SHARDS, file["id"]))
            check_tickets(db, bucket["email"], most, now)
            filename = _offered(file, row)["filename"]
            shared = {name: row[name] for name in ("bucket", "file", "point")}
            db.execute(KEEP, {**ticket, **shared, "filename": filename, "left": count * uses})
            return filename, True

    def look(self, ticket: str, now: int) -> dict:
        """Return the row of a ticket, given by its hash, with the ``size`` of its file."""
        with self._database.read() as db:
            row = _ticket(db, ticket, now)
            check_account_of(db, row["bucket"])
            return {**row, "size": _file(db, row)["size"]}

    def take(self, ticket: str, choose, now: int) -> tuple[dict, Part]:
        """
        Use a ticket for the shards that hold a part of its file; as :meth:`Files.take`.

        :param choose: is given the hash and the size of the file, and returns where the part begins and ends.
        :returns: the row of the ticket, and the part.
        """
        with self._database.write() as db:
            row = _ticket(db, ticket, now)
            bucket, chosen = lock_bucket(db, row["bucket"]), functools.partial(choose, row["file"])
            part = take_part(db, bucket, row["file"], Asker(row["point"]), chosen)
            count = len(list(part.pieces()))
            if not db.execute(USE, {"hash_": ticket, "count": count}).rowcount:
                _ticket(db, ticket, now)  # which may have been revoked meanwhile
                raise Refusal(403, "The download has been asked for too often: ask for another link")
            return row, part

    def give_back(self, ticket: dict, part: Part, size: int):
        """Give back the last bytes of a part, which nobody has got, and the uses for shards that hold no other."""
        with self._database.write() as db:
            charge(db, ticket["bucket"], -size)
            if count := part.within_last(size):
                db.execute(USE_LESS, {"hash_": ticket["hash"], "count": count})


def _spend(db, token, now):
    """Return the row of a token, None where it is gone, and of its bucket, which is locked before that is spent."""
    which = {"hash_": token, "now": now}
    row = db.execute(FIND, which).mappings().first()
    if row is None:
        return None, None
    bucket = lock_bucket_and_account(db, row["bucket"])
    return db.execute(SPEND, which).mappings().first(), bucket


def _made_before(db, ticket, since):
    which = {"hash_": ticket["hash"], "token_": ticket["token"], "since": since}
    row = db.execute(FIND_AGAIN, which).mappings().first()
    if row is None:
        raise gone()
    return row


def _ticket(db, ticket, now):
    row = db.execute(FIND_TICKET, {"hash_": ticket, "now": now}).mappings().first()
    if row is None:
        raise gone()
    return row


def _file(db, row):
    file = find(db, row["bucket"], row["file"])
    if file is None:
        raise gone()
    return file


def _offered(file, row):
    return {"filename": row["filename"] or file["filename"], "size": file["size"]}
