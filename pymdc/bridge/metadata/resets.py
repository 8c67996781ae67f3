"""Links that let an account whose password is forgotten have another one."""

from sqlalchemy import bindparam, delete, insert, select

from ..refusal import Refusal
from .accounts import set_password
from .askers import check_enabled
from .database import repeating
from .locks import ROWS, free_rows, lock_accounts
from .tables import accounts, resets

LIFE = 60 * 60 * 1000  # milliseconds in which a link can be used

_ALIVE = resets.c.token == bindparam("token_"), resets.c.created > bindparam("long_ago")

ADD = insert(resets)
FIND = select(resets, accounts.c.disabled).join_from(accounts, resets).where(*_ALIVE)
USE = FIND.with_for_update(**ROWS, of=[accounts, resets])
FORGET_OLD = delete(resets).where(free_rows(resets.c.token, resets.c.created <= bindparam("long_ago")))


@repeating
class Resets:
    """A link is good for an hour.  An account may have several, until one is used or its password changed otherwise."""

    def __init__(self, database):
        self._database = database

    def add(self, email: str, token: str, now: int):
        """Let an account have another password by the token with this hash; refuse one that has gone meanwhile."""
        with self._database.write() as db:
            if not lock_accounts(db, email):
                raise Refusal(404, "User not found")
            db.execute(ADD, {"email": email, "token": token, "created": now})

    def find(self, token: str, now: int):
        """Return the row of a link that can be used; refuse it while its account is disabled."""
        with self._database.read() as db:
            return _found(db, FIND, token, now)

    def use(self, token: str, password: str, now: int):
        """Let the account of this link have a password with this hash; return the account's row.  No link is left."""
        with self._database.write() as db:
            return set_password(db, _found(db, USE, token, now)["email"], password)

    def forget_old(self, now: int):
        """Forget the links that can be used no more."""
        with self._database.write() as db:
            db.execute(FORGET_OLD, {"long_ago": now - LIFE})


def _found(db, statement, token, now):
    row = db.execute(statement, {"token_": token, "long_ago": now - LIFE}).mappings().first()
    if row is None:
        raise Refusal(400, "Invalid reset token")
    check_enabled(row)
    return row
