"""The answer to one request."""

from __future__ import absolute_import, division, print_function

import email.utils
import re
import time

import requests
import urllib3

from .._compat import urljoin, urlsplit
from ..errors import TransportError
from .address import origin
from .failure import translated

__all__ = ["MAX_ANSWER", "Reply"]

MAX_ANSWER = 256 * 1024 * 1024  # bytes, of an answer that is read whole
_CHUNK = 256 * 1024
_DIGITS = re.compile(r"[0-9]{1,15}\Z")


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
        self.seconds = seconds
        self._came = time.time()
        self._response = response
        self._url = url
        self._method = method

    @property
    def location(self):
        return _led(self._url, self.headers.get("Location"))[0]

    @property
    def leads_back(self):
        return _led(self._url, self.headers.get("Location"))[1] == urlsplit(self._url).path

    @property
    def clock_ahead(self):
        date = self._date()
        return None if date is None else self._came - date

    @property
    def retry_after(self):
        date = self._date()
        return _retry_after(self.headers.get("Retry-After", ""), self._came if date is None else date)

    def _date(self):
        return _timestamp(self.headers.get("Date", ""))

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
            return None, translated(error, self._url)

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
