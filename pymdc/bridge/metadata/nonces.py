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

#: The row is written before anything is read: that locks it, also on PostgreSQL.
LOCK = Compiled(update(windows).where(_THIS).values(texts=windows.c.texts).returning(windows))
OPEN = insert(windows).values(highest=0.0, floor=-1.0, texts=0).on_conflict_do_nothing()
NARROW = Compiled(update(windows).where(_THIS).values(
    {column.name: bindparam(column.name + "_") for column in (windows.c.highest, windows.c.floor, windows.c.texts)}
))
HIGHEST = select(windows.c.highest).where(_THIS)

SEE = Compiled(adding(seen, "point", "text", "nonce").on_conflict_do_nothing())
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

        :param text: SHA-256 of what was signed, and of the r of its signature.
        :param sync: whether it must not pass again after a power cut either.
        :returns: None when it passes, else the highest nonce of the key so far, which is 0 at first.
        """
        with self._database.write(sync) as db:
            known = _lock(db, point)
            if nonce <= known["floor"] or nonce > ceiling:
                return known["highest"]
            if not SEE.write(db, point_=point, text_=text, nonce_=nonce):
                return known["highest"]
            highest = max(known["highest"], nonce)
            floor, texts = _narrowed(db, point, max(known["floor"], highest - window), known["texts"] + 1)
            NARROW.write(db, point_=point, highest_=highest, floor_=floor, texts_=texts)

    def raise_floors(self, moment: int):
        """Refuse every nonce up to this moment, for keys that count in milliseconds or in seconds."""
        with self._database.write() as db:
            for unit, least in ((1, _YEAR_2001), (1000, _YEAR_2001 / 1000)):
                db.execute(RAISE, {"least": least, "most": 1000 * least - 1, "moment": moment / unit})

    def highest(self, point: str) -> float:
        with self._database.read() as db:
            return db.execute(HIGHEST, {"point_": point}).scalar() or 0.0


def _lock(db, point):
    """Return the row of a key's window, which is opened where there is none; nobody else has it until the end."""
    row = LOCK.first(db, point_=point)
    if row is None:
        db.execute(OPEN, {"point": point})
        row = LOCK.first(db, point_=point)
    return row


def _narrowed(db, point, floor, texts):
    """
    Forget the texts at or below the floor, which nothing needs, now and then, and so many of the oldest that the rest
    is bounded; return the floor, and how many texts are left.
    """
    if texts % FORGET_EVERY:
        return floor, texts
    if texts > MAX_TEXTS:
        floor = max(floor, db.execute(OLDEST, {"point_": point, "so_many": MAX_TEXTS // 10}).scalar())
    return floor, texts - db.execute(FORGET, {"point_": point, "floor_": floor}).rowcount
