"""
The shards of a content that a bridge of 2016 got more than once.

It cuts them anew each time, keeps those of all uploads, and points to the first of each, then to the second of each,
and so on.  Who gives up those bridges deletes this module.  Source: docs/protocol, "Upload".

The place of a shard is ``(start, end)``, in bytes of the file that has them all.
"""

from __future__ import absolute_import, division, print_function

import hashlib
import tempfile

from .._digest import content_hash
from .fileobject import blocks_at, write_all

__all__ = ["Cautious", "alike", "bytes_at", "keep_only", "one_of"]

_MOST = 32  # uploads of a content that are told apart


def one_of(file, places, file_hash):
    """
    Return the places of the shards of one upload, which make the whole; None when none does.

    It is the one of the fewest shards: in every round before its last, there is a shard of each upload.
    """
    if len(places) < 2:
        return None
    for count in range(1, min(len(places), _MOST) + 1):
        if not alike(file, places[0], places[max(count, 2) - 1]):
            return None
        for number in range(count):
            chosen = _makes(file, places[number::count], file_hash)
            if chosen:
                return chosen
    return None


def alike(file, one, other):
    """Return whether what is at two places begins alike, as the shards of two uploads of a content do."""
    return _begin_alike(bytes_at(file, one), bytes_at(file, other))


def _makes(file, places, file_hash):
    """Return as many of these places as make the whole; None when it is not there."""
    sha256 = hashlib.sha256()
    for index, place in enumerate(places):
        for block in _blocks(file, [place]):
            sha256.update(block)
        if content_hash(sha256) == file_hash:
            return places[:index + 1]
    return None


def keep_only(file, places):
    """Put what is at these places at the beginning of the file, and return how much that is."""
    done = 0
    for block in _blocks(file, places):
        file.seek(done)
        write_all(file, block)
        done += len(block)
    return done


class Cautious(object):
    """
    A stream that is not given a second shard that begins as the first one before the whole is known.

    The first is right in any case, as the beginning of the first upload.
    """

    def __init__(self, stream):
        self._stream = stream
        self._count = 0
        self._first = None  # until the second has come
        self._held = None  # a file of all shards, once they may be of several uploads

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._held:
            self._held.close()

    def write(self, shard):
        if self._count == 1 and _begin_alike(self._first, shard):
            self._held = tempfile.TemporaryFile()
            write_all(self._held, self._first)
        self._first = shard if self._count == 0 else None
        self._count += 1
        write_all(self._held or self._stream, shard)

    def finish(self, places, file_hash):
        """Write what was held back, and return the size of the whole; None when the shards do not make it."""
        chosen = self._held and one_of(self._held, places, file_hash)
        if not chosen:
            return None
        first = bytes_at(self._held, places[0])
        size = keep_only(self._held, chosen)
        if bytes_at(self._held, places[0]) != first:  # which the stream has already
            return None
        for block in _blocks(self._held, [(len(first), size)]):
            write_all(self._stream, block)
        return size


def _begin_alike(one, other):
    return one.startswith(other) or other.startswith(one)


def bytes_at(file, place):
    return b"".join(_blocks(file, [place]))


def _blocks(file, places):
    for start, end in places:
        for block in blocks_at(file, start, end):
            yield block
