"""One request, as the handlers see it."""

import dataclasses
import functools
from collections.abc import AsyncIterator

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.responses import JSONResponse

from ..metadata import Metadata
from ..services import Services
from . import fields


@dataclasses.dataclass(repr=False)  # who asks, and the links and tokens that are asked for, are secrets
class Call:
    """
    A request.

    :ivar path: as on the request line, without the query.
    :ivar query: as on the request line.
    :ivar ids: the variable parts of the path.
    :ivar address: of who asks.
    :ivar chunks: the body as it comes, for a handler that streams it.
    :ivar record: what the log tells of this request besides, for handlers to fill in.
    :ivar limiter: of the threads that may find out who asks, which takes long where a password is compared.
    :ivar body: the whole body, for any other.
    """

    services: Services
    method: str
    path: bytes
    query: bytes
    headers: dict
    ids: dict
    address: str
    chunks: AsyncIterator[bytes]
    record: dict
    limiter: CapacityLimiter | None = None
    body: bytes = b""

    @functools.cached_property
    def fields(self) -> dict:
        return fields.json_object(self.body)

    @property
    def needs_password(self) -> bool:
        """Whether a password has to be compared for this call, which may take long."""
        return self.headers.get("authorization", "").lower().startswith("basic")

    def together(self, work, sync=True):
        """
        Return what *work* returns: one transaction for who asks, what is spent for that, and what is done.  Where a
        password has to be compared, each step is one by itself.

        :param work: may be called again, when nothing of it was kept.
        :param sync: whether it has to outlive a power cut too.
        """
        return work() if self.needs_password else self.metadata.together(work, sync)

    async def soon(self, work, sync=True):
        """As :meth:`together`, for a handler that is a coroutine, and for what is short."""
        if self.needs_password:
            return await run_sync(work, limiter=self.limiter)
        return await self.metadata.soon(work, sync)

    def now(self) -> int:
        """Return the time, in milliseconds since the epoch."""
        return self.metadata.clock.now()

    def steady(self) -> int:
        """Return the time of a clock that nobody sets."""
        return self.metadata.clock.steady()

    @property
    def metadata(self) -> Metadata:
        return self.services.metadata


def one_transaction(handler, sync=True):
    """
    Let a handler be one transaction, from who asks to the answer: see :meth:`Call.together`.  An event loop awaits its
    *soon* in place of a thread's doing it: see :meth:`Call.soon`.
    """
    @functools.wraps(handler)
    def handle(call, *arguments):
        return call.together(functools.partial(handler, call, *arguments), sync)
    handle.soon = lambda call: call.soon(functools.partial(handler, call), sync)
    return handle


def reading(handler):
    """As :func:`one_transaction`, for a handler that only shows what there is."""
    return one_transaction(handler, sync=False)


class JSON(JSONResponse):
    media_type = "application/json; charset=utf-8"
