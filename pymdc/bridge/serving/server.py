"""A bridge that listens."""

import concurrent.futures
import contextlib
import ctypes
import errno
import functools
import hashlib
import logging
import multiprocessing
import os
import shutil
import socket
import ssl
import tempfile

import uvicorn
from prometheus_client.multiprocess import mark_process_dead

from ..mail.outbox import collect, discard_partial
from ..metrics import Metrics
from ..services import Services
from ..settings import Settings
from ..storage.data import Data, check_named, set_unnamed_aside
from ..storage.datafolder import data_folder
from ..storage.upgrade import upgrade
from .app import make_app
from .parent import end_with
from .protocol import Protocol
from .websocket import WebSocketProtocol

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of mallopt, in malloc.h
MIB = 1024 * 1024
GRACE = 60  # seconds that running requests may take to finish when the bridge ends
_log = logging.getLogger("pymdc.bridge")


class Site:
    """
    Where a bridge is: the socket it listens on, and the data folder, if any, which it has to itself on SQLite.

    :ivar url: where it listens.
    :raises OSError: there it cannot be.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self._lock = self._counts = None
        _check_certificate(settings)
        self.socket = _listen(settings.host, settings.port)
        try:
            self.url = _url(self.socket, settings.tls_cert is not None)
            self._take_possession(data_folder(settings.data_dir, settings.database_url, settings.store_url))
        except BaseException:
            self.close()
            raise

    def _take_possession(self, folder):
        folder.check_usable()
        self._lock = folder.lock()
        folder.check_current()
        alone = folder.database_url is None
        if alone:
            upgrade(folder, _log.warning)
        if self.settings.workers > 1:
            _apart(_tidy, folder, self.settings)
        else:
            _tidy(folder, self.settings)
        if alone:
            discard_partial(folder.outbox)
        if self.settings.workers > 1:
            self._counts = _counts_folder(folder)

    def services(self) -> Services:
        return Services(self.settings, (self.settings.public_url or self.url).rstrip("/"), Metrics(self._counts))

    def forget_counts(self, pid: int):
        """Forget what a worker that has ended has counted as being under way."""
        mark_process_dead(pid, path=self._counts)

    def close(self):
        self.socket.close()
        if self._lock is not None:
            self._lock.close()
        if self._counts is not None:
            shutil.rmtree(self._counts, ignore_errors=True)


class Server(uvicorn.Server):
    """
    Serves a site, in this process.

    :param ready: is called once connections are accepted.
    :param grace: how long running requests may take to finish when it ends, in seconds.
    """

    def __init__(self, site: Site, ready=lambda: None, grace: float = GRACE):
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # what it tells below holds tokens
        self._site = site
        self._ready = ready
        self.services = site.services()
        super().__init__(uvicorn.Config(
            make_app(self.services),
            http=functools.partial(Protocol, silence=site.settings.silence, most=site.settings.connections),
            ws=functools.partial(WebSocketProtocol, silence=site.settings.silence),
            ws_max_size=64 * 1024,
            ws_ping_interval=None,  # a ping waits behind the shard, and a slow reader would answer too late
            ssl_certfile=site.settings.tls_cert,
            ssl_keyfile=site.settings.tls_key,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=grace,
            lifespan="off",
            loop="asyncio",  # of no other can be told how much to read at once: see protocol.py
        ))

    def run(self):
        _set_up_allocator()
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


def _tidy(folder, settings):
    """Remove what a bridge that was killed has left behind, and let its mails go at once."""
    if settings.new:
        set_unnamed_aside(folder)
    else:
        check_named(folder)
    folder.tighten()
    alone = folder.database_url is None
    with Data(folder, settings.keep_deleted) as data:
        if settings.smtp_url is not None and folder.outbox is not None:
            collect(folder.outbox, data.metadata.mails)
        data.metadata.mails.hurry(data.metadata.clock.steady(), alone)
        if alone:
            data.metadata.uploads.expire_all(data.metadata.clock.steady())
        data.clear_uploads(data.metadata.clock.steady())
        data.sweep(data.metadata.clock.now())


def _apart(work, *arguments):
    """
    Call something in a process of its own, so that workers are forked from one that has never used the store.  It ends
    with this one, or the port would stay taken.
    """
    fork = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(1, fork, initializer=end_with, initargs=(os.getpid(),)) as process:
        process.submit(work, *arguments).result()


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


def _counts_folder(folder):
    """
    Make a folder for what the workers count, in place of that of a bridge that was killed.  It is not on the disk of
    the data: memory that is mapped from a disk that is full kills who writes to it.
    """
    if folder.database_url is not None:  # others may have the same data folder
        return tempfile.mkdtemp(prefix="pymdc-metrics-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    name = hashlib.sha256(os.fsencode(folder.path.resolve())).hexdigest()[:16]
    path = f"/dev/shm/pymdc-metrics-{os.getuid()}-{name}"
    shutil.rmtree(path, ignore_errors=True)
    try:
        os.mkdir(path, 0o700)
    except OSError:  # there is no such file system, or somebody else has taken the name
        path = tempfile.mkdtemp(prefix="pymdc-metrics-")
    return path


def _check_certificate(settings):
    if settings.tls_cert is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except ssl.SSLError:
        raise OSError(errno.EINVAL, "not a certificate and its private key, as PEM and not encrypted",
                      f"{settings.tls_cert}, {settings.tls_key}") from None


def _url(listener, with_tls):
    host, port = listener.getsockname()[:2]
    return f"{'https' if with_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _set_up_allocator():
    """
    Tell glibc which blocks to map by themselves, which it otherwise learns from what is freed: at first each receive
    buffer of 256 KiB, which costs a third of the speed of uploads, and after the first password, whose hash takes
    19 MiB, none below that, of which most then stays.  And that all threads share two arenas: one of its own for each
    would keep what the blocks of a download had taken, some 25 MiB together.
    """
    with contextlib.suppress(OSError, AttributeError):  # where there is another allocator
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, MIB)
        mallopt(M_TRIM_THRESHOLD, 2 * MIB)
        mallopt(M_ARENA_MAX, 2)
