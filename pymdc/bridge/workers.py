"""Several processes that serve one site."""

import asyncio
import logging
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import time

from prometheus_client.multiprocess import mark_process_dead

from .folder import Folder
from .server import Server, Site

_STOP = b"."
_log = logging.getLogger("pymdc.bridge")


class Workers:
    """
    Forks so many workers as the settings say, and keeps that many alive until it is told to end.

    Each holds the reading end of a pipe: a byte tells it to finish what it does, and the end of the pipe that this
    process is gone, upon which it goes too, or a bridge that was killed would go on on its data.
    """

    def __init__(self, site: Site, ready):
        self._site = site
        self._ready = ready
        self._ending = False
        self._workers = {}  # by their sentinels
        self._reader, self._writer = os.pipe()
        self._counts = Folder(site.settings.data_dir).metrics
        shutil.rmtree(self._counts, ignore_errors=True)
        self._counts.mkdir()

    def run(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        for _ in range(self._site.settings.workers):
            self._fork()
        self._ready()
        while self._workers:
            for sentinel in multiprocessing.connection.wait(list(self._workers)):
                self._bury(self._workers.pop(sentinel))

    def _fork(self):
        worker = multiprocessing.get_context("fork").Process(target=self._work)
        worker.start()
        self._workers[worker.sentinel] = worker

    def _bury(self, worker):
        worker.join()
        mark_process_dead(worker.pid, path=str(self._counts))
        if not self._ending:
            _log.error("worker %d ended with %d: starting another", worker.pid, worker.exitcode)
            time.sleep(1)
            self._fork()

    def _end(self, number, frame):
        if not self._ending:
            self._ending = True
            self._site.socket.close()  # or who connects now would wait for nobody
            os.write(self._writer, _STOP * self._site.settings.workers)

    def _work(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler)
        os.close(self._writer)
        server = Server(self._site, ready=lambda: asyncio.get_running_loop().add_reader(self._reader, obey))

        def obey():
            asyncio.get_running_loop().remove_reader(self._reader)
            if os.read(self._reader, 1) != _STOP:
                os._exit(1)
            server.should_exit = True

        server.run()
