import builtins
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal, overload

from typing_extensions import TypeAlias

from ..answers import Nothing, Token, WaitingToken
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
    def tokens(self, callback: None = None) -> builtins.list[WaitingToken]: ...
    @overload
    def tokens(
        self, callback: Callable[[builtins.list[WaitingToken]], object],
    ) -> Future[builtins.list[WaitingToken]]: ...
    @overload
    def revoke(self, token: _Named, callback: None = None) -> Nothing: ...
    @overload
    def revoke(self, token: _Named, callback: Callable[[Nothing], object]) -> Future[Nothing]: ...
