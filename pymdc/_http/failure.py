"""What became of a request that has failed: what libraries raise, in our words."""

from __future__ import absolute_import, division, print_function

import re
import socket

import requests
import urllib3

from ..errors import Timeout, TransportError
from .address import is_loopback, origin
from .connection import Unruly

__all__ = ["permanent_fault", "reason", "translated"]

_GOOD_LOGIN = "put user name and password into its address: http://user:password@proxy.example:3128"


def translated(error, url):
    """Return the error of ours that stands for what requests or urllib3 has raised."""
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
