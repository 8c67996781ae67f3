from typing import Literal, TypedDict, final

from typing_extensions import NotRequired

__all__ = ["Bucket", "Download", "File", "Folder", "Key", "Link", "Nothing", "Token", "Used", "User", "WaitingToken"]

class User(TypedDict):
    activated: bool
    created: str
    email: str
    id: str
    error: NotRequired[str]

class Key(TypedDict):
    user: str
    key: str
    id: str
    error: NotRequired[str]

class Used(TypedDict):
    storage: int
    transfer: int

class Bucket(TypedDict):
    user: str
    created: str
    name: str
    pubkeys: list[str]
    status: str
    transfer: float
    storage: float
    id: str
    used: Used
    error: NotRequired[str]

class Token(TypedDict):
    bucket: str
    operation: Literal["PUSH", "PULL"]
    expires: str
    token: str
    id: str
    error: NotRequired[str]

class Link(TypedDict):
    bucket: str
    operation: Literal["PUSH", "PULL"]
    expires: str
    token: str
    id: str
    link: str
    file: NotRequired[str]
    filename: NotRequired[str]
    max_size: NotRequired[int]
    error: NotRequired[str]

class WaitingToken(TypedDict):
    id: str
    operation: Literal["PUSH", "PULL"]
    file: str | None
    filename: str | None
    max_size: int | None
    created: str
    expires: str
    key: str | None
    error: NotRequired[str]

@final
class File(TypedDict):
    bucket: str
    mimetype: str
    filename: str
    size: int
    hash: str
    created: str
    error: NotRequired[str]

@final
class Folder(TypedDict):
    prefix: str

class Download(TypedDict):
    hash: str
    size: int
    path: str | None
    error: NotRequired[str]

class Nothing(TypedDict):
    error: NotRequired[str]
