"""How often something was done lately: rows that fade."""

from sqlalchemy import BigInteger, bindparam, case, delete, select
from sqlalchemy.dialects.postgresql import insert

from .database import repeating
from .locks import free_rows
from .tables import rates

_THIS = rates.c.subject == bindparam("subject_")

IDLE = select(rates.c.idle).where(_THIS)
_NOW, _INTERVAL = bindparam("now", type_=BigInteger), bindparam("interval", type_=BigInteger)
TAKE = (
    insert(rates).values(subject=bindparam("subject_"), idle=_NOW + _INTERVAL)
    .on_conflict_do_update(
        index_elements=[rates.c.subject],
        set_={"idle": case((rates.c.idle < _NOW, _NOW), else_=rates.c.idle) + _INTERVAL},
        where=rates.c.idle <= bindparam("latest"),
    )
    .returning(rates.c.idle)
)
FORGET = delete(rates).where(_THIS)
FORGET_IDLE = delete(rates).where(free_rows(rates.c.subject, rates.c.idle <= bindparam("now")))


@repeating
class Rates:
    """
    Each subject may do something *burst* times in a row, and then once an *interval* of milliseconds.

    What is kept is the time at which it will have been idle for long enough to have its burst again.
    """

    def __init__(self, database):
        self._database = database

    def wait(self, subject: str, burst: int, interval: int, now: int) -> int:
        """Return the milliseconds to wait until it may be done once more; 0 when it may now."""
        with self._database.read() as db:
            return _wait(_idle(db, subject), burst, interval, now)

    def take(self, subject: str, burst: int, interval: int, now: int) -> int:
        """Do it once, or return the milliseconds to wait."""
        with self._database.write() as db:
            terms = {"subject_": subject, "interval": interval, "now": now, "latest": now + (burst - 1) * interval}
            if db.execute(TAKE, terms).first() is None:
                return max(1, _wait(_idle(db, subject), burst, interval, now))
            db.execute(FORGET_IDLE, {"now": now})
            return 0

    def forget(self, subject: str):
        """Let a subject have its whole burst again."""
        with self._database.read() as db:
            known = _idle(db, subject)
        if known:
            with self._database.write() as db:
                db.execute(FORGET, {"subject_": subject})


def _idle(db, subject):
    return db.execute(IDLE, {"subject_": subject}).scalar() or 0


def _wait(idle, burst, interval, now):
    return max(0, idle - (burst - 1) * interval - now)
