"""Slow and idle senders."""

import contextlib
import resource

import pytest

import raw
from pymdc.bridge import LocalBridge
from running_bridge import RunningBridge
from siege import CONTENT, World, assert_refused, cases
from waiting import eventually

CLOSE = 8


@pytest.fixture
def impatient(monkeypatch, tmp_path):
    """A bridge in this process that waits only a moment for a silent sender."""
    monkeypatch.setattr("pymdc.bridge.serving.answers.DRAIN_SECONDS", 0.2)
    with LocalBridge(tmp_path, silence=0.2) as bridge:
        yield bridge


@cases("data", {
    "a body that stops": raw.request("POST", "/users", {"Content-Length": 100}, b"{"),
    "a body that never begins": raw.request("POST", "/users", {"Content-Length": 100}),
    "a small file that never begins": raw.request("PUT", "/buckets/1/files?size=100", {"Content-Length": 100}),
    "a small file that stops": raw.request("PUT", "/buckets/1/files?size=100", {"Content-Length": 100}, b"half"),
    "chunks that stop": raw.request("POST", "/users", {"Transfer-Encoding": "chunked"}, b"5\r\n{"),
})
def test_who_falls_silent_is_told_and_left(impatient, data):
    with raw.Connection(impatient.url) as connection:
        connection.send(data)
        answer, = connection.answers()

    assert_refused(answer, 408)


@cases("data", {"nothing": b"", "half a line": b"GET / HT", "half the headers": b"GET / HTTP/1.1\r\nHost: x\r\n"})
def test_who_never_finishes_a_request_is_left(impatient, data):
    with raw.Connection(impatient.url, timeout=2) as connection:
        connection.send(data)

        for answer in connection.answers():
            assert_refused(answer, 408)


def test_who_says_nothing_on_a_channel_is_left(impatient):
    with raw.Connection(impatient.url) as connection:
        connection.send(raw.handshake())
        assert connection.answer().status == 101

        assert connection.frame() == (CLOSE, b"\x03\xf0")


@pytest.fixture
def many_files():
    """Let this process open many files, but not what it starts unless that asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("count", [1000, 1200])
def test_idle_connections_keep_nobody_out(many_files, tmp_path, count):
    with open(tmp_path / "errors", "w") as errors:
        bridge = RunningBridge(stderr=errors, preexec_fn=many_files)
    try:
        world = World(bridge, tmp_path / "errors")
        opened = len(world.descriptors())
        with contextlib.ExitStack() as idle:
            for _ in range(count):
                idle.enter_context(raw.Connection(bridge.url))
            assert world.serves()
            stored = world.alice.account.upload(world.alice.bucket, CONTENT)
            pointer, = world.alice.account.pointers(world.alice.bucket, stored).json()
            shard, = raw.talk(bridge.url, raw.request(
                "GET", "/shards/" + pointer["hash"], {"x-token": pointer["token"]}))
            assert shard.body == CONTENT
        eventually(lambda: len(world.descriptors()) <= opened)
        assert "Traceback" not in (tmp_path / "errors").read_text()
    finally:
        bridge.close()
