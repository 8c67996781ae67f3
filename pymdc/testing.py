"""
For tests of programs that use pymdc: accounts, and faults on the wire between a client and a bridge.

By ``pytest_plugins = ["pymdc.testing"]`` it brings the fixtures ``metadisk_bridge`` and ``metadisk_bucket``
(docs/testing).  It asserts nothing, so: PYTEST_DONT_REWRITE.
"""

from __future__ import absolute_import, division, print_function

import collections
import fnmatch
import os
import re
import socket
import struct
import threading
import uuid

try:
    import pytest
except ImportError:
    pytest = None  # then there are no fixtures

from . import api, keypair
from ._compat import urlsplit
from ._passage import Passage, answer_length, read_head, request_length
from .rest import Client

__all__ = ["Account", "Fault", "Wire", "account"]

_PATIENCE = 120  # seconds after which a connection that nobody uses is given up

#: What :func:`account` returns: an activated :class:`pymdc.api.Users`, and a key pair that it has registered.
Account = collections.namedtuple("Account", "user key_pair client")


def account(bridge, client=None):
    """
    Register and activate a new account with a key pair.

    :param bridge: a :class:`pymdc.bridge.LocalBridge`; or the URL of a bridge whose mails are in the folder that
        ``PYMDC_TEST_OUTBOX`` names.
    :param client: the :class:`pymdc.Client` to use; by default a new one.
    :returns: an :class:`Account`.
    """
    url = getattr(bridge, "url", bridge)
    client = client or Client(url, raise_errors=True)
    address = "{0}@example.com".format(uuid.uuid4().hex)
    user = api.Users(address, uuid.uuid4().hex, client=client)
    user.register()
    if hasattr(bridge, "activation_token"):
        user.activate(bridge.activation_token(address))
    else:
        user.activate(_link_in_outbox(os.environ["PYMDC_TEST_OUTBOX"], address))
    key_pair = keypair.ECDSA()
    api.Keys(user).create(key_pair)
    return Account(user, key_pair, client)


def _link_in_outbox(folder, address):
    for name in sorted(os.listdir(folder), reverse=True):
        with open(os.path.join(folder, name), "rb") as mail:
            text = mail.read().decode("utf-8")
        if address in text:
            return re.search(r"http\S+/activations/\w+", text).group()
    raise LookupError("no mail to {0} in {1}".format(address, folder))


if pytest is not None:
    @pytest.fixture(scope="session")
    def metadisk_bridge():
        """A bridge in this process, as :class:`pymdc.bridge.LocalBridge`."""
        from .bridge import LocalBridge

        with LocalBridge() as bridge:
            yield bridge

    @pytest.fixture
    def metadisk_bucket(metadisk_bridge):
        """A new bucket, of a new account, as :class:`pymdc.api.Bucket`."""
        made = account(metadisk_bridge)
        with made.client:
            created = api.Buckets(made.key_pair, client=made.client).create("bucket", 1, 1, [made.key_pair])
            yield api.Bucket(created, made.key_pair, client=made.client)


class Fault(object):
    """
    Something that goes wrong with a request on its way.

    :param str kind: what happens:

        ``"reset"``
            the connection is reset;
        ``"truncate"``
            the connection is closed, as if all had been said;
        ``"stall"``
            nothing goes through any more, and the connection stays open;
        ``"answer"``
            the bridge is not asked; the wire itself answers.

    :param str method: of the requests it befalls; by default all.
    :param str path: of the requests it befalls, with ``*`` for any part, without the query.
    :param int nth: which of these requests it befalls, counted from 1; 0 for every one.
    :param int sent: after so many bytes of the request's body; by default, and when there are no more, the answer's
        turn comes.
    :param int received: after so many bytes of the answer, head included.
    :param int status: of an ``"answer"``.
    :param dict headers: of an ``"answer"``.
    :param bytes body: of an ``"answer"``.
    :param str then: what an ``"answer"`` that came before the whole body does next: ``"drain"`` the rest, ``"stall"``
        without reading it, or ``"close"``.
    """

    def __init__(self, kind, method="*", path="*", nth=1, sent=None, received=0, status=503, headers=None,
                 body=b'{"error": "a fault on the wire"}', then="close"):
        if kind not in ("reset", "truncate", "stall", "answer"):
            raise ValueError("unknown kind of fault: {0!r}".format(kind))
        self.kind = kind
        self.method = method
        self.path = path
        self.nth = nth
        self.sent = sent
        self.received = received
        self.status = status
        self.headers = headers or {}
        self.body = body
        self.then = then
        self.seen = 0

    def matches(self, method, path):
        """Return whether a request is one of those that are counted."""
        return fnmatch.fnmatchcase(method, self.method) and fnmatch.fnmatchcase(path, self.path)

    def befalls(self, method, path):
        """Count a request, and return whether it is the one."""
        if not self.matches(method, path):
            return False
        self.seen += 1
        return self.nth in (0, self.seen)

    def __repr__(self):
        return "<Fault {0} on {1} {2}, number {3}>".format(self.kind, self.method, self.path, self.nth)


class Wire(object):
    """
    Stands between a client and a bridge, passes everything on, and lets faults happen.

    :param str target: the URL of the bridge; it can be set later, since a bridge whose pointers are to lead through the
        wire has to know the wire's URL first.
    :ivar str url: where clients connect to.
    :ivar list faults: what goes wrong; a list of :class:`Fault` to change at will.
    :ivar list requests: the ``(method, path)`` of each request that has come.
    """

    def __init__(self, target=None, faults=()):
        self.target = target
        self.faults = list(faults)
        self.requests = []
        self._lock = threading.Lock()
        self._sockets = set()
        self._threads = []
        self._listener = None
        self._port = 0
        self.open()
        self.url = "http://127.0.0.1:{0}".format(self._port)

    def open(self):
        """Accept connections, after :meth:`refuse`."""
        if self._listener is not None:
            return
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self._port))
        self._listener.listen(256)
        self._port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def refuse(self):
        """Refuse new connections, and end those that there are, until :meth:`open`."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            _reset(each)

    def close(self):
        """End all connections, and every thread."""
        self.refuse()
        for thread in list(self._threads):
            thread.join(_PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, name="pymdc-wire")
        thread.daemon = True
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except EnvironmentError:
                return
            self._start(self._serve, client)

    def _serve(self, client):
        client.settimeout(_PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._hold(client)
        try:
            while self._exchange(client):
                pass
        except (EnvironmentError, _Broken):
            pass  # one side has left, or a fault has ended the connection
        finally:
            self._release(client)

    def _exchange(self, client):
        """Pass on one request and its answer; return whether the connection goes on."""
        head, rest = read_head(client)
        if not head:
            return False
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        fault = self._fault(method, urlsplit(target).path)
        parts = urlsplit(self.target)
        bridge = socket.create_connection((parts.hostname, parts.port), _PATIENCE)
        bridge.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._hold(bridge)
        try:
            request = Passage(client, rest, request_length(head))
            if fault and fault.kind == "answer":
                return _answer(client, request, fault)
            bridge.sendall(head)
            if fault and fault.sent is not None:
                request.pass_on(bridge, fault.sent)
                if not request.done:  # else the bridge has all it needs, and is let finish before the fault
                    _happen(fault, client, bridge)
            self._start(request.pass_on_quietly, bridge)  # for the answer may come before its end
            return self._pass_answer(bridge, client, head, fault) and request.done
        finally:
            self._release(bridge)

    def _pass_answer(self, bridge, client, request_head, fault):
        head, rest = read_head(bridge)
        answer = Passage(bridge, head + rest, answer_length(request_head, head))
        answer.pass_on(client, fault.received if fault else None)
        if fault:
            _happen(fault, client, bridge)
        return b"connection: close" not in head.lower() and answer.done

    def _fault(self, method, path):
        with self._lock:
            self.requests.append((method, path))
            return next((fault for fault in self.faults if fault.befalls(method, path)), None)

    def _hold(self, each):
        with self._lock:
            self._sockets.add(each)

    def _release(self, each):
        with self._lock:
            self._sockets.discard(each)
        each.close()


class _Broken(Exception):
    """A fault has ended the connection."""


def _answer(client, request, fault):
    if fault.sent is None:
        request.pass_on(_Nowhere())
    else:
        request.pass_on(_Nowhere(), fault.sent)
    lines = ["HTTP/1.1 {0} Fault".format(fault.status), "Content-Length: {0}".format(len(fault.body))]
    if fault.sent is not None and fault.then != "drain":
        lines.append("Connection: close")
    lines += ["{0}: {1}".format(name, value) for name, value in sorted(fault.headers.items())]
    client.sendall("\r\n".join(lines + ["", ""]).encode("latin-1") + fault.body)
    if fault.sent is None:
        return True
    if fault.then == "drain":
        request.pass_on(_Nowhere())
        return True
    if fault.then == "stall":
        _wait_for_end(client)
    return False


class _Nowhere(object):
    """Where the bytes go that nobody wants."""

    def sendall(self, data):
        """Take the place of a socket's."""


def _happen(fault, client, bridge):
    if fault.kind == "stall":
        bridge.close()
        _wait_for_end(client)
    elif fault.kind == "reset":
        _reset(client)
    raise _Broken()


def _wait_for_end(client):
    """Read nothing, and wait until the connection is ended from elsewhere."""
    while True:
        try:
            if not client.recv(1, socket.MSG_PEEK):
                return
        except EnvironmentError:
            return
        threading.Event().wait(0.02)


def _reset(each):
    try:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.shutdown(socket.SHUT_RD)  # wakes whoever reads it
    except EnvironmentError:
        pass  # it was closed already
    each.close()
