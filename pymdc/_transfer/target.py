"""Where a download goes: a ``.part`` file that takes its place when all is verified."""

from __future__ import absolute_import, division, print_function

import errno
import io
import os
import stat

from .._compat import replace

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be replaced by another anyway
    fcntl = None

__all__ = ["PartFile"]


class PartFile(object):
    """
    ``<path>.part``, in the folder of *path*, open and locked while the context lasts.

    What an interrupted download leaves in it can be taken up again.  *path* is not touched before :meth:`finish`.

    :ivar file: the part file, open for reading and writing, without a buffer.
    :raises EnvironmentError: it cannot be written, or another download holds it.
    """

    def __init__(self, path):
        self._path = os.path.abspath(path)
        self.name = self._path + (b".part" if isinstance(path, bytes) else u".part")
        self._finished = False

    def __enter__(self):
        if os.path.exists(self._path) and not stat.S_ISREG(os.stat(self._path).st_mode):
            raise IOError(errno.EEXIST, "not a regular file, so it is not replaced", self._path)
        self.file = _locked(self.name)
        return self

    def open_again(self):
        """Return the part file once more, with a position of its own."""
        file = _open(self.name)
        if not os.path.samestat(os.fstat(file.fileno()), os.fstat(self.file.fileno())):
            file.close()
            raise IOError(errno.EBUSY, "the file was replaced while it was written", self.name)
        return file

    def __exit__(self, *exception):
        empty = not self._finished and os.fstat(self.file.fileno()).st_size == 0
        if empty and fcntl:
            os.remove(self.name)
        self.file.close()
        if empty and not fcntl:
            os.remove(self.name)

    def finish(self, size):
        """Cut the file to *size*, put it on disk, and let it take its place."""
        if os.fstat(self.file.fileno()).st_size < size:
            raise IOError(errno.EIO, "not all that was written is there", self.name)
        self.file.truncate(size)
        self.file.flush()
        os.fsync(self.file.fileno())
        if not fcntl:
            self.file.close()
        replace(self.name, self._path)
        self._finished = True


def _open(name):
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return io.open(os.open(name, flags, 0o666), "r+b", buffering=0)


def _locked(name):
    while True:
        file = _open(name)
        try:
            if fcntl is None or _lock(file, name):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file, name):
    """Return whether *file*, once locked, is still what *name* stands for: its last holder may have renamed it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except EnvironmentError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        raise IOError(errno.EBUSY, "another download is under way", name)
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(name))
    except EnvironmentError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
