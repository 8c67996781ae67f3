"""The names in a bucket, in the order of their bytes: all, those with a prefix, or one level of folders."""

from dataclasses import dataclass

from sqlalchemy import Integer, bindparam, case, func, literal, select, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from . import pages
from .buckets import find_bucket
from .compiled import Compiled
from .database import repeating
from .tables import files

_LAST = "\U0010ffff"
_BEYOND = _LAST * 1000  # comes after all names, of which none is so long
_AFTER_SLASH = "0"  # the next character


@dataclass(frozen=True)
class Within:
    """
    Which names are meant.

    :ivar prefix: what they begin with.
    :ivar folders: whether of those that go on with a folder only that is told.
    """

    prefix: str = ""
    folders: bool = False


class _Position(FunctionElement):
    """Where in a text another one begins, from 1; 0 when it does not."""

    type = Integer()
    inherit_cache = True


@compiles(_Position, "sqlite")
def _(element, compiler, **options):
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(_Position, "postgresql")
def _(element, compiler, **options):
    return f"strpos({compiler.process(element.clauses, **options)})"


def _after(name, file_hash, what):
    """Return the query for what is within and comes after a place, given by name and hash, in order."""
    place = tuple_(files.c.filename, files.c.hash)
    within = (files.c.bucket == bindparam("bucket_"), files.c.filename < bindparam("end"))
    return select(what).where(*within, place > tuple_(name, file_hash)).order_by(files.c.filename, files.c.hash)


_PLACE = bindparam("name"), bindparam("hash")
_MOST, _LENGTH = bindparam("most"), bindparam("length", type_=Integer)

PAGE = Compiled(_after(*_PLACE, files).limit(_MOST))

_at = files.alias("at")
_slash = _Position(func.substr(_at.c.filename, _LENGTH + 1), "/")
_folder = case((_slash > 0, func.substr(_at.c.filename, 1, _LENGTH + _slash)))
_behind = (
    case((_slash > 0, func.substr(_at.c.filename, 1, _LENGTH + _slash - 1).concat(_AFTER_SLASH)), else_=_at.c.filename),
    case((_slash > 0, ""), else_=_at.c.hash),
)


def _first(name, file_hash):
    """Return what is the id of the first entry after a place; null when there is none."""
    return _after(name, file_hash, files.c.id).limit(1).correlate(_at).scalar_subquery()


def _steps():
    """Return the query for the ids of a level's entries, of each folder the first: every step is a seek in an index."""
    steps = select(_first(*_PLACE).label("id"), literal(1).label("number")).cte("steps", recursive=True)
    further = select(_first(*_behind), steps.c.number + 1).join_from(steps, _at, _at.c.id == steps.c.id)
    return steps.union_all(further.where(steps.c.number < _MOST))


_STEPS = _steps()

#: The ``folder`` is that below which a row lies, or null.
LEVEL = Compiled(
    select(_at, _folder.label("folder")).join_from(_STEPS, _at, _at.c.id == _STEPS.c.id).order_by(_STEPS.c.number)
)


@repeating
class Names:
    def __init__(self, database):
        self._database = database

    def page(self, bucket_id: str, within: Within, after: tuple | None, most: int | None, owner: str | None = None):
        """
        Return the rows of a page, each a file or a ``folder``, and the place that the next comes after, or None.

        :param after: the place of what came last, or None.
        :param most: how many there may be; None for as many as in any other page.
        :param owner: whose the bucket has to be; None for a further page, since it may have been deleted meanwhile.
        """
        most = most or pages.PAGE
        name, file_hash = max(after or ("", ""), (within.prefix, ""))
        values = {"bucket_": bucket_id, "name": name, "hash": file_hash, "end": _end(within.prefix), "most": most + 1}
        with self._database.read() as db:
            if owner is not None:
                find_bucket(db, bucket_id, owner)
            rows = LEVEL.all(db, **values, length=len(within.prefix)) if within.folders else PAGE.all(db, **values)
        return rows[:most], _place(rows[most - 1]) if len(rows) > most else None


def _place(row):
    """Return the place that is behind a row, and behind all of a folder."""
    if row.get("folder"):
        return row["folder"][:-1] + _AFTER_SLASH, ""
    return row["filename"], row["hash"]


def _end(prefix):
    """Return the text that comes right behind all that begin so: its last character is the next, of UTF-8 as well."""
    start = prefix.rstrip(_LAST)
    if not start:
        return _BEYOND
    following = ord(start[-1]) + 1
    return start[:-1] + chr(0xe000 if following == 0xd800 else following)  # which are halves of characters
