"""The routes, and the one place where a refusal becomes ``{"error": text}``."""

import contextlib
import errno
import importlib.resources
import inspect
import io
import json
import logging
import mmap

import anyio
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from ..handlers import buckets, channel, content, files, keys, operations, uploads, users
from ..metadata.failures import Away, Undone
from ..passwords import WAITING
from ..refusal import Refusal
from ..request.call import Call, JSON
from ..services import Services
from .front import Front
from .protocol import FULL

MAX_JSON = 1024 * 1024  # bytes of a body
MAX_BODIES = 64 * 1024 * 1024  # bytes of all that are on their way, or being worked on
SMALL = 4 * 1024  # bytes of a body, or of headers, that do not count: who sends much does not keep out who sends little
MAX_DRAIN = 1024 * 1024  # bytes of a refused body that are still read
DRAIN_SECONDS = 5
SPARE_THREADS = 8  # for calls with a password that is known, or cannot be compared now

_log = logging.getLogger("pymdc.bridge")


async def describe(call: Call) -> Response:
    return JSON(_DESCRIPTION)


# A handler that is a coroutine reads the body itself, if it wants it; any other is given it, and runs on a thread.
ROUTES = [
    ("GET", "/", describe),
    ("GET", "/health", operations.health),
    ("GET", "/metrics", operations.metrics),
    ("POST", "/users", users.create),
    ("GET", "/activations/{token}", users.activate),
    ("GET", "/keys", keys.show),
    ("POST", "/keys", keys.create),
    ("DELETE", "/keys/{key}", keys.delete),
    ("GET", "/buckets", buckets.show),
    ("POST", "/buckets", buckets.create),
    ("GET", "/buckets/{bucket}", buckets.read),
    ("PATCH", "/buckets/{bucket}", buckets.update),
    ("DELETE", "/buckets/{bucket}", buckets.delete),
    ("POST", "/buckets/{bucket}/tokens", buckets.create_token),
    ("GET", "/buckets/{bucket}/files", files.show),
    ("PUT", "/buckets/{bucket}/files", uploads.create),
    ("GET", "/buckets/{bucket}/files/{hash}", files.pointers),
    ("DELETE", "/buckets/{bucket}/files/{hash}", files.delete),
    ("GET", "/buckets/{bucket}/files/{hash}/content", content.show),
    ("GET", "/shards/{hash}", content.shard),
]
_ONCE = (
    "authorization", "content-type", "host", "if-range", "range", "x-filesize", "x-pubkey", "x-signature", "x-token",
)
_WITHOUT_PASSWORD = (users.activate, content.shard, operations.health, operations.metrics)
_WHATEVER_COMES = (operations.health, operations.metrics)  # for who asks why nobody else is served
_WITH_HEAD = ("/", "/health")  # elsewhere a HEAD would spend what a GET spends


def make_app(services: Services):
    """Return the ASGI application of one bridge."""
    paths = dict.fromkeys(path for _, path, _ in ROUTES)
    # Those that wait for their password to be compared keep a thread each; others find one all the same.
    threads = anyio.CapacityLimiter(services.settings.passwords_at_once + WAITING + SPARE_THREADS)
    bodies = _Bodies()
    routes = [_route(services, path, threads, bodies) for path in paths]
    routes += [WebSocketRoute("/", _channel(services)), WebSocketRoute("/{path:path}", _no_channel)]
    handlers = {
        Refusal: _refuse, HTTPException: _refuse_http, ClientDisconnect: _give_up,
        Undone: _ask_again, Away: _ask_later, OSError: _fail_on_disk, SQLAlchemyError: _fail_on_disk, Exception: _fail,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Front(app, services)


def _route(services, path, threads, bodies):
    handlers = {method: handler for method, route, handler in ROUTES if route == path}
    if path in _WITH_HEAD:
        handlers["HEAD"] = handlers["GET"]

    async def endpoint(request: Request) -> Response:
        handler = handlers.get(request.method)
        if handler is None:
            raise Refusal(405, "Method not allowed", {"Allow": ", ".join(sorted({*handlers, "OPTIONS"}))})
        if handler not in _WHATEVER_COMES:
            _check_served(request.scope)
        silence = services.settings.silence
        call = _call(services, request, _chunks(request, silence))
        if handler is users.create or handler not in _WITHOUT_PASSWORD and call.needs_password:
            call.limiter = threads
        if inspect.iscoroutinefunction(handler):
            return await handler(call)
        with bodies.room(_size_of_headers(request.scope)) as body:
            call.body = await _read(body, call.chunks, silence)
            return await anyio.to_thread.run_sync(handler, call, limiter=call.limiter)

    route = Route(path, endpoint)
    route.methods = None  # the endpoint tells them apart
    return route


def _channel(services):
    async def endpoint(websocket):
        try:
            _check_served(websocket.scope)
            call = _call(services, websocket, None)
        except Refusal as refusal:
            await websocket.send_denial_response(JSON({"error": refusal.text}, refusal.status, refusal.headers))
        else:
            await channel.serve(call, websocket)
    return endpoint


async def _no_channel(websocket):
    await websocket.send_denial_response(JSON({"error": "Not found"}, 404))


def _check_served(scope):
    """Raise Refusal on a connection that came when as many were served as may be."""
    if scope["state"].get(FULL):
        text = "Too many connections to the bridge: try again"
        raise Refusal(503, text, {"Retry-After": "5", "Connection": "close"})


def _call(services, connection, chunks) -> Call:
    scope = connection.scope
    return Call(
        services=services,
        method=scope.get("method", "GET"),
        path=scope["raw_path"],
        query=scope["query_string"],
        headers=_headers(scope),
        ids=connection.path_params,
        address=scope["pymdc.address"],
        chunks=chunks,
        record=scope["pymdc.record"],
    )


def _headers(scope):
    headers = {}
    for name, value in ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]):
        if name in _ONCE and name in headers:
            raise Refusal(400, f"Header sent twice: {name}")
        headers[name] = value.strip(" \t")
    return headers


async def _chunks(request, silence):
    """
    Yield the body as it comes.  A sender who leaves in the middle of it raises ClientDisconnect.

    A chunk is good until the next is asked for.  None, which can have 256 KiB, is held while the next is waited for.
    """
    try:
        more = True
        while more:
            with anyio.fail_after(silence):
                message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect()
            more = message.get("more_body", False)
            body = more and request.method == "PUT" and request.scope["pymdc.take_body"]()
            yield message.pop("body", b"")
            if body:
                async for block in body.blocks(silence):
                    yield block
                return
    except TimeoutError:
        raise Refusal(408, f"Nothing came for {silence:g} seconds") from None


def _size_of_headers(scope):
    """Return how many bytes the headers take, as bytes and as text."""
    return 2 * sum(len(name) + len(value) for name, value in scope["headers"])


class _Bodies:
    """The bodies, with the headers before them, that are held in memory, in one process."""

    def __init__(self):
        self._held = 0

    @contextlib.contextmanager
    def room(self, size_of_headers):
        """Give room to one body, which is there, as its headers are, as long as the block lasts."""
        size = max(0, size_of_headers - SMALL)
        self.take(size)
        body = _Body(self)
        try:
            yield body
        finally:
            body.close()
            self.give_back(size)

    def take(self, size):
        if self._held + size > MAX_BODIES:
            raise Refusal(503, "Too much is on its way to the bridge: try again", {"Retry-After": "5"})
        self._held += size

    def give_back(self, size):
        self._held -= size


class _Body:
    """
    One of them.  A large one has memory of its own, mapped as it comes and unmapped when it goes: of many that grow by
    and by on the heap, a multiple stays.
    """

    def __init__(self, bodies):
        self._bodies = bodies
        self._held = io.BytesIO()
        self._size = self.counted = 0

    def add(self, chunk):
        size = self._size + len(chunk)
        if size > MAX_JSON:
            raise Refusal(413, f"Body is longer than {MAX_JSON} bytes")
        if size > SMALL:
            self._count(size - SMALL)
        self._held.write(chunk)
        self._size = size

    def whole(self) -> bytes:
        self._held.seek(0)
        return self._held.read(self._size)

    def close(self):
        self._held.close()
        self._bodies.give_back(self.counted)

    def _count(self, size):
        self._bodies.take(size - self.counted)
        if not self.counted:
            small, self._held = self._held, mmap.mmap(-1, MAX_JSON)
            self._held.write(small.getvalue())
        self.counted = size


async def _read(body, chunks, silence) -> bytes:
    with anyio.move_on_after(10 * silence):  # of a sender who is never silent, but never ends either
        async for chunk in chunks:
            body.add(chunk)
            del chunk
        return body.whole()
    raise Refusal(408, f"The body did not come within {10 * silence:g} seconds")


async def _refuse(request: Request, refusal: Refusal) -> Response:
    request.scope["pymdc.record"]["error"] = refusal.text
    refusal.with_traceback(None)  # whose frames hold what has come of the body, while the rest is drained
    return _Answer({"error": refusal.text}, refusal.status, refusal.headers)


async def _refuse_http(request: Request, error: HTTPException) -> Response:
    return _Answer({"error": "Not found" if error.status_code == 404 else error.detail}, error.status_code)


async def _give_up(request: Request, error: ClientDisconnect) -> Response:
    return _Answer({"error": "The body broke off"}, 400)  # for the log: nobody is there to read it


async def _fail_on_disk(request: Request, error: OSError | SQLAlchemyError) -> Response:
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error)
    _log.error("%s: %s", request.scope["pymdc.record"], error)
    if full:
        return _Answer({"error": "No space left on the bridge"}, 507)
    return _Answer({"error": "The bridge cannot read or write its data"}, 503)


async def _ask_again(request: Request, error: Undone) -> Response:
    _log.error("%s: %s", request.scope["pymdc.record"], error)
    return _Answer({"error": "The bridge could not keep it: try again"}, 503, {"Retry-After": "1"})


async def _ask_later(request: Request, error: Away) -> Response:
    _log.error("%s: %s", request.scope["pymdc.record"], error)
    return _Answer({"error": "The bridge cannot reach its database: try again"}, 503, {"Retry-After": "5"})


async def _fail(request: Request, error: Exception) -> Response:
    return _Answer({"error": "Internal error"}, 500, {"Connection": "close"})


class _Answer(JSON):
    """An error, answered at once, also when the body of the request is still on its way."""

    async def __call__(self, scope, receive, send):
        if not _has_body(scope) or scope["pymdc.body_read"]():
            await super().__call__(scope, receive, send)
            return
        self.headers["Connection"] = "close"
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await _drain(receive)
        await send({"type": "http.response.body", "body": b""})


async def _drain(receive):
    """Read on for a while: a sender that does not look for an answer yet would lose it when the connection breaks."""
    left = MAX_DRAIN
    with anyio.move_on_after(DRAIN_SECONDS):
        more = True
        while left > 0 and more:
            message = await receive()
            left -= len(message.pop("body", b""))
            more = message.get("more_body")


def _has_body(scope):
    headers = dict(scope["headers"])
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


_DESCRIPTION = json.loads(importlib.resources.files(__package__).joinpath("openapi.json").read_text("utf-8"))
