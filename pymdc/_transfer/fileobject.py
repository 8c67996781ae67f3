"""Reading and writing file objects, which may take or give less than all, or nothing for now."""

from __future__ import absolute_import, division, print_function

import errno
import hashlib
import io
import os
import re
import select
import stat
import time

from .._compat import file_name, integer_types, monotonic, old_file_types, text_type
from .._digest import content_hash

try:
    import fcntl
except ImportError:  # Windows, where nothing but a socket can be told not to wait
    fcntl = None

__all__ = ["Reader", "blocks_at", "flush", "hash_at", "name_of", "unbuffered", "write_all", "write_some"]

_NOTHING_FOR_NOW = (errno.EAGAIN, errno.EWOULDBLOCK)
_BLOCK = 256 * 1024  # bytes: what a file object does not take of one is copied
_PATIENCE = 30  # seconds that a file object may take or give nothing while it says that it would


class Reader(object):
    """
    Reads a file object, whose own ``read`` may return more or fewer bytes than it is asked for, or None for now.

    :ivar taken: how many bytes the file object has given.
    :raises ValueError: when it is read: it gives something else than bytes.
    """

    def __init__(self, file):
        self.taken = 0
        self._file = file
        self._more = io.BytesIO()  # than was asked for

    def begin(self, size):
        """Return the first *size* bytes, fewer only if there are no more; they are still to be read."""
        first = b""
        while len(first) < size:
            block = self._next(size)
            if not block:
                break
            first += block
        self._more = io.BytesIO(first)
        return first[:size]

    def read(self, size):
        """Return one to *size* bytes; none only at the end.  *size* is never 0, which some take for "all"."""
        block = self._more.read(size)
        if block:
            return block
        data = self._next(size)
        if len(data) <= size:
            return data
        self._more = io.BytesIO(data)
        return self._more.read(size)

    def _next(self, size):
        wait = _Wait(self._file, writing=False)
        while True:
            try:
                data = self._file.read(size)
            except EnvironmentError as error:
                if error.errno not in _NOTHING_FOR_NOW:
                    raise
                data = None
            if isinstance(data, bytes):
                self.taken += len(data)
                return data
            if data is not None:
                raise ValueError("the file object must be opened in binary mode: its read() returns {0!r}".format(
                    type(data).__name__
                ))
            wait.a_moment()


def write_all(file, data):
    """Write *data*, and wait as long as *file* takes nothing."""
    for start in range(0, len(data), _BLOCK):
        _write_block(file, data[start:start + _BLOCK])


def _write_block(file, data):
    wait = _Wait(file, writing=True)
    while data:
        count = write_some(file, data)
        if count:
            data, wait = data[count:], _Wait(file, writing=True)
        else:
            wait.a_moment()


def flush(file):
    """Let what a file object has gathered go where it belongs, as far as it has a buffer of its own."""
    if not isinstance(file, (io.BufferedWriter, io.BufferedRandom) + old_file_types):
        return
    wait = _Wait(file, writing=True)
    while True:
        try:
            return file.flush()
        except EnvironmentError as error:
            if error.errno not in _NOTHING_FOR_NOW:
                raise
        wait.a_moment()


def unbuffered(file):
    """Return what to write to in place of *file*: a file of Python 2 does not tell how much a pipe has taken."""
    if not isinstance(file, old_file_types) or fcntl is None or _waits(file):
        return file
    flush(file)
    return io.open(file.fileno(), "wb", buffering=0, closefd=False)


def _waits(file):
    return not fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK


def name_of(file):
    """Return the name of a file object, as text or bytes; None when it has none that could be a file's."""
    name = getattr(file, "name", None)
    if not isinstance(name, (bytes, text_type)) or re.match("<.*>$", file_name(name)):
        return None
    return name if _may_lead_to(name, file) else None


def _may_lead_to(name, file):
    """Return whether *name* is no command line, which it is where Python 2 reads what another program says."""
    try:
        status = os.fstat(file.fileno())
    except Exception:  # it has no descriptor, and its name is what its maker says
        return True
    try:
        return stat.S_ISREG(status.st_mode) or os.path.samestat(os.stat(name), status)
    except (EnvironmentError, TypeError, ValueError):
        return False


def write_some(file, data):
    """Write what *file* takes of *data* now, and return how many bytes that is."""
    try:
        count = file.write(data)
    except EnvironmentError as error:
        if error.errno not in _NOTHING_FOR_NOW:
            raise
        return getattr(error, "characters_written", 0)
    if count is None:  # of a raw file this is "nothing for now"; any other writes all, and does not say so
        return 0 if isinstance(getattr(file.write, "__self__", file), io.RawIOBase) else len(data)
    if isinstance(count, bool) or not isinstance(count, integer_types) or not 0 <= count <= len(data):
        raise IOError(errno.EIO, "the file object says that it has written {0!r} of {1} bytes".format(count, len(data)))
    return count


class _Wait(object):
    """The time in which a file object takes or gives nothing."""

    def __init__(self, file, writing):
        self._file = file
        self._writing = writing
        self._end = None

    def a_moment(self):
        """
        Wait a moment, or until the descriptor is ready.

        :raises EnvironmentError: it was ready for long enough, and still nothing went.
        """
        if not self._is_ready():
            return
        self._end = self._end or monotonic() + _PATIENCE
        if monotonic() > self._end:
            raise IOError(errno.EIO, "nothing could be {0}".format("written" if self._writing else "read"))
        time.sleep(0.001)  # else this would be a busy loop where it only says so

    def _is_ready(self):
        """Return, after a second at most, whether the descriptor is ready; True where there is none to ask."""
        try:
            descriptor = self._file.fileno()
        except Exception:  # each kind of file object lacks it in its own way
            descriptor = None
        if not isinstance(descriptor, integer_types) or not hasattr(select, "poll"):
            time.sleep(0.01)
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT if self._writing else select.POLLIN)
        return bool(poll.poll(1000))


def blocks_at(file, start, end):
    """Yield what is in a file from *start* to *end*; it may be moved elsewhere meanwhile."""
    while start < end:
        file.seek(start)
        block = file.read(min(_BLOCK, end - start))
        if not block:
            return
        start += len(block)
        yield block


def hash_at(file, start, end):
    """Return the hash of what is in a file from *start* to *end*; None when it does not reach that far."""
    sha256, count = hashlib.sha256(), 0
    for block in blocks_at(file, start, end):
        sha256.update(block)
        count += len(block)
    return content_hash(sha256) if count == end - start else None
