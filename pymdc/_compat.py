"""What Python 2 and 3 call by different names.  The only module that asks for the version."""

from __future__ import absolute_import, division, print_function

import os
import sys
import threading
import time

if sys.version_info[0] == 2:
    from cookielib import DefaultCookiePolicy
    from urllib import quote
    from urlparse import urljoin, urlsplit

    text_type = unicode  # noqa: F821
    integer_types = (int, long)  # noqa: F821
    monotonic = time.time
    replace = os.rename
    _pid = os.getpid()

    def main_thread():
        # A forked child takes the thread that forked for its main one, but does not say so.
        return threading._shutdown.__self__ if os.getpid() == _pid else threading.current_thread()
else:
    from http.cookiejar import DefaultCookiePolicy
    from os import replace
    from threading import main_thread
    from time import monotonic
    from urllib.parse import quote, urljoin, urlsplit

    text_type = str
    integer_types = (int,)

__all__ = [
    "DefaultCookiePolicy", "integer_types", "main_thread", "monotonic", "quote", "replace", "text_type", "to_path",
    "urljoin", "urlsplit",
]


def to_path(value):
    """Return a path as text or bytes; None for what is no path."""
    value = value.__fspath__() if hasattr(value, "__fspath__") else value
    return value if isinstance(value, (bytes, text_type)) else None
