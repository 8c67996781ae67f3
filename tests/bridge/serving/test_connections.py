"""Connections are counted: one too many is told so, unless another does nothing, and nobody who is served is cut."""

import contextlib
import socket

import pytest

import raw
from pymdc.bridge import LocalBridge
from pymdc.bridge.serving import protocol
from waiting import eventually

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
UPLOAD = raw.request("PUT", f"/buckets/{'a' * 24}/files", body=b"x" * 500_000)
TOO_MANY = {"error": "Too many connections to the bridge: try again"}


@pytest.fixture
def bridge(tmp_path):
    """A bridge that serves three connections at a time."""
    with LocalBridge(tmp_path, connections=3) as bridge:
        yield bridge


@pytest.fixture
def connect(bridge):
    """A function that makes one more connection."""
    with contextlib.ExitStack() as connections:
        yield lambda: connections.enter_context(raw.Connection(bridge.url))


@pytest.fixture
def serve(connect):
    """A function that makes one more connection, of whose request half has come."""
    def begin():
        connection = connect()
        connection.send(raw.request("POST", "/users", {"Content-Length": 2, "Expect": "100-continue"}, b"{"))
        assert connection.exactly(len(CONTINUE)) == CONTINUE
        return connection
    return begin


def ask(connection, request=raw.request("GET", "/keys")):
    connection.send(request)
    return connection.answer()


@pytest.mark.parametrize("request_", [
    raw.request("GET", "/keys"), raw.request("POST", "/users", body=b"{}"), UPLOAD, raw.handshake(),
], ids=["without a body", "with a body", "an upload", "a data channel"])
def test_one_connection_too_many_is_told_so_and_closed(connect, serve, request_):
    served = [serve() for _ in range(3)]
    one_more = connect()

    answer = ask(one_more, request_)

    assert (answer.status, answer.headers["retry-after"], answer.json()) == (503, "5", TOO_MANY)
    assert one_more.answer() is None
    assert [ask(connection, b"}").status for connection in served] == [400] * 3


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_how_the_bridge_is_can_be_asked_on_any_connection(connect, serve, path):
    for _ in range(3):
        serve()

    assert [ask(connect(), raw.request("GET", path)).status for _ in range(5)] == [200] * 5


def nothing(connection):
    pass


def half_a_request(connection):
    connection.send(b"GET /keys HTTP/1.1\r\nX: y")


def a_request_that_is_answered(connection):
    assert ask(connection).status == 401


@pytest.mark.parametrize("do", [nothing, half_a_request, a_request_that_is_answered])
def test_who_waits_for_nothing_makes_way(connect, serve, do):
    served, first = serve(), connect()
    do(first)
    second = connect()
    do(second)

    assert ask(connect()).status == 401
    assert first.answer() is None
    if do is half_a_request:
        second.send(b"\r\n\r\n")
        assert second.answer().status == 401
    else:
        assert ask(second).status == 401
    assert ask(served, b"}").status == 400


def test_who_has_not_read_his_answer_yet_does_not_make_way(connect, serve):
    serve(), serve()
    reader = connect()
    reader._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.send(raw.request("GET", "/"))
    assert reader._socket.recv(1, socket.MSG_PEEK)

    assert ask(connect()).status == 503
    assert "openapi" in reader.answer().json()
    assert ask(connect()).status == 401


def test_who_comes_when_another_has_left_is_served(connect, serve):
    served = [serve() for _ in range(3)]
    assert ask(connect()).status == 503

    assert ask(served[0], b"}").status == 400

    # It waits for nothing as soon as its system has said that the answer is there, within 40 ms or so.
    eventually(lambda: ask(connect()).status == 401)


def test_a_data_channel_is_one_of_the_connections(connect, serve):
    channel = connect()
    assert ask(channel, raw.handshake()).status == 101
    serve(), serve()
    assert ask(connect()).status == 503

    channel.finish()

    eventually(lambda: ask(connect()).status == 401)


def test_those_that_are_told_so_are_counted_too(connect, serve, monkeypatch):
    monkeypatch.setattr(protocol, "SPARE", 1)
    for _ in range(3):
        serve()
    refused = connect()
    assert ask(refused, UPLOAD[:1000]).status == 503  # and what comes of the body is still read

    assert ask(connect(), raw.request("GET", "/health")) is None
