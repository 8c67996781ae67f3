"""One request, as the handlers see it, and what they need to answer it."""

import dataclasses
import errno
import fcntl
import functools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import sqlalchemy
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
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(folder / "lock")
        self.metadata = Metadata(sqlalchemy.URL.create("sqlite", database=str(folder / "bridge.sqlite")))
        self.store = Store(folder / "shards")
        self.store.discard_incoming()
        self.outbox = Outbox(folder / "outbox")
        self.public_url = public_url
        self.passwords = anyio.CapacityLimiter(2)  # hashing one takes 19 MiB

    def close(self):
        self.metadata.close()
        self._lock.close()


def _locked(path: Path):
    """Hold a lock as long as the file that is returned is open: one bridge a data folder."""
    file = open(path, "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise OSError(errno.EBUSY, "another bridge is running on it", str(path.parent)) from None
    return file


@dataclasses.dataclass
class Call:
    """
    A request.

    :ivar path: as on the request line, without the query.
    :ivar query: as on the request line.
    :ivar ids: the variable parts of the path.
    :ivar chunks: the body as it comes, for a handler that streams it.
    :ivar body: the whole body, for any other.
    """

    services: Services
    method: str
    path: bytes
    query: bytes
    headers: dict
    ids: dict
    chunks: AsyncIterator[bytes]
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
