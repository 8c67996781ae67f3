"""What a file may be called at a bridge."""

from __future__ import absolute_import, division, print_function

import re

from .._compat import file_name, text_type
from .._shown import UNSEEN

__all__ = ["checked_name", "last_part", "spelled"]

_MAX_NAME, _MAX_PART = 1000, 255  # bytes of UTF-8, as a bridge counts them
_HALF = re.compile(u"[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")  # of a pair


def checked_name(name):
    """
    Return a name with its folders, as a bridge writes it; empty when there is none.

    :raises ValueError: no bridge takes it.
    """
    name = spelled(name)
    if name and any(part in (u"", u".", u"..") for part in name.split(u"/")):
        raise ValueError("the file name has an empty part, as what begins or ends with / has, or one that is . or ..: "
                         "pass another as filename")
    if UNSEEN.search(name):
        raise ValueError("the file name holds a control character, or one that turns the direction of text: "
                         "pass another as filename")
    as_sent = name.encode("utf-8")
    if len(as_sent) > _MAX_NAME or any(len(part) > _MAX_PART for part in as_sent.split(b"/")):
        raise ValueError("the file name is longer than {0} bytes, or a part of it than {1}: "
                         "pass another as filename".format(_MAX_NAME, _MAX_PART))
    return name


def spelled(name, what="filename"):
    """Return a name, or the beginning of one, as text in which ``/`` separates folders, as ``\\`` does too."""
    if not isinstance(name, (bytes, text_type)):
        raise ValueError("{0} must be text, not {1!r}".format(what, type(name).__name__))
    try:
        name = file_name(name)
        broken = _HALF.search(name)  # which Python 2 encodes
    except UnicodeEncodeError:
        broken = True
    if broken:
        raise ValueError("{0} holds half a character: pass another".format(what))
    return name.replace(u"\\", u"/")


def last_part(name):
    """Return a name without its folders."""
    return re.split(r"[/\\]", name)[-1]
