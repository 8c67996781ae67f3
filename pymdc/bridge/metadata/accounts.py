"""Accounts, and the registrations that wait for their link to be followed."""

from sqlalchemy import bindparam, delete, exists, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from ..refusal import Refusal
from .askers import WRONG_PASSWORD, Asker, lock_asker
from .buckets import OWN
from .database import repeating
from .failures import Undone
from .keys import ADD as ADD_KEY
from .keys import HANDED_OUT, KEY_TAKEN, taken
from .locks import ROWS, lock_accounts
from .shards import free, locking_held
from .tables import accounts, buckets, files, registrations, resets, tokens

EMAIL_TAKEN = "Email is already registered"
REGISTRATION_LIFE = 7 * 24 * 60 * 60 * 1000  # milliseconds in which its link can be followed

_MANY = 100
_WHO = accounts.c.email, accounts.c.created
_EMAIL = bindparam("email_")
_ALIVE = registrations.c.created > bindparam("long_ago")

FIND = select(accounts).where(accounts.c.email == _EMAIL)
OLDEST = select(*_WHO).order_by(accounts.c.created).limit(_MANY)
ANY_OF = select(exists().where(tuple_(*_WHO).in_(bindparam("others", expanding=True))))
ADD = insert(accounts).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
CHANGE = update(accounts).where(accounts.c.email == _EMAIL)
ACTIVATE = update(accounts).where(accounts.c.email == _EMAIL).values(activated=True)
_WAITS_FOR_NOTHING = (
    accounts.c.activated.is_(False), ~exists().where(registrations.c.email == accounts.c.email),
)
#: Locked, so that no registration can come, and only then looked for one that has come meanwhile.
WAITING = select(accounts.c.email).where(*_WAITS_FOR_NOTHING).limit(_MANY).with_for_update(skip_locked=True)
FORGET_WAITING = delete(accounts).where(
    accounts.c.email.in_(bindparam("emails", expanding=True)), *_WAITS_FOR_NOTHING
)

#: What was asked for by the password, and not by a key.
LAPSE_WITH_PASSWORD = [delete(table).where(table.c.point.is_(None), table.c.bucket.in_(OWN)) for table in HANDED_OUT]
LAPSE_RESETS = delete(resets).where(resets.c.email == _EMAIL)

DELETE = delete(accounts).where(accounts.c.email == _EMAIL)
DELETE_TOKENS = delete(tokens).where(tokens.c.bucket.in_(OWN))
LOCK_BUCKETS = (
    select(buckets.c.id).where(buckets.c.email == _EMAIL).order_by(buckets.c.id).with_for_update(**ROWS)
)
HELD_SHARDS = locking_held(files.c.bucket.in_(OWN))

REGISTER = insert(registrations)
_REGISTRATION = (
    select(registrations).join_from(accounts, registrations).with_for_update(**ROWS, of=[accounts, registrations])
)
REGISTRATION = _REGISTRATION.where(registrations.c.token == bindparam("token_"), _ALIVE)
NEWEST_REGISTRATION = (
    _REGISTRATION.where(registrations.c.email == _EMAIL).order_by(registrations.c.created.desc()).limit(1)
)
WAITS_ELSEWHERE = select(exists().where(
    registrations.c.point == bindparam("point_"), registrations.c.email != _EMAIL, _ALIVE
))
FORGET_OLD = delete(registrations).where(registrations.c.created <= bindparam("long_ago"))
FORGET_OLD_OF = FORGET_OLD.where(registrations.c.email == _EMAIL)
LAPSE_REGISTRATIONS = delete(registrations).where(registrations.c.email == _EMAIL)


@repeating
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
            return db.execute(OLDEST).all()

    def know_any_of(self, others: list) -> bool:
        """Return whether one of these accounts, as :meth:`oldest` returns them, is here too."""
        with self._database.read() as db:
            return db.execute(ANY_OF, {"others": others}).scalar()

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
            first = db.execute(ADD, {"activated": False, **account}).rowcount > 0
            if not lock_accounts(db, email):
                raise Undone("the account, which waited for nothing, is forgotten meanwhile")
            _check_free(db, email, registration["point"], registration["created"])
            db.execute(FORGET_OLD_OF, {"email_": email, "long_ago": registration["created"] - REGISTRATION_LIFE})
            db.execute(REGISTER, {"email": email, **registration})
            return first

    def forget_waiting(self, now: int):
        """Forget the registrations that nobody has activated in time, and the accounts that wait for nothing else."""
        with self._database.write() as db:
            db.execute(FORGET_OLD, {"long_ago": now - REGISTRATION_LIFE})
            while emails := db.execute(WAITING).scalars().all():
                db.execute(FORGET_WAITING, {"emails": emails})

    def activate(self, token: str, now: int):
        """
        Let the registration with this token decide, and the others of its e-mail lapse.  Its key is registered, unless
        somebody has registered it meanwhile.

        :returns: the account's row, and where the registration asked to go.
        """
        with self._database.write() as db:
            wanted = {"token_": token, "long_ago": now - REGISTRATION_LIFE}
            chosen = db.execute(REGISTRATION, wanted).mappings().first()
            if chosen is None:
                raise Refusal(400, "Invalid activation token")
            return _activate(db, chosen), chosen["redirect"]

    def activate_newest(self, email: str) -> int | None:
        """
        Let the newest registration of an e-mail decide, as :meth:`activate`; return when that was made.  None where
        none waits.
        """
        with self._database.write() as db:
            chosen = db.execute(NEWEST_REGISTRATION, {"email_": email}).mappings().first()
            if chosen is None:
                return None
            _activate(db, chosen)
            return chosen["created"]

    def change_password(self, email: str, old: str, new: str):
        """
        Let an account have another password, and end the tokens and pointers that were asked for by the old one.

        :param old: its hash, as it was compared; *new*: the hash that takes its place.
        :returns: the account's row.
        :raises Refusal: it is not the old one any more.
        """
        with self._database.write() as db:
            _lock(db, email, old)
            return set_password(db, email, new)

    def set_password(self, email: str, new: str):
        """As :meth:`change_password`, whatever the old one is."""
        with self._database.write() as db:
            _lock(db, email)
            set_password(db, email, new)

    def change(self, email: str, **values):
        """Let an account have other values, of those that an operator sets: ``disabled``, ``storage``."""
        with self._database.write() as db:
            _lock(db, email)
            db.execute(CHANGE, {"email_": email, **values})

    def delete(self, email: str, password: str | None = None):
        """
        Delete an account with its keys, its buckets and all that is in them; as :meth:`change_password`.

        :param password: None where it does not matter.
        """
        own = {"email_": email}
        with self._database.write() as db:
            _lock(db, email, password)
            db.execute(LOCK_BUCKETS, own)
            held = db.execute(HELD_SHARDS, own).scalars().all()
            db.execute(DELETE_TOKENS, own)
            db.execute(DELETE, own)
            free(db, held)


def set_password(db, email: str, hashed: str):
    """Let an account, which is locked, have another password, and end what the old one has made; return its row."""
    own = {"email_": email}
    db.execute(CHANGE, {**own, "password": hashed})
    for statement in (*LAPSE_WITH_PASSWORD, LAPSE_RESETS):
        db.execute(statement, own)
    return _account(db, email)


def _activate(db, chosen):
    """Activate the account of a registration, given by its row; return the account's."""
    email, point = chosen["email"], chosen["point"]
    db.execute(ACTIVATE, {"email_": email, "password": chosen["password"]})
    if point is not None:
        db.execute(ADD_KEY, {"email": email, "point": point, "text": chosen["text"], "proved": False})
    db.execute(LAPSE_REGISTRATIONS, {"email_": email})
    return _account(db, email)


def _lock(db, email, password=None):
    """Lock an account; where it is by its password that it asks for that, one that has this hash."""
    if password is not None:
        lock_asker(db, email, Asker(password=password))
    elif not lock_accounts(db, email):
        raise Refusal(401, WRONG_PASSWORD)


def _account(db, email):
    return db.execute(FIND, {"email_": email}).mappings().first()


def _check_free(db, email, point, now):
    account = _account(db, email)
    if account and account["activated"]:
        raise Refusal(400, EMAIL_TAKEN)
    if point is None:
        return
    elsewhere = {"point_": point, "email_": email, "long_ago": now - REGISTRATION_LIFE}
    if taken(db, point) or db.execute(WAITS_ELSEWHERE, elsewhere).scalar():
        raise Refusal(400, KEY_TAKEN)
