"""A store of objects in a bucket of a server that speaks S3."""

import contextlib
import errno
import hashlib
import logging
import math
import os
import re
from collections.abc import Iterator
from datetime import timedelta

from ..._digest import content_hash
from .store import SHARD_SIZE, StoreAway, Places, Reader

BUFFERS = 16  # shards that are gathered in memory at a time, in one process

_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[\w.-]+)*)/?", re.ASCII)
_KEY = re.compile(r"shards/(\w+)/([0-9a-f]{40})-(\w+)", re.ASCII)
_CODE = re.compile(r"<Code>(\w{1,64})</Code>", re.ASCII)
_STATUS = re.compile(r"status code: (\d{3})", re.ASCII)
_ENDPOINT = re.compile(r"https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?(/[\w./~-]*)?", re.ASCII)
_ENDPOINTS = ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
_RANGE = 1024 * 1024  # bytes that are read at a time
_PAGE = 1000  # names
_PROBE = b"A bridge writes this, and reads it again, to see that it can.\n"
_TIMES = {"timeout": timedelta(seconds=30), "connect_timeout": timedelta(seconds=5)}  # of one request
_REPEATS = {
    "max_retries": 4, "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
}
_log = logging.getLogger("pymdc.bridge")


def check_url(url: str):
    """Raise ValueError, which does not repeat it, unless this is the URL of a bucket and no more."""
    _parse(url)


class ObjectStore:
    """
    What a bucket has under a prefix: ``shards/<upload>/<hash>-<number>``, ``quarantine`` and ``probe``.  The upload
    leads, so that what it has left is found in one request.

    Who it is and where the server is, it knows from the environment, ``AWS_…``.  A process that is forked from one that
    has used it cannot use it, nor another one.
    """

    settles = 2 * int(_TIMES["timeout"].total_seconds() * 1000)  # a request may be carried out that nobody waits for

    def __init__(self, url: str):
        self.places = Places(BUFFERS)
        self._url = url
        self._bucket = _Bucket(*_parse(url))

    def __str__(self):
        return self._url

    def create(self, upload_id: str, number: int) -> "ObjectWriter":
        return ObjectWriter(self, upload_id, number)

    def open(self, name: str, start: int, end: int) -> "ObjectReader":
        return ObjectReader(lambda *part: self._bucket.get(_key(name), *part), start, end)

    def put(self, name: str, content: memoryview):
        self._bucket.put(_key(name), content)

    def delete(self, names) -> list[str]:
        names = list(names)
        try:
            if names:
                self._bucket.delete([_key(name) for name in names])
        except OSError as error:
            _log.error("%d objects cannot be deleted: %s", len(names), error.strerror)
            return names
        return []

    def objects(self) -> Iterator[str]:
        return self._names("shards")

    def brought_by(self, upload_ids: set[str]) -> Iterator[str]:
        for upload_id in upload_ids:
            yield from self._names("shards/" + upload_id)

    def _names(self, prefix):
        for key in self._bucket.keys(prefix):
            if parts := _KEY.fullmatch(key):
                upload_id, digest, number = parts.groups()
                yield f"{digest}-{upload_id}-{number}"

    def others(self) -> Iterator[str]:
        """Yield the key of whatever is under the prefix besides shards and what this bridge has tried."""
        return (key for key in self._bucket.keys(None) if not _KEY.fullmatch(key) and key != "probe")

    def set_aside(self, name: str):
        with contextlib.suppress(FileNotFoundError):
            self._bucket.rename(_key(name), "quarantine/" + name)

    def put_aside(self, name: str, content: bytes):
        self._bucket.put("quarantine/" + name, content)

    def probe(self):
        self._bucket.put("probe", _PROBE)
        if bytes(self._bucket.get("probe", 0, len(_PROBE))[0]) != _PROBE:
            raise OSError(errno.EIO, "what was written is not there", self._url)

    def free_space(self) -> float:
        return math.inf

    def written(self) -> dict[str, int]:
        return {}


class ObjectWriter:
    """A shard that is gathered in memory, since its hash is a part of its name, and put into the bucket as a whole."""

    def __init__(self, store: ObjectStore, upload_id: str, number: int):
        self._store = store
        self._after_hash = f"{upload_id}-{number}"
        self._buffer = bytearray(SHARD_SIZE)  # which takes memory as it is filled
        self._name = None  # once it may be there
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data):
        self._buffer[self.size:self.size + len(data)] = data
        self.sha256.update(data)
        self.size += len(data)

    def keep(self) -> dict:
        digest = content_hash(self.sha256)
        self._name = f"{digest}-{self._after_hash}"
        try:
            self._store.put(self._name, memoryview(self._buffer)[:self.size])
        finally:
            self._buffer = None
        return {"object": self._name, "hash": digest, "sha256": self.sha256.hexdigest(), "size": self.size}

    def discard(self) -> list[str]:
        """A request that has failed may yet be carried out: what it would bring may be left, though it is deleted."""
        self._buffer = None
        names = [self._name] if self._name else []
        self._store.delete(names)
        return names


class ObjectReader(Reader):
    """
    An object that is read a range at a time, each in a request of its own: a reader who is slow holds nothing up.

    :param fetch: returns the content of a range, and the size of the whole object, which tells that it has been cut.
    """

    def __init__(self, fetch, start: int, end: int):
        self._fetch = fetch
        self._at, self._end = start, end
        self._block = memoryview(b"")
        self.size = math.inf
        self._go_on()

    def read(self, size: int) -> bytes:
        if not self._block and self._at < min(self._end, self.size):
            self._go_on()
        block, self._block = self._block[:size], self._block[size:]
        return bytes(block)

    def close(self):
        self._block = memoryview(b"")

    def _go_on(self):
        end = min(self._at + _RANGE, self._end, self.size)
        content, self.size = self._fetch(self._at, end)
        if len(content) < end - self._at:
            self._end = self._at + len(content)  # it is cut there, whatever its size is said to be
        self._block = memoryview(content)[:end - self._at]
        self._at += len(self._block)


class _Bucket:
    """The calls to the server, whose failures are an OSError in words of ours: its own may repeat what was signed."""

    def __init__(self, name, prefix):
        try:
            import obstore
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ImportError:
            text = 'a store at S3 needs the extra "cluster": pip install ".[bridge,cluster]" in a clone'
            raise OSError(errno.ENOENT, text) from None
        self._calls, self._failures = obstore, (BaseError, OSError, ValueError)
        allow_http = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes", "on")
        _check_endpoints(allow_http)
        checksum = os.environ.get("AWS_CHECKSUM_ALGORITHM") or "SHA256"
        try:  # options that are given are all that it heeds: it does not look for AWS_ALLOW_HTTP any more
            self._store = S3Store(name, prefix=prefix or None, config={"checksum_algorithm": checksum},
                                  client_options={**_TIMES, "allow_http": allow_http}, retry_config=_REPEATS)
        except self._failures:
            raise OSError(errno.EINVAL, "what the environment says, in AWS_..., cannot be used for a store") from None

    def put(self, key, content):
        with self._in_words():
            self._calls.put(self._store, key, content, use_multipart=False)

    def get(self, key, start, end):
        """Return the content from *start* to *end*, less where there is no more, and the size of the object."""
        try:
            with self._in_words():
                result = self._calls.get(self._store, key, options={"range": (start, end)})
                return result.bytes(), result.meta["size"]
        except _PastItsEnd:
            return b"", 0

    def delete(self, keys):
        with self._in_words():
            self._calls.delete(self._store, keys)

    def rename(self, key, new):
        with self._in_words():
            self._calls.rename(self._store, key, new)

    def keys(self, prefix):
        with self._in_words():
            for page in self._calls.list(self._store, prefix, chunk_size=_PAGE):
                for each in page:
                    yield each["path"]

    @contextlib.contextmanager
    def _in_words(self):
        try:
            yield
        except self._failures as error:
            raise _in_words(error) from None


def _check_endpoints(allow_http):
    """Refuse what would end up in an error of the library, or end it.  It takes the names in any case."""
    for name, url in os.environ.items():
        if name.upper() not in _ENDPOINTS:
            continue
        if not _ENDPOINT.fullmatch(url):
            text = ("must be like https://objects.example: credentials are taken from AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY")
            raise OSError(errno.EINVAL, text, name)
        if url.startswith("http:") and not allow_http:
            raise OSError(errno.EINVAL, "is not https: if that is meant, set AWS_ALLOW_HTTP=true too", name)


class _PastItsEnd(OSError):
    """An object ends before what was asked for."""


def _in_words(error):
    """Return what has failed as an OSError.  Only where the server says that it has no such object, that is gone."""
    text = str(error).partition("Debug source")[0]
    code, status = _CODE.search(text), _STATUS.search(text)
    if code and code[1] == "NoSuchKey":
        return FileNotFoundError(errno.ENOENT, "not in the store")
    if status and status[1] == "416":
        return _PastItsEnd(errno.EINVAL, "the object is shorter")
    if status:
        return StoreAway(errno.EHOSTDOWN, f"the store answers {status[1]}{' ' + code[1] if code else ''}")
    return StoreAway(errno.EHOSTDOWN, f"the store cannot be reached, or breaks off ({type(error).__name__})")


def _key(name):
    digest, upload_id, number = name.split("-")
    return f"shards/{upload_id}/{digest}-{number}"


def _parse(url):
    """Return the name of a bucket, and the prefix of what is a store's in it."""
    after = url.partition("://")[2]
    if any(sign in after for sign in "@?#:"):
        raise ValueError("store-url must not hold credentials or options: they are taken from the environment, "
                         "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL and so on")
    parts = _URL.fullmatch(url)
    if not parts or any(part in (".", "..") for part in parts[2].split("/")):
        raise ValueError("store-url must be s3://bucket or s3://bucket/prefix, of letters, digits, -, _ and .")
    return parts[1], parts[2].strip("/")
