"""
The shards of a file whose sizes are not told, fetched in order as far as it is read, and kept in a temporary file.

A bridge of 2016 gives each only once.  Who gives up those bridges deletes this module.
"""

from __future__ import absolute_import, division, print_function

import hashlib
import tempfile

from .._digest import content_hash
from ..errors import IntegrityError
from . import uploads
from .fileobject import blocks_at, write_all
from .pointers import check_whole

__all__ = ["Spool"]


class Spool(object):
    """
    The last shard is given away when the whole is right; of what may be several uploads, all but the first.
    """

    def __init__(self, pointers, file_hash):
        self._pointers = pointers
        self._file_hash = file_hash
        self._file = tempfile.TemporaryFile("w+b", 0)  # without a buffer that a forked child could write once more
        self._places, self._whole = [], hashlib.sha256()
        self._mixed = False  # whether they may be of several uploads
        self._good = 0  # bytes, from the first, that are known to be the file's
        self._complete = False
        if not len(pointers):
            self._grow()

    def size(self):
        while not self._complete:
            self._grow()
        return self._good

    def at(self, position, most):
        while self._good <= position and not self._complete:
            self._grow()
        return next(blocks_at(self._file, position, min(position + most, self._good)), b"")

    def close(self):
        self._file.close()

    def _grow(self):
        if len(self._places) < len(self._pointers):
            self._fetch()
        if len(self._places) == len(self._pointers):
            self._finish()
        elif not self._mixed:
            self._good = self._places[-1][1]

    def _fetch(self):
        shard = self._pointers.whole(len(self._places))
        start = _end(self._places)
        self._file.seek(start)
        write_all(self._file, shard)
        self._places.append((start, start + len(shard)))
        self._whole.update(shard)
        if len(self._places) == 2:
            self._mixed = uploads.alike(self._file, *self._places)

    def _finish(self):
        right = content_hash(self._whole) == self._file_hash
        self._good = _end(self._places) if right else self._keep_one()
        self._complete = True

    def _keep_one(self):
        """Keep the shards of one upload, which make the file, and return how much they are."""
        chosen = uploads.one_of(self._file, self._places, self._file_hash)
        if not chosen:
            check_whole(self._whole, self._file_hash)
        given = uploads.bytes_at(self._file, (0, self._good))
        size = uploads.keep_only(self._file, chosen)
        if uploads.bytes_at(self._file, (0, len(given))) != given:
            raise IntegrityError("the first shard is not of the upload that makes the file")
        return size


def _end(places):
    """Return how long a file is whose shards are at these places."""
    return places[-1][1] if places else 0
