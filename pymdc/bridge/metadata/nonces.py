"""The nonces of each key: which requests have been seen."""

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from .tables import seen, windows

MAX_TEXTS = 100_000  # signed texts kept for one key
_YEAR_2001 = 10**12  # milliseconds since the epoch

_THIS = windows.c.point == bindparam("point_")

#: The row is written before anything is read: that locks it, also on PostgreSQL.
LOCK = update(windows).where(_THIS).values(texts=windows.c.texts).returning(windows)
OPEN = insert(windows)
NARROW = update(windows).where(_THIS)
HIGHEST = select(windows.c.highest).where(_THIS)

_TEXT = [bindparam(column.name + "_", type_=column.type) for column in seen.c]
_AGAIN = exists().where(seen.c.point == bindparam("point_"), seen.c.text == bindparam("text_"))

SEE = insert(seen).from_select(seen.c, select(*_TEXT).where(~_AGAIN))
FORGET = delete(seen).where(seen.c.point == bindparam("point_"), seen.c.nonce <= bindparam("floor_"))
OLDEST = (
    select(seen.c.nonce).where(seen.c.point == bindparam("point_"))
    .order_by(seen.c.nonce).offset(bindparam("so_many")).limit(1)
)

RAISE = (
    update(windows)
    .where(windows.c.highest.between(bindparam("least"), bindparam("most")), windows.c.floor < bindparam("moment"))
    .values(floor=bindparam("moment"), highest=func.max(windows.c.highest, bindparam("moment")))
)


class Nonces:
    def __init__(self, database):
        self._database = database

    def see(self, point: str, nonce: float, text: str, window: float, ceiling: float, sync=True):
        """
        Let a signed text through once.

        :param text: SHA-256 of what was signed, and of the r of its signature.
        :param sync: whether it must not pass again after a power cut either.
        :returns: None when it passes, else the highest nonce of the key so far, which is 0 at first.
        """
        with self._database.write(sync) as db:
            row = db.execute(LOCK, {"point_": point}).mappings().first()
            known = row or {"point": point, "highest": 0.0, "floor": -1.0, "texts": 0}
            if nonce <= known["floor"] or nonce > ceiling:
                return known["highest"]
            if not db.execute(SEE, {"point_": point, "text_": text, "nonce_": nonce}).rowcount:
                return known["highest"]
            if row is None:
                db.execute(OPEN, known)
            highest = max(known["highest"], nonce)
            narrowed = _narrowed(db, point, highest, max(known["floor"], highest - window), known["texts"] + 1)
            db.execute(NARROW, {"point_": point, **narrowed})

    def raise_floors(self, moment: int):
        """Refuse every nonce up to this moment, for keys that count in milliseconds or in seconds."""
        with self._database.write() as db:
            for unit, least in ((1, _YEAR_2001), (1000, _YEAR_2001 / 1000)):
                db.execute(RAISE, {"least": least, "most": 1000 * least - 1, "moment": moment / unit})

    def highest(self, point: str) -> float:
        with self._database.read() as db:
            return db.execute(HIGHEST, {"point_": point}).scalar() or 0.0


def _narrowed(db, point, highest, floor, texts):
    """Forget the texts at or below the floor, and so many of the oldest that the rest is bounded."""
    if texts > MAX_TEXTS:
        floor = max(floor, db.execute(OLDEST, {"point_": point, "so_many": MAX_TEXTS // 10}).scalar())
    gone = db.execute(FORGET, {"point_": point, "floor_": floor}).rowcount
    return {"highest": highest, "floor": floor, "texts": texts - gone}
