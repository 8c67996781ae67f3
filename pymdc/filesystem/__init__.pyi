import datetime
import os
from typing import Any, ClassVar

from fsspec import AbstractFileSystem

from .. import Client
from ..keypair import ECDSA

__all__ = ["MetadiskFileSystem"]

class MetadiskFileSystem(AbstractFileSystem):
    protocol: ClassVar[str]
    def __init__(
        self, *, api_url: str | None = None, key_pair: ECDSA | str | os.PathLike[str] | None = None,
        client: Client | None = None, use_listings_cache: bool = False, **options: Any,
    ) -> None: ...
    def checksum(self, path: str) -> str: ...
    def created(self, path: str) -> datetime.datetime: ...
    def modified(self, path: str) -> datetime.datetime: ...
