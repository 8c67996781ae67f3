"""Waiting: for a bridge that is away, as long as one asks, never in silence, and not at all where it is no use."""

from __future__ import absolute_import, division, print_function

import io
import logging

import pytest

import pymdc
from canned_server import CannedServer, answer
from pymdc._call import Call
from pymdc._transfer.pointers import Pointers
from pymdc.errors import APIError, TransportError
from pymdc.testing import Fault, Wire

BALANCER = b"<html>Bad Gateway</html>"


class Time(object):
    """A clock, and a sleep that moves it."""

    def __init__(self):
        self.now = 1000.0
        self.sleeps = []
        self.at = []  # what happens, and after how many seconds of sleep

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.sleeps.append(seconds)
        while self.at and sum(self.sleeps) >= self.at[0][0]:
            self.at.pop(0)[1]()


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def wire(bridge):
    with Wire(bridge.url) as wire:
        yield wire


@pytest.fixture
def known(wire, time, key_pair):
    """A function that makes the buckets of an account over the wire, by a client that has reached the bridge before."""
    def make(**options):
        client = pymdc.Client(wire.url, sleep=time.sleep, clock=time.clock, raise_errors=True, **options)
        buckets = pymdc.api.Buckets(key_pair, client=client)
        assert buckets.list() == []
        client.close()  # a kept connection might be reset
        del wire.requests[:]
        return buckets
    return make


@pytest.fixture
def canned():
    """A function that starts a server, which gives these answers one after the other, and then the last one again."""
    servers = []

    def start(*answers):
        left = list(answers)
        servers.append(CannedServer(lambda request: left.pop(0) if len(left) > 1 else left[0]))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def refusal(status, text, *headers):
    return answer(status, b'{"error": "' + text.encode("ascii") + b'"}', *headers)


def listed(server, time, **options):
    client = pymdc.Client(server.url, sleep=time.sleep, clock=time.clock, **options)
    return pymdc.api.Keys(pymdc.api.Users("alice@example.com", "password", client=client)).list()


NO_KEYS = answer("200 OK", b"[]")


def test_a_bridge_that_was_there_before_may_be_away_for_so_long(wire, known, time):
    buckets = known(retries=1, patience=300)
    wire.refuse()
    time.at.append((280, wire.open))

    assert buckets.list() == []

    assert sum(time.sleeps) < 283


def test_one_that_stays_away_is_given_up_and_each_attempt_told(wire, known, time):
    buckets = known(retries=2)
    wire.refuse()

    with pytest.raises(TransportError, match="no bridge at") as failed:
        buckets.list()

    assert 30 <= sum(time.sleeps) < 30 + 2 + 0.25 + 0.5
    assert len(failed.value.attempts) == len(time.sleeps) + 1
    assert all(seconds <= 2 for seconds in time.sleeps)


def test_without_retries_nobody_is_waited_for(wire, known, time):
    buckets = known(retries=0)
    wire.refuse()

    with pytest.raises(TransportError, match="no bridge at"):
        buckets.list()
    assert time.sleeps == []


def test_a_bridge_that_was_never_there_is_reported_at_once(time):
    with pytest.raises(TransportError, match="start one with python -m pymdc.bridge") as failed:
        listed(Nowhere, time)

    assert time.sleeps == []
    assert len(failed.value.attempts) == 1


class Nowhere(object):
    url = "http://127.0.0.1:1"


def test_one_on_another_host_that_was_never_there_is_tried_some_times(time):
    client = pymdc.Client("https://bridge.example", proxies={"https": Nowhere.url}, sleep=time.sleep, retries=3)

    with pytest.raises(TransportError, match="check the address"):
        pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client).list()
    assert len(time.sleeps) == 3


@pytest.mark.parametrize("status", [502, 503])
def test_a_balancer_whose_bridge_is_away_is_waited_for_as_the_bridge_is(wire, known, time, status):
    buckets = known(retries=1)
    wire.faults.append(Fault("answer", status=status, body=BALANCER, nth=0))
    time.at.append((28, lambda: wire.faults.__setitem__(slice(None), [])))

    assert buckets.list() == []


@pytest.mark.parametrize("status, body", [
    (502, b'{"error": "no farmer"}'), (503, b'{"error": "busy"}'), (504, BALANCER),
])
def test_what_the_bridge_says_itself_counts_as_an_attempt(wire, known, time, status, body):
    buckets = known(retries=2)
    wire.faults.append(Fault("answer", status=status, body=body, nth=0))

    with pytest.raises(APIError):
        buckets.list()
    assert len(wire.requests) == 3


def test_a_call_that_must_not_happen_twice_is_not_repeated_for_a_balancer(wire, known, time):
    buckets = known()
    wire.faults.append(Fault("answer", status=502, body=BALANCER))

    with pytest.raises(APIError):
        buckets.create("photos", 1, 1)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("by_balancer", [False, True])
@pytest.mark.parametrize("call", ["upload", "download"])
def test_a_transfer_survives_that_the_bridge_is_started_anew(wire, known, time, tmpdir, by_balancer, call):
    buckets = known(retries=1)
    files = pymdc.api.Bucket(buckets.create("photos", 1, 1), buckets).files
    stored = files.upload(io.BytesIO(b"content"))
    wire.faults.append(Fault("reset", "PUT" if call == "upload" else "GET", "/buckets/*/files*", received=20))
    gone = Fault("answer", status=502, body=BALANCER, nth=0)
    time.at.append((0, lambda: wire.faults.append(gone) if by_balancer else wire.refuse()))
    time.at.append((25, lambda: wire.faults.remove(gone) if by_balancer else wire.open()))

    if call == "upload":
        assert files.upload(io.BytesIO(b"other content")) in files.list()
    else:
        files.download(stored, str(tmpdir.join("copy")))
        assert tmpdir.join("copy").read_binary() == b"content"
    assert sum(time.sleeps) >= 25


def test_the_error_tells_the_attempts_of_the_token_and_of_the_transfer(wire, known):
    buckets = known(retries=2)
    buckets._client.is_direct = lambda: False  # which needs no token
    files = pymdc.api.Bucket(buckets.create("photos", 1, 1), buckets).files
    wire.faults += [Fault("answer", "PUT", status=504, nth=1), Fault("answer", "POST", "*/tokens", status=503, nth=2),
                    Fault("answer", "PUT", status=502, nth=0)]

    with pytest.raises(APIError) as failed:
        files.upload(io.BytesIO(b"content"))
    assert [fault for fault, _ in failed.value.attempts] == [504, 503, 502, 502]


def test_the_error_of_a_token_tells_the_transfer_before_it(wire, known):
    buckets = known(retries=2)
    buckets._client.is_direct = lambda: False  # which needs no token
    files = pymdc.api.Bucket(buckets.create("photos", 1, 1), buckets).files
    wire.faults += [Fault("reset", "PUT"), Fault("answer", "POST", "*/tokens", status=400, nth=2)]

    with pytest.raises(APIError) as failed:
        files.upload(io.BytesIO(b"content"))

    assert [fault for fault, _ in failed.value.attempts] == ["TransportError", 400]


def test_the_error_tells_the_attempts_of_a_shard_and_of_its_new_pointers(client, bucket):
    stored = bucket.files.upload(io.BytesIO(b"content"))
    tries = []

    def ask():
        tries.append(1)
        if len(tries) > 1:
            return client.request(Call("GET", "/no/such/route"))
        return [{"hash": stored["hash"], "token": u"0" * 40, "url": client.api_url + u"/shards/" + stored["hash"]}]

    pointers = Pointers(ask, True, client.network, client.tries)
    pointers.load()
    with pytest.raises(APIError) as failed:
        pointers.fetch(0, lambda: None, lambda data: None)

    assert [fault for fault, _ in failed.value.attempts] == ["Refused", 404]


@pytest.mark.parametrize("asked", [0, 1, 2, 7, 20])
def test_what_is_asked_for_is_waited_and_told_when_it_is_long(canned, time, caplog, asked):
    server = canned(refusal("503 Busy", "busy", "Retry-After: {0}".format(asked)), NO_KEYS)

    with caplog.at_level(logging.WARNING, logger="pymdc"):
        assert listed(server, time) == []

    assert time.sleeps == [asked]
    assert len(caplog.records) == (asked > 2)
    assert all("waiting {0} s".format(asked) in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("status", ["429 Too Many", "503 Busy"])
@pytest.mark.parametrize("text, asked", [
    ("busy", 21), ("busy", 3600),
    ("Too many wrong passwords: wait 1 s", 1), ("Too many wrong passwords: wait 60 s", 60),
    ("Too many mails to this address: wait 1 s", 1), ("Too many mails to this address: wait 60 s", 60),
])
def test_what_takes_long_or_is_no_use_is_not_waited_for_and_the_hint_tells_how_long(
        canned, time, status, text, asked):
    server = canned(refusal(status, text, "Retry-After: {0}".format(asked)), NO_KEYS)

    said = listed(server, time)

    assert said == {"error": text}
    assert said.hint == "try again in {0} s".format(asked)
    assert time.sleeps == [] and len(server.requests) == 1


def test_a_backoff_that_is_long_is_told_as_well(canned, time, caplog, monkeypatch):
    monkeypatch.setattr(pymdc.rest.random, "uniform", lambda shortest, longest: longest)

    with caplog.at_level(logging.WARNING, logger="pymdc"):
        listed(canned(answer("504 Gateway Timeout", BALANCER)), time, retries=6)

    assert time.sleeps == [0.25, 0.5, 1, 2, 4, 8]
    assert len(caplog.records) == 2


def test_that_a_bridge_is_away_is_told_once(wire, known, time, caplog):
    buckets = known()
    wire.refuse()
    time.at.append((20, wire.open))

    with caplog.at_level(logging.WARNING, logger="pymdc"):
        buckets.list()

    told, = caplog.records
    assert "up to 30 s" in told.getMessage()


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 410, 418, 422, 500, 501, 505, 507])
def test_an_answer_is_never_repeated_for_its_text(canned, time, status):
    server = canned(refusal("{0} No".format(status), "timed out, please try again"), NO_KEYS)

    assert listed(server, time) == {"error": "timed out, please try again"}
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", ["Failed to load the shard contracts",
                                  "RPC with ID 2c5c29a5d2b5b1ed4b1b5a4a6f4e5d3c2b1a0f9e timed out"])
def test_what_passes_on_bridges_of_2016_is_tried_again(canned, time, text):
    assert listed(canned(refusal("500 Internal", text), NO_KEYS), time) == []


@pytest.mark.parametrize("text", [
    "RPC with ID 12", "timed out", "an RPC with ID 12 timed out", "RPC with ID 1 timed out?",
])
def test_what_only_looks_like_it_is_not(canned, time, text):
    assert listed(canned(refusal("500 Internal", text), NO_KEYS), time) == {"error": text}


def test_the_error_tells_no_attempts_of_calls_that_progress_makes(bridge, bucket):
    client = pymdc.Client(bridge.url, raise_errors=True)
    files = pymdc.api.Files(bucket.list(), bucket._auth, client=client)

    def ask(done, total):
        with pytest.raises(APIError):
            pymdc.api.Bucket("0" * 24, bucket._auth, client=client).list()
        bucket.delete()

    with pytest.raises(APIError) as failed:
        files.upload(io.BytesIO(b"content"), progress=ask)
    assert [fault for fault, _ in failed.value.attempts] == [404]
