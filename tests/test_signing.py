"""Nonces: rising whatever the clock does, and every call passes whatever overtakes what."""

from __future__ import absolute_import, division, print_function

import email.utils
import os
import re
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pymdc
from pymdc import rest
from pymdc._fork import PerProcess
from pymdc._signing import Nonces

ACCEPTED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]"
REFUSED = (b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n%sContent-Length: 35\r\n\r\n"
           b'{"error": "Invalid nonce supplied"}')


def nonce_of(request):
    return float(re.search(br"__nonce=([0-9.]+)", request).group(1))


class Strict(object):
    """The rule of 2016: no nonce below the last one, whoever of the account has sent it."""

    def __init__(self):
        self.last = 0.0
        self.accepted = 0
        self._lock = threading.Lock()

    def __call__(self, request):
        nonce = nonce_of(request)
        with self._lock:
            if nonce < self.last:
                return REFUSED % b""
            self.last = nonce
            self.accepted += 1
        return ACCEPTED


def in_threads(count, work):
    failures = []

    def run():
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@given(st.lists(st.floats(0, 4e9), min_size=1, max_size=50))
def test_nonces_rise_whatever_the_clock_does(times):
    clock = iter(times + times[-1:])
    nonces = Nonces(clock=lambda: next(clock))

    made = [nonces.next() for _ in times]

    assert [float(nonce) for nonce in made] == sorted({float(nonce) for nonce in made})
    assert all(re.match(r"\d+\.\d{3}$", nonce) for nonce in made)


@pytest.mark.parametrize("nonce", [float("inf"), float("nan"), 1e300, -1.0])
def test_a_nonce_that_no_clock_could_show_is_not_believed(nonce):
    nonces = Nonces(clock=lambda: 1000.0)

    nonces.rise_above(nonce)

    assert nonces.next() == "1000000.000"


def test_every_call_of_many_threads_passes_at_a_strict_bridge(canned):
    strict = Strict()
    client = pymdc.Client(canned(strict).url, retries=50, sleep=lambda seconds: None)
    buckets = pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client)

    def work():
        for _ in range(5):
            assert buckets.list() == []

    in_threads(16, work)

    assert strict.accepted == 80


def test_every_call_of_many_threads_passes_at_our_bridge_without_taking_turns(buckets):
    def work():
        for _ in range(5):
            assert buckets.list() == []

    in_threads(32, work)

    assert not buckets._client._turns.begun


PROCESS = """
import sys, pymdc
buckets = pymdc.api.Buckets(pymdc.keypair.ECDSA(private_key=sys.argv[2]), client=pymdc.Client(sys.argv[1]))
assert all(buckets.list() == [] for _ in range(20))
"""


def test_every_call_of_many_processes_passes_at_our_bridge(bridge, buckets):
    command = [sys.executable, "-c", PROCESS, bridge.url, buckets._auth.get_private_key()]

    processes = [subprocess.Popen(command) for _ in range(4)]

    assert [process.wait() for process in processes] == [0] * 4


def test_a_refused_nonce_is_answered_with_one_above_the_highest_that_the_bridge_has_seen(canned, monkeypatch):
    monkeypatch.setattr(rest, "_nonces", Nonces(clock=lambda: 1000000.0))
    answers = [REFUSED % b"x-nonce: 1003600000.000\r\n", ACCEPTED]
    strange = canned(lambda request: answers.pop(0))
    buckets = pymdc.api.Buckets(
        pymdc.keypair.ECDSA(), client=pymdc.Client(strange.url, sleep=lambda seconds: None)
    )

    assert buckets.list() == []

    first, second = [nonce_of(request) for request in strange.requests]
    assert first == 1000000000.0 and 1003600000.0 < second < 1003600010.0
    assert not buckets._client._turns.begun


def test_processes_that_go_on_above_the_clock_do_not_go_on_alike():
    made = []
    for _ in range(2):
        nonces = Nonces(clock=lambda: 1000.0)
        nonces.rise_above(2000000.0)
        made.append([nonces.next() for _ in range(10)])

    assert made[0] != made[1]


def test_a_bridge_that_refuses_every_nonce_is_asked_so_many_times_and_no_more(canned):
    refusing = canned(REFUSED % b"")
    client = pymdc.Client(refusing.url, retries=3, sleep=lambda seconds: None)

    said = pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client).list()

    assert said == {"error": "Invalid nonce supplied"}
    assert len(refusing.requests) == 21


def date(seconds):
    return "Date: {0}\r\n".format(email.utils.formatdate(seconds, usegmt=True)).encode("ascii")


@pytest.mark.parametrize("tells_highest", [True, False])
def test_nonces_start_again_from_a_clock_that_was_far_ahead_and_has_come_back(canned, monkeypatch, tells_highest):
    ahead = [3 * 86400]
    monkeypatch.setattr(rest, "_nonces", Nonces(clock=lambda: time.time() + ahead[0]))

    def bridge(request):
        believed = nonce_of(request) <= (time.time() + 86400) * 1000
        return ACCEPTED if believed else REFUSED % (date(time.time()) + b"x-nonce: 0.000\r\n" * tells_highest)

    strange = canned(bridge)
    buckets = pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=pymdc.Client(strange.url, sleep=lambda seconds: None))
    rest._nonces.next()
    ahead[0] = 0

    assert buckets.list() == []
    assert buckets.list() == []

    assert len(strange.requests) == 3


def test_nonces_go_on_where_they_stood_at_a_bridge_that_believed_the_clock(canned, monkeypatch):
    ahead = [3 * 86400]
    monkeypatch.setattr(rest, "_nonces", Nonces(clock=lambda: time.time() + ahead[0]))
    strict, overtaken = Strict(), [True]

    def bridge(request):
        if not ahead[0] and overtaken:
            overtaken.pop()
            return REFUSED % date(time.time())
        return ACCEPTED if strict(request) is ACCEPTED else REFUSED % date(time.time())

    buckets = pymdc.api.Buckets(
        pymdc.keypair.ECDSA(), client=pymdc.Client(canned(bridge).url, sleep=lambda seconds: None)
    )
    assert buckets.list() == []
    ahead[0] = 0

    assert [buckets.list() for _ in range(5)] == [[]] * 5


def test_nonces_only_rise_as_long_as_the_clock_is_not_known_to_be_right(canned, monkeypatch):
    """A refusal whose date differs from ours says only that one of the two is wrong."""
    monkeypatch.setattr(rest, "_nonces", Nonces(clock=lambda: 1000000.0))
    strange = canned(REFUSED % (date(999000) + b"x-nonce: 1.000\r\n"))
    rest._nonces.rise_above(1000000000 + 86400 * 1000)

    pymdc.api.Buckets(
        pymdc.keypair.ECDSA(), client=pymdc.Client(strange.url, sleep=lambda seconds: None)
    ).list()

    nonces = [nonce_of(request) for request in strange.requests]
    assert len(nonces) == 21 and nonces == sorted(nonces)


def test_two_threads_of_a_forked_child_share_one_lock(monkeypatch):
    meeting = threading.Event()
    made = []

    def make():
        value = object()
        made.append(value)
        if len(made) == 2:
            meeting.wait(30)  # the other thread is let in before this one is done
        elif len(made) == 3:
            meeting.set()
        return value

    shared = PerProcess(make)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    given = []

    in_threads(2, lambda: given.append(shared.get()))

    assert given[0] is given[1] is shared.get()
    assert given[0] is not made[0]
