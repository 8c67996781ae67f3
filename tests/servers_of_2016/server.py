"""One server and its farmer."""

from __future__ import absolute_import, division, print_function

import itertools
import threading

from .conversation import Conversation
from .door import Door
from .farmer import Farmer
from .versions import VERSIONS


class Server(object):
    """
    One server and its farmer.

    :param str version: one of ``VERSIONS``.
    :ivar list requests: ``(method, path, status)`` of each request; status None when no answer was given.
    :ivar str early: what it does with the body of an upload that it refused: ``"drain"`` or ``"stop"`` reading.
    :ivar bool keep_alive: whether connections are kept.
    :ivar int lost_contracts: how many times more the shard contracts fail to load.
    :ivar list stored: the hash of each upload, in their order.
    :ivar list crashes: ``(method, pattern of the path, seconds)`` of requests in whose middle it goes down, once each;
        a function may follow, which does what was asked for all the same.
    :ivar storing: while this event is not set, nothing is stored.
    """

    def __init__(self, version):
        self.name, self.version = version, VERSIONS[version]
        self.requests = []
        self.early, self.keep_alive, self.lost_contracts, self.crashes = "drain", True, 0, []
        self.storing, self.ended = threading.Event(), threading.Event()
        self.storing.set()
        self.users, self.activations, self.keys, self.buckets = {}, {}, {}, {}
        self.files, self.tokens, self.under_way = {}, {}, set()
        self.stored, self.shards = [], {}
        self.lock = threading.RLock()
        self.farmer = Farmer(self.version)
        self._ids = itertools.count(1)
        self._door = Door(self._converse)
        self.url = "http://127.0.0.1:{0}".format(self._door.port)

    def activation_token(self, email):
        """Return what stands in the mail."""
        return next(token for token, invited in self.activations.items() if invited == email)

    def crash(self, seconds=0):
        """Go down, as after another client's malformed upload, and come back after so many seconds."""
        self._door.crash(seconds)

    def come_back(self):
        """Be there again, both server and farmer, before the time."""
        self._door.open_again()
        self.farmer.come_back()

    def close(self):
        self.ended.set()
        self.storing.set()
        self._door.close()
        self.farmer.close()

    def new_id(self):
        return "{0:024x}".format(0x56F0000000000000 + next(self._ids))

    def _converse(self, connection):
        Conversation(connection, ("127.0.0.1", 0), self)
