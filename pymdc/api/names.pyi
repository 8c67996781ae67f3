import builtins
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Literal, overload

from typing_extensions import TypeAlias

from ..answers import File, Folder, Nothing
from ._resource import _Named, _Text, Resource

__all__ = ["Names"]

_Slash: TypeAlias = Literal["/"]

class Names(Resource):
    @overload
    def list(
        self, callback: None = None, prefix: _Text | None = None, delimiter: None = None,
    ) -> builtins.list[File]: ...
    @overload
    def list(
        self, callback: None = None, prefix: _Text | None = None, *, delimiter: _Slash,
    ) -> builtins.list[File | Folder]: ...
    @overload
    def list(
        self, callback: None, prefix: _Text | None, delimiter: _Slash,
    ) -> builtins.list[File | Folder]: ...
    @overload
    def list(
        self, callback: Callable[[builtins.list[File]], object], prefix: _Text | None = None, delimiter: None = None,
    ) -> Future[builtins.list[File]]: ...
    @overload
    def list(
        self, callback: Callable[[builtins.list[File | Folder]], object], prefix: _Text | None = None, *,
        delimiter: _Slash,
    ) -> Future[builtins.list[File | Folder]]: ...
    @overload
    def list(
        self, callback: Callable[[builtins.list[File | Folder]], object], prefix: _Text | None, delimiter: _Slash,
    ) -> Future[builtins.list[File | Folder]]: ...
    @overload
    def iterate(
        self, prefix: _Text | None = None, delimiter: None = None, page: int = 1000,
    ) -> Generator[File, None, None]: ...
    @overload
    def iterate(
        self, prefix: _Text | None = None, *, delimiter: _Slash, page: int = 1000,
    ) -> Generator[File | Folder, None, None]: ...
    @overload
    def iterate(
        self, prefix: _Text | None, delimiter: _Slash, page: int = 1000,
    ) -> Generator[File | Folder, None, None]: ...
    @overload
    def copy(
        self, file_hash: _Named, filename: _Text, callback: None = None, mimetype: _Text | None = None,
    ) -> File: ...
    @overload
    def copy(
        self, file_hash: _Named, filename: _Text, callback: Callable[[File], object], mimetype: _Text | None = None,
    ) -> Future[File]: ...
    @overload
    def delete(self, file_hash: _Named, callback: None = None, filename: _Text | None = None) -> Nothing: ...
    @overload
    def delete(
        self, file_hash: _Named, callback: Callable[[Nothing], object], filename: _Text | None = None,
    ) -> Future[Nothing]: ...
