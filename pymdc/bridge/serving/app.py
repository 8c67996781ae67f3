"""The routes."""

import contextlib
import importlib.resources
import inspect
import io
import json
import mmap

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route, Router, WebSocketRoute

from ..handlers import (
    buckets, channel, content, files, keys, links, operations, pages, resets, tokens, uploads, users, welcome,
)
from ..passwords import WAITING
from ..refusal import Refusal
from ..request.call import Call, JSON
from ..services import Services
from .answers import has_body
from .front import Front
from .protocol import FULL

MAX_JSON = 1024 * 1024  # bytes of a body
MAX_BODIES = 64 * 1024 * 1024  # bytes of all that are on their way, or being worked on
SMALL = 4 * 1024  # bytes of a body, or of headers, that do not count: who sends much does not keep out who sends little
SPARE_THREADS = 8  # for calls with a password that is known, or cannot be compared now


async def welcome_or_describe(call: Call) -> Response:
    return welcome.page(call) if pages.wanted(call) else JSON(_DESCRIPTION, headers={"Vary": "Accept"})


async def describe(call: Call) -> Response:
    return JSON(_DESCRIPTION)


# A handler that is a coroutine reads the body itself, if it wants it; any other is given it, and runs on a thread: one
# of its own, or, when it is one transaction, one that does what has come from others meanwhile as well.
# The paths are tried in this order, so those that are asked for most come first.
ROUTES = [
    ("PUT", "/buckets/{bucket}/files", uploads.create),
    ("GET", "/buckets/{bucket}/files/{hash}/content", content.show),
    ("GET", "/", welcome_or_describe),
    ("GET", "/openapi.json", describe),
    ("GET", "/assets/{name}", pages.script),
    ("GET", "/health", operations.health),
    ("GET", "/metrics", operations.metrics),
    ("POST", "/users", users.create),
    ("PATCH", "/users/{email:path}", users.update),
    ("DELETE", "/users/{email:path}", users.delete),
    ("GET", "/activations/{token}", users.activate),
    ("GET", "/resets", resets.show_asking),
    ("POST", "/resets", resets.create),
    ("GET", "/resets/{token}", resets.show),
    ("POST", "/resets/{token}", resets.use),
    ("GET", "/keys", keys.show),
    ("POST", "/keys", keys.create),
    ("DELETE", "/keys/{key}", keys.delete),
    ("GET", "/buckets", buckets.show),
    ("POST", "/buckets", buckets.create),
    ("GET", "/buckets/{bucket}", buckets.read),
    ("PATCH", "/buckets/{bucket}", buckets.update),
    ("DELETE", "/buckets/{bucket}", buckets.delete),
    ("GET", "/buckets/{bucket}/tokens", tokens.show),
    ("POST", "/buckets/{bucket}/tokens", tokens.create),
    ("DELETE", "/buckets/{bucket}/tokens/{token}", tokens.revoke),
    ("GET", "/buckets/{bucket}/files", files.show),
    ("POST", "/buckets/{bucket}/files", files.copy),
    ("GET", "/buckets/{bucket}/files/{hash}", files.pointers),
    ("DELETE", "/buckets/{bucket}/files/{hash}", files.delete),
    ("GET", "/shards/{hash}", content.shard),
    ("GET", "/links/{token}", links.show),
    ("POST", "/links/{token}", links.follow),
    ("GET", "/links/{token}/{name}", links.download),
]
_ONCE = (
    "authorization", "content-type", "host", "if-range", "range", "x-filesize", "x-pubkey", "x-signature", "x-token",
)
_HASHING = (users.create, resets.use)
_WITHOUT_PASSWORD = (
    users.activate, resets.show_asking, resets.create, resets.show, content.shard, links.show, links.follow,
    links.download, operations.health, operations.metrics,
)
_TOKEN_WINS = (uploads.create, files.pointers, content.show)
_WHATEVER_COMES = (operations.health, operations.metrics)  # for who asks why nobody else is served
_WITH_HEAD = ("/", "/health", "/links/{token}", "/links/{token}/{name}")  # elsewhere it would spend what a GET spends


def make_app(services: Services):
    """Return the ASGI application of one bridge."""
    paths = dict.fromkeys(path for _, path, _ in ROUTES)
    # Those that wait for their password to be compared keep a thread each; others find one all the same.
    threads = anyio.CapacityLimiter(services.settings.passwords_at_once + WAITING + SPARE_THREADS)
    bodies = _Bodies()
    routes = [_route(services, path, threads, bodies) for path in paths]
    routes += [WebSocketRoute("/", _channel(services)), WebSocketRoute("/{path:path}", _no_channel)]
    return Front(Router(routes, redirect_slashes=False, default=_no_route), services)


def _route(services, path, threads, bodies):
    handlers = {method: handler for method, route, handler in ROUTES if route == path}
    if path in _WITH_HEAD:
        handlers["HEAD"] = handlers["GET"]
    return Route(path, _Endpoint(services, handlers, threads, bodies))


class _Endpoint:
    """What is at one path: an application itself, since what Starlette does besides for a function takes 0.1 ms."""

    def __init__(self, services, handlers, threads, bodies):
        self._services = services
        self._handlers = handlers
        self._threads = threads
        self._bodies = bodies

    async def __call__(self, scope, receive, send):
        response = await self._response(self._handler(scope), scope, receive)
        await response(scope, receive, send)

    def _handler(self, scope):
        handler = self._handlers.get(scope["method"])
        if handler is None:
            raise Refusal(405, "Method not allowed", {"Allow": ", ".join(sorted({*self._handlers, "OPTIONS"}))})
        if handler not in _WHATEVER_COMES:
            _check_served(scope)
        return handler

    async def _response(self, handler, scope, receive) -> Response:
        silence = self._services.settings.silence
        streams = inspect.iscoroutinefunction(handler)
        call = _call(self._services, scope, _chunks(scope, receive, silence, streams))
        if handler in _TOKEN_WINS and "x-token" in call.headers:
            call.headers.pop("authorization", None)  # which would make steps of it: a token, once spent, is not revoked
        if handler in _HASHING or handler not in _WITHOUT_PASSWORD and call.needs_password:
            call.limiter = self._threads
        if streams:
            return await handler(call)
        with self._bodies.room(_size_of_headers(scope)) as body:
            if has_body(scope):
                call.body = await _read(body, call.chunks, silence)
            if hasattr(handler, "soon"):
                return await handler.soon(call)
            return await anyio.to_thread.run_sync(handler, call, limiter=call.limiter)


async def _no_route(scope, receive, send):
    raise Refusal(404, "Not found")


def _channel(services):
    async def endpoint(websocket):
        try:
            _check_served(websocket.scope)
            call = _call(services, websocket.scope, None)
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


def _call(services, scope, chunks) -> Call:
    return Call(
        services=services,
        method=scope.get("method", "GET"),
        path=scope["raw_path"],
        query=scope["query_string"],
        headers=_headers(scope),
        ids=scope["path_params"],
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


async def _chunks(scope, receive, silence, apart):
    """
    Yield the body as it comes; what is large of it is received *apart*, if it may be.  A sender who leaves in the
    middle of it raises ClientDisconnect.

    A chunk is good until the next is asked for.  None, which can have 256 KiB, is held while the next is waited for.
    """
    try:
        more = True
        while more:
            message = await _message(scope, receive, silence)
            if message["type"] == "http.disconnect":
                raise ClientDisconnect()
            more = message.get("more_body", False)
            body = more and apart and scope["pymdc.take_body"]()
            yield message.pop("body", b"")
            if body:
                async for block in body.blocks(silence):
                    yield block
                return
    except TimeoutError:
        raise Refusal(408, f"Nothing came for {silence:g} seconds") from None


async def _message(scope, receive, silence):
    if scope["pymdc.has_come"]():
        return await receive()  # at once: a timer would take longer
    with anyio.fail_after(silence):
        return await receive()


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


_DESCRIPTION = json.loads(importlib.resources.files(__package__).joinpath("openapi.json").read_text("utf-8"))
