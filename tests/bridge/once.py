"""Requests that are good for once, sent twice at once and again later, while something of a bridge goes away."""

import collections
import contextlib
import os
import random
import threading
import traceback

import requests

from waiting import eventually
from wire import Account, multipart, race

PATIENCE = 60  # seconds that anything may take
LATEST = 50  # of those that were sent, which come again most likely
ENOUGH = 20
AWAY = (502, 503, 504)


class Unanswered(Exception):
    """Whether it has passed is not known."""


class Once:
    """
    Asks for tokens by signed requests, and stores files with them.

    :param bridge: where the account is.
    :ivar sent: the requests, and *passed*: those that have passed, as often as they have.
    """

    def __init__(self, bridge, account):
        self._account = Account(bridge.url, account.email, account.password, account.key_pair)
        self._bucket = account.bucket()
        self.sent, self.passed, self._failure = [], [], None
        self._over = threading.Event()
        for wire in (self._account.signed, self._account.nobody):
            wire.deliver = self._send_twice

    @contextlib.contextmanager
    def running(self):
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
            eventually(lambda: len(self.passed) > ENOUGH or self._failure, PATIENCE)
        finally:
            self._over.set()
            thread.join(2 * PATIENCE)
        assert not thread.is_alive()

    def check(self):
        """Send all again, and find that none has passed twice."""
        assert self._failure is None, self._failure
        for request in self.sent:
            self._send(request)
        twice = [request for request, count in collections.Counter(self.passed).items() if count > 1]
        assert not twice, [(request.method, request.path_url) for request in twice]

    def _run(self):
        try:
            while not self._over.is_set():
                with contextlib.suppress(Unanswered):
                    self._store(os.urandom(random.choice((100, 20_000))))
                self._send(random.choice(self.sent[-LATEST:]))
        except Exception:
            self._failure = traceback.format_exc()

    def _store(self, content):
        token = self._account.token(self._bucket)
        self._account.nobody.put(f"/buckets/{self._bucket}/files", multipart(content), token, len(content))

    def _send_twice(self, request):
        """Return the answer of the one that passes."""
        self.sent.append(request)
        answers = race(2, lambda number: self._send(request))
        for answer in answers:
            if answer is not None and answer.status_code == 200:
                return answer
        assert None in answers, [answer.text for answer in answers]
        raise Unanswered

    def _send(self, request):
        """Return the answer of the bridge; None where it has not come so far."""
        with contextlib.suppress(requests.RequestException), requests.Session() as session:
            answer = session.send(request, allow_redirects=False, timeout=PATIENCE)
            if answer.status_code == 200:
                self.passed.append(request)
            return None if answer.status_code in AWAY else answer
        return None
