"""Who takes the mails from the outbox to the SMTP server."""

import dataclasses
import logging
import threading
import time

from .outbox import Letter, Outbox
from .relay import Delayed, NotSent, Refused, Relay, Unreachable

_log = logging.getLogger("pymdc.bridge")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """
    When what happens, in seconds.

    :ivar first: after the first attempt at a mail; each further wait is twice as long.
    :ivar longest: the longest wait.
    :ivar lifetime: of a mail.
    :ivar look: between two looks for mails of other processes, and for mails that are due again.
    """

    first: float = 60
    longest: float = 60 * 60
    lifetime: float = 5 * 24 * 60 * 60
    look: float = 5

    def wait(self, age: float) -> float:
        """Return how long a mail waits that could not be sent at this age: 1, 2, 4 minutes, at 0, 1, 3 minutes."""
        return min(max(age, 0) + self.first, self.longest)

    def is_due(self, due: float, now: float) -> bool:
        return due <= now or due > now + self.longest  # or else the clock was set back


class Postman:
    """
    A thread that sends the mails in an outbox and deletes what was taken.  Any number of processes may have one each.

    :param timeout: how long each step of a delivery may take, in seconds.
    """

    def __init__(self, outbox: Outbox, relay: Relay, schedule: Schedule = Schedule(), timeout: float = 30):
        self._outbox = outbox
        self._relay = relay
        self._schedule = schedule
        self._timeout = timeout
        self._closing = threading.Event()
        self._thread = None

    def start(self):
        """Begin, with all mails at once: perhaps it was started again because what kept them back was mended."""
        self._started = time.time() - 0.1  # the times of files lag behind a little
        self._thread = threading.Thread(target=self._work, name="pymdc-postman", daemon=True)
        self._thread.start()

    def close(self, grace: float = 5):
        """
        Begin no other delivery, and wait for the running one.

        :param grace: how long, in seconds.  After that it is left to itself: to break it off could send a mail twice.
        """
        self._closing.set()
        self._outbox.arrived.set()
        if self._thread is not None:
            self._thread.join(grace)

    def _work(self):
        while True:
            self._outbox.arrived.clear()
            if self._closing.is_set():
                return
            try:
                self._go_round()
            except Exception as error:  # a thread that ended would send nothing until the next start
                _log.error("the outbox %s cannot be worked on: %s", self._outbox.folder, _name(error))
            self._outbox.arrived.wait(self._schedule.look)

    def _go_round(self):
        """Try each mail that is due once; a server that is not there is asked once for all of them."""
        unreachable = None
        for letter in self._outbox.letters():
            if self._closing.is_set():
                return
            if letter.changed < self._started or self._schedule.is_due(letter.due, time.time()):
                try:
                    unreachable = self._deliver(letter, unreachable)
                except OSError as error:
                    self._outbox.leave_alone(letter.path, error.strerror)
                except Exception as error:  # the next mail must not wait for a fault that has to do with this one
                    self._outbox.leave_alone(letter.path, _name(error))

    def _deliver(self, letter, unreachable):
        """Send a mail, or put it off, or give it up.  Return what keeps the server from taking any mail."""
        try:
            self._send(letter, unreachable)
        except Refused as error:
            self._give_up(letter, error)
        except NotSent as error:
            self._put_off(letter, error)
            if isinstance(error, Unreachable):
                return error
        else:
            letter.delete()
            _log.info("mail %s to %s: sent", letter.path.name, letter.recipient)
        return unreachable

    def _send(self, letter: Letter, unreachable):
        if not letter.read():
            raise Refused("the file holds no mail that could be sent")
        if unreachable is not None:
            raise unreachable
        try:
            self._relay.send(letter.mail, letter.recipient, self._timeout)
        except NotSent:
            raise
        except Exception as error:  # of smtplib or the email package, about a mail that they cannot cope with
            raise Delayed(_name(error)) from None

    def _put_off(self, letter, error):
        age = time.time() - letter.born
        if age > self._schedule.lifetime:
            return self._give_up(letter, error)
        wait = self._schedule.wait(age)
        letter.put_off(time.time() + wait)
        _log.warning("mail %s to %s: not sent, next try in %d s: %s", letter.path.name, letter.recipient, wait, error)

    def _give_up(self, letter, error):
        letter.fail()
        _log.error("mail %s to %s: not sent, given up: %s", letter.path.name, letter.recipient, error)


def _name(error):
    return type(error).__name__  # its text could quote the mail
