import pytest

from running_bridge import RunningBridge


@pytest.fixture
def running():
    """A function that starts a bridge in a process of its own, with these options."""
    bridges = []

    def start(*options):
        bridges.append(RunningBridge(*options))
        return bridges[-1]

    yield start
    for bridge in bridges:
        bridge.close()
