"""One connection, or many, cannot fill the memory of the bridge; and what is asked within bounds is answered."""

import base64
import contextlib
import gc
import itertools
import json
import os
import socket
import sqlite3
import ssl
import threading
import uuid

import pytest

import pymdc
import raw
from pymdc.bridge import LocalBridge
from pymdc.bridge.request import fields
from pymdc.bridge.serving import app, front
from pymdc.bridge.serving.body import Body
from pymdc.bridge.serving.protocol import MAX_HEADERS, MAX_PIPELINE
from pymdc.bridge.serving.websocket import MAX_FRAGMENTS
from running_bridge import RunningBridge
from waiting import eventually
from wire import Account, Wire, get, multipart, put

if not os.path.isdir("/proc/self/fd") and "CI" not in os.environ:
    pytest.skip("needs /proc", allow_module_level=True)

MIB = 1024 * 1024
GROWTH = 24 * MIB
CONTINUATION, TEXT, CLOSE, PING = 0, 1, 8, 9
LONG = 10_000  # files, with long names


@pytest.fixture(scope="module")
def started():
    bridge = RunningBridge()
    yield bridge
    bridge.close()


def memory(bridge):
    with open(f"/proc/{bridge.pid}/status") as status:
        return 1024 * int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def test_the_memory_that_a_password_is_hashed_in_is_given_back():
    with contextlib.closing(RunningBridge()) as bridge:
        before = memory(bridge)

        made = Wire(bridge.url).post("/users", {"email": "alice@example.com", "password": "5" * 64})

        assert made.status_code == 200
        assert memory(bridge) - before < 12 * MIB  # of 19


def pour(connection, data, most):
    """Send *data* again and again, until nobody takes more of it, or the connection is closed, or so many bytes are."""
    sent = 0
    connection._socket.settimeout(0.1)
    with contextlib.suppress(OSError):
        while sent < most:
            sent += connection._socket.send(data)
    return sent


@pytest.mark.parametrize("piece", [
    b"GET /x HTTP/1.1\r\n\r\n" * 3000,
    b"POST /users HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}" * 3000,
    b"POST /users HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" * 3000,
], ids=["no body", "a body", "chunks"])
def test_no_pipeline_fills_the_memory(started, piece):
    before = memory(started)
    with contextlib.ExitStack() as connections:
        sent = [pour(connections.enter_context(raw.Connection(started.url)), piece, 64 * MIB) for _ in range(8)]

        assert Wire(started.url).get("/health").status_code == 200
        assert max(sent) < 64 * MIB
        assert memory(started) - before < GROWTH


def test_pings_whose_answers_nobody_reads_are_not_read(started):
    before = memory(started)
    with raw.Connection(started.url) as connection:
        connection._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.send(raw.handshake())
        assert connection.answer().status == 101

        sent = pour(connection, raw.frame(PING, b"p" * 125) * 1000, 64 * MIB)

        assert Wire(started.url).get("/health").status_code == 200
        assert sent < 64 * MIB
        assert memory(started) - before < GROWTH


def test_pings_are_answered_once_their_answers_are_read(started):
    with raw.Connection(started.url) as connection:
        connection.send(raw.handshake())
        assert connection.answer().status == 101
        ping = raw.frame(PING, b"p" * 125)
        sent = pour(connection, ping * 1000, 64 * MIB)
        connection._socket.settimeout(4)

        pongs = [connection.frame() for _ in range(sent // len(ping))]

    assert set(pongs) == {(10, b"p" * 125)}


@pytest.mark.parametrize("payload", [b"", b" "], ids=["empty", "a byte"])
def test_a_message_in_fragments_without_end_is_refused(started, payload):
    with raw.Connection(started.url) as connection:
        connection.send(raw.handshake())
        assert connection.answer().status == 101

        connection.send(raw.frame(TEXT, b"{", final=False))
        connection.send(raw.frame(CONTINUATION, payload, final=False) * (MAX_FRAGMENTS + 1000))

        assert connection.frames() == [(CLOSE, b"\x03\xf1")]  # 1009, too big


def test_a_message_may_come_in_many_fragments(started):
    with raw.Connection(started.url) as connection:
        connection.send(raw.handshake())
        assert connection.answer().status == 101
        fragments = [raw.frame(CONTINUATION, b" ", final=False)] * (MAX_FRAGMENTS - 2)
        connection.send(raw.frame(TEXT, b"{", final=False) + b"".join(fragments) + raw.frame(CONTINUATION, b"}"))

        assert json.loads(connection.frame()[1])["message"] == "You did not supply a token"


@pytest.mark.parametrize("piece", [
    b"X: " + b"y" * MIB, b"X: y\r\n" * 15_000, b"X" * MIB,
], ids=["one", "many", "a name"])
def test_headers_without_end_are_refused_and_kept_by_nobody(started, piece):
    before = memory(started)
    with raw.Connection(started.url) as connection:
        connection.send(b"GET / HTTP/1.1\r\n" + piece[:MAX_HEADERS])
        answer = connection.answer()
        pour(connection, piece, 36 * MIB)

    assert answer.status == 431
    assert memory(started) - before < GROWTH


def test_short_headers_by_the_thousand_are_refused(started):
    before = memory(started)
    with contextlib.ExitStack() as connections:
        for _ in range(40):
            connection = connections.enter_context(raw.Connection(started.url))
            connection.send(b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 10_000)
            assert connection.answer().status == 431

        assert memory(started) - before < GROWTH


def test_of_requests_with_many_headers_few_wait(started):
    """Each of them takes thirty times as much in memory as on the wire."""
    before = memory(started)
    requests = raw.request("GET", "/") * 10 + raw.request("GET", "/x", [("a", "")] * 480) * MAX_PIPELINE
    with contextlib.ExitStack() as connections:
        for _ in range(120):
            connection = connections.enter_context(raw.Connection(started.url))
            connection._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            pour(connection, requests, len(requests))

        assert Wire(started.url).get("/health").status_code == 200
        assert memory(started) - before < GROWTH


def test_more_requests_than_may_wait_are_all_answered_in_their_order(started):
    chunks = raw.chunked(b"{" + b" " * 5000) + b"0\r\n\r\n"
    kinds = [
        (raw.request("GET", "/nope"), 404), (raw.request("GET", "/keys"), 401),
        (raw.request("GET", "/nope", [("a", "")] * 480), 404),
        (raw.request("POST", "/users", body=b"{" + b"\r\n\r\n" * 50_000), 400),
        (raw.request("POST", "/users", {"Transfer-Encoding": "chunked"}, chunks), 400),
    ]
    asked = list(itertools.islice(itertools.cycle(kinds), 5 * MAX_PIPELINE))
    with raw.Connection(started.url, timeout=30) as connection:
        sender = threading.Thread(target=connection.send, args=(b"".join(data for data, _ in asked),))
        sender.start()
        statuses = [connection.answer().status for _ in asked]
        sender.join()

    assert statuses == [status for _, status in asked]


@pytest.fixture
def narrow(tmp_path, monkeypatch):
    """A bridge that holds a body of 100 000 bytes at a time."""
    monkeypatch.setattr(app, "MAX_BODIES", 100_000)
    with LocalBridge(tmp_path) as bridge:
        yield bridge


def test_bodies_that_take_too_much_together_are_503(narrow):
    large = b"{" + b" " * 90_000
    with raw.Connection(narrow.url) as slow:
        slow.send(raw.request("POST", "/users", {"Content-Length": 100_000}, large))
        for _ in range(3):
            Wire(narrow.url).get("/")  # what was there before has been read by then

        refused, small = Wire(narrow.url).send("POST", "/users", body=large), Wire(narrow.url).post("/users")

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["error"].startswith("Too much is on its way")
    assert small.json()["error"].startswith("User validation failed")
    eventually(lambda: Wire(narrow.url).send("POST", "/users", body=large).status_code == 400)  # the slow one has left


def test_headers_count_with_the_bodies_behind_them(narrow):
    long = {"X": "y" * 40_000}
    with raw.Connection(narrow.url) as slow:
        slow.send(raw.request("POST", "/users", {**long, "Content-Length": 2, "Expect": "100-continue"}, b"{"))
        assert slow.exactly(12) == b"HTTP/1.1 100"

        refused, small = Wire(narrow.url).get("/keys", headers=long), Wire(narrow.url).get("/keys")

    assert (refused.status_code, refused.headers["Retry-After"], small.status_code) == (503, "5", 401)
    eventually(lambda: Wire(narrow.url).get("/keys", headers=long).status_code == 401)  # the slow one has left


def test_a_large_body_arrives_as_it_was_sent(alice):
    name = "n" * 255
    answer = alice.basic.post("/buckets", {"name": name, "pubkeys": [], "unknown": ["x" * 900_000]})

    assert (answer.status_code, answer.json()["name"]) == (200, name)


@pytest.mark.parametrize("size", [4096, 3 * MIB])
def test_what_a_request_takes_goes_with_it_and_waits_for_no_collector(alice, size):
    def held():
        return sum(isinstance(thing, (front._Exchange, Body)) for thing in gc.get_objects())

    bucket = alice.bucket()
    gc.collect()
    before = held()
    gc.disable()
    try:
        stored = put(alice.signed, bucket, b"x" * size).json()
        assert get(alice.signed, bucket, stored["hash"]).content == b"x" * size

        eventually(lambda: held() <= before)
    finally:
        gc.enable()


@pytest.mark.parametrize("value, kept", [
    ([{}] * 300_000, 1001), ([[]] * 300_000, 1001), ({"a": [1] * 100}, 0), ("x" * 1_000_000, 8192),
])
def test_of_a_body_only_what_can_mean_something_is_kept(value, kept):
    decoded = fields.json_object(json.dumps({"field": value}).encode())

    assert len(decoded["field"]) == kept
    assert not any(isinstance(item, (dict, list)) for item in decoded["field"])


def test_a_body_of_thousands_of_fields_is_refused(wire):
    answer = wire.post("/users", {f"{number}": 1 for number in range(1001)})

    assert (answer.status_code, answer.json()) == (400, {"error": "Body has more than 1000 fields"})


# Long lists

@pytest.fixture(scope="module")
def long_list(started):
    """An account, and the path of a list of 40 MB."""
    account = Account(started.url, f"{uuid.uuid4().hex}@example.com", uuid.uuid4().hex * 2, pymdc.keypair.ECDSA())
    account.nobody.post("/users", {"email": account.email, "password": account.password, "pubkey": account.key})
    account.nobody.get("/activations/" + started.activation_link(account.email).rsplit("/", 1)[1])
    bucket = account.bucket()
    rows = ((bucket, f"{number:040}", "n" * 4096) for number in range(LONG))
    with contextlib.closing(sqlite3.connect(started.data_dir + "/bridge.sqlite")) as db, db:
        columns = "bucket, hash, filename, mimetype, size, created"
        db.executemany(f"INSERT INTO files ({columns}) VALUES (?, ?, ?, 'a/b', 0, 0)", rows)
    return account, f"/buckets/{bucket}/files"


def test_a_list_is_in_memory_nowhere(started, long_list):
    account, path = long_list
    assert account.signed.get("/keys").status_code == 200
    before = memory(started)

    hashes = [file["hash"] for file in account.signed.get(path).json()]

    assert hashes == [f"{number:040}" for number in range(LONG)]
    assert memory(started) - before < GROWTH


def test_who_takes_a_list_slowly_holds_up_nothing(started, long_list):
    account, path = long_list
    password = base64.b64encode(f"{account.email}:{account.password}".encode()).decode()
    with raw.Connection(started.url) as reader:
        reader.send(raw.request("GET", path, {"Authorization": "Basic " + password}))
        assert reader.exactly(1000)

        account.bucket()  # which a transaction that reads on would not see

        with contextlib.closing(sqlite3.connect(started.data_dir + "/bridge.sqlite")) as db:
            eventually(lambda: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, patience=10)


# Half of a connection

def test_who_says_that_nothing_more_comes_is_answered(started):
    with raw.Connection(started.url) as connection:
        connection.send(raw.request("GET", "/nope") + raw.request("GET", "/keys") + raw.request("GET", "/"))
        connection.finish()

        assert [answer.status for answer in connection.answers()] == [404, 401, 200]


@pytest.mark.parametrize("rest", [b"GET /ha", raw.request("POST", "/users", {"Content-Length": 9}, b"half"), b"\0"])
def test_what_was_whole_is_answered_when_the_rest_never_comes(started, rest):
    with raw.Connection(started.url) as connection:
        user = {"email": f"{uuid.uuid4().hex}@example.com", "password": "0" * 64}  # to hash it takes a while
        slow = raw.request("POST", "/users", body=json.dumps(user).encode())
        connection.send(slow + raw.request("GET", "/keys") + rest)
        connection.finish()

        assert [answer.status for answer in connection.answers()] == [200, 401]


def test_an_upload_is_stored_and_answered_when_nothing_more_can_come(alice, local):
    bucket = alice.bucket()
    headers = {"x-token": alice.token(bucket), "x-filesize": 1000, "Content-Type": "multipart/form-data; boundary=B"}
    body = multipart(b"x" * 1000).replace(b"----boundary7f3a", b"B")
    with raw.Connection(local.url) as connection:
        connection.send(raw.request("PUT", f"/buckets/{bucket}/files", headers, body))
        connection.finish()

        answer, = connection.answers()

    assert (answer.status, answer.json()["size"]) == (200, 1000)


# TLS

CERTIFICATES = os.path.join(os.path.dirname(__file__), "..", "..", "certificates")


def test_a_connection_under_tls_takes_little():
    options = ["--tls-cert", CERTIFICATES + "/localhost.crt", "--tls-key", CERTIFICATES + "/localhost.key"]
    context = ssl.create_default_context(cafile=CERTIFICATES + "/localhost.crt")
    context.check_hostname = False
    with contextlib.closing(RunningBridge(*options)) as bridge, contextlib.ExitStack() as connections:
        where = bridge.url.rpartition("/")[2].split(":")

        def connect():
            connection = connections.enter_context(context.wrap_socket(socket.create_connection(where)))
            connection.sendall(raw.request("GET", "/nope"))
            assert connection.recv(12) == b"HTTP/1.1 404"

        connect()
        before = memory(bridge)
        for _ in range(100):
            connect()

        assert memory(bridge) - before < 12 * MIB


# One after the other

def test_a_websocket_behind_a_request_that_is_not_answered_yet_is_not_opened(started):
    with raw.Connection(started.url) as connection:
        connection.send(raw.request("GET", "/health") + raw.handshake())

        assert [answer.status for answer in connection.answers()] == [200]


@pytest.mark.parametrize("beginning", [b"G", b"GET / HTTP/1.1\r\nHost"])
def test_the_headers_of_a_second_request_are_not_waited_for_either(tmp_path, beginning):
    with LocalBridge(tmp_path, silence=0.2) as bridge, raw.Connection(bridge.url) as connection:
        connection.send(raw.request("GET", "/"))
        assert connection.answer().status == 200
        connection.send(beginning)

        assert connection.answer() is None
