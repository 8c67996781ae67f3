"""HTTP as uvicorn speaks it, but with time limits, and with refusals in JSON."""

import collections
import contextlib
import json
import sys

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .body import Body
from .writer import Writer
from .patient import Patient

MAX_HEADERS = 64 * 1024  # bytes of a request's line and headers
HEADER_COST = 128  # bytes that a header counts as besides: what it takes in memory, and short ones come in thousands
MAX_PIPELINE = 32  # requests that wait for the one before to be answered; what comes behind them is not read yet
MAX_WAITING = 32 * 1024  # bytes of headers, as they are counted, with which no more requests are let wait
SPARE = 100  # connections above those that are served, for who is told so, or asks how the bridge is
FULL = "pymdc.full"  # what in the state of a scope says that its connection is one of them
PIECE = 4096  # bytes that are parsed at once where nothing tells how many requests they are
READ = 16 * 1024  # bytes that are read at once, for many connections may hold as many
READ_UPLOAD = 256 * 1024

_TOO_LONG = f"The headers are longer than {MAX_HEADERS} bytes"


class _Flow(FlowControl):
    """Reads on only when *may_read* says so, whatever uvicorn thinks, which reads on after each answer."""

    def __init__(self, transport, may_read):
        super().__init__(transport)
        self._may_read = may_read

    def resume_reading(self):
        if self._may_read():
            super().resume_reading()


class Protocol(Patient, HttpToolsProtocol):
    """
    HTTP.

    :param most: connections that are served at a time, in this process.
    """

    _deadline = None  # for the headers that are being waited for
    _in_trailer = False
    _room = MAX_HEADERS  # bytes that may still come until the parser makes something of them
    _headers_size = 0  # of the request that comes
    _in_body = _ended = False
    _body_left = 0  # bytes of it that have still to come, where its length was told
    _unparsed, _parsed = b"", 0  # what has come, and how many bytes of it the parser has got
    _piece = 0  # bytes that are being parsed
    _active = None  # the cycle that is answered now; self.cycle is the last one

    def __init__(self, *arguments, most, **options):
        super().__init__(*arguments, **options)
        self._most = most
        self._waiting_sizes = collections.deque()  # of the headers of each request in the pipeline

    def connection_made(self, transport):
        super().connection_made(transport)
        self.flow = _Flow(transport, lambda: not (self.pipeline or self._unparsed))
        self._read_in_blocks_of(READ)
        self._wait_for_headers()
        if len(self.connections) > self._most:
            self._displace_another()

    def _displace_another(self):
        """Take the place of the one who would be left first.  When all of them are served, there is none."""
        ends = {each: each.given_up_at() for each in self.connections if each is not self}
        idle = sorted((each for each, end in ends.items() if end is not None), key=ends.get)
        other = next(filter(Protocol.is_read, idle), None)
        if other is not None:
            other.leave()
        elif len(self.connections) > self._most + SPARE:
            self.leave()
        else:
            self.app_state = {**self.app_state, FULL: True}

    def given_up_at(self):
        timer = self._deadline or self.timeout_keep_alive_task
        return timer and timer.when()

    def leave(self):
        self.connections.discard(self)  # at once, since others may come before the loop gets to it
        self.transport.abort()

    def connection_lost(self, exc):
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes):
        self._unparsed, self._parsed = self._unparsed[self._parsed:] + data, 0
        self._parse()

    def eof_received(self):
        """Answer first what was asked: a client may close its own direction only.  (TLS has no such thing here.)"""
        self._drop_unfinished()
        if self.scheme == "https" or not self._is_answering() or self.cycle.more_body:
            return False
        self.cycle.keep_alive = False
        return True

    def on_response_complete(self):
        self._active.transport.flush()  # an answer to HEAD has no body that would take its headers along
        super().on_response_complete()
        self._parse()
        if not self._is_answering():
            self.flow.resume_reading()

    def _read_in_blocks_of(self, size):
        with contextlib.suppress(AttributeError):  # of another loop than asyncio's own
            self.transport.max_size = size
            tls = self.transport._ssl_protocol  # which gives each connection a buffer of 256 KiB to receive into
            if len(tls._ssl_buffer) != size:
                tls.max_size, tls._ssl_buffer = size, bytearray(size)
                tls._ssl_buffer_view = memoryview(tls._ssl_buffer)

    def _parse(self):
        """Parse what has come, one request at a time, as long as no more of them wait than may."""
        while self._unparsed and self._may_parse() and self._is_open():
            if self._deadline is None and not self._is_answering():
                self._wait_for_headers()
            piece = self._unparsed[self._parsed:self._parsed + self._size_of_piece()]
            self._parsed += len(piece)
            if self._parsed == len(self._unparsed):
                self._unparsed, self._parsed = b"", 0
            self._room -= len(piece)
            self._piece = len(piece)
            super().data_received(piece)
            if self._room < 0 and self._is_open():
                self.send_400_response(_TOO_LONG)

    def _may_parse(self):
        return len(self.pipeline) < MAX_PIPELINE and sum(self._waiting_sizes) < MAX_WAITING

    def _size_of_piece(self):
        """Return how many bytes hold no more than one request, or, where nothing tells, not many."""
        if self._in_body:
            return self._body_left or PIECE
        end = self._unparsed.find(b"\r\n\r\n", self._parsed, self._parsed + MAX_HEADERS)
        return MAX_HEADERS if end < 0 else end + 4 - self._parsed

    def _is_open(self):
        closing = self._ended or self.parser is None or self.transport.is_closing()
        return not closing and self.transport.get_protocol() is self

    def _is_answering(self):
        return self.cycle is not None and not self.cycle.response_complete

    def _drop_unfinished(self):
        """Forget a request that will never be whole, behind others that are going to be answered."""
        if self.pipeline and self.cycle.more_body:
            self.pipeline.popleft()
            self._waiting_sizes.pop()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._active

    def _start_asgi_task(self, cycle, app):
        self._active = cycle
        cycle.transport = Writer(self.transport, self.loop)
        if self._waiting_sizes:
            self._waiting_sizes.popleft()
        super()._start_asgi_task(cycle, app)

    def on_message_begin(self):
        self._room = MAX_HEADERS - self._piece
        self._headers_size = 0
        self._in_trailer = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes):
        if self._in_trailer:  # what comes after the body says nothing: it is too late, and no proxy has seen it
            return
        self._headers_size += len(name) + len(value) + HEADER_COST
        self._check_headers_size()
        super().on_header(name, value)

    def on_headers_complete(self):
        self._stop_waiting()
        self._in_trailer = self._in_body = True
        self._check_headers_size()
        if self.parser.should_upgrade():
            self._check_upgrade()
        self._read_in_blocks_of(READ_UPLOAD if self.parser.get_method() == b"PUT" else READ)
        self._body_left = int(dict(self.headers).get(b"content-length", 0))
        self.scope["pymdc.hand_over"] = self._hand_over
        self.scope["pymdc.has_come"] = self._has_come
        super().on_headers_complete()
        if len(self.pipeline) > len(self._waiting_sizes):
            self._waiting_sizes.append(self._headers_size)

    def _check_headers_size(self):
        if self._headers_size + len(self.url) > MAX_HEADERS:
            self._room = -1
            raise ValueError(_TOO_LONG)  # which the parser turns into an error of its own

    def on_body(self, body: bytes):
        self._room = MAX_HEADERS
        self._body_left = max(0, self._body_left - len(body))
        super().on_body(body)

    def on_message_complete(self):
        self._in_body = False
        super().on_message_complete()

    def _has_come(self) -> bool:
        """Return whether the body of the request that is answered now is there, so that nobody waits for it."""
        return not self._active.more_body

    def _hand_over(self) -> Body | None:
        """Let what is left of a body be received apart; None where it cannot be, or nothing tells how much that is."""
        if not self._body_left or self.scheme == "https" and sys.version_info < (3, 11):  # whose TLS reads beyond
            return None
        body = Body(self, self._body_left)
        self.transport.set_protocol(body)
        self.flow.resume_reading()  # which the first of the body may have paused
        return body

    def end_body(self):
        """Go on behind a body that has been received apart, past the parser, which begins anew."""
        self._body_left = 0
        self.parser = httptools.HttpRequestParser(self)
        self.transport.set_protocol(self)
        self.on_message_complete()

    def _unsupported_upgrade_warning(self):
        self._ended = True  # what follows could be in any protocol
        self.cycle.keep_alive = False

    def shutdown(self):
        super().shutdown()
        if not self._is_answering():
            self._see_off()

    def _see_off(self):
        """Cut an idle connection once all is taken: under TLS, closing waits for a client who may sleep."""
        if self.in_system():
            self.loop.call_later(0.5, self._see_off)
        else:
            self.transport.abort()

    def send_400_response(self, msg: str):
        self._ended = True
        self._drop_unfinished()
        if self._is_answering() and not self.cycle.more_body:
            self.cycle.keep_alive = False  # that request is answered first, and then the connection closes
            self.flow.pause_reading()
            return
        status = "400 Bad Request"
        if self._room < 0:
            status, msg = "431 Request Header Fields Too Large", _TOO_LONG
        body = json.dumps({"error": msg})
        self.transport.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        self.transport.close()

    def _check_upgrade(self):
        announced = {name: value for name, value in self.headers if name in (b"content-length", b"transfer-encoding")}
        if announced not in ({}, {b"content-length": b"0"}):
            raise ValueError("an upgrade with a body")
        if self._is_answering():
            raise ValueError("an upgrade behind a request that is not answered yet")
        if not all(value.isascii() for name, value in self.headers):
            raise ValueError("a handshake that is not ASCII")  # which uvicorn fails on with websockets before 17

    def _wait_for_headers(self):
        self._deadline = self.loop.call_later(self._silence, self.transport.abort)

    def _stop_waiting(self):
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
