"""The routes, and the one place where a refusal becomes ``{"error": text}``."""

import asyncio
import errno
import importlib.resources
import inspect
import json
import logging
import time

import anyio
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from . import auth, buckets, channel, files, keys, users
from .call import Call, JSON, Services
from .refusal import Refusal

MAX_JSON = 1024 * 1024  # bytes of a body
MAX_DRAIN = 1024 * 1024  # bytes of a refused body that are still read
DRAIN_SECONDS = 5
SILENCE = 60  # seconds that a sender may be silent

_log = logging.getLogger("pymdc.bridge")


async def describe(call: Call) -> Response:
    return JSON(_DESCRIPTION)


async def health(call: Call) -> Response:
    return JSON({"status": "ok"})


# A handler that is a coroutine reads the body itself, if it wants it; any other is given it, and runs on a thread.
ROUTES = [
    ("GET", "/", describe),
    ("GET", "/health", health),
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
    ("PUT", "/buckets/{bucket}/files", files.upload),
    ("GET", "/buckets/{bucket}/files/{hash}", files.pointers),
    ("DELETE", "/buckets/{bucket}/files/{hash}", files.delete),
    ("GET", "/shards/{hash}", files.shard),
]
_WITH_HEAD = ("/", "/health")  # elsewhere a HEAD would spend what a GET spends


def make_app(services: Services):
    """Return the ASGI application of one bridge."""
    paths = dict.fromkeys(path for _, path, _ in ROUTES)
    routes = [_route(services, path) for path in paths]
    routes.append(WebSocketRoute("/", _channel(services)))
    handlers = {
        Refusal: _refuse, HTTPException: _refuse_http, ClientDisconnect: _give_up,
        OSError: _fail_on_disk, DBAPIError: _fail_on_disk, Exception: _fail,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return _Front(app)


def _route(services, path):
    handlers = {method: handler for method, route, handler in ROUTES if route == path}
    if path in _WITH_HEAD:
        handlers["HEAD"] = handlers["GET"]
    passwords = services.passwords

    async def endpoint(request: Request) -> Response:
        handler = handlers.get(request.method)
        if handler is None:
            raise Refusal(405, "Method not allowed", {"Allow": ", ".join(sorted({*handlers, "OPTIONS"}))})
        call = _call(services, request, _chunks(request))
        if inspect.iscoroutinefunction(handler):
            return await handler(call)
        call.body = await _body(call.chunks)
        limiter = passwords if handler is users.create or auth.needs_password(call) else None
        return await anyio.to_thread.run_sync(handler, call, limiter=limiter)

    route = Route(path, endpoint)
    route.methods = None  # the endpoint tells them apart
    return route


def _channel(services):
    async def endpoint(websocket):
        await channel.serve(_call(services, websocket, None), websocket)
    return endpoint


def _call(services, connection, chunks) -> Call:
    scope = connection.scope
    return Call(
        services=services,
        method=scope.get("method", "GET"),
        path=scope["raw_path"],
        query=scope["query_string"],
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        ids=connection.path_params,
        chunks=chunks,
    )


async def _chunks(request):
    """Yield the body as it comes.  A sender who leaves in the middle of it raises ClientDisconnect."""
    chunks = request.stream()
    while True:
        try:
            yield await asyncio.wait_for(anext(chunks), SILENCE)
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError:
            raise Refusal(408, f"Nothing came for {SILENCE} seconds") from None


async def _body(chunks) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_JSON:
            raise Refusal(413, f"Body is longer than {MAX_JSON} bytes")
    return bytes(body)


async def _refuse(request: Request, refusal: Refusal) -> Response:
    return _Answer({"error": refusal.text}, refusal.status, refusal.headers)


async def _refuse_http(request: Request, error: HTTPException) -> Response:
    return _Answer({"error": "Not found" if error.status_code == 404 else error.detail}, error.status_code)


async def _give_up(request: Request, error: ClientDisconnect) -> Response:
    return _Answer({"error": "The body broke off"}, 400)  # for the log: nobody is there to read it


async def _fail_on_disk(request: Request, error: OSError | DBAPIError) -> Response:
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error)
    _log.error("%s %s: %s", request.method, _pattern(request.scope), error)
    if full:
        return _Answer({"error": "No space left on the bridge"}, 507)
    return _Answer({"error": "The bridge cannot read or write its data"}, 503)


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
        while left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body"):
                return


def _has_body(scope):
    headers = dict(scope["headers"])
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


class _Front:
    """What is the same for every request: trailing slashes, CORS, the log."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, read = time.monotonic(), False
        origin = dict(scope["headers"]).get(b"origin")

        async def receive_noting():
            nonlocal read
            message = await receive()
            read = read or not message.get("more_body")
            return message

        async def send_with_origin(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *(_cors(origin) if scope["path"] != "/health" else ())]
                _log.info("%s %s: %d, %d ms", scope["method"], _pattern(scope), message["status"],
                          1000 * (time.monotonic() - started))
            await send(message)

        path = scope["path"]
        if scope["raw_path"].endswith(b"/") and path != "/":
            path = path[:-1]
        scope = {**scope, "path": path, "pymdc.body_read": lambda: read}
        app = Response(status_code=204) if scope["method"] == "OPTIONS" else self._app
        await app(scope, receive_noting, send_with_origin)


def _pattern(scope):
    """Return the route, which holds no secrets, where the path might."""
    route = scope.get("route")
    return route.path if route is not None else "(no route)"


def _cors(origin):
    if origin is None:
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
        (b"access-control-allow-headers",
         b"authorization, content-type, x-filesize, x-pubkey, x-signature, x-token"),
        (b"access-control-expose-headers", b"retry-after, x-nonce"),
        (b"vary", b"Origin"),
    ]


_DESCRIPTION = json.loads(importlib.resources.files(__package__).joinpath("openapi.json").read_text("utf-8"))
