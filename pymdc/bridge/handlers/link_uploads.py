"""A file that comes by a link."""

import dataclasses
import functools

from starlette.responses import Response

from ..metadata import Asker
from ..refusal import Refusal
from ..request import auth, fields, multipart
from ..request.call import Call, JSON
from ..storage.incoming import Incoming
from . import files, link_pages, pages, uploads


async def receive(call: Call, link: dict) -> Response:
    """Take the file that comes by a link, which is given by the row of its token."""
    arrival = _Arrival(dataclasses.replace(call, ids={**call.ids, "bucket": link["bucket"]}), link)
    with call.services.metrics.uploads.track_inprogress():
        file = await uploads.take(arrival.call, arrival.let_in, arrival.reader, arrival.finish)
    call.services.metrics.tokens.labels("PUSH", "spent").inc()
    return link_pages.arrived(file) if pages.wanted(call) else JSON(files.told(file))


class _Form(multipart.FileReader):
    """Of the form only its length is known before it comes, not that of the file in it."""

    def finish(self):
        super().finish()
        self.sink.end()


class _Arrival:
    """
    A file that comes by a link.  The token is held meanwhile, and spent with the file's entry: where there is none, it
    is free again with the end of the upload.
    """

    def __init__(self, call: Call, link: dict):
        self.call = call
        self._link, self._token = link, auth.hash_token(call.ids["token"])
        self._length = fields.content_length(call.headers.get("content-length"))
        self._incoming = None
        self._named, self._size = False, 0
        most = link["max_size"]
        if most is not None and self._length > most + multipart.MAX_BESIDE:
            raise self._too_large()

    def let_in(self) -> Incoming:
        return self.call.metadata.together(self._let_in)

    def _let_in(self):
        call, incoming = self.call, uploads.incoming(self.call, self._length)
        link = call.metadata.tokens.hold(self._token, incoming.id, call.now(), call.services.expiry_of_hold())
        uploads.begin(call, incoming, self._length, Asker(link["point"]))
        return incoming

    def reader(self, incoming: Incoming) -> multipart.FileReader:
        self._incoming = incoming
        return _Form(self.call.headers.get("content-type", ""), self)

    def begin(self, filename: str, mimetype: str):
        self._named = bool(filename)
        self._incoming.begin(filename, mimetype)

    def write(self, data: memoryview):
        self._size += len(data)
        if self._link["max_size"] is not None and self._size > self._link["max_size"]:
            raise self._too_large()
        self._incoming.write(data)

    def end(self):
        self._incoming.end()

    def finish(self, incoming: Incoming) -> tuple[dict, bool]:
        if not (self._named or self._size):  # a form in which none was chosen
            raise Refusal(400, "No file in the request")
        return self.call.metadata.together(functools.partial(self._enter, incoming, uploads.entry(self.call, incoming)))

    def _enter(self, incoming, file):
        metadata = self.call.metadata
        file = metadata.uploads.beside(file, fields.numbered(file["filename"]))  # by a stranger, who picks any name
        replaced = metadata.uploads.finish(incoming.id, file, incoming.shards, self.call.steady())
        metadata.tokens.spend_held(self._token, incoming.id)
        return file, replaced

    def _too_large(self):
        return Refusal(413, f"File is too large: it may have {self._link['max_size']} bytes by this link")
