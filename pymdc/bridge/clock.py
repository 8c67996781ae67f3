"""The time."""

import time


def now() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def steady() -> int:
    """Milliseconds of a clock that nobody sets, and that all processes of this machine share until it starts again."""
    return int(time.monotonic() * 1000)


def iso(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"
