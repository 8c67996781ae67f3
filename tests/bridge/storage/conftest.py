import pytest

from used_bridge import UsedBridge


@pytest.fixture
def s3_of(store_url, request):
    """The server of the store, if it has one."""
    return store_url and request.getfixturevalue("s3")


@pytest.fixture
def world(tmp_path, store_url, s3_of):
    """A bridge with each kind of store, unless a test says which."""
    with UsedBridge(tmp_path / "data", s3=s3_of, store_url=store_url) as world:
        yield world.register()
