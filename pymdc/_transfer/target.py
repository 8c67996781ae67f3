"""Where a download goes: a part file that takes the target's place when all is verified, or a stream."""

from __future__ import absolute_import, division, print_function

import binascii
import errno
import io
import os
import stat

from .._compat import fsencode, replace
from .._folder import sync_folder
from ..errors import IntegrityError
from .fileobject import write_all, write_some
from .handed import position
from .syncing import Syncing

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be replaced by another anyway
    fcntl = None

__all__ = ["PartFile", "Watched", "find", "open_stream"]

_TAIL = len(".5579439f.part")
#: Bytes that are written at once.  For more Linux looks for a longer run of free pages, which in a virtual machine the
#: host may have taken back; docs/performance.md tells what that costs.
_PIECE = 64 * 1024


def find(path):
    """
    Follow the links at *path*, and return where they lead and whether that can be replaced.

    What there is and cannot be replaced is a FIFO, a device, or a file that has no name any more.

    :raises EnvironmentError: it is a folder, or a link that leads nowhere.
    """
    try:
        status = os.stat(path)
    except EnvironmentError as error:
        if error.errno != errno.ENOENT:
            raise
        status = None
    if status is None and os.path.islink(path):
        raise IOError(errno.ENOENT, "the link leads to nothing", path)
    is_folder = stat.S_ISDIR(status.st_mode) if status else fsencode(os.path.basename(path)) in (b"", b".", b"..")
    if is_folder:
        raise IOError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if status is None:
        return path, True
    real = os.path.realpath(path)
    if stat.S_ISREG(status.st_mode) and _is_at(real, status):
        return real, True
    return path, False


def open_stream(path):
    """Return what cannot be replaced, open to be written in order, without a buffer."""
    flags = os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    return io.open(os.open(path, flags), "wb", buffering=0)


class Watched(object):
    """
    A file object that is written, and has to stand where the last write has left it when the next one comes.

    How far a write moves it is its own affair: a file opened to append, a device and a file that compresses differ.
    """

    def __init__(self, file):
        self._file = file
        self._left_at = position(file)

    def write(self, data):
        if position(self._file) != self._left_at:
            raise IntegrityError("the file object was moved while it was written: open the file once more for each use")
        count = write_some(self._file, data)
        self._left_at = position(self._file)
        return count

    def fileno(self):
        return self._file.fileno()


class PartFile(object):
    """
    A file in the folder of *path*, open while the context lasts, that takes the place of *path* in the end.

    Its name is that of *path*, cut to fit, with the beginning of the hash, so that what an interrupted download leaves
    in it can be taken up again.  Where a file of that name is not ours alone, or cannot be locked, the name is random,
    and what is not finished is removed; so is one that the disk has refused to keep.  *path* is not touched before
    :meth:`finish`.

    :param path: as :func:`find` returns it.
    :param str file_hash: 40 hex digits.
    :ivar file: the part file, open for reading and writing, without a buffer.
    :raises EnvironmentError: it cannot be written, or another download holds it.
    """

    def __init__(self, path, file_hash):
        self._path = path
        self._hash = file_hash
        self._finished = False

    def __enter__(self):
        self.name = _part_name(self._path, self._hash[:8])
        self.file, self._lasting = _taken_up(self.name)
        if self.file is None:
            self.file, self.name = _made_at_random(self._path, 0o600)
        self._syncing = Syncing(self.file)
        return self

    def size(self):
        """Return how many bytes it has."""
        return os.fstat(self.file.fileno()).st_size

    def open_again(self):
        """Return the part file once more, with a position of its own."""
        file = _open(self.name)
        if not os.path.samestat(os.fstat(file.fileno()), os.fstat(self.file.fileno())):
            file.close()
            raise _replaced(self.name)
        return file

    def write_all(self, file, data):
        """Write *data* where *file* stands, which is the part file, or it open again."""
        view = memoryview(data)
        for start in range(0, len(data), _PIECE):
            write_all(file, view[start:start + _PIECE])
        self._syncing.wrote(len(data))

    def __exit__(self, *exception):
        try:
            self._syncing.end()
        finally:
            self._close()

    def _close(self):
        good = self._lasting and not self._syncing.failure  # behind one, what is read may not be what is on disk
        wanted = self._finished or good and (self.file.closed or self.size())
        if not fcntl:
            self.file.close()
        if not wanted:
            _try(os.remove, self.name)
        if fcntl and not self.file.closed:
            _try(fcntl.flock, self.file, fcntl.LOCK_UN)  # which a forked child would keep
        self.file.close()

    def finish(self, size):
        """Cut the file to *size*, put it on disk, and let it take its place."""
        if self.size() < size:
            raise IOError(errno.EIO, "not all that was written is there", self.name)
        self.file.truncate(size)
        if hasattr(os, "fchmod"):
            self._take_over_mode()
        self._syncing.finish()
        if not _is_at(self.name, os.fstat(self.file.fileno())):
            raise _replaced(self.name)
        if not fcntl:
            self.file.close()
        replace(self.name, self._path)
        self._finished = True
        sync_folder(os.path.dirname(self._path))

    def _take_over_mode(self):
        """Give the part the mode, and as far as we may the owner, of the file that it replaces, or a new one's mode."""
        descriptor = self.file.fileno()
        try:
            old = os.stat(self._path)
        except EnvironmentError:
            return _try(os.fchmod, descriptor, _mode_of_new(self._path))
        _try(os.fchown, descriptor, old.st_uid if os.geteuid() == 0 else -1, old.st_gid)
        new = os.fstat(descriptor)
        same_owner = (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid)
        _try(os.fchmod, descriptor, stat.S_IMODE(old.st_mode) & (0o7777 if same_owner else 0o777))


def _part_name(path, digits):
    """Return the path of the part file: the name is cut, at a whole character, to what the folder takes."""
    folder, name = os.path.split(path)
    room = _longest_name(folder) - _TAIL
    while len(fsencode(name)) > room and name:
        name = name[:-1]
    tail = ".{0}.part".format(digits)
    return os.path.join(folder, name + (tail.encode("ascii") if isinstance(name, bytes) else tail))


def _longest_name(folder):
    """Return how many bytes a name in *folder* may have, by itself and with the path that leads to it."""
    try:
        of_path = os.pathconf(folder, "PC_PATH_MAX") - len(fsencode(folder)) - len("/\0")
        return min(os.pathconf(folder, "PC_NAME_MAX"), of_path)
    except (AttributeError, EnvironmentError, ValueError):
        return 255


def _taken_up(name):
    """
    Return the part file of that name, and whether it is to be left for the next download when this one fails.

    Where what has the name already is not for us, the file is None.
    """
    try:
        file, made = _made_or_found(name)
    except EnvironmentError:
        return None, False  # what is wrong with the folder shows again when a random name is made
    try:
        locked = (made or _is_ours_alone(file)) and _lock(file, name)
    except BaseException:
        file.close()
        raise
    if (made or locked) and _is_at(name, os.fstat(file.fileno())):  # else its last holder has just renamed it
        return file, locked
    file.close()
    return None, False


def _made_or_found(name):
    try:
        return _open(name, os.O_CREAT | os.O_EXCL), True
    except EnvironmentError as error:
        if error.errno != errno.EEXIST:
            raise
    return _open(name), False


def _made_at_random(path, mode):
    """Make a part file for *path* with a name that nothing has, and return it and the name."""
    name = _part_name(path, binascii.hexlify(os.urandom(4)).decode("ascii"))
    try:
        return _open(name, os.O_CREAT | os.O_EXCL, mode), name
    except EnvironmentError as error:
        error.filename = path  # which the caller knows
        raise


def _open(name, flags=0, mode=0o600):
    for flag in ("O_RDWR", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # a FIFO of that name is not waited for
        flags |= getattr(os, flag, 0)
    return io.open(os.open(name, flags, mode), "r+b", buffering=0)


def _is_ours_alone(file):
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or not hasattr(os, "geteuid"):
        return stat.S_ISREG(status.st_mode)
    return status.st_uid == os.geteuid() and status.st_nlink == 1 and not status.st_mode & 0o022


def _lock(file, name):
    """Return whether *file* is locked now; False where the file system cannot."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except EnvironmentError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            return False
    raise IOError(errno.EBUSY, "another download is under way", name)


def _is_at(path, status):
    """Return whether *path* is the very file, no link to it, that has this status."""
    try:
        return os.path.samestat(os.lstat(path), status)
    except EnvironmentError:
        return False


def _replaced(name):
    return IOError(errno.EBUSY, "the file was replaced while it was written", name)


def _mode_of_new(path):
    """Return the mode that a new file beside *path* gets; to ask for the umask is to change it for all threads."""
    file, name = _made_at_random(path, 0o666)
    try:
        return stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    finally:
        file.close()
        _try(os.remove, name)


def _try(change, *arguments):
    """Change what need not succeed: not every file system has owners and modes, and what was to go may be gone."""
    try:
        change(*arguments)
    except EnvironmentError:
        pass
