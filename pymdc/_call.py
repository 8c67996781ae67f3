"""One call of the API: what goes over the wire for it, and what the answer means."""

from __future__ import absolute_import, division, print_function

import json
import math

from . import _signing
from ._compat import quote, text_type
from .errors import APIError, TransportError
from .keypair import ECDSA

__all__ = [
    "ALWAYS", "CLOCK_TOLERANCE", "Call", "NONCE_REFUSED", "UNCONNECTED", "UNDONE", "encoded", "may_be_done", "signer",
    "taken",
]

# What may be repeated by itself (docs/reliability):
ALWAYS = "always"  # the second time has the same result
UNDONE = "undone"  # only what was surely not done: no connection, 429, 503 with Retry-After
UNCONNECTED = "unconnected"  # only when no connection was made

NONCE_REFUSED = "Invalid nonce supplied"
CLOCK_TOLERANCE = 60  # seconds


class Call(object):
    """
    One call of the API: what all its attempts share.

    :param str route: the path, with names for its variable parts: ``/buckets/{bucket_id}``.
    :param dict ids: the variable parts.
    :param auth: a key pair that signs, or a :class:`pymdc._signing.Basic`, or None.
    :param dict fields: the JSON body, or for a GET or DELETE the query.
    :param token: a function that returns the token of each attempt.
    :param body: a function that returns query, headers and body of each attempt, in place of fields.  It is given
        whether an earlier attempt may have been carried out.  A signature covers the query.
    :param take: a function that is given the :class:`pymdc._http.reply.Reply` of each attempt which succeeds, and
        returns the result, in place of decoding it.
    :param header: the name of a header of the answer, to return with it as a tuple.
    :param dict headers: further headers.
    :param prove: a key pair that signs beside HTTP Basic, to prove that the caller holds it.
    :param repeat: ``ALWAYS``, ``UNDONE`` or ``UNCONNECTED``.
    :param bool secret: whether a password, a token or a file travels in the body or the answer, or follows.
    """

    def __init__(self, method, route, ids=None, auth=None, fields=None, token=None, body=None, take=None,
                 header=None, headers=None, prove=None, repeat=ALWAYS, secret=False):
        self.method = method
        self.route = route
        self.path = route.format(**{name: quote(part.encode("utf-8"), safe="") for name, part in (ids or {}).items()})
        self.basic = auth if isinstance(auth, _signing.Basic) else None
        self.key_pair = auth if isinstance(auth, ECDSA) else prove
        self.fields = fields or {}
        self.token = token
        self.body = body
        self.take = take
        self.header = header
        self.maybe_done = False
        self.headers = headers or {}
        self.repeat = repeat
        self.secret = bool(secret or self.basic or token)

    def __repr__(self):
        return "<Call {0} {1}>".format(self.method, self.route)


def encoded(call, nonces):
    """Return query, body and headers of one attempt, with a fresh nonce, token and body."""
    headers = dict(call.headers)
    if call.basic:
        headers.update(call.basic.headers())
    if call.token:
        headers["x-token"] = call.token()
    nonce = nonces.next() if call.key_pair else None
    if call.body:
        query, described, body = call.body(call.maybe_done)
        headers.update(described)
        return _query(query, nonce), body, headers
    if call.method in ("GET", "DELETE", "HEAD"):
        return _query(call.fields, nonce), None, headers
    fields = dict({"__nonce": float(nonce)}, **call.fields) if nonce else call.fields
    headers["Content-Type"] = "application/json"
    return "", json.dumps(fields, allow_nan=False).encode("ascii"), headers


def _query(fields, nonce):
    fields = dict(fields, __nonce=nonce) if nonce else fields
    pairs = ["{0}={1}".format(name, quote(value.encode("utf-8"), safe="")) for name, value in fields.items()]
    return "?" + "&".join(pairs) if pairs else ""


def signer(call):
    """Return the function that signs the attempts of a call; None where nobody does."""
    if call.key_pair is None:
        return None

    def sign(path, query, body):
        payload = query.encode("ascii") if body is None or call.body else body
        return _signing.signature_headers(call.key_pair, call.method, path, payload)
    return sign


def taken(call, reply):
    """Return the result that a reply is, or raise what the bridge said."""
    if call.take and 200 <= reply.status < 300:
        return call.take(reply)
    answer = _decoded(call, reply, reply.read())
    return (answer, reply.headers.get(call.header)) if call.header else answer


def _decoded(call, reply, content):
    """Return the JSON of a reply, or raise what the bridge said."""
    answer = _json(content)
    if reply.status == 302 and call.route.startswith("/activations/") and not reply.leads_back:
        return {}  # activated, and sent on to where the registration asked to go
    if 200 <= reply.status < 300:
        if not content:
            return {}
        if answer is None:
            raise TransportError("the answer to {0} {1} is not JSON".format(call.method, call.route), passing=False)
        return answer
    in_words = isinstance(answer, dict) and isinstance(answer.get("error"), text_type)
    if not in_words:
        answer = {"error": _in_words(reply)}
    error = APIError(reply.status, answer, call.method, call.route)
    error.away = not in_words and reply.status in (502, 503)
    if reply.retry_after:
        error.hint = "try again in {0:.0f} s".format(math.ceil(reply.retry_after))
    if answer["error"] == NONCE_REFUSED and abs(reply.clock_ahead or 0) > CLOCK_TOLERANCE:
        error.hint = "this machine's clock is {0:.0f} s {1} the bridge's".format(
            abs(reply.clock_ahead), "ahead of" if reply.clock_ahead > 0 else "behind"
        )
    error.nonce = _number(reply.headers.get("x-nonce"))
    error.clock_ahead = reply.clock_ahead
    error.retry_after = reply.retry_after
    raise error


def _json(content):
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RuntimeError):  # the latter when it is nested too deep
        return None


def _in_words(reply):
    words = "the bridge answered {0} {1}".format(reply.status, reply.reason).strip()
    if reply.status == 404:
        words += ": it has no such call"  # a call that it has says in JSON what was not found
    return words + (" and leads to " + reply.location if reply.location else "")


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def may_be_done(error):
    """Return whether the bridge may have carried out an attempt that has failed so."""
    if isinstance(error, TransportError):
        return error.sent
    return error.status in (502, 504) or error.status == 503 and error.retry_after is None
