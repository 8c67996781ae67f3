from collections.abc import Sequence
from typing import Any

__all__ = [
    "APIError",
    "InsecureTransport",
    "IntegrityError",
    "InvalidKey",
    "PymdcError",
    "Refusal",
    "RefusedLookup",
    "Timeout",
    "TransportError",
]

class PymdcError(Exception):
    away: bool
    attempts: Sequence[tuple[int | str, float]]
    retry_after: float | None
    hint: str | None

class APIError(PymdcError):
    status: int
    body: dict[str, Any]
    method: str
    path: str
    nonce: float | None
    clock_ahead: float | None
    maybe_done: bool
    def __init__(self, status: int, body: dict[str, Any], method: str, path: str) -> None: ...

class RefusedLookup(APIError, KeyError): ...

class TransportError(PymdcError, IOError):
    sent: bool
    passing: bool
    def __init__(self, message: str, sent: bool = True, passing: bool = True) -> None: ...

class Timeout(TransportError): ...
class IntegrityError(PymdcError): ...
class InsecureTransport(PymdcError, ValueError): ...
class InvalidKey(PymdcError, ValueError): ...

class Refusal(dict[str, Any]):
    hint: str | None
    status: int | None
    def __init__(self, answer: dict[str, Any], error: BaseException | None, listing: bool = False) -> None: ...
    def __missing__(self, key: object) -> str: ...
