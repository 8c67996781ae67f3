"""A file to read from at any place, of which no more comes than the shards that are read."""

from __future__ import absolute_import, division, print_function

import bisect
import collections
import hashlib
import io
from functools import partial

from .._fork import PerProcess
from .._secret import KeepsSecrets
from .pointers import check_whole
from .spool import Spool

__all__ = ["open_file"]

_BUFFER = 64 * 1024  # bytes that are copied at a time for those who read lines
_BLOCK = 1024 * 1024  # bytes that are copied at a time for those who read all
_HELD = 2  # shards in memory, at most


def open_file(pointers, file_hash):
    """
    Return a file as an ``io.BufferedReader``, which asks for its shards when they are read.

    :param Pointers pointers: the way to the shards, which is asked for now.
    :raises IntegrityError: when it is read: the shards are not those that the pointers told, or do not make the file,
        as far as that can be seen.  No wrong byte is returned.
    """
    pointers.load()
    kind = Spool if pointers.sizes is None else _Shards
    content = PerProcess(partial(kind, pointers, file_hash))  # a temporary file has one position for both
    return io.BufferedReader(_File(content), _BUFFER)


class _File(KeepsSecrets, io.RawIOBase):
    """
    Where the reading stands in a content.

    :param content: gives, by ``get()``, what has ``size()`` in bytes, ``at(position, most)``, which returns one to
        *most* bytes from there, none only at the end, and ``close()``.
    """

    def __init__(self, content):
        super(_File, self).__init__()
        self._position = 0
        self._content = content

    def readable(self):
        self._check_open()
        return True

    def seekable(self):
        self._check_open()
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        self._check_open()
        if whence not in (io.SEEK_SET, io.SEEK_CUR, io.SEEK_END):
            raise ValueError("whence must be 0, 1 or 2, not {0!r}".format(whence))
        if whence == io.SEEK_CUR:
            offset += self._position
        elif whence == io.SEEK_END:
            offset += self._content.get().size()
        if offset < 0:
            raise ValueError("the position would be {0}, before the beginning of the file".format(offset))
        self._position = offset
        return offset

    def readinto(self, buffer):
        self._check_open()
        data = self._content.get().at(self._position, len(buffer))
        buffer[:len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self):
        return b"".join(iter(partial(self.read, _BLOCK), b""))

    def close(self):
        if not self.closed:
            self._content.get().close()
        super(_File, self).close()

    def _check_open(self):
        if self.closed:
            raise ValueError("the file is closed")


class _Shards(object):
    """
    The shards of a file whose sizes are told, fetched when they are read.

    Each is held to the hash that its pointer tells.  That they make the file is seen where one shard is all of it,
    and where they are fetched in order, before the last one is given away.
    """

    def __init__(self, pointers, file_hash):
        self._pointers = pointers
        self._file_hash = file_hash
        self._size, self._starts, self._indexes = 0, [], []  # of those that have bytes
        for index, size in enumerate(pointers.sizes):
            if size:
                self._starts.append(self._size)
                self._indexes.append(index)
                self._size += size
        self._held = collections.OrderedDict()  # the one that was read last is the last
        self._hashed, self._whole = 0, hashlib.sha256()  # so many first shards, in order
        if not self._size:
            check_whole(self._whole, file_hash)

    def size(self):
        return self._size

    def at(self, position, most):
        if position >= self._size:
            return b""
        number = bisect.bisect_right(self._starts, position) - 1
        offset = position - self._starts[number]
        return memoryview(self._shard(number))[offset:offset + most]

    def close(self):
        self._held.clear()

    def _shard(self, number):
        shard = self._held.pop(number, None)
        if shard is None:
            while len(self._held) >= _HELD:
                self._held.popitem(last=False)
            shard = self._pointers.whole(self._indexes[number])
            if number == self._hashed:
                self._hash(shard)
        self._held[number] = shard
        return shard

    def _hash(self, shard):
        """Go on with the hash of the whole, by the next shard."""
        self._whole.update(shard)
        if self._hashed + 1 == len(self._indexes):
            check_whole(self._whole, self._file_hash)
        self._hashed += 1
