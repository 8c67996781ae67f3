"""
The first bytes of a file, often all of it, in one request to a direct bridge; and where answers come soon the rest, in
another.

Source: docs/protocol, "Direct transfers".
"""

from __future__ import absolute_import, division, print_function

import hashlib
import logging
import re

from .._digest import content_hash
from ..errors import APIError, TransportError

__all__ = ["Beginning", "SOON"]

SOON = 0.01  # seconds from a question to its answer: up to that, one stream is as fast as several

_log = logging.getLogger("pymdc")

_LENGTH = 8 * 1024 * 1024  # bytes: what our bridge cuts shards at
_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})\Z")


class Beginning(object):
    """
    What has come of a file, from its first byte on.

    :param ask: asks for a part of the file, where that can be: is given header fields, what takes the
        :class:`pymdc._http.reply.Reply`, and whether it may be asked again.
    :param begin: is called at the start of each attempt.
    :param write: is given the bytes as they come, unverified.
    :param progress: is given the number of bytes so far, and of those of the file.
    :ivar int done: how many bytes have come; *size*: how many the file has; None before the bridge has told.
    :ivar sha256: of what has come.
    """

    def __init__(self, ask, begin, write, progress=None):
        self.size = None
        self._ask = ask
        self._begin = begin
        self._write = write
        self._progress = progress

    def fetch(self):
        """Fetch as much as a shard has."""
        self._ask({"Range": "bytes=0-{0}".format(_LENGTH - 1)}, self._take, again=True)

    def fetch_all(self):
        """
        Fetch as much as a shard has, and all the rest if the answer came soon.  Where that breaks off it is left to
        others, who can do better.
        """
        self.fetch()
        if self.size is None or self.done == self.size or self._seconds > SOON:
            return
        try:
            self._ask({"Range": "bytes={0}-".format(self.done)}, self._take_rest, again=False)
        except (APIError, TransportError) as error:
            _log.debug("a download broke off after %d of %d bytes: %s", self.done, self.size, error)

    def is_whole(self, file_hash):
        """Return whether all of the file has come, as it was stored."""
        return self.size is not None and self.done == self.size and content_hash(self.sha256) == file_hash

    def _take(self, reply):
        part = _told(reply)
        if part is None or part[:1] != (0,) or part[1] > min(part[2], _LENGTH):
            return
        self._begin()
        self.done, self.sha256 = 0, hashlib.sha256()
        self._read(reply, *part[1:])
        self.size, self._seconds = part[2], reply.seconds

    def _take_rest(self, reply):
        if _told(reply) == (self.done, self.size, self.size):
            self._read(reply, self.size, self.size)

    def _read(self, reply, end, size):
        for chunk in reply.chunks():
            if self.done + len(chunk) > end:
                raise TransportError("the bridge sent more than the bytes up to {0} that it had told".format(end))
            self._write(chunk)
            self.done += len(chunk)
            self.sha256.update(chunk)
            if self._progress is not None:
                self._progress(self.done, size)


def _told(reply):
    """Return where the bytes that are coming begin and end, and how many there are; None when that is not told."""
    if reply.status == 206:
        told = _RANGE.match(reply.headers.get("Content-Range", ""))
        return (int(told.group(1)), int(told.group(2)) + 1, int(told.group(3))) if told else None
    return None if reply.length() is None else (0, reply.length(), reply.length())
