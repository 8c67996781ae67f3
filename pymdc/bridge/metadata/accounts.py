"""Accounts, and the registrations that wait for their link to be followed."""

from sqlalchemy import and_, delete, exists, insert, select, tuple_, update

from ..refusal import Refusal
from .keys import KEY_TAKEN, taken
from .tables import accounts, keys, registrations

EMAIL_TAKEN = "Email is already registered"
REGISTRATION_LIFE = 7 * 24 * 60 * 60 * 1000  # milliseconds in which its link can be followed

_MANY = 100
_WHO = accounts.c.email, accounts.c.created


class Accounts:
    def __init__(self, database):
        self._database = database

    def find(self, email: str):
        """Return the account's row, or None."""
        with self._database.read() as db:
            return _account(db, email)

    def oldest(self) -> list:
        """Return e-mail and creation of those accounts that have been here for longest."""
        with self._database.read() as db:
            return db.execute(select(*_WHO).order_by(accounts.c.created).limit(_MANY)).all()

    def know_any_of(self, others: list) -> bool:
        """Return whether one of these accounts, as :meth:`oldest` returns them, is here too."""
        with self._database.read() as db:
            return db.execute(select(exists().where(tuple_(*_WHO).in_(others)))).scalar()

    def check_free(self, email: str, point: str | None, now: int) -> bool:
        """
        Raise Refusal if an active account has this e-mail, or another account has the key or waits with it.

        :returns: whether an account with this e-mail waits for its activation.
        """
        with self._database.read() as db:
            _check_free(db, email, point, now)
            return _account(db, email) is not None

    def register(self, account: dict, registration: dict):
        """
        Keep a registration, with the key that it asks for, until its link is followed.

        :returns: whether it is the first of its e-mail.
        :raises Refusal: the e-mail belongs to somebody already, or the key does.
        """
        email = account["email"]
        with self._database.write() as db:
            _check_free(db, email, registration["point"], registration["created"])
            known = _account(db, email)
            if not known:
                db.execute(insert(accounts).values(activated=False, **account))
            old = registration["created"] - REGISTRATION_LIFE
            db.execute(delete(registrations).where(registrations.c.email == email, registrations.c.created < old))
            db.execute(insert(registrations).values(email=email, **registration))
            return not known

    def forget_waiting(self, now: int):
        """Forget the registrations that nobody has activated in time, and the accounts that wait for nothing else."""
        with self._database.write() as db:
            db.execute(delete(registrations).where(registrations.c.created <= now - REGISTRATION_LIFE))
            waiting = exists().where(registrations.c.email == accounts.c.email)
            db.execute(delete(accounts).where(accounts.c.activated.is_(False), ~waiting))

    def activate(self, token: str, now: int):
        """
        Let the registration with this token decide, and the others of its e-mail lapse.  Its key is registered, unless
        somebody has registered it meanwhile.

        :returns: the account's row, and where the registration asked to go.
        """
        with self._database.write() as db:
            alive = and_(registrations.c.token == token, registrations.c.created > now - REGISTRATION_LIFE)
            chosen = db.execute(select(registrations).where(alive)).mappings().first()
            if chosen is None:
                raise Refusal(400, "Invalid activation token")
            email, point = chosen["email"], chosen["point"]
            db.execute(update(accounts).where(accounts.c.email == email)
                       .values(activated=True, password=chosen["password"]))
            if point is not None and not taken(db, point):
                db.execute(insert(keys).values(email=email, point=point, text=chosen["text"], proved=False))
            db.execute(delete(registrations).where(registrations.c.email == email))
            return _account(db, email), chosen["redirect"]


def _account(db, email):
    return db.execute(select(accounts).where(accounts.c.email == email)).mappings().first()


def _check_free(db, email, point, now):
    account = _account(db, email)
    if account and account["activated"]:
        raise Refusal(400, EMAIL_TAKEN)
    recent = registrations.c.created > now - REGISTRATION_LIFE
    elsewhere = exists().where(registrations.c.point == point, registrations.c.email != email, recent)
    if point is not None and (taken(db, point) or db.execute(select(elsewhere)).scalar()):
        raise Refusal(400, KEY_TAKEN)
