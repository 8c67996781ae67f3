"""The attempts of one call: how many there may be, and how long is waited between two."""

from __future__ import absolute_import, division, print_function

import logging
import random
import time

from ._background import is_last_to_end
from ._compat import monotonic

__all__ = ["Absence", "Tries", "sleep_until_last"]

MAX_DELAY = 20.0  # seconds
MAX_AWAY_DELAY = 2.0  # seconds, between two looks whether a bridge is back
MAX_RETRY_AFTER = 20.0  # seconds; a bridge that asks for more is not asked again
MAX_SILENT_WAIT = 2.0  # seconds; a longer one is told in the log

_log = logging.getLogger("pymdc")


class Tries(object):
    """
    The attempts of one call.

    :param list attempts: what became of each is appended to it.
    :param int retries: how many may follow the first.
    :param absence: an :class:`Absence`; the attempts that it bears do not count.
    :param sleep: waits so many seconds.
    :param clock: returns seconds.
    """

    def __init__(self, attempts, retries, absence, sleep, clock):
        self._attempts = attempts
        self._retries = retries
        self._absence = absence
        self._sleep = sleep
        self._clock = clock
        self._counted = 0

    def begin(self):
        """Say that an attempt begins."""
        self._started = self._clock()

    def failed(self, error):
        """Note what became of an attempt, and let *error* tell it with all that were before."""
        fault = getattr(error, "status", type(error).__name__)
        self._attempts.append((fault, self._clock() - self._started))
        error.attempts = list(self._attempts)

    def pause(self, error):
        """Wait before another attempt; or raise *error* when there were enough."""
        delay = self._absence.delay(error)
        if delay is None:
            self._counted += 1
            delay = _delay(error, self._counted, MAX_DELAY)
        if self._counted > self._retries or delay > MAX_RETRY_AFTER or is_last_to_end():
            raise error
        if delay > MAX_SILENT_WAIT:
            _log.warning("waiting %.0f s before another attempt: %s", delay, error)
        self._sleep(delay)
        if is_last_to_end():
            raise error


class Absence(object):
    """
    The time that a bridge is away, which was there before.

    :param float patience: how many seconds that may be.
    :param is_known: returns whether the bridge was there before.
    :param clock: returns seconds.
    """

    def __init__(self, patience, is_known, clock):
        self._patience = patience
        self._is_known = is_known
        self._clock = clock
        self._looks = 0

    def delay(self, error):
        """Return the seconds until it is looked again; None when nobody is away, or it is not borne any longer."""
        if not (error.away and self._is_known()):
            self._looks = 0
            return None
        if not self._looks:
            self._since, self._waited, self._told = self._clock(), 0.0, False
        away = max(self._waited, self._clock() - self._since)
        if away >= self._patience:
            return None
        if away > MAX_SILENT_WAIT and not self._told:
            self._told = True
            _log.warning("waiting up to %.0f s for the bridge to come back: %s", self._patience, error)
        self._looks += 1
        delay = _delay(error, self._looks, MAX_AWAY_DELAY)
        self._waited += delay
        return delay


def _delay(error, attempt, longest):
    """Return how long to wait before the next attempt: full jitter, so that clients cut off together return apart."""
    if error.retry_after is not None:
        return error.retry_after
    return random.uniform(0, min(longest, 0.25 * 2 ** min(attempt - 1, 10)))


def sleep_until_last(seconds):
    """Sleep, but not on when the interpreter waits for nothing else."""
    end = monotonic() + seconds
    while monotonic() < end and not is_last_to_end():
        time.sleep(min(0.5, max(0.0, end - monotonic())))
