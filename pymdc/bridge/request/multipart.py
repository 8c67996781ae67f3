"""Reading ``multipart/form-data``: finds the one file in it.  Source: docs/protocol, "Upload"."""

import re
import urllib.parse
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..refusal import Refusal
from . import fields

MAX_FIELDS = 16  # beside the file
MAX_FIELD = 64 * 1024  # bytes, of a field's content or of a part's headers
MAX_BESIDE = (2 * MAX_FIELDS + 4) * MAX_FIELD  # bytes that a form may have beside the file

_PARAMETER = re.compile(rb';\s*([A-Za-z*-]+)\s*=\s*("(?:\\"|[^"])*"|[^;\s]*)')


class Sink(Protocol):
    """What takes the file."""

    def begin(self, filename: str, mimetype: str): ...

    def write(self, data: memoryview): ...


class FileReader:
    """
    Passes the first file of a request on to a sink; other fields are ignored.

    Bytes go in by :meth:`feed`, as they come, and :meth:`finish` says that there are no more.
    """

    def __init__(self, content_type: str, sink: Sink):
        kind, options = parse_options_header(content_type)
        if kind.lower() != b"multipart/form-data" or not options.get(b"boundary"):
            raise Refusal(400, "No file in the request: its Content-Type must be multipart/form-data with a boundary")
        self.sink = sink
        self._found = self._reading = self._ended = False
        self._parts, self._room = 0, MAX_FIELD
        self._name, self._value, self._headers = b"", b"", {}
        self._parser = _parser(options[b"boundary"], {
            "on_part_begin": self._begin_part,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        })

    def feed(self, data: bytes):
        if self._ended:
            self._take_room(len(data))
        try:
            self._parser.write(bytes(data))
        except FormParserError as error:
            raise Refusal(400, f"Body is not valid multipart/form-data: {error}") from None

    def finish(self):
        if not self._ended:
            raise Refusal(400, "Unexpected end of multipart data")
        if not self._found:
            raise Refusal(400, "No file in the request")

    def _begin_part(self):
        self._parts += 1
        if self._parts > MAX_FIELDS + 1:
            raise Refusal(400, f"More than {MAX_FIELDS} fields beside the file")
        self._headers, self._room = {}, MAX_FIELD

    def _header_name(self, data, start, end):
        self._take_room(end - start)
        self._name += data[start:end]

    def _header_value(self, data, start, end):
        self._take_room(end - start)
        self._value += data[start:end]

    def _end_header(self):
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = b"", b""

    def _end_headers(self):
        filename = _filename(self._headers.get(b"content-disposition", b""))
        kind = self._headers.get(b"content-type", b"")
        if filename is None and fields.mimetype(kind) == "application/octet-stream":
            filename = b""  # a file all the same
        if filename is not None and not self._found:
            self._found = self._reading = True
            self.sink.begin(fields.filename(filename), fields.mimetype(kind))
        self._room = MAX_FIELD

    def _data(self, data, start, end):
        if self._reading:
            self.sink.write(memoryview(data)[start:end])
        else:
            self._take_room(end - start)

    def _end_part(self):
        self._reading = False

    def _end(self):
        self._ended, self._room = True, MAX_FIELD

    def _take_room(self, size):
        self._room -= size
        if self._room < 0:
            raise Refusal(400, f"A field beside the file, or what follows the last, is longer than {MAX_FIELD} bytes")


def _parser(boundary, callbacks):
    try:
        return MultipartParser(boundary, callbacks)
    except (FormParserError, ValueError):
        raise Refusal(400, "Body is not valid multipart/form-data: its boundary is too long") from None


def _filename(disposition: bytes) -> bytes | None:
    """Return the file name as it was sent, ``\\"`` or ``%22`` for a quote (browsers write it so); None without one."""
    found = {name.lower(): value for name, value in _PARAMETER.findall(disposition)}
    if b"filename*" in found:  # RFC 5987: utf-8''h%C3%A9.txt
        return urllib.parse.unquote_to_bytes(found[b"filename*"].strip(b'"').split(b"'")[-1])
    value = found.get(b"filename")
    if value is None or not value.startswith(b'"'):
        return value
    return value[1:-1].replace(b'\\"', b'"').replace(b"%22", b'"')
