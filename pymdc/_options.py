"""The options of a client, checked."""

from __future__ import absolute_import, division, print_function

import re

from ._compat import integer_types, text_type, urlsplit

__all__ = ["api_url", "proxies", "retries", "timeout"]

_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s\[\]:/@\\]+)(:(\d{1,5}))?\Z")


def api_url(value):
    if not isinstance(value, (str, text_type)):
        raise ValueError("api_url must be text, not {0!r}".format(type(value).__name__))
    if "@" in value:
        raise ValueError("api_url must not hold a user name or password")
    parts = urlsplit(value)
    authority = _AUTHORITY.match(parts.netloc)
    if (
        parts.scheme not in ("http", "https") or not authority or int(authority.group(3) or 1) > 65535
        or parts.query or parts.fragment or re.search(r"[\s\\]|/\.\.?(/|\Z)", parts.path)
    ):
        raise ValueError("api_url must be like https://bridge.example, not {0!r}".format(value))
    return value.rstrip("/")


def timeout(value):
    """Return the seconds to connect, and of silence."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2 or not all(_number(seconds) and 0 < seconds <= 1e6 for seconds in pair):
        raise ValueError("timeout must be (seconds to connect, seconds of silence), each above 0")
    return pair


def retries(value):
    if not isinstance(value, integer_types) or isinstance(value, bool) or value < 0:
        raise ValueError("retries must be a whole number, zero or more")
    return value


def proxies(value):
    if value is not None and not isinstance(value, dict):
        raise ValueError("proxies must be a dict of URL scheme to proxy URL")
    return value


def _number(value):
    return isinstance(value, integer_types + (float,)) and not isinstance(value, bool)
