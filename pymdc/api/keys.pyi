import builtins
from collections.abc import Callable
from concurrent.futures import Future
from typing import overload

from .. import Client
from ..answers import Key, Nothing
from ..keypair import ECDSA
from ._resource import _Asking, _PublicKey, Resource

__all__ = ["Keys"]

class Keys(Resource):
    def __init__(self, user: _Asking, client: Client | None = None) -> None: ...
    @overload
    def list(self, callback: None = None) -> builtins.list[Key]: ...
    @overload
    def list(self, callback: Callable[[builtins.list[Key]], object]) -> Future[builtins.list[Key]]: ...
    @overload
    def create(self, key_pair: _PublicKey, callback: None = None) -> Key: ...
    @overload
    def create(self, key_pair: _PublicKey, callback: Callable[[Key], object]) -> Future[Key]: ...
    @overload
    def delete(self, key_pair: _PublicKey, callback: None = None) -> Nothing: ...
    @overload
    def delete(self, key_pair: _PublicKey, callback: Callable[[Nothing], object]) -> Future[Nothing]: ...
    @overload
    def rotate(self, old: _PublicKey, new: ECDSA, callback: None = None) -> Key: ...
    @overload
    def rotate(self, old: _PublicKey, new: ECDSA, callback: Callable[[Key], object]) -> Future[Key]: ...
