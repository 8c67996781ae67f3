"""Who asks: that is found out before what is asked for is done, and held good again when it is."""

from dataclasses import dataclass

from sqlalchemy import bindparam, select

from ..refusal import Refusal
from .compiled import Compiled
from .locks import lock_accounts
from .tables import bucket_keys, keys

WRONG_PASSWORD = "Invalid email or password"
UNKNOWN_KEY = "Public key not registered"

_POINT = bindparam("point_")

REGISTERED = Compiled(select(keys.c.id).where(keys.c.point == _POINT, keys.c.email == bindparam("email_")))
LISTED = Compiled(select(bucket_keys.c.position).where(
    bucket_keys.c.bucket == bindparam("bucket_"), bucket_keys.c.point == _POINT,
))


@dataclass(frozen=True, repr=False)  # the hash of a password is a secret
class Asker:
    """
    By what somebody asks.

    :ivar point: the key that has signed, or that asked for the token that leads here, if one did.
    :ivar password: the hash with which the account's password was compared, if it was.
    """

    point: str | None = None
    password: str | None = None


def check_enabled(account):
    """Raise Refusal for what is of an account that is disabled, given by a row that tells so."""
    if account["disabled"] is not None:
        raise Refusal(403, "Account is disabled: whoever runs the bridge can enable it")


def lock_asker(db, email: str, asker: Asker, *others: str):
    """
    Lock an account, for what it asks for, and others.  Refuse it if it was deleted or disabled since it was looked up,
    or what it asks by has lost its power.
    """
    account = lock_accounts(db, email, *others).get(email)
    if account is None:
        raise Refusal(401, WRONG_PASSWORD if asker.point is None else UNKNOWN_KEY)
    check_owner(db, account, asker)
    check_enabled(account)


def check_owner(db, account, asker: Asker):
    """
    Raise Refusal if what an account asks by is its own no more: a key that was deleted, a password that was changed.

    :param account: its row, or that of one of its buckets; where no password can come meanwhile, it is locked.
    """
    if asker.password not in (None, account["password"]):
        raise Refusal(401, WRONG_PASSWORD)
    if asker.point is not None and not _is_registered(db, asker.point, account["email"]):
        raise Refusal(401, UNKNOWN_KEY)


def check_may_ask(db, bucket, asker: Asker):
    """As :func:`check_owner`, where the keys that a bucket lists may ask too; *bucket* is its row."""
    if asker.point is None or not _may_ask(db, bucket, asker.point):
        check_owner(db, bucket, asker)


def _may_ask(db, bucket, point):
    listed = {"bucket_": bucket["id"], "point_": point}
    return _is_registered(db, point, bucket["email"]) or LISTED.first(db, **listed) is not None


def _is_registered(db, point, email):
    return REGISTERED.first(db, point_=point, email_=email) is not None
