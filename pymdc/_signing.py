"""Who is asking: nonces, signatures, HTTP Basic.  Source: docs/protocol, "Who is asking"."""

from __future__ import absolute_import, division, print_function

import base64
import hashlib
import random
import threading
import time

from ._compat import text_type
from ._fork import PerProcess
from ._secret import KeepsSecrets

__all__ = ["Basic", "Nonces", "signature_headers"]

_DAY = 86400 * 1000  # milliseconds
_TOLERANCE = 60 * 1000  # milliseconds by which two clocks may differ and still be called the same
_random = random.SystemRandom()  # a forked child of Python 2 goes on with its parent's other one


class Basic(KeepsSecrets):
    """
    An account's e-mail and password, as HTTP Basic sends them.

    :param str email: text.
    :param password: text (taken as UTF-8, not normalized) or bytes.
    """

    def __init__(self, email, password):
        if isinstance(password, text_type):
            password = password.encode("utf-8")
        self.email = email
        self.password_hash = hashlib.sha256(password).hexdigest()

    def take_over(self, other):
        """Have the password of another one from now on, for all that was made from this."""
        self.password_hash = other.password_hash

    def headers(self):
        pair = (self.email + ":" + self.password_hash).encode("utf-8")
        return {"Authorization": "Basic " + base64.b64encode(pair).decode("ascii")}

    def __repr__(self):
        return "<Basic {0!r}>".format(self.email)


class Nonces(object):
    """
    Milliseconds since the epoch with three decimals, strictly rising whatever the clock does.

    :param clock: returns seconds since the epoch.
    """

    def __init__(self, clock=time.time):
        self._clock = clock
        self._last = 0  # microseconds
        self._left = 0  # where they stood when they started again
        self._lock = PerProcess(threading.Lock)

    def next(self):
        """Return a nonce above all that came before, as text."""
        with self._lock.get():
            # Above the clock, processes that share a key would go on alike, step by step, and sign the same text.
            self._last = max(int(self._clock() * 1000000), self._last + _random.randint(1, 1000))
            return "{0}.{1:03d}".format(*divmod(self._last, 1000))

    def rise_above(self, nonce):
        """Go on above *nonce*, a number of milliseconds; one that is more than a day ahead is not believed."""
        with self._lock.get():
            if 0 <= nonce <= self._clock() * 1000 + _DAY:
                self._last = max(self._last, int(nonce * 1000) + _random.randint(1, 1000))

    def start_again(self):
        """
        Go back to the clock, if it was further ahead than a bridge believes when the last nonce was made.

        :returns: whether it was.
        """
        with self._lock.get():
            was_ahead = self._last > (self._clock() * 1000 + _DAY - _TOLERANCE) * 1000
            if was_ahead:
                self._last, self._left = 0, self._last
            return was_ahead

    def go_on(self):
        """Go on where they stood before they started again: a bridge of 2016 has taken even those nonces."""
        with self._lock.get():
            self._last = max(self._last, self._left)


def signature_headers(key_pair, method, path, payload):
    """
    Return the headers that sign one request.

    :param str path: as on the request line, without the query.
    :param bytes payload: the raw query of a GET, DELETE or OPTIONS, the raw body of any other.
    """
    message = "{0}\n{1}\n".format(method, path).encode("utf-8") + payload
    return {"x-pubkey": key_pair.get_public_key(), "x-signature": key_pair.sign(message)}
