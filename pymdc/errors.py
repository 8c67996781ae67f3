"""
What can go wrong, as a tree::

    PymdcError                         the base of all that follows
    +-- APIError                       the bridge said no (raised with raise_errors=True)
    |   +-- RefusedLookup (KeyError)   something was looked for in a Refusal, which is no success
    +-- TransportError (IOError)       no whole answer came: refused, reset, cut short, not JSON
    |   +-- Timeout                    nothing came, or nothing could be sent, for too long
    +-- IntegrityError                 the bytes are not those that were asked for, or sent
    +-- InsecureTransport (ValueError) a password or token would go over plain HTTP to another host
    +-- InvalidKey (ValueError)        not a key of secp256k1, or no private key where one is needed

A bad argument is a ``ValueError``; the file system's errors come as they are.

Without ``raise_errors=True`` the bridge's no is not raised but returned, as a :class:`Refusal`.
"""

from __future__ import absolute_import, division, print_function

import json

from ._compat import dicts_are_iterated, text_type

__all__ = [
    "APIError",
    "InsecureTransport",
    "IntegrityError",
    "InvalidKey",
    "PymdcError",
    "Refusal",
    "RefusedLookup",
    "Timeout",
    "TransportError",
]

# What to do next, by what the bridge has said, up to the first colon.
_HINTS = {
    "Bucket not found":
        "it has another id, 24 hex digits that buckets.list() tells, or belongs to another account, whose owner has to "
        "list this key: bucket.update(key_pairs=[...])",
    "Bucket storage exceeded": "delete files, or give the bucket more room: bucket.update(storage=...)",
    "Bucket transfer exceeded": "give the bucket a larger allowance: bucket.update(transfer=...)",
    "Email is already registered": "use the account by its password, or register another address",
    "Invalid activation token": "a link works once, so the account may be active already; else register() again",
    "Invalid email or password": "check both, and that the account was registered with this very bridge",
    "Invalid or expired token":
        "a token works once, within five minutes: ask for a new one with bucket.files.token(...)",
    "No authentication strategy detected":
        "hand in who asks, a key pair or a user: pymdc.api.Bucket(bucket_id, key_pair)",
    "Not authorized to retrieve from bucket": "a download needs a token of this very bucket, for \"PULL\"",
    "Not authorized to store in bucket": "an upload needs a token of this very bucket, for \"PUSH\"",
    "Public key is already registered": "see keys.list(); a key belongs to one account",
    "Public key not registered":
        "register the key with pymdc.api.Keys(user).create(key_pair), or let a bucket list it: "
        "bucket.update(key_pairs=[...])",
    "User account has not been activated": "follow the link in the mail, or hand it to user.activate(link)",
}


class PymdcError(Exception):
    """
    The base of all errors of this package.

    :ivar list attempts: what became of each try of the call, as ``(status or fault, seconds)``.
    :ivar float retry_after: the seconds that the other side asks to wait, or None.
    :ivar str hint: what to do next, in ASCII, or None; the error's text ends with it.
    :ivar bool away: whether nobody was there to answer: the connection was refused, or a balancer said so.
    """

    away = False
    attempts = ()
    retry_after = None
    hint = None

    def __str__(self):
        return self._words() + ("; " + self.hint if self.hint else "")

    def _words(self):
        """Return the text without the hint."""
        return Exception.__str__(self)


class APIError(PymdcError):
    """
    The bridge said no.

    :ivar int status: the HTTP status.
    :ivar dict body: the decoded JSON, at least ``{"error": "<text>"}``.
    :ivar str method: the HTTP method.
    :ivar str path: the route that was called, with names for its variable parts.
    :ivar float nonce: the highest nonce that the bridge has seen, told when it refuses one, or None.
    :ivar float clock_ahead: by how many seconds this machine's clock is ahead of the bridge's, or None.
    :ivar bool maybe_done: whether an earlier attempt of the same call may have been carried out.
    """

    nonce = None
    clock_ahead = None
    maybe_done = False

    def __init__(self, status, body, method, path):
        super(APIError, self).__init__(status, body, method, path)
        self.status = status
        self.body = body
        self.method = method
        self.path = path
        self.hint = _HINTS.get(text_type(body.get("error")).partition(":")[0])

    def _words(self):
        text = json.dumps(self.body.get("error"))  # ASCII, which str() must be on Python 2
        return "{0} {1}: {2} {3}".format(self.method, self.path, self.status, text) if self.method else text


class RefusedLookup(APIError, KeyError):
    """Something was looked for in the answer of a call that did not succeed; with the status, words and hint of it."""


class TransportError(PymdcError, IOError):
    """
    No whole answer came.

    :ivar bool sent: whether the bridge may have seen the request, and done it.
    :ivar bool passing: whether it may go better the next time.
    """

    def __init__(self, message, sent=True, passing=True):
        super(TransportError, self).__init__(message)
        self.sent = sent
        self.passing = passing


class Timeout(TransportError):
    """The other side was silent for too long."""


class IntegrityError(PymdcError):
    """The bytes that came, or were stored, are not the right ones."""


class InsecureTransport(PymdcError, ValueError):
    """A password or a token would go over plain HTTP to another host."""


class InvalidKey(PymdcError, ValueError):
    """Not a key of secp256k1, or no private key where one is needed.  Never repeats the key."""


class Refusal(dict):
    """
    The result of a call that did not succeed: ``{"error": "<text>"}``, which cannot be mistaken for a success.

    It equals a plain dict and is serialized like one.  But looking for what it does not have raises
    :class:`RefusedLookup`; and so does iterating over it where a success would have been a list, on CPython 3.

    :ivar str hint: what to do next, or None.  It is no key, but ``refusal["hint"]`` finds it all the same.
    :ivar int status: the HTTP status; None when no answer of the bridge came.
    """

    def __init__(self, answer, error, listing=False):
        super(Refusal, self).__init__(answer)
        self.hint = getattr(error, "hint", None)
        self.status = getattr(error, "status", None)
        self._call = getattr(error, "method", None), getattr(error, "path", None)
        self._listing = listing

    def __getitem__(self, key):
        if isinstance(key, slice):  # which cannot be hashed before Python 3.12
            return self.__missing__(key)
        return super(Refusal, self).__getitem__(key)

    def __missing__(self, key):
        if key == "hint" and self.hint:
            return self.hint
        raise self._lookup()

    if not dicts_are_iterated:
        def __iter__(self):
            if self._listing:
                raise self._lookup()
            return super(Refusal, self).__iter__()

        def __reversed__(self):
            return reversed(list(self))

    def __repr__(self):
        return super(Refusal, self).__repr__() + ("  # " + self.hint if self.hint else "")

    def _lookup(self):
        error = RefusedLookup(self.status, dict(self), *self._call)
        error.hint = self.hint
        return error


def as_answer(error, listing=False):
    """
    Return what is returned for *error*, or handed to a callback, in place of raising it.

    :param bool listing: whether a success would have been a list.
    """
    if isinstance(error, APIError):
        return Refusal(error.body, error, listing)
    try:
        text = text_type(error._words() if isinstance(error, PymdcError) else error)
    except UnicodeError:  # Python 2: an exception made of bytes
        text = text_type(repr(error))
    return Refusal({"error": text or type(error).__name__}, error, listing)


def __dir__():
    return __all__
