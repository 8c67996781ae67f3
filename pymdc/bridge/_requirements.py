"""Whether a bridge can run here.  Any Python can import this."""

import sys


def missing():
    """Return a sentence that says what is missing and what to do, or None."""
    if sys.version_info < (3, 10):
        return "pymdc.bridge needs Python 3.10 or newer, and this is {0}.{1}".format(*sys.version_info)
    try:
        import argon2, click, coincurve, httptools, platformdirs, prometheus_client  # noqa: E401, F401
        import python_multipart, sqlalchemy, starlette, uvicorn, websockets  # noqa: E401, F401
    except ImportError as error:
        return 'pymdc.bridge needs its extra ({0}): pip install ".[bridge]" in a clone of it'.format(error)
    return None
