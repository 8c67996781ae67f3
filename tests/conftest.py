from __future__ import absolute_import, division, print_function

import hashlib
import itertools
import os
import signal
import sys
import uuid

import hypothesis
import pytest

import pymdc
from canned_server import CannedServer
from pymdc._signing import Nonces
from pymdc.testing import Wire
from running_bridge import RunningBridge

collect_ignore = [] if sys.version_info >= (3, 10) else ["bridge", "docs", "filesystem", "test_benchmarks.py"]  # modern
if "PYMDC_TEST_DIST" not in os.environ:
    collect_ignore.append("package")  # tox -e package builds what these try

hypothesis.settings.register_profile("pymdc", deadline=None, max_examples=50)
hypothesis.settings.register_profile("full", deadline=None, max_examples=1000)

_numbers = itertools.count()


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="large counts")


def pytest_configure(config):
    hypothesis.settings.load_profile("full" if config.getoption("--full") else "pymdc")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def full(request):
    """Whether counts are large."""
    return request.config.getoption("--full")


@pytest.fixture(autouse=True)
def nonces(monkeypatch):
    """The nonces of this process, which an earlier test may have led far ahead of the clock."""
    monkeypatch.setattr(pymdc.rest, "_nonces", Nonces())


@pytest.fixture
def hashed(monkeypatch):
    """A function that does something, and returns how many bytes of content SHA-256 has been given meanwhile."""
    new, all_of_them = hashlib.sha256, []

    class Counted(object):
        def __init__(self, data=b"", begun=None):
            self.size = 0
            self._sha256 = begun or new()
            self.update(data)
            all_of_them.append(self)

        def update(self, data):
            self.size += len(data)
            self._sha256.update(data)

        def copy(self):
            return Counted(begun=self._sha256.copy())

        def __getattr__(self, name):
            return getattr(self._sha256, name)

    def hashed(work):
        del all_of_them[:]
        work()
        return sum(each.size for each in all_of_them if each.size >= 4096)  # what is signed, or a token, is shorter

    monkeypatch.setattr(hashlib, "sha256", Counted)
    return hashed


@pytest.fixture(scope="session")
def bridge():
    running = RunningBridge()
    yield running
    running.close()


@pytest.fixture(scope="session")
def wired():
    """A wire, and the bridge behind it, whose pointers lead through the wire too."""
    wire = Wire()
    wire.bridge = RunningBridge("--public-url", wire.url)
    wire.target = wire.bridge.url
    yield wire
    wire.close()
    wire.bridge.close()


@pytest.fixture
def wire(wired):
    yield wired
    del wired.faults[:], wired.requests[:]
    wired.open()


@pytest.fixture
def client(bridge):
    with pymdc.Client(bridge.url) as client:
        yield client


@pytest.fixture
def address():
    return "user{0}-{1}@example.com".format(next(_numbers), uuid.uuid4().hex[:8])


@pytest.fixture
def user(bridge, client, address):
    """An activated account."""
    user = pymdc.api.Users(address, u"s\xe9cret", client=client)
    user.register()
    user.activate(bridge.activation_link(address))
    return user


@pytest.fixture
def key_pair(user):
    """A key pair that *user* has registered."""
    key_pair = pymdc.keypair.ECDSA()
    pymdc.api.Keys(user).create(key_pair)
    return key_pair


@pytest.fixture
def buckets(client, key_pair):
    return pymdc.api.Buckets(key_pair, client=client)


@pytest.fixture
def bucket(client, buckets, key_pair):
    return pymdc.api.Bucket(buckets.create("photos", 10, 30, [key_pair]), key_pair, client=client)


@pytest.fixture
def photo():
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs", "photo.jpg")


@pytest.fixture
def canned():
    """A function that starts a server which gives the same answer to everything."""
    servers = []

    def start(answer):
        servers.append(CannedServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
