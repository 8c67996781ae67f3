import os
from collections.abc import Callable, Mapping
from typing import Protocol

from . import api as api
from . import errors as errors
from . import keypair as keypair

__all__ = ["Client", "__version__", "api", "configure", "content_hash", "errors", "keypair"]

__version__: str

class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | None: ...

class Client:
    api_url: str
    retries: int
    raise_errors: bool
    def __init__(
        self,
        api_url: str | None = None,
        timeout: float | tuple[float, float] = (10, 60),
        retries: int = 4,
        raise_errors: bool = False,
        verify: bool | str | bytes | os.PathLike[str] | None = None,
        proxies: Mapping[str, str] | None = None,
        allow_http: bool = False,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = ...,
        patience: float = 30,
    ) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Client: ...
    def __exit__(self, *exception: object) -> None: ...

def configure(
    api_url: str | None = None,
    timeout: float | tuple[float, float] = (10, 60),
    retries: int = 4,
    raise_errors: bool = False,
    verify: bool | str | bytes | os.PathLike[str] | None = None,
    proxies: Mapping[str, str] | None = None,
    allow_http: bool = False,
    sleep: Callable[[float], object] | None = None,
    clock: Callable[[], float] = ...,
    patience: float = 30,
) -> None: ...
def content_hash(path: str | bytes | os.PathLike[str] | _Readable) -> str: ...
