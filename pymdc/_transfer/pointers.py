"""The shards of a file: where they are, fetched, again where they break, and verified."""

from __future__ import absolute_import, division, print_function

import hashlib
import io
import json
import re
import threading

from .._compat import integer_types, text_type, urlsplit
from .._digest import content_hash
from ..errors import IntegrityError, TransportError
from . import channel

__all__ = ["Pointers", "check_whole"]

_PRINTABLE = re.compile(r"[\x21-\x7e]+\Z")
_HEX = re.compile(r"[0-9a-f]{40}\Z")
_SPENT = (
    "by one token a shard is given three times, within 24 hours, and once by a bridge of 2016: ask for another with "
    "bucket.files.token(\"PULL\")"
)


class Pointers(object):
    """
    The shards of one file, and the way to each.  Safe to share between threads.

    :param ask: returns the bridge's list of pointers.
    :param bool again: whether it can be asked again, for new ones.
    :param network: the :class:`pymdc._http.network.Network` to fetch by.
    :param tries: gives, as a context, the :class:`pymdc._tries.Tries` of a shard.
    """

    def __init__(self, ask, again, network, tries):
        self._ask = ask
        self._again = again
        self._network = network
        self._tries = tries
        self._list = None
        self._lock = threading.Lock()

    def load(self):
        if self._list is None:
            self._list = _check_pointers(self._ask())

    def __len__(self):
        return len(self._list)

    @property
    def sizes(self):
        """The sizes of the shards, in bytes; None where the bridge does not tell them."""
        sizes = [pointer.get("size") for pointer in self._list]
        return None if None in sizes else sizes

    @property
    def hashes(self):
        """The hashes of the shards."""
        return [pointer["hash"] for pointer in self._list]

    def hash(self, index):
        return self._list[index]["hash"]

    def whole(self, index):
        """Return the bytes of a shard, verified."""
        shard = io.BytesIO()

        def begin():
            shard.seek(0)
            shard.truncate()

        self.fetch(index, begin, shard.write)
        return shard.getvalue()

    def fetch(self, index, begin, write, verified=True):
        """
        Fetch a shard, again if it breaks or comes wrong.

        A refused token may have been used up, or lapsed: new pointers are asked for at once, the first time, and this
        is none of the tries that are counted.

        :param begin: is called at the start of each attempt.
        :param write: is given the bytes as they come; they are verified only when this method returns.
        :param bool verified: whether they are; without it, only their number is as it should be.
        """
        lapsed = False
        with self._tries() as tries:
            while True:
                pointer = self._list[index]
                tries.begin()
                try:
                    begin()
                    return _fetch(pointer, self._network, write, verified)
                except (IntegrityError, TransportError) as error:
                    failure = error
                tries.failed(failure)
                refused = isinstance(failure, channel.Refused)
                if not self._may_renew(pointer, failure):
                    failure.hint = _SPENT if refused and failure.spent else failure.hint
                    raise failure
                if lapsed or not refused:
                    tries.pause(failure)
                lapsed = lapsed or refused
                self._renew(index, pointer, failure)

    def _may_renew(self, pointer, failure):
        passing = getattr(failure, "passing", True)
        return passing and (self._again or _is_good_again(pointer, failure))

    def _renew(self, index, pointer, failure):
        """Have a pointer to go on with: the same one while its token lasts, else a new one."""
        if _is_good_again(pointer, failure):
            return
        with self._lock:
            if self._list[index] is pointer:  # another thread may have asked meanwhile
                fresh = _check_pointers(self._ask())
                if _shards_of(fresh) != _shards_of(self._list):
                    raise IntegrityError("the bridge's pointers lead to other shards than before")
                self._list = fresh


def _shards_of(pointers):
    return [(pointer["hash"], pointer.get("size")) for pointer in pointers]


def _is_good_again(pointer, failure):
    """
    Return whether the token of a pointer lasts: that of one with a url is good three times, any other once, and each as
    long as the farmer was not reached.
    """
    untouched = not getattr(failure, "sent", True)
    return untouched or ("url" in pointer and not isinstance(failure, channel.Refused))


def _fetch(pointer, network, write, verified):
    """Pass on the bytes of one shard, never more than it should have."""
    size, done, sha256 = pointer.get("size"), 0, hashlib.sha256()
    limit = channel.MAX_SHARD if size is None else size
    for chunk in channel.chunks(pointer, network):
        done += len(chunk)
        if done > limit:
            raise IntegrityError("a shard is longer than the {0} bytes it should have".format(limit))
        if verified:
            sha256.update(chunk)
        write(chunk)
    if verified and content_hash(sha256) != pointer["hash"]:
        raise IntegrityError("a shard came as {0}, but {1} was asked for".format(content_hash(sha256), pointer["hash"]))
    if size not in (None, done):
        raise IntegrityError("a shard has {0} bytes, but its pointer says {1}".format(done, size))


def check_whole(sha256, file_hash):
    """Raise IntegrityError when the shards, which this SHA-256 has seen, do not make the file that was asked for."""
    if content_hash(sha256) != file_hash:
        raise IntegrityError("the shards make {0}, but {1} was asked for".format(content_hash(sha256), file_hash))


def _check_pointers(pointers):
    if not isinstance(pointers, list) or not all(_is_pointer(pointer) for pointer in pointers):
        raise TransportError("the bridge's answer is not a list of pointers", passing=False)
    for pointer in pointers:
        if not _is_size(pointer.get("size", 0)):
            words = "a pointer of the bridge's says that its shard has {0} bytes, but it can have 0 to {1}"
            raise TransportError(words.format(json.dumps(pointer["size"])[:40], channel.MAX_SHARD), passing=False)
    return pointers


def _is_pointer(pointer):
    if not isinstance(pointer, dict):
        return False
    where, schemes = pointer.get("channel"), ("ws", "wss")
    if "url" in pointer:
        where, schemes = pointer["url"], ("http", "https")
    return (
        all(isinstance(pointer.get(field), text_type) and _HEX.match(pointer[field]) for field in ("hash", "token"))
        and isinstance(where, text_type) and _is_address(where, schemes)
    )


def _is_size(size):
    return isinstance(size, integer_types) and not isinstance(size, bool) and 0 <= size <= channel.MAX_SHARD


def _is_address(text, schemes):
    if not _PRINTABLE.match(text):
        return False  # some versions of some libraries send it as it is
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname)
    except ValueError:
        return False
