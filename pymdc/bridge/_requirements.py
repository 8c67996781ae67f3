"""Whether a bridge can run here.  Any Python can import this."""

import sys


def missing():
    """Return a sentence that says what is missing and what to do, or None."""
    if sys.version_info < (3, 10):
        return "pymdc.bridge needs Python 3.10 or newer, and this is {0}.{1}".format(*sys.version_info)
    try:
        import fcntl, resource, termios  # noqa: E401, F401
    except ImportError:
        return "pymdc.bridge needs Linux, macOS or another POSIX system, and this is {0}".format(sys.platform)
    try:
        import sqlite3
    except ImportError:
        return "pymdc.bridge needs a Python that was built with SQLite, and this one lacks it"
    if sqlite3.sqlite_version_info < (3, 35):
        return "pymdc.bridge needs SQLite 3.35 or newer, and this Python has {0}".format(sqlite3.sqlite_version)
    try:
        import argon2, click, coincurve, httptools, platformdirs, prometheus_client  # noqa: E401, F401
        import python_multipart, sqlalchemy, starlette, uvicorn, websockets  # noqa: E401, F401
        _check_alembic()
    except ImportError as error:
        return 'pymdc.bridge needs its extra ({0}): pip install ".[bridge]" in a clone of it'.format(error)
    return None


def _check_alembic():
    """Raise ImportError where there is none.  It is not loaded: that takes long, and is wanted only for an upgrade."""
    import importlib.util
    if importlib.util.find_spec("alembic") is None:
        raise ImportError("No module named 'alembic'")
