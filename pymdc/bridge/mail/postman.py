"""Who takes the mails from the database to where they go."""

import dataclasses
import logging
import secrets
import threading
import time
from email.message import EmailMessage

from ..metadata.mails import Mails
from .carrier import Carrier, Delayed, NotSent, Refused, Unreachable

KEPT = 7 * 24 * 60 * 60 * 1000  # milliseconds from when a mail was written until it is forgotten if it is given up
_log = logging.getLogger("pymdc.bridge")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """
    When what happens, in seconds.

    :ivar first: after the first attempt at a mail; each further wait is twice as long.
    :ivar longest: the longest wait.
    :ivar lifetime: of a mail.
    :ivar look: between two looks for mails of other processes, and for mails that are due again.
    :ivar claim: how long a mail is one postman's; *delivery*: how long its delivery may take, which is less.
    """

    first: float = 60
    longest: float = 60 * 60
    lifetime: float = 5 * 24 * 60 * 60
    look: float = 5
    claim: float = 5 * 60
    delivery: float = 4 * 60

    def wait(self, age: float) -> float:
        """Return how long a mail waits that could not be sent at this age: 1, 2, 4 minutes, at 0, 1, 3 minutes."""
        return min(max(age, 0) + self.first, self.longest)


class Postman:
    """
    Delivers mails, and forgets those that were taken.  Any number of processes may have one each: a mail is one
    postman's for as long as he has claimed it, and by the end of that he has given it up by himself.  If he is killed,
    another one gets it then.

    :param clock: what the times of the mails go by.
    """

    def __init__(self, mails: Mails, clock, carrier: Carrier, schedule: Schedule = Schedule()):
        self._mails = mails
        self._clock = clock
        self._carrier = carrier
        self._schedule = schedule
        self._arrived, self._closing = threading.Event(), threading.Event()
        self._thread = None
        self._delivered = set()  # and not forgotten yet

    def start(self):
        """Begin to look for mails, in a thread."""
        self._thread = threading.Thread(target=self._work, name="pymdc-postman", daemon=True)
        self._thread.start()

    def close(self, grace: float = 5):
        """
        Begin no other delivery, and wait for the running one.

        :param grace: how long, in seconds.  After that it is left to itself: to break it off could send a mail twice.
        """
        self._closing.set()
        self._arrived.set()
        if self._thread is not None:
            self._thread.join(grace)

    def write(self, mail: EmailMessage) -> dict:
        """Return the row of a mail, for whoever needs it to be sent; and then he hands it to :meth:`take`."""
        now = self._clock.steady()
        return {
            "name": f"{time.time_ns():020d}-{secrets.token_hex(4)}",
            "recipient": str(mail["To"]),
            "content": bytes(mail),
            "created": self._clock.now(),
            "due": now,
            "claimed": self._claim_from(now) if self._carrier.at_once else 0,
        }

    def take(self, mail: dict):
        """See to it that a mail goes, whose row has just been kept."""
        if self._carrier.at_once:
            self._try(mail, self._deadline(), None)
        else:
            self._arrived.set()

    def _work(self):
        while True:
            self._arrived.clear()
            if self._closing.is_set():
                return
            try:
                self._go_round()
            except Exception as error:  # a thread that ended would send nothing until the next start
                _log.error("the mails cannot be worked on: %s", _name(error))
            self._arrived.wait(self._schedule.look)

    def _go_round(self):
        """Try each mail that is due once; a server that is not there is asked once for all of them."""
        beginning, unreachable = self._clock.steady(), None
        while not self._closing.is_set():
            for name in list(self._delivered):
                self._forget(name)  # which has failed before, or it would be sent again when its claim is over
            deadline, now = self._deadline(), self._clock.steady()
            mail = self._mails.claim(beginning, now, self._claim_from(now))
            if mail is None:
                return
            unreachable = self._try(mail, deadline, unreachable)

    def _try(self, mail, deadline, unreachable):
        """Deliver a mail, whatever happens.  Return what keeps any mail from being taken."""
        try:
            return self._deliver(mail, deadline, unreachable)
        except Exception as error:  # the next mail must not wait for a fault that has to do with this one
            _log.error("mail %s to %s: cannot be worked on, and is left for %d s: %s", mail["name"], mail["recipient"],
                       self._schedule.claim, _name(error))
            return unreachable

    def _deliver(self, mail, deadline, unreachable):
        """Deliver a mail, or put it off, or give it up.  Return what keeps any mail from being taken."""
        try:
            where = self._carry(mail, deadline, unreachable)
        except Refused as error:
            self._give_up(mail, error)
        except NotSent as error:
            self._put_off(mail, error)
            if isinstance(error, Unreachable):
                return error
        else:
            self._delivered.add(mail["name"])
            _log.info("mail %s to %s: %s", mail["name"], mail["recipient"], where)
            self._forget(mail["name"])
        return unreachable

    def _carry(self, mail, deadline, unreachable):
        if unreachable is not None:
            raise unreachable
        try:
            return self._carrier.deliver(mail, deadline)
        except NotSent:
            raise
        except Exception as error:  # of smtplib or the email package, about a mail that they cannot cope with
            raise Delayed(_name(error)) from None

    def _forget(self, name):
        self._mails.forget(name)
        self._delivered.discard(name)

    def _put_off(self, mail, error):
        age = (self._clock.now() - mail["created"]) / 1000
        if age > self._schedule.lifetime:
            return self._give_up(mail, error)
        wait = self._schedule.wait(age)
        self._mails.put_off(mail, self._clock.steady() + int(wait * 1000))
        _log.warning("mail %s to %s: not sent, next try in %d s: %s", mail["name"], mail["recipient"], wait, error)

    def _give_up(self, mail, error):
        self._mails.put_off(mail, None)
        _log.error("mail %s to %s: not sent, given up: %s", mail["name"], mail["recipient"], error)

    def _claim_from(self, now):
        return now + int(self._schedule.claim * 1000)

    def _deadline(self):
        return time.monotonic() + self._schedule.delivery


def _name(error):
    return type(error).__name__  # its text could quote the mail
