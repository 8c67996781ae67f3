import builtins
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import overload

from .. import Client
from .. import answers
from ..answers import Nothing
from ._resource import _Asking, _Named, _PublicKey, Resource
from .files import Files

__all__ = ["Bucket", "Buckets"]

class Buckets(Resource):
    def __init__(self, key_pair: _Asking, client: Client | None = None) -> None: ...
    @overload
    def list(self, callback: None = None) -> builtins.list[answers.Bucket]: ...
    @overload
    def list(
        self, callback: Callable[[builtins.list[answers.Bucket]], object]
    ) -> Future[builtins.list[answers.Bucket]]: ...
    @overload
    def create(
        self, name: str | bytes, storage: float, transfer: float, key_pairs: Sequence[_PublicKey] = (),
        callback: None = None,
    ) -> answers.Bucket: ...
    @overload
    def create(
        self, name: str | bytes, storage: float, transfer: float, key_pairs: Sequence[_PublicKey] = (),
        *, callback: Callable[[answers.Bucket], object],
    ) -> Future[answers.Bucket]: ...
    @overload
    def create(
        self, name: str | bytes, storage: float, transfer: float, key_pairs: Sequence[_PublicKey],
        callback: Callable[[answers.Bucket], object],
    ) -> Future[answers.Bucket]: ...

class Bucket(Resource):
    files: Files
    def __init__(self, bucket_id: _Named, key_pair: _Asking | None = None, client: Client | None = None) -> None: ...
    @overload
    def list(self, callback: None = None) -> answers.Bucket: ...
    @overload
    def list(self, callback: Callable[[answers.Bucket], object]) -> Future[answers.Bucket]: ...
    @overload
    def update(
        self, name: str | bytes | None = None, storage: float | None = None, transfer: float | None = None,
        key_pairs: Sequence[_PublicKey] | None = None, callback: None = None,
    ) -> answers.Bucket: ...
    @overload
    def update(
        self, name: str | bytes | None = None, storage: float | None = None, transfer: float | None = None,
        key_pairs: Sequence[_PublicKey] | None = None, *, callback: Callable[[answers.Bucket], object],
    ) -> Future[answers.Bucket]: ...
    @overload
    def update(
        self, name: str | bytes | None, storage: float | None, transfer: float | None,
        key_pairs: Sequence[_PublicKey] | None, callback: Callable[[answers.Bucket], object],
    ) -> Future[answers.Bucket]: ...
    @overload
    def delete(self, callback: None = None) -> Nothing: ...
    @overload
    def delete(self, callback: Callable[[Nothing], object]) -> Future[Nothing]: ...
