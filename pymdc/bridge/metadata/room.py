"""The room that a file needs: in its bucket, in its account, and on the disk."""

import dataclasses
from collections.abc import Callable

from sqlalchemy import bindparam, func, select

from ..refusal import Refusal
from .buckets import GIGABYTE, OWN, counted
from .compiled import Compiled
from .tables import buckets, uploads

_BUCKET, _EMAIL = bindparam("bucket_"), bindparam("email_")
_LIVE, _OWN = uploads.c.expires > bindparam("now"), uploads.c.bucket.in_(OWN)


def _sum(column, *conditions):
    return select(func.coalesce(func.sum(column), 0)).where(*conditions).scalar_subquery()


#: How many uploads an account has under way; bytes stored, and bytes that uploads under way have been given.
USED = Compiled(select(
    select(func.count()).select_from(uploads).where(_LIVE, _OWN).scalar_subquery().label("running"),
    _sum(buckets.c.stored, buckets.c.email == _EMAIL).label("account_stored"),
    _sum(uploads.c.size, _LIVE, uploads.c.bucket == _BUCKET).label("bucket_coming"),
    _sum(uploads.c.size, _LIVE, _OWN).label("account_coming"),
    _sum(uploads.c.size, _LIVE).label("coming"),
))
COMING = select(uploads.c.id, uploads.c.size).where(_LIVE)


@dataclasses.dataclass
class Room:
    """
    What an upload has to fit into.

    :ivar account: how many bytes all buckets of one account may hold, unless that has a figure of its own.
    :ivar at_once: how many uploads of one account there may be at a time.
    :ivar disk: returns how many bytes more the disk can take.
    :ivar written: returns how many bytes each upload under way has on the disk already, by its id; less is no harm.
    """

    account: int
    at_once: int
    disk: Callable[[], int]
    written: Callable[[], dict[str, int]]


def check_room(db, bucket, size: int, room: Room, now: int):
    """Raise Refusal unless a file may come now to a bucket, given by its row, and fits everywhere."""
    used = USED.first(db, bucket_=bucket["id"], email_=bucket["email"], now=now)
    if used["running"] >= room.at_once:
        text = f"Too many uploads: an account may have {room.at_once} at a time"
        raise Refusal(429, text, {"Retry-After": "1"})
    _check_quotas(bucket, used, size, room.account)
    needed = counted(size)
    if used["coming"] + needed > room.disk() and _still_coming(db, room, now) + needed > room.disk():
        raise Refusal(507, "No space left on the bridge")


def check_quotas(db, bucket, size: int, account: int, now: int):
    """
    Raise Refusal unless a bucket, given by its row, and its account may have a file more.

    :param account: as of :class:`Room`.
    """
    _check_quotas(bucket, USED.first(db, bucket_=bucket["id"], email_=bucket["email"], now=now), size, account)


def _check_quotas(bucket, used, size, account):
    own = bucket["account_storage"]
    allowed_account = account if own is None else int(own * GIGABYTE)
    needed, words = counted(size), f"{size} bytes"
    if needed > size:
        words += f", counted as {needed},"
    limits = [
        ("Bucket", bucket["stored"] + used["bucket_coming"], int(bucket["storage"] * GIGABYTE)),
        ("Account", used["account_stored"] + used["account_coming"], allowed_account),
    ]
    for whose, taken, allowed in limits:
        if taken + needed > allowed:
            raise Refusal(413, f"{whose} storage exceeded: {words} do not fit beside {taken} of {allowed}")


def _still_coming(db, room, now):
    """
    Return how many bytes uploads under way have still to bring.  The disk is looked at after that: what comes meanwhile
    counts twice then, and not never.
    """
    coming, written = db.execute(COMING, {"now": now}).all(), room.written()
    return sum(max(0, size - written.get(upload_id, 0)) for upload_id, size in coming)
