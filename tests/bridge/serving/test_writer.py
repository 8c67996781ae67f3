"""The headers of an answer go out with a body that follows at once, and never wait for one that does not."""

import asyncio
import os
import time

import pytest

import raw
from pymdc.bridge.serving.protocol import Protocol
from pymdc.bridge.serving.writer import Writer
from wire import get, hash_of, put

HEAD, CONTINUE = b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"
LARGE = bytes(64 * 1024 + 1)


class Transport:
    def __init__(self):
        self.written, self.closed = [], False

    def write(self, data):
        assert not self.closed
        self.written.append(bytes(data))

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


def written(*steps):
    """Return what a transport is given by an answer of these steps: bytes, "wait" for the loop, "close" or "flush"."""
    async def write():
        transport = Transport()
        writer = Writer(transport, asyncio.get_running_loop())
        for step in steps:
            if step == "wait":
                await asyncio.sleep(0)
            elif step in ("close", "flush"):
                getattr(writer, step)()
            else:
                writer.write(step)
        assert writer.is_closing() is transport.closed is ("close" in steps)
        return list(transport.written)
    return asyncio.run(write())


@pytest.mark.parametrize("steps, expected", [
    ([HEAD, b"body"], [HEAD + b"body"]),
    ([HEAD, memoryview(b"body")], [HEAD + b"body"]),
    ([HEAD, b""], [HEAD]),
    ([HEAD, b"some", b"more"], [HEAD + b"some", b"more"]),
    ([HEAD, "wait", b"body"], [HEAD, b"body"]),
    ([HEAD, b"body", "wait", "wait"], [HEAD + b"body"]),
    ([HEAD, LARGE], [HEAD, LARGE]),
    ([HEAD, LARGE[1:]], [HEAD + LARGE[1:]]),
    ([HEAD, "flush", b"body"], [HEAD, b"body"]),
    ([HEAD, "close"], [HEAD]),
    ([HEAD, "wait"], [HEAD]),
    ([CONTINUE, HEAD, b"body"], [CONTINUE, HEAD + b"body"]),
    ([HEAD], []),  # as yet
    (["close"], []),
])
def test_what_waits_and_what_does_not(steps, expected):
    assert written(*steps) == expected


@pytest.fixture
def writes(local, monkeypatch):
    """What the bridge in this process gives the system, as pieces."""
    pieces, write = [], asyncio.selector_events._SelectorSocketTransport.write

    def note(transport, data):
        pieces.append(len(data))
        write(transport, data)

    monkeypatch.setattr(asyncio.selector_events._SelectorSocketTransport, "write", note)
    return pieces


def test_an_answer_is_one_call_of_the_system(alice, bucket, writes):
    small = os.urandom(4096)
    asks = [
        lambda: put(alice.signed, bucket, small),
        lambda: get(alice.signed, bucket, hash_of(small)),
        lambda: alice.signed.get("/buckets"),
        lambda: alice.nobody.get("/nowhere"),
        lambda: alice.nobody.send("HEAD", "/health"),
        lambda: alice.nobody.send("OPTIONS", "/buckets"),
    ]
    for ask in asks:
        writes.clear()
        ask()
        assert len(writes) == 1


@pytest.mark.parametrize("path", ["/nowhere", "/buckets", "/health"])
@pytest.mark.parametrize("method", ["HEAD", "GET", "OPTIONS"])
def test_who_sends_no_more_is_answered_all_the_same(local, monkeypatch, method, path):
    receive = Protocol.data_received

    def receive_late(protocol, data):
        time.sleep(0.1)  # the end comes meanwhile, and is found when the answer is written
        receive(protocol, data)

    monkeypatch.setattr(Protocol, "data_received", receive_late)
    with raw.Connection(local.url) as connection:
        connection.send(raw.request(method, path))
        connection.finish()

        assert connection.exactly(9) == b"HTTP/1.1 "
