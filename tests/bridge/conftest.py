import sys
import time
import types
import uuid

import pytest

import pymdc
from pymdc.bridge import LocalBridge, clock
from wire import Account, Wire

collect_ignore = [] if sys.version_info >= (3, 11) else ["serving/test_openapi.py"]  # schemathesis wants a newer Python


@pytest.fixture(scope="session")
def local():
    """A bridge in this process."""
    with LocalBridge() as bridge:
        yield bridge


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
    return set_ahead


@pytest.fixture
def now():
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)
