from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol

from . import Client
from .api import Users
from .keypair import ECDSA

__all__ = ["Account", "Fault", "Wire", "account"]

class _LocalBridge(Protocol):
    @property
    def url(self) -> str: ...
    def activation_token(self, email_address: str, /) -> str: ...

class Account(NamedTuple):
    user: Users
    key_pair: ECDSA
    client: Client

def account(bridge: _LocalBridge | str, client: Client | None = None) -> Account: ...

class Fault:
    kind: str
    method: str
    path: str
    nth: int
    sent: int | None
    received: int
    status: int
    headers: dict[str, str]
    body: bytes
    then: str
    seen: int
    def __init__(
        self,
        kind: Literal["reset", "truncate", "stall", "answer"],
        method: str = "*",
        path: str = "*",
        nth: int = 1,
        sent: int | None = None,
        received: int = 0,
        status: int = 503,
        headers: dict[str, str] | None = None,
        body: bytes = b'{"error": "a fault on the wire"}',
        then: Literal["drain", "stall", "close"] = "close",
    ) -> None: ...
    def matches(self, method: str, path: str) -> bool: ...
    def befalls(self, method: str, path: str) -> bool: ...

class Wire:
    url: str
    target: str | None
    faults: list[Fault]
    requests: list[tuple[str, str]]
    def __init__(self, target: str | None = None, faults: Iterable[Fault] = ()) -> None: ...
    def open(self) -> None: ...
    def refuse(self) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Wire: ...
    def __exit__(self, *exception: object) -> None: ...
