from collections.abc import Callable
from concurrent.futures import Future
from typing import overload

from .. import Client
from ..answers import User
from ._resource import Resource

__all__ = ["Users"]

class Users(Resource):
    def __init__(self, email: str | bytes, password: str | bytes, client: Client | None = None) -> None: ...
    @overload
    def register(self, callback: None = None) -> User: ...
    @overload
    def register(self, callback: Callable[[User], object]) -> Future[User]: ...
    @overload
    def activate(self, token: str | bytes, callback: None = None) -> User: ...
    @overload
    def activate(self, token: str | bytes, callback: Callable[[User], object]) -> Future[User]: ...
