"""The time, in milliseconds."""

import time


def now() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def steady() -> int:
    """Milliseconds of a clock that nobody sets, and that all processes of this machine share until it starts again."""
    return int(time.monotonic() * 1000)


class HostClock:
    """This machine's, for a database that no other one uses."""

    now = staticmethod(now)
    steady = staticmethod(steady)

    def set(self):
        """It goes by itself."""


class ServerClock:
    """
    A server's, by which all machines go that share it.  In between two questions it goes on by this machine's steady
    clock: what somebody sets the other one to is no matter.

    :param ask: returns the server's time, in milliseconds since the epoch.
    """

    def __init__(self, ask):
        self._ask = ask
        self._ahead = 0  # of the steady clock

    def set(self):
        """Ask the server."""
        before = steady()
        moment = self._ask()
        self._ahead = moment - (before + steady()) // 2

    def now(self) -> int:
        """As :func:`now`."""
        return steady() + self._ahead

    steady = now


def iso(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"
