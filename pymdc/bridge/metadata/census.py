"""Who has an account, and what is in it, counted for an operator."""

from sqlalchemy import bindparam, func, select

from . import pages
from .database import repeating
from .tables import accounts, buckets, files, keys


def _count(table, *conditions):
    return select(func.count()).select_from(table).where(*conditions).scalar_subquery()


_OWN = select(buckets.c.id).where(buckets.c.email == accounts.c.email)
_WITH_BUCKETS = select(
    accounts,
    _count(buckets, buckets.c.email == accounts.c.email).label("buckets"),
    select(func.coalesce(func.sum(buckets.c.stored), 0)).where(buckets.c.email == accounts.c.email).scalar_subquery()
    .label("stored"),
)

PAGE = pages.paged(_WITH_BUCKETS, accounts.c.email)
FIND = _WITH_BUCKETS.add_columns(
    _count(keys, keys.c.email == accounts.c.email).label("keys"),
    _count(files, files.c.bucket.in_(_OWN)).label("files"),
).where(accounts.c.email == bindparam("email_"))


@repeating
class Census:
    def __init__(self, database):
        self._database = database

    def page(self, after: str = ""):
        """
        Return the rows of a page of all accounts, by e-mail, with how many ``buckets`` each has and how many bytes are
        ``stored`` in them, and the e-mail that the next page comes after, or None.
        """
        with self._database.read() as db:
            return pages.read(db, PAGE, accounts.c.email, after)

    def find(self, email: str):
        """Return the row of an account, as those of a page, and how many ``keys`` and ``files`` it has; or None."""
        with self._database.read() as db:
            return db.execute(FIND, {"email_": email}).mappings().first()
