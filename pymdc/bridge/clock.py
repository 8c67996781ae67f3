"""The time."""

import time


def now() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def iso(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"
