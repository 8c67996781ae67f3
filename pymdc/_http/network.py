"""The way to other hosts: proxies, certificates, timeouts."""

from __future__ import absolute_import, division, print_function

import logging
import os
import re
import ssl

import requests
import urllib3
from requests.exceptions import InvalidProxyURL
from requests.utils import (
    default_headers, get_auth_from_url, getproxies, prepend_scheme_if_needed, select_proxy, should_bypass_proxies,
)
from urllib3.util import parse_url

from .._compat import monotonic, urlsplit
from .._fork import PerProcess
from .._secret import KeepsSecrets
from ..errors import TransportError
from .address import is_loopback, origin
from .connection import Adapter
from .failure import permanent_fault, translated
from .reply import Reply

__all__ = ["Network"]

_HEADERS = dict(default_headers())
_HEADERS["Accept-Encoding"] = "identity"  # a few bytes could stand for more than fits the memory


class Network(KeepsSecrets):
    """
    The way to other hosts.  Safe to share between threads.

    The environment's proxies and CA bundle are read once, here, not for every request.

    :param tuple timeout: seconds to wait for a connection, and between two reads or two writes.
    :param verify: whether to check certificates, or the path of a CA bundle.
    :param dict proxies: URL scheme to proxy URL, in place of the environment's.
    :ivar dict dialects: host and port of each farmer that was understood, to the dialect of the data channel it speaks.
    """

    def __init__(self, timeout, verify=None, proxies=None):
        if verify is None:
            verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self.timeout = timeout
        self.verify = verify
        self._proxies = getproxies() if proxies is None else dict(proxies)
        self._given_proxies = proxies is not None
        self._ways = {}  # scheme and host to the proxy on the way there
        self.dialects = {}
        self._adapter = PerProcess(lambda: Adapter(timeout, verify, pool_maxsize=64))

    def proxy(self, url):
        """Return the URL of the proxy on the way to *url*; None for a host that is this one."""
        place = tuple(url.split("/", 3)[:3])  # scheme and host
        if place not in self._ways:
            self._ways[place] = self._find_proxy(url)
        return self._ways[place]

    def _find_proxy(self, url):
        if is_loopback(url) or not self._given_proxies and should_bypass_proxies(url, no_proxy=None):
            return None
        proxy = select_proxy(url, self._proxies)
        if not proxy:
            return None
        proxy = prepend_scheme_if_needed(proxy, "http")
        parts = urlsplit(proxy)
        if not parts.hostname or not parts.scheme.startswith(("http", "socks")):
            raise InvalidProxyURL("unsupported proxy")
        return proxy

    def websocket_options(self, url):
        """Return what websocket-client has to be told to take the same way as a request does."""
        self._check_bundle(url)
        parts = urlsplit(url)
        options = {"timeout": self.timeout[0], "http_no_proxy": [parts.hostname], "redirect_limit": 0}
        if parts.scheme == "wss":
            options["sslopt"] = self._tls_options()
        proxy = self.proxy("http" + url[2:])  # as https goes, so does wss
        if proxy:
            parts = urlsplit(proxy)
            if parts.scheme == "https":
                raise InvalidProxyURL("unsupported proxy")  # by websocket-client
            user, password = get_auth_from_url(proxy)
            options.update(
                http_no_proxy=[""], proxy_type=parts.scheme, http_proxy_host=parts.hostname,
                http_proxy_port=parts.port or 80, http_proxy_auth=(user, password) if user else None,
            )
        return options

    def _check_bundle(self, url):
        """Raise when there is no CA bundle where one should be: what others say then does not name it."""
        if isinstance(self.verify, bool) or not url.lower().startswith(("https:", "wss:")):
            return
        if not os.path.exists(self.verify):
            failure = TransportError("there is no CA bundle at {0}".format(self.verify), sent=False, passing=False)
            failure.hint = "check verify=, or REQUESTS_CA_BUNDLE"
            raise failure

    def _tls_options(self):
        if self.verify is False:
            return {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
        bundle = requests.certs.where() if self.verify is True else self.verify
        return {"ca_cert_path" if os.path.isdir(bundle) else "ca_certs": bundle}

    def send(self, method, url, headers, body=None, sign=None):
        """
        Send one request and return its :class:`Reply`, whose body is still to be read.

        :param body: bytes, or an object that streams.
        :param sign: is given the path, the query and the body as they will be sent, and returns headers.
        """
        self._check_bundle(url)
        try:
            proxy, target = self.proxy(url), parse_url(url)
            fields = _fields(method, target, headers, body, sign)
            asked = monotonic()
            response = self._adapter.get().exchange(method, target, proxy, fields, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, EnvironmentError) as error:
            failure = translated(error, url)
        else:
            reply = Reply(response, url, method, monotonic() - asked)
            if reply.status != 407 or not proxy:
                return reply
            reply.close()
            failure = permanent_fault(IOError("Tunnel connection failed: 407"), origin(url))
        raise failure  # outside the handler, so that it chains nothing: what urllib3 says quotes the whole URL

    def close(self):
        self._adapter.get().close()


def _fields(method, target, headers, body, sign):
    """Return the header fields of a request, with those that *sign* returns for it."""
    fields = dict(_HEADERS, **headers)
    if body is not None or method not in ("GET", "HEAD"):
        fields["Content-Length"] = str(_length(body))
    if sign is not None:
        path, _, query = str(target.request_uri).partition("?")
        fields.update(sign(path, query, body))
    return fields


def _length(body):
    """Return how many bytes a body has: none, bytes, or an object that streams."""
    if body is None:
        return 0
    return len(body) if isinstance(body, bytes) else body.len


class _HideActivations(logging.Filter):
    """Take activation tokens out of the addresses that urllib3 logs."""

    def filter(self, record):
        if isinstance(record.args, tuple):
            record.args = tuple(
                re.sub("(/activations/)[^?\\s]+", r"\1...", str(arg)) if "/activations/" in str(arg) else arg
                for arg in record.args
            )
        return True


for _name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_HideActivations())
