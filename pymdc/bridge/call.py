"""One request, as the handlers see it, and what they need to answer it."""

import dataclasses
import functools
import time
from pathlib import Path

from starlette.responses import JSONResponse

from . import fields
from .mail import Outbox
from .metadata import Metadata
from .settings import Settings
from .shards import Store


class Services:
    """What one bridge consists of."""

    def __init__(self, settings: Settings, public_url: str):
        folder = Path(settings.data_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self.metadata = Metadata(f"sqlite:///{folder / 'bridge.sqlite'}")
        self.store = Store(folder / "shards")
        self.store.discard_incoming()
        self.outbox = Outbox(folder / "outbox")
        self.public_url = public_url

    def close(self):
        self.metadata.close()


@dataclasses.dataclass
class Call:
    """
    A request.

    :ivar path: as on the request line, without the query.
    :ivar query: as on the request line.
    :ivar ids: the variable parts of the path.
    """

    services: Services
    method: str
    path: bytes
    query: bytes
    headers: dict
    ids: dict
    body: bytes = b""

    @functools.cached_property
    def fields(self) -> dict:
        return fields.json_object(self.body)

    @property
    def metadata(self) -> Metadata:
        return self.services.metadata


class JSON(JSONResponse):
    media_type = "application/json; charset=utf-8"


def now() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def iso(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"
