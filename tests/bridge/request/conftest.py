import pytest

from pymdc.bridge import LocalBridge
from wire import registered


@pytest.fixture
def limited(tmp_path, server_url):
    """A bridge on which an account may hold 2 MB, and where rates are on."""
    with LocalBridge(tmp_path / "data", database_url=server_url, account_storage=0.002, rates="on") as bridge:
        yield bridge


@pytest.fixture
def carol(limited):
    return registered(limited, "carol@example.com")
