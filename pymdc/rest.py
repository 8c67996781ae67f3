"""The shared signed-request helper: calls are made, and repeated where that is safe."""

from __future__ import absolute_import, division, print_function

import contextlib
import logging
import os
import random
import threading

from . import _of_2016, _options, _signing
from ._background import Background
from ._call import (
    ALWAYS, CLOCK_TOLERANCE, Call, NONCE_REFUSED, UNCONNECTED, UNDONE, encoded, may_be_done, signer, taken,
)
from ._compat import monotonic
from ._http.address import is_loopback
from ._secret import KeepsSecrets
from ._tries import Absence, Tries, sleep_until_last
from .errors import APIError, InsecureTransport, TransportError, as_answer

__all__ = ["Client", "configure", "default_client"]

DEFAULT_URL = "http://127.0.0.1:6382"
MAX_REFUSALS = 20  # nonces that are refused before a call gives up; what is refused was surely not done

_log = logging.getLogger("pymdc")
_nonces = _signing.Nonces()
_HEAD_NEEDED = "HEAD / has to get through: by that a bridge is asked what it can do"
_NOT_WAITED_FOR = ("Too many wrong passwords", "Too many mails")  # they take long, and only the user can mend them
_TRANSIENT_STATUSES = (429, 502, 503, 504)


class Client(KeepsSecrets):
    """
    One bridge, and how to talk to it.  Safe to share between threads.

    :param str api_url: where the bridge is; by default ``PYMDC_API_URL``, else ``http://127.0.0.1:6382``.
    :param tuple timeout: seconds to wait for a connection, and for the other side to take or send something; never a
        limit on a whole transfer.
    :param int retries: how often a call is repeated at most, where that is safe.
    :param bool raise_errors: whether :class:`pymdc.errors.APIError` is raised when the bridge says no, in place of
        returning ``{"error": text}``; and every fault, but of a transfer that cannot begin, by the Future of a call
        with a callback.  The way of scripts.
    :param verify: whether to check certificates, or the path of a CA bundle; by default as the environment says
        (``REQUESTS_CA_BUNDLE``).
    :param dict proxies: URL scheme to proxy URL; by default as the environment says.
    :param bool allow_http: whether passwords and tokens may go over plain HTTP to another host.
    :param sleep: waits so many seconds, between two attempts.
    :param clock: returns seconds, for measuring.
    :param patience: seconds that a bridge which this client has reached before may be away, say while it is started
        anew.  The attempts meanwhile do not count as such; but with ``retries=0`` nothing is waited for.
    """

    def __init__(self, api_url=None, timeout=(10, 60), retries=4, raise_errors=False, verify=None, proxies=None,
                 allow_http=False, sleep=None, clock=monotonic, patience=30):
        from ._http.network import Network  # takes as long as all the rest, and is not needed before

        if api_url is None:
            api_url = os.environ.get("PYMDC_API_URL") or DEFAULT_URL
        self.api_url = _options.api_url(api_url)
        self.retries = _options.retries(retries)
        self.raise_errors = _options.switch("raise_errors", raise_errors)
        self.network = Network(_options.timeout(timeout), _options.verify(verify), _options.proxies(proxies))
        allow_http = _options.switch("allow_http", allow_http)
        self._allow_http = allow_http or self.api_url.startswith("https:") or is_loopback(self.api_url)
        self._background = Background()
        self._sleep = sleep_until_last if sleep is None else _options.function("sleep", sleep)
        self._clock = _options.function("clock", clock)
        self._patience = _options.patience(patience)
        self._reached = False  # whether the bridge has ever answered
        self._direct = None  # whether it takes a transfer in one request, once it has said so
        self._told = threading.local()
        self._turns = _of_2016.Turns()

    def run(self, work, callback=None, listing=False):
        """
        Run *work*, a function that makes calls, and return its result, or what the bridge said against it.

        With a *callback* it runs on a worker thread, and a Future is returned.

        :param bool listing: whether the result is a list.
        """
        if callback is not None:
            return self._background.submit(work, callback, listing, self.raise_errors)
        try:
            return work()
        except APIError as error:
            if self.raise_errors:
                raise
            return as_answer(error, listing)

    def request(self, call):
        """
        Make a call, again where that is safe, and return the decoded answer.

        :raises APIError: the bridge said no.
        :raises TransportError: no whole answer came.
        """
        with self.tries() as tries:
            return self._request(call, tries)

    def _request(self, call, tries):
        refusals = 0
        while True:
            tries.begin()
            try:
                return self._attempt(call)
            except (APIError, TransportError) as error:
                failure = error
            if failure.attempts:
                raise failure  # of the token that this call asked for; that was tried often enough
            tries.failed(failure)
            self._reached = self._reached or isinstance(failure, APIError) and not failure.away
            failure.maybe_done = call.maybe_done
            fault, seconds = failure.attempts[-1]
            _log.debug("%s %s: %s, attempt %d, %d ms", call.method, call.route, fault, len(failure.attempts),
                       1000 * seconds)
            if self._refused_nonce(call, failure):
                refusals += 1
                if refusals <= MAX_REFUSALS:
                    self._renew_nonces(failure)
                    self._sleep(random.uniform(0, 0.05))
                    continue
            if not self._may_repeat(call, failure):
                raise failure
            call.maybe_done = call.maybe_done or may_be_done(failure)
            tries.pause(failure)

    @contextlib.contextmanager
    def tries(self):
        """Give new :class:`Tries`; those of the calls that are made meanwhile, say for a token, are told with them."""
        outer = getattr(self._told, "attempts", None)
        attempts = self._told.attempts = [] if outer is None else outer
        absence = Absence(self._patience if self.retries else 0, lambda: self._reached, self._clock)
        try:
            yield Tries(attempts, self.retries, absence, self._sleep, self._clock)
        finally:
            self._told.attempts = outer

    def apart(self, function):
        """Return *function*, a caller's own, so that the calls which it makes are not told as attempts of this one."""
        def call(*arguments):
            outer, self._told.attempts = getattr(self._told, "attempts", None), None
            try:
                return function(*arguments)
            finally:
                self._told.attempts = outer
        return call

    def is_direct(self, secret=True):
        """
        Return whether the bridge has what those of 2016 lack, as far as it says.  One not heard of yet is asked.

        :param bool secret: as of :class:`Call`.
        """
        try:
            return self.says_direct(secret, UNCONNECTED)
        except APIError:
            return False
        except TransportError as error:
            if not error.sent:
                raise
            return False

    def check_direct(self, what, secret=True):
        """Raise APIError for a bridge of 2016, which has no such thing; and what :meth:`says_direct` raises."""
        if not self.says_direct(secret):
            raise _of_2016.lacks(what)

    def says_direct(self, secret=True, repeat=ALWAYS):
        """
        Return whether the bridge has what those of 2016 lack, by its own word.

        :param bool secret: as of :class:`Call`.
        :param repeat: as of :class:`Call`.
        :raises APIError: it does not say, maybe because somebody before it does not let it.
        :raises TransportError: it cannot be asked just now.
        """
        if self._direct is None:
            try:
                self.request(Call("HEAD", "/", repeat=repeat, secret=secret))
            except APIError as error:
                if error.status != 404:  # which is the word of a bridge that has no such call
                    error.hint = error.hint or _HEAD_NEEDED
                    raise
                self._direct = False
        return self._direct

    def take_turns(self):
        """Make signed calls one after the other from now on, as a bridge that wants each nonce to rise needs it."""
        self._turns.begin()

    def close(self):
        """Close the connections.  Calls in the background go on."""
        self.network.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __repr__(self):
        return "<Client {0}>".format(self.api_url)

    def _attempt(self, call):
        if call.secret and not self._allow_http:
            raise InsecureTransport(
                "a password or token would go to {0} by plain HTTP: use https, or allow_http=True".format(self.api_url)
            )
        if not call.key_pair:
            return self._exchange(call)
        with self._turns.mine():
            return self._exchange(call)

    def _exchange(self, call):
        started = self._clock()
        query, body, headers = encoded(call, _nonces)
        url = self.api_url + call.path + query
        with self.network.send(call.method, url, headers, body, sign=signer(call)) as reply:
            answer = taken(call, reply)
        self._reached = True
        self._direct = "direct" in reply.headers.get("x-metadisk", "")
        _log.debug("%s %s: %d, %d ms", call.method, call.route, reply.status, 1000 * (self._clock() - started))
        return answer

    def _may_repeat(self, call, error):
        if isinstance(error, TransportError):
            forgotten = error.away and not self._reached and is_loopback(self.api_url)  # to start one at all
            return error.passing and not forgotten and (call.repeat is ALWAYS or not error.sent)
        if error.body["error"].startswith(_NOT_WAITED_FOR):
            return False
        if error.status in _TRANSIENT_STATUSES:
            return call.repeat is ALWAYS or (call.repeat is UNDONE and not may_be_done(error))
        return call.repeat is ALWAYS and _of_2016.is_passing(error)

    @staticmethod
    def _refused_nonce(call, error):
        signed_afresh = call.key_pair and "__nonce" not in call.fields
        return signed_afresh and isinstance(error, APIError) and error.body["error"] == NONCE_REFUSED

    def _renew_nonces(self, refusal):
        """Have nonces that the bridge may take, after it has refused one."""
        clocks_agree = refusal.clock_ahead is not None and abs(refusal.clock_ahead) <= CLOCK_TOLERANCE
        started_again = clocks_agree and _nonces.start_again()
        if refusal.nonce is not None:
            _nonces.rise_above(refusal.nonce)
            return
        self.take_turns()
        if not started_again:
            _nonces.go_on()


_default = None


def configure(api_url=None, timeout=(10, 60), retries=4, raise_errors=False, verify=None, proxies=None,
              allow_http=False, sleep=None, clock=monotonic, patience=30):
    """
    Say where the bridge is, and how to talk to it, for all that is given no client.

    The options are those of :class:`pymdc.Client`:

    :param str api_url: where the bridge is; by default ``PYMDC_API_URL``, else ``http://127.0.0.1:6382``.
    :param tuple timeout: seconds to wait for a connection, and seconds of silence; never a limit on a whole transfer.
    :param int retries: how often a call is repeated at most, where that is safe.
    :param bool raise_errors: whether :class:`pymdc.errors.APIError` is raised when the bridge says no, in place of
        returning ``{"error": text}``; and every fault, but of a transfer that cannot begin, by the Future of a call
        with a callback.  The way of scripts.
    :param verify: whether to check certificates, or the path of a CA bundle.
    :param dict proxies: URL scheme to proxy URL.
    :param bool allow_http: whether passwords and tokens may go over plain HTTP to another host.
    :param sleep: waits so many seconds, between two attempts.
    :param clock: returns seconds, for measuring.
    :param patience: seconds that a bridge which was there before may be away.
    """
    global _default
    _default = Client(api_url, timeout, retries, raise_errors, verify, proxies, allow_http, sleep, clock, patience)


def default_client():
    """Return the client of all that is given none."""
    global _default
    if _default is None:
        _default = Client()
    return _default
