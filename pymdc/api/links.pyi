import builtins
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal, overload

from typing_extensions import TypeAlias

from ..answers import Link, Nothing, Token, WaitingToken
from ._resource import _Named, Resource

__all__ = ["Links"]

_Operation: TypeAlias = Literal["PUSH", "PULL"]

class Links(Resource):
    @overload
    def token(
        self, operation: _Operation, callback: None = None, expires_in: float | None = None,
    ) -> Token: ...
    @overload
    def token(
        self, operation: _Operation, callback: Callable[[Token], object], expires_in: float | None = None,
    ) -> Future[Token]: ...
    @overload
    def share(
        self, file_hash: _Named, expires_in: float = 300, filename: str | bytes | None = None, callback: None = None,
    ) -> Link: ...
    @overload
    def share(
        self, file_hash: _Named, expires_in: float = 300, filename: str | bytes | None = None, *,
        callback: Callable[[Link], object],
    ) -> Future[Link]: ...
    @overload
    def share(
        self, file_hash: _Named, expires_in: float, filename: str | bytes | None, callback: Callable[[Link], object],
    ) -> Future[Link]: ...
    @overload
    def invite(self, expires_in: float = 300, max_size: int | None = None, callback: None = None) -> Link: ...
    @overload
    def invite(
        self, expires_in: float = 300, max_size: int | None = None, *, callback: Callable[[Link], object],
    ) -> Future[Link]: ...
    @overload
    def invite(
        self, expires_in: float, max_size: int | None, callback: Callable[[Link], object],
    ) -> Future[Link]: ...
    @overload
    def tokens(self, callback: None = None) -> builtins.list[WaitingToken]: ...
    @overload
    def tokens(
        self, callback: Callable[[builtins.list[WaitingToken]], object],
    ) -> Future[builtins.list[WaitingToken]]: ...
    @overload
    def revoke(self, token: _Named, callback: None = None) -> Nothing: ...
    @overload
    def revoke(self, token: _Named, callback: Callable[[Nothing], object]) -> Future[Nothing]: ...
