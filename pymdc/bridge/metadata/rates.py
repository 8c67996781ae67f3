"""How often something was done lately: rows that fade."""

from sqlalchemy import delete, insert, select, update

from .tables import rates


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
            return _wait(db, subject, burst, interval, now)

    def take(self, subject: str, burst: int, interval: int, now: int) -> int:
        """Do it once, or return the milliseconds to wait."""
        with self._database.write() as db:
            wait = _wait(db, subject, burst, interval, now)
            if wait == 0:
                db.execute(delete(rates).where(rates.c.idle <= now))
                later = {"idle": max(_idle(db, subject), now) + interval}
                if not db.execute(update(rates).where(rates.c.subject == subject).values(**later)).rowcount:
                    db.execute(insert(rates).values(subject=subject, **later))
            return wait

    def forget(self, subject: str):
        """Let a subject have its whole burst again."""
        with self._database.read() as db:
            known = _idle(db, subject)
        if known:
            with self._database.write() as db:
                db.execute(delete(rates).where(rates.c.subject == subject))


def _idle(db, subject):
    return db.execute(select(rates.c.idle).where(rates.c.subject == subject)).scalar() or 0


def _wait(db, subject, burst, interval, now):
    return max(0, _idle(db, subject) - (burst - 1) * interval - now)
