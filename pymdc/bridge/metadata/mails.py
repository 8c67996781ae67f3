"""
Mails that wait to be delivered.  Who delivers one claims it for a while, in which nobody else gets it.  When a mail is
due, and until when it is claimed, are times of the steady clock: nobody changes them who sets the other one.
"""

from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from .database import repeating
from .tables import mails

_NOW = bindparam("now")
_THIS = mails.c.name == bindparam("name_")

ADD = insert(mails).on_conflict_do_nothing()
NEXT = (
    select(mails.c.name).where(mails.c.due <= bindparam("latest"), mails.c.claimed <= _NOW)
    .order_by(mails.c.due, mails.c.name).limit(1)
)
ONE_WAITS = select(exists(NEXT))
CLAIM = (
    update(mails).where(mails.c.name == NEXT.with_for_update(skip_locked=True).scalar_subquery())
    .values(claimed=bindparam("until")).returning(mails)
)
PUT_OFF = update(mails).where(_THIS, mails.c.claimed == bindparam("claimed_")).values(due=bindparam("later"), claimed=0)
FORGET = delete(mails).where(_THIS)
FORGET_GIVEN_UP = delete(mails).where(mails.c.due.is_(None), mails.c.created <= bindparam("long_ago"))
HURRY = update(mails).values(due=_NOW)
RELEASE = update(mails).values(claimed=0)


@repeating
class Mails:
    def __init__(self, database):
        self._database = database

    def add(self, mail: dict):
        """Keep a mail until it is delivered; one that is there already, by its name, stays as it is."""
        with self._database.write() as db:
            db.execute(ADD, mail)

    def claim(self, latest: int, now: int, until: int):
        """
        Return the row of a mail that was due at *latest*, and let nobody else have it until *until*; None where there
        is none.
        """
        terms = {"latest": latest, "now": now}
        with self._database.read() as db:
            if not db.execute(ONE_WAITS, terms).scalar():
                return None
        with self._database.write(sync=False) as db:
            return db.execute(CLAIM, {**terms, "until": until}).mappings().first()

    def put_off(self, mail, due: int | None):
        """
        Give a mail back that was claimed.

        :param due: when it is to be tried again; None when it is given up.
        """
        with self._database.write(sync=False) as db:
            db.execute(PUT_OFF, {"name_": mail["name"], "claimed_": mail["claimed"], "later": due})

    def forget(self, name: str):
        """Forget a mail, since it is delivered."""
        with self._database.write() as db:
            db.execute(FORGET, {"name_": name})

    def forget_given_up(self, long_ago: int):
        """Forget what was given up and has been written by *long_ago*, in milliseconds since the epoch."""
        with self._database.write() as db:
            db.execute(FORGET_GIVEN_UP, {"long_ago": long_ago})

    def hurry(self, now: int, alone: bool):
        """
        Let all mails be tried at once, also those that were put off or given up.

        :param alone: whether nobody can be at one of them, whatever was claimed.
        """
        with self._database.write() as db:
            db.execute(HURRY, {"now": now})
            if alone:
                db.execute(RELEASE)
