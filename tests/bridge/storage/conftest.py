import pytest

from used_bridge import UsedBridge


@pytest.fixture
def world(tmp_path):
    with UsedBridge(tmp_path / "data") as world:
        yield world.register()
