"""What ends a command, and how it is told."""

from __future__ import absolute_import, division, print_function

from .. import errors
from .._compat import file_name, text_type

__all__ = ["Failure", "Misuse", "in_words"]

_OF_PROGRAMS, _OF_A_SHELL = u"pass another as filename", u"store it by itself, under another name: --as NAME"
_LOG_IN = "log in again: python -m pymdc login"

# What to do next in a shell, by what the bridge has said, up to the first colon; the library's hints are for programs.
_NEXT = {
    "Bucket not found": "log in with one that is there: python -m pymdc login --bucket NAME",
    "Bucket storage exceeded": "remove files, or give it more room: python -m pymdc login --storage GB",
    "Bucket transfer exceeded": "give it a larger allowance: python -m pymdc login --transfer GB",
    "Invalid email or password": "check both; a new account is made by --register",
    "Public key not registered": _LOG_IN,
    "User account has not been activated": "follow the link in the mail, and " + _LOG_IN,
}


class Failure(Exception):
    """Something that cannot be done, in words."""


class Misuse(Exception):
    """A command that means nothing, in words."""


def in_words(error):
    """Return what to tell of an error, as text."""
    if isinstance(error, errors.APIError):
        said = text_type(error.body["error"])
        hint = _NEXT.get(said.partition(":")[0], error.hint)
        return said + (u"; " + hint if hint else u"")
    if isinstance(error, errors.InsecureTransport):
        return u"by plain HTTP others could read what goes to this bridge: use its https:// address"
    if isinstance(error, EnvironmentError) and error.strerror:
        where = file_name(error.filename) + u": " if error.filename else u""
        return where + file_name(error.strerror)
    try:
        return text_type(error).replace(_OF_PROGRAMS, _OF_A_SHELL)
    except UnicodeError:  # Python 2: an exception made of bytes
        return file_name(bytes(error))
