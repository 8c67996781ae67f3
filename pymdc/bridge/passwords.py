"""Passwords: argon2id over the SHA-256 that clients send."""

import contextlib
import hashlib
import hmac
import secrets
import threading
import time

import argon2

from .refusal import Refusal

WAITING = 32  # that may wait for their turn to be hashed
REMEMBERED = 60  # seconds
MAX_REMEMBERED = 10_000

_hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_nobody = _hasher.hash("nobody")  # what the password of an unknown account is compared with: it takes as long


class Passwords:
    """
    Hashes so many at once; one takes 19 MiB.  Those that were right lately it knows without hashing them again, so that
    who has a password does not wait in the queue of those who guess.

    A hash is what the database keeps; it is None where there is no account.
    """

    def __init__(self, at_once: int):
        self._turns = threading.Semaphore(at_once)
        self._room = threading.Semaphore(at_once + WAITING)
        self._key = secrets.token_bytes(32)
        self._right = {}  # by hash: the password, known by its HMAC, and until when
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        """
        Return the hash of a password.

        :raises Refusal: too many wait to be hashed.
        """
        with self.turn():
            return _hasher.hash(password)

    def compare(self, hashed: str | None, password: str) -> bool:
        """Return whether it is the password, and remember it if it is.  To be asked within a turn."""
        try:
            _hasher.verify(_nobody if hashed is None else hashed, password)
        except argon2.exceptions.VerificationError:
            return False
        if hashed is None:
            return False
        self._remember(hashed, password)
        return True

    @contextlib.contextmanager
    def turn(self):
        """
        Wait until something can be hashed.

        :raises Refusal: too many wait already.
        """
        if not self._room.acquire(blocking=False):
            raise Refusal(503, "Too many passwords are waiting to be compared: try again", {"Retry-After": "1"})
        try:
            with self._turns:
                yield
        finally:
            self._room.release()

    def remembered(self, hashed: str | None, password: str) -> bool | None:
        """Return whether it is the password that was right lately; None when there was none."""
        digest, until = self._right.get(hashed, (None, 0))
        return hmac.compare_digest(digest, self._digest(hashed, password)) if time.monotonic() < until else None

    def _remember(self, hashed, password):
        now = time.monotonic()
        with self._lock:
            self._right = {known: right for known, right in self._right.items() if now < right[1]}
            if len(self._right) >= MAX_REMEMBERED:
                del self._right[next(iter(self._right))]
            self._right[hashed] = self._digest(hashed, password), now + REMEMBERED

    def _digest(self, hashed, password):
        return hmac.digest(self._key, f"{hashed}\n{password}".encode("utf-8", "surrogatepass"), hashlib.sha256)
