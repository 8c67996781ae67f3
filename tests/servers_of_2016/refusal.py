"""What a server does in place of what it was asked for."""

from __future__ import absolute_import, division, print_function


class Refusal(Exception):
    """What the server answers in place of doing something."""

    def __init__(self, status, text):
        super(Refusal, self).__init__(status, text)
        self.status = status
        self.text = text


class NoAnswer(Exception):
    """The server has forgotten about the request."""
