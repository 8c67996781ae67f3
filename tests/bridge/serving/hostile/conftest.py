"""Whatever is sent, the bridge answers with a refusal that helps or closes, changes nothing, and goes on serving."""

import pytest

from running_bridge import RunningBridge
from siege import World
from waiting import eventually

GROWTH = 96 * 1024 * 1024  # bytes of memory, generously


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A bridge for all tests of a module: after them nothing is left open, held or logged."""
    path = tmp_path_factory.mktemp("hostile") / "errors"
    with open(path, "w") as errors:
        bridge = RunningBridge(stderr=errors)
    try:
        world = World(bridge, path)
        opened, held = world.descriptors(), world.memory()
        yield world
        eventually(lambda: world.descriptors() == opened)
        eventually(lambda: world.rows("uploads") == [])
        assert world.memory() - held < GROWTH
        assert "Traceback" not in path.read_text()
    finally:
        bridge.close()


@pytest.fixture
def world(started):
    """The bridge: it serves after each test, and what it has only refused has changed nothing."""
    started.statuses.clear()
    before = started.known
    yield started
    eventually(lambda: started.rows("uploads") == [])  # what the test has broken off is given up
    assert started.serves()
    started.known = started.state()
    if all(status >= 400 for status in started.statuses):
        assert started.known == before
