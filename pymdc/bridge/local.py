"""A bridge in this process, for trying out and for tests."""

import dataclasses
import email
import email.policy
import os
import re
import tempfile
import threading
from pathlib import Path

from .serving.server import Server, Site
from .settings import Settings


class LocalBridge:
    """
    A bridge in a thread of this process, on a free loopback port, while the context lasts.

    :param data_dir: the folder of its data; by default a temporary one, which goes with it.
    :param options: as of ``python -m pymdc.bridge``, with underscores.
    :ivar str url: where it listens.
    :ivar outbox: the folder of its mails, as ``.eml`` files.
    """

    def __init__(self, data_dir=None, **options):
        if data_dir is not None and not os.fspath(data_dir):
            raise ValueError("data_dir is empty")
        self._settings = Settings(data_dir=data_dir, **{"port": 0, "rates": "off", **options})
        if self._settings.workers != 1:
            raise ValueError("workers are processes, and this bridge is a thread: python -m pymdc.bridge has them")

    def __enter__(self):
        self._temporary = self._site = None
        settings = self._settings
        if settings.data_dir is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="pymdc-")
            settings = dataclasses.replace(settings, data_dir=self._temporary.name)
        try:
            self._start(settings)
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(self, *exception):
        self._server.should_exit = True
        self._thread.join()
        self._clean_up()

    def activation_token(self, email_address: str) -> str:
        """Return the token in the newest mail to an address that has a link to activate it."""
        for path in sorted(self.outbox.glob("*.eml"), reverse=True):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            link = re.search("/activations/([0-9a-f]{64})", mail.get_content())
            if link and str(mail["To"]).lower() == email_address.lower():
                return link.group(1)
        raise LookupError(f"no mail with a link to {email_address} in {self.outbox}")

    def _start(self, settings):
        listening = threading.Event()
        self._site = Site(settings)
        self._server = Server(self._site, ready=listening.set, grace=5)
        self.url = self._site.url
        self.outbox = Path(settings.data_dir) / "outbox"
        self._thread = threading.Thread(target=self._server.run, name="pymdc-bridge", daemon=True)
        self._thread.start()
        while not listening.wait(0.1):
            if not self._thread.is_alive():
                raise RuntimeError("the bridge did not start")

    def _clean_up(self):
        if self._site is not None:
            self._site.close()
        if self._temporary is not None:
            self._temporary.cleanup()
