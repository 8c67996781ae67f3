"""Addresses of other hosts: which is this very machine, and what of one may be told."""

from __future__ import absolute_import, division, print_function

import re

from .._compat import urlsplit

__all__ = ["is_loopback", "origin"]

_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|::1)\Z")


def is_loopback(url):
    """Return whether *url* leads to this very machine, by its name alone."""
    return bool(_LOOPBACK.match(urlsplit(url).hostname or ""))


def origin(url):
    """Return scheme, host and port of *url*, fit to be told: without a login, and in ASCII."""
    parts = urlsplit(url)
    return str(re.sub(u"[^\x21-\x7e]", u"?", u"{0}://{1}".format(parts.scheme, parts.netloc.rpartition("@")[2])))
