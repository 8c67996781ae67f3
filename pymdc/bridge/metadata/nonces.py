"""The nonces of each key: which requests have been seen."""

from sqlalchemy import delete, exists, func, insert, select, update

from .tables import seen, windows

MAX_TEXTS = 100_000  # signed texts kept for one key
_YEAR_2001 = 10**12  # milliseconds since the epoch


class Nonces:
    def __init__(self, database):
        self._database = database

    def see(self, point: str, nonce: float, text: str, window: float, ceiling: float):
        """
        Let a signed text through once.

        :param text: SHA-256 of what was signed, and of the r of its signature.
        :returns: None when it passes, else the highest nonce of the key so far, which is 0 at first.
        """
        with self._database.write() as db:
            # The row is written before anything is read: that locks it, also on PostgreSQL.
            db.execute(update(windows).where(windows.c.point == point).values(texts=windows.c.texts))
            row = db.execute(select(windows).where(windows.c.point == point)).mappings().first()
            known = row or {"highest": 0.0, "floor": -1.0, "texts": 0}
            again = select(exists().where(seen.c.point == point, seen.c.text == text))
            if nonce <= known["floor"] or nonce > ceiling or db.execute(again).scalar():
                return known["highest"]
            if row is None:
                db.execute(insert(windows).values(point=point, **known))
            db.execute(insert(seen).values(point=point, text=text, nonce=nonce))
            highest = max(known["highest"], nonce)
            db.execute(update(windows).where(windows.c.point == point).values(
                **_narrowed(db, point, highest, max(known["floor"], highest - window), known["texts"] + 1)
            ))

    def raise_floors(self, moment: int):
        """Refuse every nonce up to this moment, for keys that count in milliseconds or in seconds."""
        with self._database.write() as db:
            for unit, least in ((1, _YEAR_2001), (1000, _YEAR_2001 / 1000)):
                counted_so = windows.c.highest.between(least, 1000 * least - 1)
                floor = moment / unit
                raised = {"floor": floor, "highest": func.max(windows.c.highest, floor)}
                db.execute(update(windows).where(counted_so, windows.c.floor < floor).values(raised))

    def highest(self, point: str) -> float:
        with self._database.read() as db:
            return db.execute(select(windows.c.highest).where(windows.c.point == point)).scalar() or 0.0


def _narrowed(db, point, highest, floor, texts):
    """Forget the texts at or below the floor, and so many of the oldest that the rest is bounded."""
    if texts > MAX_TEXTS:
        oldest = select(seen.c.nonce).where(seen.c.point == point).order_by(seen.c.nonce)
        floor = max(floor, db.execute(oldest.offset(MAX_TEXTS // 10).limit(1)).scalar())
    gone = db.execute(delete(seen).where(seen.c.point == point, seen.c.nonce <= floor)).rowcount
    return {"highest": highest, "floor": floor, "texts": texts - gone}
