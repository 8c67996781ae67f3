"""HTTP that passes from one socket to another, byte for byte."""

from __future__ import absolute_import, division, print_function

import re

__all__ = ["Passage", "answer_length", "read_head", "request_length"]

_BLOCK = 65536
_ALL = float("inf")


class Passage(object):
    """
    So many bytes from one socket on their way to another.

    :param bytes begun: what has been read of them already.
    :param length: how many there are in all; infinite when they end with the connection.
    """

    def __init__(self, source, begun, length):
        self.length = length
        self._source = source
        self._begun = begun
        self._passed = 0

    def pass_on(self, target, limit=None):
        """Pass on all that is to come, or only up to *limit* bytes in all."""
        end = self.length if limit is None else min(limit, self.length)
        while self._passed < end:
            block = self._next(end - self._passed)
            if not block:
                return
            target.sendall(block)

    def pass_on_quietly(self, target):
        """Pass on all; what breaks is for the other direction to tell."""
        try:
            self.pass_on(target)
        except EnvironmentError:
            pass

    @property
    def done(self):
        """Whether as many bytes have passed as were to pass."""
        return self._passed >= self.length

    def _next(self, most):
        most = int(min(most, _BLOCK))
        block, self._begun = self._begun[:most], self._begun[most:]
        if not block:
            block = self._source.recv(most)  # and no more, which would be of the next request
        self._passed += len(block)
        return block


def read_head(source):
    """Return the head of a message, empty when there is none, and what was read behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = source.recv(_BLOCK)
        if not block:
            return b"", b""
        data += block
    head, separator, rest = data.partition(b"\r\n\r\n")
    return head + separator, rest


def _length(head, otherwise):
    found = re.search(br"(?i)\r\ncontent-length: *(\d+)", head)
    return int(found.group(1)) if found else otherwise


def request_length(head):
    """Return how many bytes come behind the head of a request."""
    return _ALL if b"\r\nupgrade: websocket" in head.lower() else _length(head, 0)


def answer_length(request_head, head):
    """Return how many bytes an answer has, with its head."""
    status = head.split(b" ", 2)[1] if head else b""
    if status in (b"204", b"304") or request_head.startswith(b"HEAD "):
        return len(head)
    return len(head) + _length(head, _ALL)
