"""What a store is: where objects lie, each written once under a name that is never used again."""

import collections
import math
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Protocol

SHARD_SIZE = 8 * 1024 * 1024


class StoreAway(OSError):
    """The store cannot be reached, or does not do what it is there for; nothing is known of the object."""


class Reader:
    """
    An object that is open, from where it was opened on.

    :ivar size: how many bytes the whole object has.
    :ivar read: returns the next bytes, at most so many; none at the end.
    """

    def __init__(self, file, size: int):
        self.size = size
        self.read = file.read
        self.close = file.close


class Writer(Protocol):
    """
    A shard on its way into the store.

    :ivar sha256: of what has come, as an object of hashlib; *size*: how many bytes that is.
    """

    size: int

    def write(self, data): ...

    def keep(self) -> dict:
        """Return the shard's row, once the store has it for good."""

    def discard(self) -> list[str]:
        """Let nothing be left of it, whatever has become of it; return the names of what may be left all the same."""


class Store(Protocol):
    """
    The name of an object is the hash of its content, the id of the upload that brought it, and its number in there.

    Where a method cannot do what it is there for, it raises an OSError.

    :ivar places: for the shards that are on their way.
    :ivar settles: for how many milliseconds after an upload has failed, or its process has died, an object of it may
        still come.
    """

    places: "Places"
    settles: int

    def create(self, upload_id: str, number: int) -> Writer: ...

    def open(self, name: str, start: int, end: int) -> Reader:
        """
        Open an object to read it from *start* on, and to *end* at most.

        :raises FileNotFoundError: it is gone, and what it should lie in is not.
        """

    def delete(self, names: Iterable[str]) -> list[str]:
        """Delete objects; return those that cannot be deleted, and log why."""

    def objects(self) -> Iterator[str]:
        """Yield the name of each object, and of each that is still being written."""

    def brought_by(self, upload_ids: set[str]) -> Iterator[str]:
        """Yield the names of the objects that these uploads have brought."""

    def set_aside(self, name: str):
        """Move an object, if it is there, to where nobody gets it, for an operator to look at."""

    def put_aside(self, name: str, content: bytes):
        """Keep there what has not been an object."""

    def probe(self):
        """Raise unless something can be written, and read again."""

    def free_space(self) -> float:
        """Return how many bytes it can still take; infinite where nobody knows."""

    def written(self) -> dict[str, int]:
        """Return how many bytes each upload has brought, by its id, as far as they count in the free space."""


class Places:
    """Places for so many shards that are on their way at a time.  Who waits for one needs no thread for that."""

    def __init__(self, most: float = math.inf):
        self._free = most
        self._waiting = collections.deque()
        self._lock = threading.Lock()

    def take(self) -> "Future[Place]":
        """Return what is done once there is a place, and can be cancelled until then."""
        future = Future()
        with self._lock:
            if not self._free:
                self._waiting.append(future)
                return future
            self._free -= 1
        future.set_result(Place(self))
        return future

    def give_back(self):
        with self._lock:
            waiting = self._next_waiting()
            if waiting is None:
                self._free += 1
                return
        waiting.set_result(Place(self))

    def _next_waiting(self):
        while self._waiting:
            future = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                return future
        return None


class Place:
    """Is given back once, however often it is told to be."""

    def __init__(self, places: Places):
        self._places = [places]

    def give_back(self):
        if self._places:
            self._places.pop().give_back()


def uploader(name: str) -> str:
    """Return the id of the upload that brought an object."""
    return name.split("-")[-2]
