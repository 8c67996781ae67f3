"""Accounts, and the registrations that wait for their link to be followed."""

from sqlalchemy import delete, insert, select, update

from ..refusal import Refusal
from .keys import taken
from .tables import accounts, keys, registrations

EMAIL_TAKEN = "Email is already registered"
REGISTRATION_LIFE = 7 * 24 * 60 * 60 * 1000  # milliseconds that one lasts when others of its e-mail follow


class Accounts:
    def __init__(self, database):
        self._database = database

    def find(self, email: str):
        """Return the account's row, or None."""
        with self._database.read() as db:
            return _account(db, email)

    def check_free(self, email: str):
        """Raise Refusal if an active account has this e-mail."""
        with self._database.read() as db:
            _check_free(_account(db, email))

    def register(self, account: dict, registration: dict, key: dict | None):
        """
        Keep a registration until its link is followed.

        :returns: whether it is the first of its e-mail.
        :raises Refusal: the e-mail belongs to somebody already, or the key does.
        """
        email, token = account["email"], registration["token"]
        with self._database.write() as db:
            known = _account(db, email)
            _check_free(known)
            if not known:
                db.execute(insert(accounts).values(activated=False, **account))
            old = registration["created"] - REGISTRATION_LIFE
            db.execute(delete(registrations).where(registrations.c.email == email, registrations.c.created < old))
            db.execute(insert(registrations).values(email=email, **registration))
            if key is not None:
                # One that waits with an earlier registration of this e-mail waits with this one from now on.
                db.execute(delete(keys).where(
                    keys.c.point == key["point"], keys.c.email == email, keys.c.registration.is_not(None)
                ))
                if taken(db, key["point"]):
                    raise Refusal(400, "Public key is already registered")
                db.execute(insert(keys).values(email=email, proved=False, registration=token, **key))
            return not known

    def activate(self, token: str):
        """
        Let the registration with this token decide, and the others of its e-mail lapse.

        :returns: the account's row, and where the registration asked to go.
        """
        with self._database.write() as db:
            chosen = db.execute(select(registrations).where(registrations.c.token == token)).mappings().first()
            if chosen is None:
                raise Refusal(400, "Invalid activation token")
            email = chosen["email"]
            db.execute(update(accounts).where(accounts.c.email == email)
                       .values(activated=True, password=chosen["password"]))
            db.execute(update(keys).where(keys.c.registration == token).values(registration=None))
            db.execute(delete(registrations).where(registrations.c.email == email))
            return _account(db, email), chosen["redirect"]


def _account(db, email):
    return db.execute(select(accounts).where(accounts.c.email == email)).mappings().first()


def _check_free(account):
    if account and account["activated"]:
        raise Refusal(400, EMAIL_TAKEN)
