"""What a listing of names asks for, and what it may ask for next."""

import base64
import re
from dataclasses import dataclass

from ..metadata import Within
from ..refusal import Refusal
from . import fields

MOST = 1000  # items that can be asked for at a time

_PARAMETERS = ("prefix", "limit", "after", "delimiter")
_PLACE = re.compile("([0-9a-f]{40})?/(.+)", re.DOTALL)


@dataclass
class Wanted:
    """
    What a listing is to tell.

    :ivar limit: how many items at most; None for all of them.
    :ivar after: the place that they come after, or None.
    """

    within: Within
    limit: int | None
    after: tuple[str, str] | None


def wanted(raw: bytes) -> Wanted:
    """Return what a query asks for: all, where it does not say."""
    query = fields.own_query(raw, _PARAMETERS)
    return Wanted(
        Within(query.get("prefix", ""), _folders(query.get("delimiter"))),
        None if "limit" not in query else _limit(query["limit"]),
        None if "after" not in query else _place(query["after"]),
    )


def next_place(place: tuple[str, str]) -> str:
    """Return what leads on from a place, as ``after``."""
    name, file_hash = place
    return base64.urlsafe_b64encode(f"{file_hash}/{name}".encode()).decode().rstrip("=")


def _folders(delimiter):
    if delimiter not in (None, "/"):
        raise Refusal(400, "Parameter delimiter is not /")
    return delimiter is not None


def _limit(text):
    limit = fields.whole_number("limit", text)
    if not 1 <= limit <= MOST:
        raise Refusal(400, f"Parameter limit is not a whole number from 1 to {MOST}")
    return limit


def _place(text):
    try:
        found = _PLACE.fullmatch(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode("utf-8"))
    except ValueError:
        found = None
    if not found:
        raise Refusal(400, "Parameter after is not what x-next has told")
    return found[2], found[1] or ""
