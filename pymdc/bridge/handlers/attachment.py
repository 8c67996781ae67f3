"""How a file is offered that a browser saves and never shows.  Source: RFC 6266, RFC 8187."""

import posixpath
import re
import unicodedata
import urllib.parse

from ..request import fields


_LONGEST, _LONGEST_ENDING = 200, 20  # bytes of a name in ASCII


def last_part(filename: str) -> str:
    """Return a name without its folders, and without what would show it as another, which forms of 2016 may bring."""
    return fields.UNSEEN.sub("_", filename.rpartition("/")[2])


def disposition(filename: str) -> str:
    """
    Return the value of Content-Disposition, with the last part of the name twice: in ASCII, which is all that curl
    knows, and as it is.  But no file is offered that would be hidden, as those are which a shell reads by itself.
    """
    name = re.sub(r"^\.", "_", last_part(filename))
    exact = urllib.parse.quote(name, safe="", errors="replace")
    return f"attachment; filename=\"{_in_ascii(name)}\"; filename*=UTF-8''{exact}"


def _in_ascii(name):
    """Return the nearest name that no program takes for a path, a quote or an escape, whatever it makes of it."""
    text = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", name))
    text = _cut(re.sub(r"[^ !#$&-)+-.0-9;=@-\[\]-{}~]|^\.", "_", text))
    return text if text.strip(" ._") else "download"


def _cut(name):
    ending = posixpath.splitext(name)[1]
    if len(ending) > _LONGEST_ENDING:
        ending = ""
    return name[:_LONGEST - len(ending)] + ending if len(name) > _LONGEST else name
