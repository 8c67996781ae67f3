"""Files on this machine."""

from __future__ import absolute_import, division, print_function

import collections
import errno
import io
import os
import stat
import sys

from .. import content_hash
from .._compat import file_name

__all__ = ["Local", "holds", "standard", "walk"]

#: A file: its path, its name from the folder that was walked on, with slashes, and its size in bytes.
Local = collections.namedtuple("Local", "path name size")


def walk(top, tell):
    """
    Yield the files in a folder and in those below it.

    Links to files are followed; links to folders are not, for they may lead round and round.

    :param tell: is called with the path of what is left out, and with the error, or in words with the reason.
    """
    for folder, folders, names in os.walk(top, onerror=lambda error: tell(error.filename, error)):
        folders.sort()
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                tell(os.path.join(folder, name), u"left out: a link to a folder")
        for name in sorted(names):
            path = os.path.join(folder, name)
            size = _size(path, tell)
            if size is not None:
                yield Local(path, file_name(os.path.relpath(path, top)).replace(os.sep, u"/"), size)


def _size(path, tell):
    try:
        status = os.stat(path)
    except EnvironmentError as error:
        lost = os.path.islink(path) and error.errno in (errno.ENOENT, errno.ELOOP)
        return tell(path, u"left out: a link to nothing" if lost else error)
    if not stat.S_ISREG(status.st_mode):
        return tell(path, u"left out: no regular file")
    return status.st_size


def holds(path, file, progress=None):
    """
    Return whether there is the content of a bucket's file at a path.

    :param progress: is called with (bytes done, bytes in all) while it is read, or None.
    """
    try:
        status = os.stat(path)
    except EnvironmentError:
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_size != file["size"]:
        return False
    with io.open(path, "rb") as opened:
        return content_hash(_Told(opened, file["size"], progress) if progress else opened) == file["hash"]


class _Told(object):
    """A file that tells how far it was read."""

    def __init__(self, file, size, progress):
        self._file = file
        self._size = size
        self._progress = progress

    def read(self, size):
        block = self._file.read(size)
        self._progress(self._file.tell(), self._size)
        return block


def standard(stream, mode):
    """Return standard input or output as a binary file without a buffer."""
    if stream is None:
        raise IOError(errno.EBADF, "it is closed: standard {0}put".format("in" if mode == "rb" else "out"))
    if sys.platform == "win32":  # which takes it for text, on Python 2
        import msvcrt

        msvcrt.setmode(stream.fileno(), os.O_BINARY)
    return io.open(stream.fileno(), mode, buffering=0, closefd=False)
