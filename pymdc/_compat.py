"""What Python 2 and 3 call by different names.  The only module that asks for the version."""

from __future__ import absolute_import, division, print_function

import os
import sys
import threading
import time

if sys.version_info[0] == 2:
    from urllib import quote
    from urlparse import urljoin, urlsplit

    text_type = unicode  # noqa: F821
    integer_types = (int, long)  # noqa: F821
    old_file_types = (file,)  # noqa: F821
    _ERRORS = ()
    dicts_are_iterated = True
    monotonic = time.time
    replace = os.rename
    _pid = os.getpid()

    fsdecode = bytes  # its own text is the bytes of a path

    def fsencode(path):
        return path if isinstance(path, bytes) else path.encode(sys.getfilesystemencoding() or "ascii")

    native_path = fsencode

    def main_thread():
        # A forked child takes the thread that forked for its main one, but does not say so.
        return threading._shutdown.__self__ if os.getpid() == _pid else threading.current_thread()
else:
    from os import fsdecode, fsencode, replace
    from threading import main_thread
    from time import monotonic
    from urllib.parse import quote, urljoin, urlsplit

    text_type = str
    integer_types = (int,)
    native_path = fsdecode  # as str has it
    old_file_types = ()
    _ERRORS = (sys.getfilesystemencodeerrors(),)
    # Whether who asks a dict for its items iterates over it: json of Python 2, and ** of PyPy.
    dicts_are_iterated = sys.implementation.name == "pypy"

__all__ = [
    "dicts_are_iterated", "file_name", "fsdecode", "fsencode", "integer_types", "main_thread", "monotonic",
    "native_path", "old_file_types", "path_text", "quote", "replace", "text_type", "to_path", "urljoin", "urlsplit",
]


def to_path(value):
    """Return a path as text or bytes; None for what is no path."""
    value = value.__fspath__() if hasattr(value, "__fspath__") else value
    if not isinstance(value, text_type):
        return value if isinstance(value, bytes) else None
    try:
        value.encode(sys.getfilesystemencoding() or "ascii", *_ERRORS)
        return value
    except UnicodeError:
        return value.encode("utf-8")  # no locale is set, and file names are UTF-8 all the same


def path_text(value):
    """Return a path as text, which on Python 3 always opens the same file; None for what is no path."""
    value = value.__fspath__() if hasattr(value, "__fspath__") else value
    value = fsdecode(value) if isinstance(value, bytes) else value
    if isinstance(value, bytes):
        return file_name(value)
    return value if isinstance(value, text_type) else None


def file_name(path):
    """Return the name that a path, or a file object, stands for, as text; names on disk are UTF-8 where they can be."""
    if isinstance(path, text_type):
        try:
            path.encode("utf-8")
            return path
        except UnicodeError:
            path = fsencode(path)  # bytes of another encoding, in Python 3's disguise
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        return path.decode(sys.getfilesystemencoding() or "ascii", "replace")
