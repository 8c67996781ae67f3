"""
The first bytes of a file, often all of it, in one request to a direct bridge.

Source: docs/protocol, "Direct transfers".
"""

from __future__ import absolute_import, division, print_function

import hashlib
import re

from .._digest import content_hash
from ..errors import TransportError

__all__ = ["HEADERS", "Beginning"]

_LENGTH = 8 * 1024 * 1024  # bytes: what our bridge cuts shards at
_RANGE = re.compile(r"bytes 0-([0-9]{1,15})/([0-9]{1,15})\Z")

HEADERS = {"Range": "bytes=0-{0}".format(_LENGTH - 1)}


class Beginning(object):
    """
    What has come of a file.

    :param begin: is called at the start of each attempt.
    :param write: is given the bytes as they come, unverified.
    :param progress: is given the number of bytes so far, and of those of the file.
    :ivar int done: how many bytes have come; *size*: how many the file has; None before the bridge has told.
    :ivar sha256: of what has come.
    """

    def __init__(self, begin, write, progress=None):
        self.size = None
        self._begin = begin
        self._write = write
        self._progress = progress

    def take(self, reply):
        """Read the :class:`pymdc._http.network.Reply` to a request with those headers."""
        length, size = _told(reply)
        if length is None:
            return self
        self._begin()
        self.done, self.sha256 = 0, hashlib.sha256()
        for chunk in reply.chunks():
            self.done += len(chunk)
            if self.done > length:
                raise TransportError("the bridge sent more than the {0} bytes that it had told".format(length))
            self.sha256.update(chunk)
            self._write(chunk)
            if self._progress is not None:
                self._progress(self.done, size)
        self.size = size
        return self

    def is_whole(self, file_hash):
        """Return whether all of the file has come, as it was stored."""
        return self.size is not None and self.done == self.size and content_hash(self.sha256) == file_hash


def _told(reply):
    """Return how many bytes are going to come and how many there are; None where that is not what was asked for."""
    if reply.status == 206:
        told = _RANGE.match(reply.headers.get("Content-Range", ""))
        length, size = (int(told.group(1)) + 1, int(told.group(2))) if told else (None, None)
    else:
        length = size = reply.length()
    return (length, size) if length is not None and length <= min(size, _LENGTH) else (None, None)
