"""
What can go wrong, as a tree::

    PymdcError                         the base of all that follows
    +-- APIError                       the bridge said no (only raised with raise_errors=True)
    +-- TransportError (IOError)       no whole answer came: refused, reset, cut short, not JSON
    |   +-- Timeout                    nothing came, or nothing could be sent, for too long
    +-- IntegrityError                 the bytes are not those that were asked for, or sent
    +-- InsecureTransport (ValueError) a password or token would go over plain HTTP to another host
    +-- InvalidKey (ValueError)        not a key of secp256k1, or no private key where one is needed

A bad argument is a ``ValueError``; the file system's errors come as they are.
"""

from __future__ import absolute_import, division, print_function

import json

from ._compat import text_type

__all__ = [
    "APIError",
    "InsecureTransport",
    "IntegrityError",
    "InvalidKey",
    "PymdcError",
    "Timeout",
    "TransportError",
]


class PymdcError(Exception):
    """
    The base of all errors of this package.

    :ivar list attempts: what became of each try of the call, as ``(status or fault, seconds)``.
    :ivar float retry_after: the seconds that the other side asks to wait, or None.
    """

    attempts = ()
    retry_after = None


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

    def __str__(self):
        words = [self.body[key] for key in ("error", "hint") if key in self.body]
        text = "; ".join(json.dumps(word) for word in words)  # ASCII, which str() must be on Python 2
        return "{0} {1}: {2} {3}".format(self.method, self.path, self.status, text)


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


def as_answer(error):
    """Return what a callback is given for *error*: a dict as the bridge would send it."""
    if isinstance(error, APIError):
        return error.body
    try:
        text = text_type(error)
    except UnicodeError:  # Python 2: an exception made of bytes
        text = text_type(repr(error))
    return {"error": text or type(error).__name__}
