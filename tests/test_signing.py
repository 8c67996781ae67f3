"""Nonces: rising whatever the clock does, and every call passes whatever overtakes what."""

from __future__ import absolute_import, division, print_function

import re
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pymdc
from canned_server import CannedServer
from pymdc import rest
from pymdc._signing import Nonces

ACCEPTED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]"
REFUSED = (b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n%sContent-Length: 35\r\n\r\n"
           b'{"error": "Invalid nonce supplied"}')


class Strict(object):
    """The rule of 2016: no nonce below the last one, whoever of the account has sent it."""

    def __init__(self):
        self.last = 0.0
        self.accepted = 0
        self._lock = threading.Lock()

    def __call__(self, request):
        nonce = float(re.search(br"__nonce=([0-9.]+)", request).group(1))
        with self._lock:
            if nonce < self.last:
                return REFUSED % b""
            self.last = nonce
            self.accepted += 1
        return ACCEPTED


@pytest.fixture
def server():
    servers = []

    def start(answer):
        servers.append(CannedServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


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


def test_every_call_of_many_threads_passes_at_a_strict_bridge(server):
    strict = Strict()
    client = pymdc.Client(server(strict).url, retries=50, sleep=lambda seconds: None)
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


def test_a_refused_nonce_is_answered_with_one_above_the_highest_that_the_bridge_has_seen(server, monkeypatch):
    monkeypatch.setattr(rest, "_nonces", Nonces(clock=lambda: 1000000.0))
    answers = [REFUSED % b"x-nonce: 1003600000.000\r\n", ACCEPTED]
    strange = server(lambda request: answers.pop(0))
    buckets = pymdc.api.Buckets(
        pymdc.keypair.ECDSA(), client=pymdc.Client(strange.url, sleep=lambda seconds: None)
    )

    assert buckets.list() == []

    first, second = [float(re.search(br"__nonce=([0-9.]+)", request).group(1)) for request in strange.requests]
    assert first == 1000000000.0 and 1003600000.0 < second < 1003600010.0
    assert not buckets._client._turns.begun


def test_processes_that_go_on_above_the_clock_do_not_go_on_alike():
    made = []
    for _ in range(2):
        nonces = Nonces(clock=lambda: 1000.0)
        nonces.rise_above(2000000.0)
        made.append([nonces.next() for _ in range(10)])

    assert made[0] != made[1]


def test_a_bridge_that_refuses_every_nonce_is_asked_so_many_times_and_no_more(server):
    refusing = server(REFUSED % b"")
    client = pymdc.Client(refusing.url, retries=3, sleep=lambda seconds: None)

    said = pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client).list()

    assert said == {"error": "Invalid nonce supplied"}
    assert len(refusing.requests) == 21
