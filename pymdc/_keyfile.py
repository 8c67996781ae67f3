"""The file that a private key lies in."""

from __future__ import absolute_import, division, print_function

import errno
import io
import os

from ._compat import to_path
from ._folder import write_whole
from ._shown import quoted
from .errors import InvalidKey

__all__ = ["read", "write"]

_LONGEST = 65536  # bytes of a file that may be a key


def write(path, content):
    """
    Make a file of bytes that only its owner can read, whole or not at all.

    :raises EnvironmentError: there is a file already, or what else the file system says.
    """
    write_whole(os.path.abspath(_checked(path)), content, _give_name)


def read(path):
    """
    Return the bytes of a file.

    :raises InvalidKey: others can read it, too.
    :raises EnvironmentError: what the file system says.
    """
    path = _checked(path)
    with io.open(path, "rb") as file:
        if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
            raise InvalidKey("others than its owner can use this key: chmod 600 {0}".format(quoted(path)))
        return file.read(_LONGEST)


def _checked(path):
    path = to_path(path)
    if not path:
        raise ValueError("a path is needed")
    return path


def _give_name(name, path):
    """Rename a file, but never over another."""
    try:
        os.link(name, path)
        return
    except (AttributeError, EnvironmentError):  # not every file system has links; and there may be a file
        exists = os.path.lexists(path)
    if exists:
        raise IOError(errno.EEXIST, "there is a file already, which is left as it is", path)
    os.rename(name, path)
