"""Several processes that serve one site."""

import asyncio
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import time

from .parent import end_with
from .server import Server, Site

_STOP = b"."
_log = logging.getLogger("pymdc.bridge")


class Workers:
    """
    Forks so many workers as the settings say, and keeps that many alive until it is told to end.

    Each holds the reading end of a pipe: a byte tells it to finish what it does, and the end of the pipe that this
    process is gone, upon which it goes too, or a bridge that was killed would go on on its data.  Linux ends it at
    once, also while it starts, so that another bridge can take the place.

    :param ready: is called once a worker accepts connections.
    """

    def __init__(self, site: Site, ready):
        self._site = site
        self._ready = ready
        self._serving = self._ending = False
        self._workers = {}  # by their sentinels
        self._reader, self._writer = os.pipe()
        self._heard, self._told = multiprocessing.Pipe(duplex=False)

    def run(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        for _ in range(self._site.settings.workers):
            self._fork()
        while self._workers:
            events = multiprocessing.connection.wait([*self._workers, self._heard])
            if self._heard in events:
                self._announce()
            for sentinel in events:
                if sentinel is not self._heard:
                    self._bury(self._workers.pop(sentinel))
        if not self._serving:
            raise SystemExit(1)

    def _fork(self):
        worker = multiprocessing.get_context("fork").Process(target=self._work, args=(os.getpid(),))
        worker.start()
        self._workers[worker.sentinel] = worker

    def _announce(self):
        self._heard.recv()
        if not self._serving:
            self._serving = True
            self._ready()

    def _bury(self, worker):
        worker.join()
        self._site.forget_counts(worker.pid)
        if not self._serving and not self._ending:
            _log.error("worker %d ended with %d before it served", worker.pid, worker.exitcode)
            self._end()  # it cannot be done here, and another would do no better
        if not self._ending:
            _log.error("worker %d ended with %d: starting another", worker.pid, worker.exitcode)
            time.sleep(1)
        if not self._ending:
            self._fork()

    def _end(self, *signal_and_frame):
        if not self._ending:
            self._ending = True
            self._site.socket.close()  # or who connects now would wait for nobody
            os.write(self._writer, _STOP * self._site.settings.workers)

    def _work(self, parent):
        end_with(parent)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # once uvicorn, which obeys them, has ended with one
        os.close(self._writer)

        def begin():
            asyncio.get_running_loop().add_reader(self._reader, obey)
            self._told.send(None)

        def obey():
            asyncio.get_running_loop().remove_reader(self._reader)
            if os.read(self._reader, 1) != _STOP:
                os._exit(1)
            server.should_exit = True

        server = Server(self._site, ready=begin)
        server.run()
