"""What takes the mails out of the bridge: an SMTP server, or a folder."""

from typing import Protocol


class NotSent(Exception):
    """A mail was not taken; the text says why, without secrets."""


class Unreachable(NotSent):
    """No mail at all is taken for the time being."""


class Delayed(NotSent):
    """This mail may be taken later."""


class Refused(NotSent):
    """This mail will never be taken."""


class Carrier(Protocol):
    """
    :ivar at_once: whether a mail is delivered by who writes it, before he says so: it takes no time, and people look.
    """

    at_once: bool

    def deliver(self, mail, deadline: float) -> str:
        """
        Deliver a mail, given by its row; it is taken when this returns, and then told where it is.

        :param deadline: until when, of ``time.monotonic()``; after that somebody else may be at it.
        :raises NotSent: it is not, or (when it was broken off at the end) it may be.
        """
