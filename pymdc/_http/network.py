"""One request over the network: proxies, certificates, timeouts; what requests raises becomes an error of ours."""

from __future__ import absolute_import, division, print_function

import email.utils
import logging
import os
import re
import socket
import ssl
import time

import requests
import urllib3
from requests.exceptions import InvalidProxyURL
from requests.utils import (
    default_headers, get_auth_from_url, getproxies, prepend_scheme_if_needed, select_proxy, should_bypass_proxies,
)
from urllib3.util import parse_url

from .._compat import monotonic, urljoin, urlsplit
from .._fork import PerProcess
from .._secret import KeepsSecrets
from ..errors import Timeout, TransportError
from .address import is_loopback, origin
from .connection import Adapter, Unruly

__all__ = ["Network", "Reply", "permanent_fault", "reason"]

MAX_ANSWER = 256 * 1024 * 1024  # bytes, of an answer that is read whole
_CHUNK = 256 * 1024
_HEADERS = dict(default_headers())
_HEADERS["Accept-Encoding"] = "identity"  # a few bytes could stand for more than fits the memory
_DIGITS = re.compile(r"[0-9]{1,15}\Z")
_GOOD_LOGIN = "put user name and password into its address: http://user:password@proxy.example:3128"


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
        place = urlsplit(url)[:2]
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
        if isinstance(self.verify, bool) or urlsplit(url).scheme not in ("https", "wss"):
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
            failure = _translated(error, url)
        else:
            reply = Reply(response, url, method, monotonic() - asked)
            if reply.status != 407 or not proxy:
                return reply
            reply.close()
            failure = permanent_fault(IOError("Tunnel connection failed: 407"), origin(url))
        raise failure  # outside the handler, so that it chains nothing: what urllib3 says quotes the whole URL

    def close(self):
        self._adapter.get().close()


class Reply(object):
    """
    The answer to one request; the body comes when it is read.

    :ivar str location: where a redirect leads, scheme and host alone: the rest may hold a token.
    :ivar float clock_ahead: by how many seconds this machine's clock is ahead of the other's, by its ``Date``, or None.
    :ivar bool leads_back: whether a redirect leads to the same path, say by https.
    :ivar float retry_after: the seconds that the other side asks to wait, or None.
    :ivar float seconds: from the question to the beginning of the answer.
    """

    def __init__(self, response, url, method="GET", seconds=0.0):
        self.status = response.status
        self.reason = response.reason or ""
        self.headers = response.headers
        self.location, path = _led(url, response.headers.get("Location"))
        date = _timestamp(response.headers.get("Date", ""))
        self.clock_ahead = None if date is None else time.time() - date
        self.retry_after = _retry_after(response.headers.get("Retry-After", ""), time.time() if date is None else date)
        self.seconds = seconds
        self.leads_back = path == urlsplit(url).path
        self._response = response
        self._url = url
        self._method = method

    def chunks(self):
        """Yield the body as bytes, as it comes."""
        if self.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
            self.close()
            raise TransportError(
                "the answer of {0} is compressed, which was not asked for".format(origin(self._url)),
                passing=self.status >= 500,
            )
        chunks, count = self._response.stream(_CHUNK, decode_content=False), 0
        while True:
            chunk, failure = self._next(chunks)
            if failure is None and chunk is None and self.length() not in (None, count):
                failure = TransportError("the answer of {0} was cut short".format(origin(self._url)))
            if failure is not None:
                raise failure
            if chunk is None:
                return
            count += len(chunk)
            yield chunk

    def _next(self, chunks):
        try:
            return next(chunks, None), None
        except (requests.RequestException, urllib3.exceptions.HTTPError, EnvironmentError) as error:
            return None, _translated(error, self._url)

    def length(self):
        """Return how many bytes were announced, or None.  Older versions of urllib3 do not compare."""
        if self._method == "HEAD":
            return None
        length = self.headers.get("Content-Length", "")
        return int(length) if _DIGITS.match(length) else None

    def read(self):
        """Return the whole body as bytes, if it fits the memory."""
        chunks, count = [], 0
        for chunk in self.chunks():
            count += len(chunk)
            if count > MAX_ANSWER:
                raise TransportError("the answer of {0} does not end".format(origin(self._url)), passing=False)
            chunks.append(chunk)
        return b"".join(chunks)

    def close(self):
        self._response.close()
        self._response.release_conn()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


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


def _led(url, location):
    """Return in words where a ``Location`` leads, and its path; None and the path of *url* without one."""
    try:
        target = urljoin(url, location or "")
        return origin(target) if location is not None else None, urlsplit(target).path
    except ValueError:
        return "an address that is none", None


def _retry_after(text, now):
    """Return the seconds of a ``Retry-After``, given as such or as a date by the clock that says *now*."""
    if _DIGITS.match(text):
        return float(text)
    date = _timestamp(text)
    return None if date is None else max(0.0, date - now)


def _timestamp(text):
    """Return the seconds since the epoch of an HTTP date; None for what is none."""
    try:
        date = email.utils.parsedate_tz(text)
        return email.utils.mktime_tz(date) if date else None
    except (OverflowError, TypeError, ValueError):
        return None


def _translated(error, url):
    where, causes = origin(url), list(_causes(error))

    def caused_by(*classes):
        return any(isinstance(cause, classes) for cause in causes)

    failure = permanent_fault(causes[-1], where)
    if failure is not None:
        return failure
    if caused_by(requests.exceptions.InvalidURL, urllib3.exceptions.LocationValueError):
        return TransportError("no request can be made to {0}".format(where), sent=False, passing=False)
    if caused_by(urllib3.exceptions.NewConnectionError):
        failure = TransportError(_nobody(where, is_loopback(url)), sent=False)
        failure.away = True
        return failure
    if caused_by(urllib3.exceptions.ConnectTimeoutError):
        return Timeout("connecting to {0} took too long".format(where), sent=False)
    if caused_by(requests.exceptions.SSLError, urllib3.exceptions.SSLError):
        broken = any("EOF" in str(cause) or "eof" in str(cause) for cause in causes)  # by whom, ssl does not tell
        return TransportError("no secure connection to {0}: {1}".format(where, reason(causes[-1])), passing=broken)
    if caused_by(requests.Timeout, urllib3.exceptions.TimeoutError, socket.timeout):
        return Timeout("{0} was silent for too long".format(where))
    if caused_by(Unruly):
        return TransportError("{0} cannot be talked to: {1}".format(where, reason(causes[-1])), passing=False)
    return TransportError("the connection to {0} broke: {1}".format(where, reason(causes[-1])))


# What cannot pass: what the text of an error holds, which libraries word in so many ways; what to say, and what to do.
_PERMANENT = [(re.compile(pattern, re.IGNORECASE), words, hint) for pattern, words, hint in (
    ("missing dependencies for socks|pysocks module not found|python socks is needed",
     "the proxy on the way to {0} speaks SOCKS, for which a package is missing",
     "install PySocks, and for websockets python-socks"),
    ("(tunnel connection failed|via proxy status): 407|socks5 authentication|authentication methods were rejected",
     "the proxy on the way to {0} wants a password: 407 Proxy Authentication Required", _GOOD_LOGIN),
    (r"(tunnel connection failed|via proxy status): 4\d\d",
     "the proxy on the way to {0} refuses to lead there", "ask who runs it, or go without: proxies={{}}"),
    ("malformed and could be missing the host|(not supported|unsupported) proxy|proxy protocols are supported",
     "the address of the proxy on the way to {0} cannot be used", "check proxies=, HTTPS_PROXY and HTTP_PROXY"),
    ("(hostname|ip address) mismatch|doesn't match|not valid for",
     "no secure connection to {0}: its certificate is for another name", "check the address"),
    ("certificate.?verify.?failed",
     "no secure connection to {0}: nobody vouches for its certificate{1}",
     'if it is of its owner\'s own making, name it: verify="cert.pem"'),
    ("no.certificate.or.crl.found|ca certificate loading failed|pem.lib",
     "no secure connection to {0}: the CA bundle cannot be read", "check verify=, or REQUESTS_CA_BUNDLE"),
    ("wrong.version.number|unknown.protocol|record.layer.failure|packet.length.too.long",
     "no secure connection to {0}: it does not speak TLS there", "is its address one of http:// or ws://?"),
)]


def permanent_fault(error, where):
    """Return the error of ours that stands for a library's, if what that says cannot pass; else None."""
    text = _text(error)
    for pattern, words, hint in _PERMANENT:
        if pattern.search(text):
            why = re.search("certificate has expired|self.signed certificate", text)
            failure = TransportError(words.format(where, ": " + why.group() if why else ""), sent=False, passing=False)
            failure.hint = hint.format()
            return failure
    return None


def _text(error):
    try:
        return str(error)
    except UnicodeError:  # Python 2: one that quotes what is not ASCII
        return repr(error)


def _nobody(where, loopback):
    if loopback:
        return "no bridge at {0}: start one with python -m pymdc.bridge".format(where)
    return (
        "no bridge at {0}: check the address (pymdc.configure or PYMDC_API_URL), the network and the proxy"
    ).format(where)


def _causes(error):
    """Yield *error* and what it was made from, as requests and urllib3 nest it."""
    for _ in range(8):
        yield error
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if inner is None:
            return
        error = inner


_CLOSED, _CUT = "it was closed before an answer came", "the answer was cut short"
_NOT_HTTP, _NO_CHANNEL = "what came is not HTTP", "what came is no data channel's"
#: What errors mean of which only the class tells, by its name, which is the same on every Python.
_WORDS = {
    "RemoteDisconnected": _CLOSED,
    "BadStatusLine": _NOT_HTTP,
    "UnknownProtocol": _NOT_HTTP,
    "LineTooLong": "a line of the answer does not end",
    "HTTPException": "the answer has too many headers",
    "InvalidHeader": "the headers of the answer contradict each other",
    "IncompleteRead": _CUT,
    "ProtocolError": _CUT,
    "InvalidChunkLength": "the answer was cut short, or is not in chunks as it says",
    "WebSocketConnectionClosedException": "it was closed",
    "WebSocketAddressException": "nobody knows an address of that name",
    "WebSocketBadStatusException": "no data channel is opened there",
    "WebSocketException": _NO_CHANNEL,
    "WebSocketProtocolException": _NO_CHANNEL,
    "WebSocketPayloadException": _NO_CHANNEL,
    "IndexError": _NO_CHANNEL,  # of old versions of websocket-client
    "ValueError": _NO_CHANNEL,
}


def reason(error):
    """Return in words why a connection broke, as far as the error tells."""
    said = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    if said:
        return said
    name = type(error).__name__
    if name == "BadStatusLine" and str(error).startswith("No status line"):  # Python 2 has no class for that
        return _CLOSED
    return _WORDS.get(name, name)


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
