from collections.abc import Mapping
from typing_extensions import TypeAlias

from .. import Client
from ..keypair import ECDSA

__all__ = ["Resource"]

class Resource:
    def __init__(self, auth: _Asking | None, client: Client | None, anybody: bool = False) -> None: ...

_Text: TypeAlias = str | bytes

# What stands for itself: text, or the dict that the bridge returned for it.
_Named: TypeAlias = _Text | Mapping[str, object]
_PublicKey: TypeAlias = ECDSA | _Named
_Asking: TypeAlias = ECDSA | Resource
