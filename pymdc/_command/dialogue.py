"""What a person is asked for."""

from __future__ import absolute_import, division, print_function

import getpass
import sys

from .failure import Failure

__all__ = ["line", "password"]


def password(twice):
    """
    Ask for a password, as text; or take the first line of standard input, as bytes, where that is no terminal.

    :param bool twice: whether a new one is to be typed twice.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        first = line()
        if not first:
            raise Failure(u"no password: it is the first line of standard input, where that is no terminal")
        return first
    first = _typed("Password: ")
    if not first:
        raise Failure(u"no password")
    if twice and _typed("Once more: ") != first:
        raise Failure(u"the two passwords are not the same")
    return first


def line():
    """Return a line of standard input, as bytes, without its end; empty at the end of all."""
    return b"" if sys.stdin is None else getattr(sys.stdin, "buffer", sys.stdin).readline().rstrip(b"\r\n")


def _typed(prompt):
    try:
        text = getpass.getpass(prompt)
        return text.decode(sys.stdin.encoding or "utf-8") if isinstance(text, bytes) else text
    except UnicodeError:  # whose words would tell of the password
        failure = Failure(u"the locale has another encoding than this terminal: set LANG, or use standard input")
    except EOFError:
        failure = Failure(u"no password")
    raise failure
