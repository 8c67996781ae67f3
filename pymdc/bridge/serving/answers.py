"""What becomes of an error: the answer ``{"error": text}``."""

import errno
import functools
import logging

import anyio
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from ..metadata.failures import Away, Undone
from ..refusal import Refusal
from ..request.call import JSON
from ..storage.store import StoreAway

MAX_DRAIN = 1024 * 1024  # bytes of a refused body that are still read
DRAIN_SECONDS = 5

_log = logging.getLogger("pymdc.bridge")


@functools.singledispatch
def answer_to(error: Exception, scope) -> "Answer":
    """Return the answer to the request of *scope* that has ended so.  What is of no kind below is a fault of ours."""
    return _error({"error": "Internal error"}, 500, {"Connection": "close"})


@answer_to.register
def _(refusal: Refusal, scope):
    scope["pymdc.record"]["error"] = refusal.text
    refusal.with_traceback(None)  # whose frames hold what has come of the body, while the rest is drained
    return _error({"error": refusal.text}, refusal.status, refusal.headers, refusal.page)


@answer_to.register
def _(error: ClientDisconnect, scope):
    return _error({"error": "The body broke off"}, 400)  # for the log: nobody is there to read it


@answer_to.register(OSError)
@answer_to.register(SQLAlchemyError)
def _(error, scope):
    _log.error("%s: %s", scope["pymdc.record"], error)
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error):
        return _error({"error": "No space left on the bridge"}, 507)
    return _error({"error": "The bridge cannot read or write its data"}, 503)


@answer_to.register
def _(error: Undone, scope):
    _log.error("%s: %s", scope["pymdc.record"], error)
    return _error({"error": "The bridge could not keep it: try again"}, 503, {"Retry-After": "1"})


@answer_to.register
def _(error: Away, scope):
    _log.error("%s: %s", scope["pymdc.record"], error)
    return _error({"error": "The bridge cannot reach its database: try again"}, 503, {"Retry-After": "5"})


@answer_to.register
def _(error: StoreAway, scope):
    _log.error("%s: %s", scope["pymdc.record"], error.strerror)
    return _error({"error": "The bridge cannot reach its store: try again"}, 503, {"Retry-After": "5"})


def _error(content, status, headers=None, page=None):
    return Answer(page or JSON(content, status, headers))


class Answer:
    """
    One that is sent at once, also when the body of the request is still on its way.

    :param response: what is sent.
    """

    def __init__(self, response: Response):
        self._response = response
        self.status_code = response.status_code

    async def __call__(self, scope, receive, send):
        response = self._response
        if not has_body(scope) or scope["pymdc.body_read"]():
            await response(scope, receive, send)
            return
        response.headers["Connection"] = "close"
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        await _drain(receive)
        await send({"type": "http.response.body", "body": b""})


def has_body(scope) -> bool:
    headers = dict(scope["headers"])
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


async def _drain(receive):
    """Read on for a while: a sender that does not look for an answer yet would lose it when the connection breaks."""
    left = MAX_DRAIN
    with anyio.move_on_after(DRAIN_SECONDS):
        more = True
        while left > 0 and more:
            message = await receive()
            left -= len(message.pop("body", b""))
            more = message.get("more_body")
