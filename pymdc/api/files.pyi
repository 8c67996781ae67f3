import io
import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, overload

from typing_extensions import TypeAlias

from .. import Client
from ..answers import Download, File
from ._resource import _Asking, _Named, _Text
from .links import Links
from .names import Names

__all__ = ["Files"]

class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | None: ...

class _Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...

_Path: TypeAlias = str | bytes | os.PathLike[str]
_Progress: TypeAlias = Callable[[int, int], object]

class Files(Names, Links):
    def __init__(self, bucket_id: _Named, key_pair: _Asking | None = None, client: Client | None = None) -> None: ...
    @overload
    def upload(
        self, path: _Path | _Readable, token: _Named | None = None, callback: None = None,
        filename: _Text | None = None, mimetype: _Text | None = None, progress: _Progress | None = None,
        replace: bool = False,
    ) -> File: ...
    @overload
    def upload(
        self, path: _Path | _Readable, token: _Named | None = None, *, callback: Callable[[File], object],
        filename: _Text | None = None, mimetype: _Text | None = None, progress: _Progress | None = None,
        replace: bool = False,
    ) -> Future[File]: ...
    @overload
    def upload(
        self, path: _Path | _Readable, token: _Named | None, callback: Callable[[File], object],
        filename: _Text | None = None, mimetype: _Text | None = None, progress: _Progress | None = None,
        replace: bool = False,
    ) -> Future[File]: ...
    @overload
    def download(
        self, file_hash: _Named, path: _Path | _Writable, token: _Named | None = None, callback: None = None,
        progress: _Progress | None = None, concurrency: int = 4,
    ) -> Download: ...
    @overload
    def download(
        self, file_hash: _Named, path: _Path | _Writable, token: _Named | None = None, *,
        callback: Callable[[Download], object], progress: _Progress | None = None, concurrency: int = 4,
    ) -> Future[Download]: ...
    @overload
    def download(
        self, file_hash: _Named, path: _Path | _Writable, token: _Named | None, callback: Callable[[Download], object],
        progress: _Progress | None = None, concurrency: int = 4,
    ) -> Future[Download]: ...
    def open(self, file_hash: _Named, token: _Named | None = None) -> io.BufferedReader: ...
