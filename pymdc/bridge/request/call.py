"""One request, as the handlers see it."""

import dataclasses
import functools
from collections.abc import AsyncIterator

from anyio import CapacityLimiter
from starlette.responses import JSONResponse

from ..metadata import Metadata
from ..services import Services
from . import fields


@dataclasses.dataclass
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
    def metadata(self) -> Metadata:
        return self.services.metadata


class JSON(JSONResponse):
    media_type = "application/json; charset=utf-8"
