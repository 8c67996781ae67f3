"""Every fault with every call: repeated where the table of docs/reliability.md says so, and nowhere else."""

from __future__ import absolute_import, division, print_function

import io
import itertools
import os
import uuid

import pytest

import pymdc
from pymdc._transfer import beginning
from pymdc.errors import APIError, Timeout, TransportError
from pymdc.testing import Fault

CONTENT = b"the content of a file" * 5000
NEW = b"other content" * 20000
ALWAYS, UNDONE, UNCONNECTED = "always", "undone", "unconnected"
_names = itertools.count()


@pytest.fixture(scope="module")
def member(wired):
    """An activated account with a key pair, made without the wire."""
    client = pymdc.Client(wired.target, raise_errors=True)
    user = pymdc.api.Users("{0}@example.com".format(uuid.uuid4().hex), "password", client=client)
    user.register()
    user.activate(wired.bridge.activation_link(user._auth.email))
    key_pair = pymdc.keypair.ECDSA()
    pymdc.api.Keys(user).create(key_pair)
    return user, key_pair


class Scene(object):
    """What the calls act on, all there before a fault happens; the calls go over the wire."""

    def __init__(self, wire, member, retries=2, silence=60):
        self.sleeps = []
        self.away = 0  # seconds until the wire is open again
        self.user, self.key_pair = member
        self.wire = wire
        self.client = pymdc.Client(wire.url, timeout=(5, silence), retries=retries, sleep=self.sleep,
                                   raise_errors=True)
        self.direct = pymdc.Client(wire.target, raise_errors=True)
        self.buckets = pymdc.api.Buckets(self.key_pair, client=self.client)
        self.name = "bucket {0}".format(next(_names))
        made = pymdc.api.Buckets(self.key_pair, client=self.direct).create(self.name, 1, 1, [self.key_pair])
        self.bucket = pymdc.api.Bucket(made, self.key_pair, client=self.client)
        client = pymdc.Client(wire.url, timeout=(5, silence), retries=retries, sleep=self.sleep, raise_errors=True)
        client.is_direct = lambda secret=True: False
        self.as_in_2016 = pymdc.api.Bucket(made, self.key_pair, client=client)
        self.behind = pymdc.api.Bucket(made, self.key_pair, client=self.direct)
        self.account = pymdc.api.Users(self.user._auth.email, "password", client=self.client)
        self.keys = pymdc.api.Keys(self.account)
        self.guest = pymdc.keypair.ECDSA()
        self.stored = self.behind.files.upload(io.BytesIO(CONTENT))
        self.prefix = self.stored["filename"][:10]
        self.copy = io.BytesIO()

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        if sum(self.sleeps) >= self.away:
            self.wire.open()

    def newcomer(self):
        address = "{0}@example.com".format(uuid.uuid4().hex)
        return pymdc.api.Users(address, "password", client=self.client)

    def invited(self):
        """Somebody who has registered, and only has to follow the link."""
        newcomer = self.newcomer()
        pymdc.api.Users(newcomer._auth.email, "password", client=self.direct).register()
        return newcomer, self.wire.bridge.activation_link(newcomer._auth.email)

    def registered(self):
        pymdc.api.Keys(pymdc.api.Users(self.user._auth.email, "password", client=self.direct)).create(self.guest)
        return self.guest


def prepared(prepare, call):
    """A call that needs something to be there first."""
    return lambda scene: (lambda ready: lambda: call(scene, ready))(prepare(scene))


def plain(call):
    return prepared(lambda scene: None, lambda scene, _: call(scene))


# What is called, how it may be repeated, and the route that the faults befall.
CALLS = {
    "register": (plain(lambda s: s.newcomer().register()), UNDONE, "POST /users"),
    "activate": (prepared(Scene.invited, lambda s, ready: ready[0].activate(ready[1])), UNDONE, "GET /activations/*"),
    "keys.list": (plain(lambda s: s.keys.list()), ALWAYS, "GET /keys"),
    "keys.create": (plain(lambda s: s.keys.create(s.guest)), ALWAYS, "POST /keys"),
    "keys.delete": (prepared(Scene.registered, lambda s, key: s.keys.delete(key)), ALWAYS, "DELETE /keys/*"),
    "buckets.list": (plain(lambda s: s.buckets.list()), ALWAYS, "GET /buckets"),
    "buckets.create": (plain(lambda s: s.buckets.create(s.name + " again", 1, 1)), UNDONE, "POST /buckets"),
    "bucket.list": (plain(lambda s: s.bucket.list()), ALWAYS, "GET /buckets/*"),
    "bucket.update": (plain(lambda s: s.bucket.update(name="new")), ALWAYS, "PATCH /buckets/*"),
    "bucket.delete": (plain(lambda s: s.bucket.delete()), ALWAYS, "DELETE /buckets/*"),
    "files.list": (plain(lambda s: s.bucket.files.list()), ALWAYS, "GET /buckets/*/files"),
    "files.list by prefix": (plain(lambda s: s.bucket.files.list(prefix=s.prefix)), ALWAYS, "GET /buckets/*/files"),
    "files.list by prefix, as in 2016": (
        plain(lambda s: s.as_in_2016.files.list(prefix=s.prefix)), ALWAYS, "GET /buckets/*/files",
    ),
    "files.iterate": (plain(lambda s: list(s.bucket.files.iterate())), ALWAYS, "GET /buckets/*/files"),
    "files.copy": (plain(lambda s: s.bucket.files.copy(s.stored, "copy")), ALWAYS, "POST /buckets/*/files"),
    "files.token": (plain(lambda s: s.bucket.files.token("PUSH")), ALWAYS, "POST /buckets/*/tokens"),
    "files.delete": (plain(lambda s: s.bucket.files.delete(s.stored["hash"])), ALWAYS, "DELETE /buckets/*/files/*"),
    "files.delete by name": (
        plain(lambda s: s.bucket.files.delete(s.stored, filename=s.stored["filename"])),
        ALWAYS, "DELETE /buckets/*/files/*",
    ),
    "files.delete by name, as in 2016": (
        plain(lambda s: s.as_in_2016.files.delete(s.stored, filename=s.stored["filename"])),
        ALWAYS, "DELETE /buckets/*/files/*",
    ),
    "upload": (plain(lambda s: s.bucket.files.upload(io.BytesIO(NEW))), ALWAYS, "PUT /buckets/*/files"),
    "upload as a form": (plain(lambda s: s.as_in_2016.files.upload(io.BytesIO(NEW))), ALWAYS, "PUT /buckets/*/files"),
    "upload to replace": (
        plain(lambda s: s.bucket.files.upload(io.BytesIO(NEW), filename=s.stored["filename"], replace=True)),
        ALWAYS, "PUT /buckets/*/files",
    ),
    "upload by token": (
        prepared(lambda s: s.behind.files.token("PUSH"),
                 lambda s, token: s.bucket.files.upload(io.BytesIO(NEW), token)),
        UNCONNECTED, "PUT /buckets/*/files",
    ),
    "download": (plain(lambda s: s.bucket.files.download(s.stored, s.copy)), ALWAYS, "GET /buckets/*/files/*/content"),
    "download by pointers": (
        plain(lambda s: s.as_in_2016.files.download(s.stored, s.copy)), ALWAYS, "GET /buckets/*/files/*",
    ),
    "download by token": (
        prepared(lambda s: s.behind.files.token("PULL"),
                 lambda s, token: s.bucket.files.download(s.stored, s.copy, token)),
        UNCONNECTED, "GET /buckets/*/files/*",
    ),
    "shard": (plain(lambda s: s.as_in_2016.files.download(s.stored, s.copy)), ALWAYS, "GET /shards/*"),
    "shard by token": (
        prepared(lambda s: s.behind.files.token("PULL"),
                 lambda s, token: s.bucket.files.download(s.stored, s.copy, token)), ALWAYS, "GET /shards/*",
    ),
}

LATER = {"Retry-After": "0"}
FAULTS = {
    "reset before the request is sent": dict(kind="reset", sent=0),
    "reset before the answer": dict(kind="reset"),
    "reset in the answer": dict(kind="reset", received=60),
    "cut short": dict(kind="truncate", received=60),
    "closed without an answer": dict(kind="truncate"),
    "stall": dict(kind="stall", received=60),
    "silence": dict(kind="stall"),
    "429": dict(kind="answer", status=429, headers=LATER),
    "502": dict(kind="answer", status=502),
    "503": dict(kind="answer", status=503),
    "503, later": dict(kind="answer", status=503, headers=LATER),
    "504": dict(kind="answer", status=504),
    "502 before the request is sent": dict(kind="answer", status=502, sent=0, then="drain"),
    "503 before the request is sent": dict(kind="answer", status=503, sent=0, then="stall"),
    "504 before the request is sent": dict(kind="answer", status=504, sent=0),
}
SURELY_NOT_DONE = ("429", "503, later")


def fault_on(route, **fault):
    method, path = route.split(" ")
    return Fault(method=method, path=path, **fault)


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_fault_is_survived_where_the_table_says_so(wire, member, name, fault):
    prepare, policy, route = CALLS[name]
    silent = FAULTS[fault]["kind"] == "stall"
    scene = Scene(wire, member, retries=9 if silent else 2, silence=0.5 if silent else 60)
    call = prepare(scene)
    wire.faults.append(fault_on(route, **FAULTS[fault]))

    if policy == ALWAYS or (policy == UNDONE and fault in SURELY_NOT_DONE):
        answer = call()
        assert "error" not in answer
        assert len(scene.sleeps) == 1 or silent  # where half a second is silence, a busy machine may be silent too
    else:
        with pytest.raises((APIError, TransportError)) as failed:
            call()
        assert len(failed.value.attempts) == 1
        assert scene.sleeps == []
    asked = len([request for request in wire.requests if wire.faults[0].matches(*request)])
    found = name == "upload as a form" and asked == 1  # in the listing, where the first attempt has stored it
    assert found or asked == len(scene.sleeps) + 1
    if "download" in name and policy == ALWAYS or "shard" in name:
        assert scene.copy.getvalue() == CONTENT


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_connection_that_was_never_made_is_made_again(wire, member, name):
    prepare, _, _ = CALLS[name]
    scene = Scene(wire, member, retries=1)
    call = prepare(scene)
    scene.buckets.list()
    scene.as_in_2016.list()
    for client in (scene.client, scene.as_in_2016._client):
        client.close()  # a kept connection might be reset
    scene.away = 25
    wire.refuse()

    answer = call()

    assert "error" not in answer
    assert 25 <= sum(scene.sleeps) < 27


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_fault_that_stays_ends_the_call_and_its_attempts_are_told(wire, member, name):
    prepare, policy, route = CALLS[name]
    scene = Scene(wire, member)
    call = prepare(scene)
    wire.faults.append(fault_on(route, kind="answer", nth=0, status=502))

    with pytest.raises((APIError, TransportError)) as failed:
        call()

    told = "TransportError" if name.startswith("shard") else 502
    assert [fault for fault, seconds in failed.value.attempts] == [told] * (3 if policy == ALWAYS else 1)
    assert len(scene.sleeps) == (2 if policy == ALWAYS else 0)


@pytest.mark.parametrize("fault", ["502", "503", "504", "429", "503, later"])
@pytest.mark.parametrize("name", ["keys.delete", "bucket.delete", "files.delete"])
def test_what_is_not_found_was_deleted_where_an_attempt_may_have_done_it(wire, member, name, fault):
    prepare, _, route = CALLS[name]
    scene = Scene(wire, member)
    call = prepare(scene)
    call()
    wire.faults.append(fault_on(route, **FAULTS[fault]))

    if fault in SURELY_NOT_DONE:
        with pytest.raises(APIError) as failed:
            call()
        assert failed.value.status == 404
    else:
        assert call() == {}


@pytest.mark.parametrize("then", ["drain", "stall", "close"])
def test_an_answer_that_comes_early_ends_the_upload_soon(wire, member, tmpdir, then):
    scene = Scene(wire, member)
    path = tmpdir.join("large")
    with io.open(str(path), "wb") as large:
        large.truncate(200 * 1000 * 1000)
    body = b'{"error": "Bucket storage exceeded"}'
    wire.faults.append(Fault("answer", "PUT", sent=100000, status=413, body=body, then=then))
    sent = []

    with pytest.raises(APIError) as refused:
        scene.bucket.files.upload(str(path), progress=lambda done, total: sent.append(done))

    assert refused.value.body == {"error": "Bucket storage exceeded"}
    assert sent[-1] < (12 if then != "drain" else 150) * 1000 * 1000


@pytest.mark.parametrize("received", [60, 160, 200, 250])
def test_a_list_that_is_cut_anywhere_is_asked_for_again(wire, member, received):
    scene = Scene(wire, member)
    wire.faults.append(Fault("truncate", path="/buckets/*/files", received=received))

    assert scene.bucket.files.list() == [scene.stored]
    assert len(scene.sleeps) == 1


def test_attempts_wait_as_long_as_the_bridge_asks(wire, member):
    scene = Scene(wire, member)
    wire.faults.append(Fault("answer", path="/buckets", status=429, headers={"Retry-After": "7"}))

    scene.buckets.list()

    assert scene.sleeps == [7.0]


def test_attempts_wait_until_the_date_that_the_bridge_gives(wire, member):
    scene = Scene(wire, member)
    date = {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}
    wire.faults.append(Fault("answer", path="/buckets", status=503, headers=date))

    scene.buckets.list()

    assert scene.sleeps == [0.0]


def test_a_bridge_that_asks_to_wait_for_too_long_is_not_asked_again(wire, member):
    scene = Scene(wire, member)
    wire.faults.append(Fault("answer", path="/buckets", status=503, headers={"Retry-After": "86400"}))

    with pytest.raises(APIError):
        scene.buckets.list()
    assert scene.sleeps == []


def test_waits_grow_and_are_bounded(wire, member):
    scene = Scene(wire, member, retries=9)
    wire.faults.append(Fault("answer", path="/buckets", nth=0, status=502))

    with pytest.raises(APIError):
        scene.buckets.list()

    assert len(scene.sleeps) == 9
    assert all(0 <= seconds <= min(20, 0.25 * 2 ** number) for number, seconds in enumerate(scene.sleeps))


def test_a_download_is_taken_up_again_by_a_later_call(wire, member, tmpdir, monkeypatch):
    monkeypatch.setattr(beginning, "SOON", -1)
    scene, path = Scene(wire, member, retries=0), tmpdir.join("copy")
    content = os.urandom(5 * 8 * 1024 * 1024)
    stored = scene.behind.files.upload(io.BytesIO(content))
    wire.faults.append(Fault("reset", path="/shards/*", nth=4, received=1000000))

    with pytest.raises(TransportError):
        scene.bucket.files.download(stored, str(path), concurrency=1)
    assert not path.exists()
    del wire.faults[:], wire.requests[:]
    scene.bucket.files.download(stored, str(path), concurrency=1)

    assert path.read_binary() == content
    assert len([route for route in wire.requests if route[1].startswith("/shards/")]) == 1
    assert tmpdir.listdir() == [path]


POINTERS, SHARDS = "/buckets/*/files/*", "/shards/*"


def asked_for(wire, pattern):
    """How often a route was asked for."""
    return len([request for request in wire.requests if Fault("answer", path=pattern).matches(*request)])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
@pytest.mark.parametrize("to_path", [True, False])
def test_a_refused_shard_token_asks_for_new_pointers(wire, member, tmpdir, status, to_path):
    scene, path = Scene(wire, member), tmpdir.join("copy")
    wire.faults.append(Fault("answer", path=SHARDS, status=status))

    scene.as_in_2016.files.download(scene.stored, str(path) if to_path else scene.copy)

    assert (path.read_binary() if to_path else scene.copy.getvalue()) == CONTENT
    assert (asked_for(wire, POINTERS), asked_for(wire, SHARDS)) == (2, 2)


@pytest.mark.parametrize("fault", [
    dict(kind="answer", status=503), dict(kind="reset"), dict(kind="truncate", received=300),
])
def test_a_shard_that_breaks_is_fetched_by_the_same_pointer(wire, member, fault):
    scene = Scene(wire, member)
    wire.faults.append(Fault(path=SHARDS, **fault))

    scene.as_in_2016.files.download(scene.stored, scene.copy)

    assert scene.copy.getvalue() == CONTENT
    assert (asked_for(wire, POINTERS), asked_for(wire, SHARDS)) == (1, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refused_shard_token_of_the_callers_own_token_is_the_error(wire, member, status):
    scene = Scene(wire, member)
    token = scene.behind.files.token("PULL")
    wire.faults.append(Fault("answer", path=SHARDS, status=status))

    with pytest.raises(TransportError, match=str(status)):
        scene.bucket.files.download(scene.stored, scene.copy, token)

    assert (asked_for(wire, POINTERS), asked_for(wire, SHARDS)) == (1, 1)
    assert scene.copy.getvalue() == b""


def test_two_downloads_to_one_path_leave_one_whole_file(wire, member, tmpdir):
    scene, path = Scene(wire, member), str(tmpdir.join("copy"))
    complaints = []

    def interfere(done, total):
        with pytest.raises(EnvironmentError) as refused:
            scene.behind.files.download(scene.stored, path)
        complaints.append(str(refused.value))

    scene.bucket.files.download(scene.stored, path, progress=interfere)

    assert "under way" in complaints[0]
    assert tmpdir.join("copy").read_binary() == CONTENT


def test_an_upload_to_a_bridge_that_reads_nothing_is_a_timeout(wire, member):
    scene = Scene(wire, member, retries=0, silence=0.5)
    wire.faults.append(Fault("stall", "PUT", sent=100000))

    with pytest.raises(Timeout):
        scene.bucket.files.upload(io.BytesIO(bytes(bytearray(30000000))))
