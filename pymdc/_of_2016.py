"""
All that only the bridges of 2016 need.

Who deletes this module, and the few lines that ask it, gives up those bridges and nothing else.  The dialects of their
farmers, and what comes of a content that is uploaded twice, are in ``_transfer``.  Source: docs/protocol, "Differences
between the old servers".
"""

from __future__ import absolute_import, division, print_function

import contextlib
import re
import threading
import time

from ._compat import text_type
from ._fork import PerProcess
from .errors import APIError

__all__ = ["Turns", "check_only_name", "is_gone", "is_passing", "lacks", "token", "within"]

_GONE = ("Bucket not found", "File not found", "Public key was not found", "Token not found")
_NO_BUCKET = "Bucket not found"
_FILE = "/buckets/{bucket_id}/files/{file_hash}"
_NOBODY = ("Public key not registered", "User account has not been activated")
_PASSING = re.compile(r"Failed to load the shard contracts\Z|RPC with ID .{1,100} timed out\Z")
_MAX_DISGUISES = 20  # refusals of a nonce that look like something else, before a call gives up


def is_passing(error):
    """Return whether what the bridge said goes over by itself."""
    return bool(_PASSING.match(error.body["error"]))


def is_gone(error):
    """Return whether the bridge said that what should be deleted is not there, which one of 0.2.2 says with 500."""
    return error.body["error"] in _GONE


def lacks(what):
    """Return the error that says of a bridge of 2016 that it has no such thing."""
    error = APIError(None, {"error": "This bridge, as those of 2016, has no {0}".format(what)}, None, None)
    error.hint = "a bridge of python -m pymdc.bridge has"
    return error


def within(files, prefix=u"", delimiter=None):
    """Return of all files of a bucket what a bridge that knows these parameters tells: in order, and with folders."""
    items = []
    for file in sorted((file for file in files if _name(file).startswith(prefix)), key=_bytes):
        folder, slash, _ = _name(file)[len(prefix):].partition(u"/")
        item = {u"prefix": prefix + folder + slash} if delimiter and slash else file
        if items[-1:] != [item]:
            items.append(item)
    return items


def check_only_name(files, file_hash, filename):
    """
    Raise unless content has this name and, of all files of a bucket, no other: deletion heeds its hash alone.

    Other names are those of a bridge that did not say, or whose proxy did not let it say, that it is none of 2016.
    """
    names = [_name(file) for file in files if file.get("hash") == file_hash]
    if filename not in names:
        raise APIError(404, {"error": "File not found"}, "DELETE", _FILE)
    if len(names) > 1:
        raise lacks("way to delete one name of several")


def _name(file):
    name = file.get("filename")
    return name if isinstance(name, text_type) else u""


def _bytes(file):
    return _name(file).encode("utf-8", "replace")


class Turns(object):
    """
    Signed calls one after the other, for a bridge that refuses each nonce below the last one it saw.

    Until it turns out to be such a one, nobody waits.

    :ivar bool begun: whether it has.
    """

    def __init__(self):
        self._lock = PerProcess(threading.Lock)
        self.begun = False

    def begin(self):
        """Make signed calls one after the other from now on."""
        self.begun = True

    @contextlib.contextmanager
    def mine(self):
        """Wait for one's turn, and have it while the block lasts."""
        if not self.begun:
            yield
            return
        lock = self._lock.get()
        while not lock.acquire(False):  # on Python 2 nothing else can be interrupted
            time.sleep(0.01)
        try:
            yield
        finally:
            lock.release()


def token(ask, ask_for_bucket, take_turns):
    """
    Return the token that a signed call asks for, also where the refusal of its nonce looks like another.

    A bridge of 2016 that refuses a nonce goes on to look for the key among the bucket's, and then says only that the
    bucket was not found.  So does any bridge to a key that is neither registered nor listed.

    :param ask: asks the bridge, with the further fields that it is given.
    :param ask_for_bucket: asks for the bucket itself, which only its owner is told of.
    :param take_turns: makes signed calls one after the other from now on.
    """
    for _ in range(_MAX_DISGUISES):
        try:
            return ask()
        except APIError as error:
            failure = error
        if failure.status != 404 or failure.body["error"] != _NO_BUCKET:
            break
        refusal = _refusal(ask_for_bucket)
        if refusal is not None and refusal.body["error"] in _NOBODY:
            raise refusal  # which says more than that there is no bucket
        if refusal is not None:
            return _token_of_a_guest(ask, failure)
        take_turns()
    raise failure


def _refusal(ask):
    try:
        ask()
    except APIError as error:
        return error


def _token_of_a_guest(ask, failure):
    """Ask by a nonce that is surely refused: only then a registered key is taken for a guest's."""
    try:
        return ask(__nonce=1)
    except APIError:
        pass
    raise failure
