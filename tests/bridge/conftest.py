import contextlib
import os
import sys
import time
import types
import uuid

import pytest

import pymdc
from needed import is_missing
import seaweedfs
from pymdc.bridge import LocalBridge, clock
from pymdc.bridge.metadata import Metadata
from wire import Account, Wire

collect_ignore = [] if sys.version_info >= (3, 11) else ["serving/test_openapi.py"]  # schemathesis wants a newer Python

DATABASES = ["sqlite", "postgresql"]


def pytest_configure(config):
    config.addinivalue_line("markers", "both_databases: lets the bridge of the fixture local be on SQLite, and on "
                            "PostgreSQL")


def pytest_generate_tests(metafunc):
    fixtures = metafunc.fixturenames
    marked = metafunc.definition.get_closest_marker("both_databases")
    if marked and "local" in fixtures and "local_on_sqlite" not in fixtures:
        metafunc.parametrize("local", DATABASES, indirect=True, scope="session")


@pytest.fixture(scope="session")
def postgresql():
    """A server, of each process of the tests its own."""
    if is_missing("postgres", "/usr/lib/postgresql/*/bin"):
        pytest.skip("needs PostgreSQL")
    from postgresql import PostgreSQL
    server = PostgreSQL()
    yield server
    server.close()


@pytest.fixture(params=DATABASES)
def database_url(request, tmp_path):
    """The URL of a new database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bridge.sqlite"
    return request.getfixturevalue("postgresql").new_database()


@pytest.fixture(params=DATABASES)
def server_url(request):
    """What a bridge is told as ``database_url``, with each kind."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgresql").new_database()


@pytest.fixture
def memory(database_url):
    """What a bridge knows, in a new database of each kind."""
    with contextlib.closing(Metadata(database_url)) as memory:
        yield memory


@pytest.fixture(scope="session")
def local(request):
    """A bridge in this process; on which database, the mark ``both_databases`` says."""
    return request.getfixturevalue("local_on_" + getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def local_on_sqlite():
    with LocalBridge() as bridge:
        yield bridge


@pytest.fixture(scope="session")
def local_on_postgresql(postgresql):
    with LocalBridge(database_url=postgresql.new_database()) as bridge:
        yield bridge


@pytest.fixture(scope="session")
def s3():
    """A server of objects, of each process of the tests its own, which the environment leads to."""
    if seaweedfs.program() is None and "CI" not in os.environ:
        pytest.skip("needs SeaweedFS, which the extra test brings")
    server = seaweedfs.SeaweedFS()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**seaweedfs.KEYS, "AWS_ENDPOINT_URL": server.url}.items():
            patch.setenv(name, value)
        yield server
    server.close()


@pytest.fixture(params=["folder", "s3"])
def store_url(request):
    """What a bridge is told as ``store_url``, with each kind of store."""
    return None if request.param == "folder" else request.getfixturevalue("s3").new_store_url()


@pytest.fixture
def mail_server():
    """A server that takes all mails."""
    from mail_server import MailServer
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def wire(local):
    return Wire(local.url)


@pytest.fixture
def make_account(local, wire):
    """A function that makes an activated account with a registered key."""
    def make():
        email, password = f"{uuid.uuid4().hex}@example.com", uuid.uuid4().hex * 2
        wire.post("/users", {"email": email, "password": password})
        wire.get("/activations/" + local.activation_token(email))
        account = Account(local.url, email, password, pymdc.keypair.ECDSA())
        assert account.basic.post("/keys", {"key": account.key}).status_code == 200
        return account
    return make


@pytest.fixture
def alice(make_account):
    return make_account()


@pytest.fixture
def bob(make_account):
    return make_account()


@pytest.fixture
def later(monkeypatch):
    """A function that sets the bridge's clock so many seconds ahead."""
    def set_ahead(seconds):
        ahead = {**vars(time), "time": lambda: time.time() + seconds}
        monkeypatch.setattr(clock, "time", types.SimpleNamespace(**ahead))
        monkeypatch.setattr(clock.ServerClock, "now", lambda self: self.steady() + int(seconds * 1000))
    return set_ahead


@pytest.fixture
def now():
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)
