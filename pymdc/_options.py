"""The options of a client, checked."""

from __future__ import absolute_import, division, print_function

import os
import re

from ._compat import fsdecode, integer_types, text_type, to_path

__all__ = ["api_url", "function", "is_number", "patience", "proxies", "retries", "switch", "timeout", "verify"]

_URL = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[0-9a-z_-]+(?:\.[0-9a-z_-]+)*\.?)(?::([0-9]{1,5}))?"
    r"((?:/[0-9a-z_~-][0-9a-z_.~-]*)*)/*\Z",
    re.IGNORECASE,
)


def api_url(value):
    """Return the address of a bridge: scheme, host, port and maybe a path, in lower case but for the path."""
    if not isinstance(value, (str, text_type)):
        raise ValueError("api_url must be text, not {0!r}".format(type(value).__name__))
    if "@" in value:
        raise ValueError("api_url must not hold a user name or password")
    found = _URL.match(value)
    scheme, host, port, path = found.groups() if found else (None, None, None, None)
    if not found or (port and not 0 < int(port) < 65536):
        raise ValueError("api_url must be like https://bridge.example, not {0!r}".format(value))
    return "{0}://{1}{2}{3}".format(scheme.lower(), host.lower(), ":" + port if port else "", path)


def timeout(value):
    """Return the seconds to connect, and of silence."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2 or not all(is_number(seconds) and 0 < seconds <= 1e6 for seconds in pair):
        raise ValueError("timeout must be (seconds to connect, seconds of silence), each above 0")
    return pair


def patience(value):
    """Return the seconds that a bridge may be away."""
    if not is_number(value) or not 0 <= value <= 1e6:
        raise ValueError("patience must be a number of seconds, zero or more")
    return value


def retries(value):
    if not isinstance(value, integer_types) or isinstance(value, bool) or value < 0:
        raise ValueError("retries must be a whole number, zero or more")
    return value


def proxies(value):
    texts = (str, text_type)
    if value is not None and not (
        isinstance(value, dict) and all(isinstance(part, texts) for item in value.items() for part in item)
    ):
        raise ValueError("proxies must be a dict of URL scheme to proxy URL")
    return value


def switch(name, value):
    if not isinstance(value, bool):
        raise ValueError("{0} must be True or False".format(name))
    return value


def function(name, value):
    if not callable(value):
        raise ValueError("{0} must be a function, not {1!r}".format(name, type(value).__name__))
    return value


def verify(value):
    """Return whether to check certificates, or by which bundle; None to let the environment say it."""
    if value is None or value is True or value is False:
        return value
    path = to_path(value)
    if not path or not os.path.exists(path):
        raise ValueError("verify must be True, False, or the path of a CA bundle that is there")
    return os.path.abspath(fsdecode(path) if isinstance(path, bytes) else path)


def is_number(value):
    return isinstance(value, integer_types + (float,)) and not isinstance(value, bool)
