"""A bridge that listens."""

import errno
import functools
import socket
import sys

import uvicorn

from .app import make_app
from .call import now
from .data import Data
from .folder import Folder
from .protocol import Protocol, WebSocketProtocol
from .services import Services
from .settings import Settings

GRACE = 60  # seconds that running requests may take to finish when the bridge ends


class Site:
    """
    Where a bridge is: the socket it listens on, and the data folder, which it has to itself.

    :ivar url: where it listens.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.socket = _listen(settings.host, settings.port)
        try:
            folder = Folder(settings.data_dir)
            if folder.is_backup():
                raise OSError(errno.EINVAL, "a backup, to be restored to a folder of its own", str(folder.path))
            self._lock = folder.lock()
            self.url = _url(self.socket, settings.tls_cert is not None)
            with Data(folder) as data:
                data.clear_uploads()
                data.sweep(now())
        except BaseException:
            self.socket.close()
            raise

    def services(self) -> Services:
        return Services(self.settings, (self.settings.public_url or self.url).rstrip("/"))

    def close(self):
        self.socket.close()
        self._lock.close()


class Server(uvicorn.Server):
    """
    Serves a site, in this process.

    :param ready: is called once connections are accepted.
    :param grace: how long running requests may take to finish when it ends, in seconds.
    """

    def __init__(self, site: Site, ready=lambda: None, grace: float = GRACE):
        self._site = site
        self._ready = ready
        self.services = site.services()
        super().__init__(uvicorn.Config(
            make_app(self.services),
            http=functools.partial(Protocol, silence=site.settings.silence),
            ws=functools.partial(WebSocketProtocol, silence=site.settings.silence),
            ws_max_size=64 * 1024,
            ssl_certfile=site.settings.tls_cert,
            ssl_keyfile=site.settings.tls_key,
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
            super().run(sockets=[self._site.socket])
        finally:
            self.services.close()

    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        self.services.start()
        self._ready()

    async def shutdown(self, sockets=None):
        await super().shutdown(sockets=sockets)
        self.services.stop()  # uvicorn ends with the signal that ended it: after that nothing of ours runs


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


def _url(listener, with_tls):
    host, port = listener.getsockname()[:2]
    return f"{'https' if with_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _raise_mmap_threshold():
    """
    Free one large block.  glibc maps and unmaps each receive buffer of 256 KiB by itself until it has seen a larger
    block freed, which costs a third of the speed of uploads.
    """
    if sys.platform == "linux":
        bytearray(16 * 1024 * 1024)
