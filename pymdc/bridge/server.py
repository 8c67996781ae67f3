"""A bridge that listens."""

import socket
import sys

import uvicorn

from .app import make_app
from .call import Services
from .protocol import Protocol
from .settings import Settings


class Server(uvicorn.Server):
    """
    One bridge, from its listening socket to its data.

    :ivar url: where it listens.
    :param ready: is called once connections are accepted.
    :param grace: how long running requests may take to finish when it ends, in seconds.
    """

    def __init__(self, settings: Settings, ready=lambda: None, grace: float = 60):
        self.socket = _listen(settings.host, settings.port)
        host, port = self.socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._ready = ready
        try:
            self.services = Services(settings, (settings.public_url or self.url).rstrip("/"))
        except BaseException:
            self.socket.close()
            raise
        super().__init__(uvicorn.Config(
            make_app(self.services),
            http=Protocol,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_max_size=64 * 1024,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=grace,
            lifespan="off",
        ))

    def run(self):
        _raise_mmap_threshold()
        try:
            super().run(sockets=[self.socket])
        finally:
            self.socket.close()
            self.services.close()

    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        self._ready()


def _listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol said, asyncio does not switch Nagle's algorithm off, and every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener


def _raise_mmap_threshold():
    """
    Free one large block.  glibc maps and unmaps each receive buffer of 256 KiB by itself until it has seen a larger
    block freed, which costs a third of the speed of uploads.
    """
    if sys.platform == "linux":
        bytearray(16 * 1024 * 1024)
