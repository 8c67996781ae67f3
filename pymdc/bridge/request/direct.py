"""
A direct upload: a query says what comes, and the body is the file itself.  Source: docs/protocol, "Direct transfers".
"""

from dataclasses import dataclass

from ..refusal import Refusal
from . import fields
from .call import Call
from .multipart import Sink


@dataclass
class Announced:
    """
    What is going to come.

    :ivar size: in bytes.
    :ivar hash: of the content, where the sender has told it.
    :ivar replace: whether it takes the place of what else has its name.
    """

    size: int
    filename: str
    mimetype: str
    hash: str | None
    replace: bool


def announced(call: Call) -> Announced | None:
    """Return what a call announces; None for one that is no direct upload, which ``size`` makes it."""
    query = fields.own_query(call.query, ["size"])
    if "size" not in query:
        return None
    size = fields.whole_number("size", query["size"])
    if call.headers.get("content-length") != str(size):
        raise Refusal(400, "Content-Length and size differ: the body of a direct upload is the file itself")
    return Announced(
        size=size,
        filename=fields.path(query.get("name", "")),
        mimetype=fields.mimetype(call.headers.get("content-type", "application/octet-stream").encode("latin-1")),
        hash=None if "hash" not in query else fields.content_hash(query["hash"]),
        replace=fields.switch("replace", query.get("replace", "0")),
    )


class FileReader:
    """Passes the body on to a sink; as :class:`pymdc.bridge.request.multipart.FileReader`."""

    def __init__(self, file: Announced, sink: Sink):
        sink.begin(file.filename, file.mimetype)
        self._sink = sink

    def feed(self, data: bytes):
        self._sink.write(memoryview(data))

    def finish(self):
        """The sink knows how much was to come."""
