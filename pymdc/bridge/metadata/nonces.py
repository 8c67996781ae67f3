"""The nonces of each key: which requests have been seen."""

from sqlalchemy import bindparam, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from .compiled import Compiled, adding
from .database import repeating
from .tables import seen, windows

MAX_TEXTS = 100_000  # signed texts kept for one key
FORGET_EVERY = 16  # of them
_YEAR_2001 = 10**12  # milliseconds since the epoch

_THIS = windows.c.point == bindparam("point_")

_NONCE = bindparam("nonce_", type_=windows.c.highest.type)
_HIGHEST = case((windows.c.highest < _NONCE, _NONCE), else_=windows.c.highest)
_LEAST = _HIGHEST - bindparam("window_", type_=windows.c.highest.type)
_FLOOR = case((windows.c.floor < _LEAST, _LEAST), else_=windows.c.floor)

#: Changes a window that lets the nonce through.  Nothing is read of it before: so it is locked, also on PostgreSQL.
PASS = Compiled(
    update(windows).where(_THIS, windows.c.floor < _NONCE)
    .values(highest=_HIGHEST, floor=_FLOOR, texts=windows.c.texts + 1).returning(windows.c.floor, windows.c.texts)
)
OPEN = insert(windows).values(highest=0.0, floor=-1.0, texts=0).on_conflict_do_nothing()
CHANGE = update(windows).where(_THIS)
HIGHEST = select(windows.c.highest).where(_THIS)

SEE = Compiled(adding(seen, "point", "nonce", "text").on_conflict_do_nothing())
FORGET = delete(seen).where(seen.c.point == bindparam("point_"), seen.c.nonce <= bindparam("floor_"))
OLDEST = (
    select(seen.c.nonce).where(seen.c.point == bindparam("point_"))
    .order_by(seen.c.nonce).offset(bindparam("so_many")).limit(1)
)

_LATER = case((windows.c.highest < bindparam("moment"), bindparam("moment")), else_=windows.c.highest)
RAISE = (
    update(windows)
    .where(windows.c.highest.between(bindparam("least"), bindparam("most")), windows.c.floor < bindparam("moment"))
    .values(floor=bindparam("moment"), highest=_LATER)
)


@repeating
class Nonces:
    def __init__(self, database):
        self._database = database

    def see(self, point: str, nonce: float, text: str, window: float, ceiling: float, sync=True):
        """
        Let a signed text through once.

        :param text: SHA-256 of what was signed, with the nonce, and of the r of its signature: the same text always has
            the same nonce.
        :param sync: whether it must not pass again after a power cut either.
        :returns: None when it passes, else the highest nonce of the key so far, which is 0 at first.
        """
        with self._database.write(sync) as db:
            passed = _pass(db, point, nonce, window) if nonce <= ceiling else None
            if passed is None:
                return _highest(db, point)
            if not SEE.write(db, point_=point, nonce_=nonce, text_=text):
                db.execute(CHANGE, {"point_": point, "texts": passed["texts"] - 1})
                return _highest(db, point)
            if passed["texts"] % FORGET_EVERY == 0:
                _narrow(db, point, **passed)

    def raise_floors(self, moment: int):
        """Refuse every nonce up to this moment, for keys that count in milliseconds or in seconds."""
        with self._database.write() as db:
            for unit, least in ((1, _YEAR_2001), (1000, _YEAR_2001 / 1000)):
                db.execute(RAISE, {"least": least, "most": 1000 * least - 1, "moment": moment / unit})

    def highest(self, point: str) -> float:
        with self._database.read() as db:
            return _highest(db, point)


def _pass(db, point, nonce, window):
    """Return floor and texts of a window that lets a nonce through, and lock it; None if it does not."""
    values = {"point_": point, "nonce_": nonce, "window_": window}
    passed = PASS.first(db, **values)
    if passed is None:  # maybe for want of a window, which another may have opened meanwhile
        db.execute(OPEN, {"point": point})
        passed = PASS.first(db, **values)
    return passed


def _highest(db, point):
    return db.execute(HIGHEST, {"point_": point}).scalar() or 0.0


def _narrow(db, point, floor, texts):
    """Forget the texts at or below the floor, which nothing needs, and the oldest, so that the rest is bounded."""
    if texts > MAX_TEXTS:
        floor = max(floor, db.execute(OLDEST, {"point_": point, "so_many": MAX_TEXTS // 10}).scalar())
    forgotten = db.execute(FORGET, {"point_": point, "floor_": floor}).rowcount
    db.execute(CHANGE, {"point_": point, "floor": floor, "texts": texts - forgotten})
