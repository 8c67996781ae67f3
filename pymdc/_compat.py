"""What Python 2 and 3 call by different names.  The only module that asks for the version."""

from __future__ import absolute_import, division, print_function

import os
import sys
import threading
import time

if sys.version_info[0] == 2:
    from urllib import quote
    from urlparse import urlsplit

    text_type = unicode  # noqa: F821
    integer_types = (int, long)  # noqa: F821
    monotonic = time.time
    replace = os.rename

    def main_thread():
        return threading._shutdown.__self__

    def fspath(path):
        return path
else:
    from os import fspath, replace
    from threading import main_thread
    from time import monotonic
    from urllib.parse import quote, urlsplit

    text_type = str
    integer_types = (int,)

__all__ = ["fspath", "integer_types", "main_thread", "monotonic", "quote", "replace", "text_type", "urlsplit"]
