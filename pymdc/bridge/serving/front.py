"""What is the same for every request: who sends it, CORS, security headers, the log, the counts."""

import logging
import secrets
import time

from starlette.responses import Response

from .. import address
from ..services import Services
from .answers import answer_to

_access = logging.getLogger("pymdc.bridge.access")

_ALWAYS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-metadisk", b"direct"),  # which transfers can be asked for: docs/protocol, "Direct transfers"
]
_WITH_TLS = [(b"strict-transport-security", b"max-age=31536000")]
_CORS = [
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers",
     b"authorization, content-type, if-range, range, x-filesize, x-pubkey, x-signature, x-token"),
    (b"access-control-expose-headers",
     b"content-range, etag, retry-after, x-metadisk, x-next, x-nonce, x-request-id"),
    (b"vary", b"Origin"),
]
_WITHOUT_CORS = ("/health", "/metrics", "/links/")


class Front:
    """Wraps the application of one bridge."""

    def __init__(self, app, services: Services):
        self._app = app
        self._services = services

    async def __call__(self, scope, receive, send):
        asker = _address(scope, self._services.settings.behind_proxy)
        scope = {**scope, "pymdc.address": asker, "pymdc.record": {}}
        if scope["raw_path"].endswith(b"/") and scope["path"] != "/":
            scope["path"] = scope["path"][:-1]
        exchange = _Exchange(scope, receive, send)
        scope["pymdc.body_read"] = lambda: exchange.body_read
        scope["pymdc.take_body"] = exchange.take_body
        app = Response(status_code=204) if exchange.method == "OPTIONS" else self._app
        try:
            await app(scope, exchange.receive, exchange.send)
        except Exception as error:
            answer = answer_to(error, scope)
            if exchange.status or scope["type"] != "http":
                raise
            await answer(scope, exchange.receive, exchange.send)
            if answer.status_code == 500:
                raise
        finally:
            _access.info("", extra={"request": exchange.told()})
            self._services.metrics.count(exchange)
            scope.clear()  # or the two hold each other, with what the body was received into, until they are collected


class _Exchange:
    """One request and its answer, or one data channel, watched as they pass."""

    def __init__(self, scope, receive, send):
        self.id = secrets.token_hex(8)
        self.status = 0
        self.sent = 0  # bytes of the body
        self._received, self._read = 0, False
        self._body = None  # what is received apart
        self._scope, self._receive, self._send = scope, receive, send
        self._started = time.monotonic()

    async def receive(self):
        if self._body is not None:
            self._body.give_up()
        message = await self._receive()
        self._received += len(message.get("body") or b"")
        self._read = not message.get("more_body")
        return message

    def take_body(self):
        """Return what is left of the body, received apart until a message is asked for; None when it cannot be."""
        self._body = self._scope["pymdc.hand_over"]()
        return self._body

    @property
    def received(self) -> int:
        """How many bytes of the body have come."""
        return self._received + (self._body.came if self._body is not None else 0)

    @property
    def body_read(self) -> bool:
        return self._read or self._body is not None and not self._body.left

    async def send(self, message):
        if message["type"] == "websocket.accept":
            self.status = 101
        elif message["type"].endswith("http.response.start"):
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._headers(dict(message["headers"]))]
        else:
            self.sent += len(message.get("body") or message.get("bytes") or b"")
        await self._send(message)

    @property
    def method(self) -> str:
        return self._scope.get("method", "GET")

    @property
    def route(self) -> str:
        """The pattern of the path, which holds no secrets, where the path might."""
        if self._scope["type"] == "websocket":
            return "(channel)"
        route = self._scope.get("route")
        return route.path_format if route is not None else "(none)"

    @property
    def error(self) -> str | None:
        """What was said to refuse it."""
        return self._scope["pymdc.record"].get("error")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def told(self) -> dict:
        """Return what the log tells of it."""
        return {
            "request": self.id, "address": self._scope["pymdc.address"], "method": self.method, "route": self.route,
            "status": self.status, "received": self.received, "sent": self.sent,
            "milliseconds": round(1000 * self.seconds, 1), **self._scope["pymdc.record"],
        }

    def _headers(self, present):
        headers = [(b"x-request-id", self.id.encode()), *_ALWAYS]
        if self._scope["scheme"] == "https":
            headers += _WITH_TLS
        origin = dict(self._scope["headers"]).get(b"origin")
        page = present.get(b"content-type", b"").startswith(b"text/html")
        if origin is not None and not page and not self._scope["path"].startswith(_WITHOUT_CORS):
            headers += [(b"access-control-allow-origin", origin), *_CORS]
        return [(name, value) for name, value in headers if name not in present]


def _address(scope, proxies):
    """Return the address of who asks: the peer's, or what a proxy of ours says of its own peer."""
    peer = address.plain(scope["client"][0]) if scope["client"] else address.UNKNOWN
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    if peer not in proxies or not forwarded:
        return peer
    return address.plain(address.without_port(forwarded[-1].decode("latin-1").rpartition(",")[2].strip()))
