"""How often something was done lately: rows that fade."""

from sqlalchemy import bindparam, delete, insert, select, update

from .tables import rates

_THIS = rates.c.subject == bindparam("subject_")

IDLE = select(rates.c.idle).where(_THIS)
BEGIN = insert(rates)
GO_ON = update(rates).where(_THIS)
FORGET = delete(rates).where(_THIS)
FORGET_IDLE = delete(rates).where(rates.c.idle <= bindparam("now"))


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
            idle = _idle(db, subject)
            wait = _wait(idle, burst, interval, now)
            if wait == 0:
                later = max(idle, now) + interval
                db.execute(FORGET_IDLE, {"now": now})
                if not db.execute(GO_ON, {"subject_": subject, "idle": later}).rowcount:
                    db.execute(BEGIN, {"subject": subject, "idle": later})
            return wait

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
