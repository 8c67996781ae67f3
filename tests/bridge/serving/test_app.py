"""The routes, and the refusals."""

import concurrent.futures
import errno
import hashlib
import json
import socket
import sqlite3
import threading
import urllib.request
import uuid

import coincurve
import pytest
import websocket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pymdc.bridge
from mailed import ask_for_reset
from pymdc.bridge import LocalBridge
from pymdc.bridge.metadata import commits
from pymdc.bridge.metadata.sqliteengine import Turn
from pymdc.bridge.serving.app import ROUTES
from waiting import eventually
from wire import Account, Wire, multipart


def test_the_description_names_every_route(wire):
    description = wire.get("/").json()

    described = {(method.upper(), path) for path, methods in description["paths"].items() for method in methods}
    described = {(method, path) for method, path in described if method != "PARAMETERS"}
    assert description["openapi"] == "3.1.0"
    assert description["info"]["title"] == "Metadisk Bridge"
    assert description["info"]["version"] == pymdc.__version__
    routes = {(method, path.replace(":path", "")) for method, path, _ in ROUTES}
    heads = {("HEAD", path) for path in ("/", "/health", "/links/{token}", "/links/{token}/{name}")}
    assert described == routes | heads


def test_head_spends_nothing(wire, local):
    email = "head@example.com"
    wire.post("/users", {"email": email, "password": "0" * 64})
    path = "/activations/" + local.activation_token(email)

    assert wire.send("HEAD", path).status_code == 405
    assert wire.send("HEAD", "/").status_code == wire.send("HEAD", "/health").status_code == 200
    assert wire.get(path).status_code == 200


@pytest.mark.parametrize("method, path", [
    ("PUT", "/keys"), ("TRACE", "/"), ("DELETE", "/users"), ("PATCH", "/buckets"), ("GET", "/users"),
])
def test_a_method_that_a_path_does_not_know_is_405(wire, method, path):
    answer = wire.send(method, path)

    assert (answer.status_code, answer.json()) == (405, {"error": "Method not allowed"})
    assert answer.headers["Allow"]


@pytest.mark.parametrize("path", [
    "/nope", "/buckets/a/b/c/d", "/buckets/%2F", "/%2e%2e/etc/passwd", "/buckets/%00", "/\u732b", "/keys/",
])
def test_a_path_that_leads_nowhere_is_a_json_error(wire, path):
    answer = wire.get(path)

    assert answer.status_code in (401, 404) and set(answer.json()) == {"error"}
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def test_an_answer_has_no_etag_and_is_always_whole(alice):
    answer = alice.basic.get("/buckets", headers={"If-None-Match": "*"})

    assert answer.status_code == 200
    assert "ETag" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("body", [
    b"{", b"\xff\xfe", b"[" * 100000, b'{"a": ' * 5000 + b"1" + b"}" * 5000, b"1" * 5000, b'"text"',
    b"[]", b"null",
    b'{"email": "\\ud800@example.com", "password": "' + b"0" * 64 + b'"}', b'{"email": "a\\u0000@example.com"}',
    b'{"email": ["a@example.com"]}', b'{"email": {"a": 1}}', b'{"email": "' + b"a" * 300 + b'@example.com"}',
    b'{"email": "a@example.com", "password": 5}',
    b'{"email": "a@example.com", "password": "' + "\u0661".encode() * 64 + b'"}',
    b'{"email": "a@b\\r\\nBcc: c@example.com", "password": "' + b"0" * 64 + b'"}',
])
def test_a_body_that_makes_no_sense_is_400(wire, body):
    answer = wire.send("POST", "/users", body=body)

    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("fields", [
    {"name": "x" * 256}, {"name": "\ud800"}, {"name": "a\0b"}, {"name": []}, {"storage": True}, {"storage": 1e30},
    {"storage": 10 ** 400}, {"pubkeys": "02"}, {"pubkeys": [5]}, {"pubkeys": [None]}, {"pubkeys": {}},
    {"pubkeys": ["02" + "f" * 64]},
])
def test_a_bad_field_of_a_bucket_is_400(alice, fields):
    assert alice.basic.post("/buckets", fields).status_code == 400
    assert alice.basic.get("/buckets").json() == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "9" * 5000])
def test_a_number_that_is_none_spoils_the_whole_body(wire, number):
    body = f'{{"email": "{uuid.uuid4().hex}@example.com", "password": "{"0" * 64}", "unknown": {number}}}'

    answer = wire.send("POST", "/users", body=body.encode())

    assert (answer.status_code, answer.json()) == (400, {"error": "Body is not valid JSON"})


@pytest.mark.parametrize("count, status", [(1000, 200), (1001, 400)])
def test_a_bucket_lists_a_thousand_keys_at_most(alice, count, status):
    texts = [coincurve.PrivateKey(number.to_bytes(32, "big")).public_key.format().hex() for number in range(1, count)]
    answer = alice.basic.post("/buckets", {"pubkeys": [*texts, alice.key]})

    assert answer.status_code == status
    assert status == 200 or "pubkeys must be a list of at most 1000" in answer.json()["error"]


@pytest.mark.parametrize("field", ["storage", "transfer"])
@pytest.mark.parametrize("text, number", [
    ("5", 5), ("5.5", 5.5), ("5.0", 5), (" 5 ", 5), ("1e3", 1000), ("0", 0), (".5", 0.5), ("+5", 5),
])
def test_a_number_of_gigabytes_may_be_text(alice, field, text, number):
    bucket = alice.basic.post("/buckets", {field: text}).json()
    changed = alice.basic.patch("/buckets/" + alice.bucket(), {field: text}).json()

    assert (bucket[field], changed[field]) == (number, number)
    assert type(bucket[field]) is type(number)


@pytest.mark.parametrize("field", ["storage", "transfer"])
@pytest.mark.parametrize("text", [
    "", " ", "ten", "NaN", "Infinity", "-1", "-0", "\u0665", "1_000", "1,5", "0x10", "5 GB", "1e999", "9" * 5000, "5\0",
])
def test_a_text_that_is_no_number_of_gigabytes_is_refused_in_words(alice, field, text):
    answer = alice.basic.post("/buckets", {field: text})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"Bucket validation failed: {field} must be a number of GB")


def test_an_email_that_only_its_lower_case_makes_too_long_is_400(wire):
    fits, exceeds = ("\u0130" * count + "@example.com" for count in (121, 122))  # in lower case two characters each

    assert wire.post("/users", {"email": exceeds, "password": "0" * 64}).status_code == 400
    answer = wire.post("/users", {"email": fits, "password": "0" * 64})
    assert (answer.status_code, len(answer.json()["email"])) == (200, 254)


@pytest.mark.parametrize("email", [
    "=?utf-8?q?=0a?=@a", "=?utf-8?q??=@x", "=?x?q?a?=@x", "a@b,c@d.org", "a b@c", "<a@b>", "a@b@c", "@b", "a@", "a@b;c",
])
def test_an_email_that_a_mail_would_not_reach_is_400(wire, local, email):
    before = set(local.outbox.iterdir())

    answer = wire.post("/users", {"email": email, "password": "0" * 64})

    assert answer.status_code == 400 and "email" in answer.json()["error"]
    assert set(local.outbox.iterdir()) == before


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_a_mail_goes_to_the_very_address_that_is_registered(wire, local, name, host):
    answer = wire.post("/users", {"email": f"{name}@{host}", "password": "0" * 64})

    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert local.activation_token(answer.json()["email"])


def test_a_body_that_is_too_long_is_413(wire):
    answer = wire.send("POST", "/users", body=b" " * (1024 * 1024 + 1))

    assert answer.status_code == 413
    assert "longer than 1048576" in answer.json()["error"]


@pytest.mark.parametrize("authorization", [
    "Basic", "Basic ", "Basic !!!", "Basic " + "A" * 5, "Basic /w==", "Bearer x", "Basic Og==", "basic YTpi", "\u00ff",
])
def test_a_broken_authorization_is_401(wire, authorization):
    assert wire.get("/keys", headers={"Authorization": authorization.encode("latin-1")}).status_code == 401


def test_a_refused_upload_is_answered_before_its_body_is_sent(local):
    host, port = local.url[7:].split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"PUT /buckets/x/files HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\nbegin")

        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 401 ") and b"connection: close" in answer.lower()
        connection.sendall(b"x" * 1024 * 1024)
        assert connection.recv(1) == b""


@pytest.mark.parametrize("request_bytes", [
    b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}",
    b"PUT /buckets/x/files HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
    b"nonsense\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"FOO / HTTP/1.1\r\n\r\n",
])
def test_what_is_no_http_is_400_in_json(local, request_bytes):
    host, port = local.url[7:].split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request_bytes)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]


def test_a_shard_token_that_is_no_text_is_refused_in_words(local):
    channel = websocket.create_connection(local.url.replace("http", "ws"), timeout=30)
    channel.send(json.dumps({"token": "\ud800", "hash": "a", "operation": "PULL"}))

    assert json.loads(channel.recv()) == {"code": 400, "message": "The supplied token is not accepted"}
    assert channel.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_CLOSE, b"\x03\xf0")
    channel.close()


def test_a_data_folder_of_any_name_holds_its_data(tmp_path):
    with LocalBridge(tmp_path / "what?a#name%20"):
        assert (tmp_path / "what?a#name%20" / "bridge.sqlite").exists()
    assert (tmp_path / "what?a#name%20").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("options", [
    {"host": ""}, {"host": 5}, {"port": "x"}, {"port": -1}, {"public_url": 5}, {"public_url": "http://a:b@c"},
    {"log_level": "loud"}, {"data_dir": ""}, {"public_url": "http://h h"},
])
def test_a_bad_option_of_a_local_bridge_is_named(options):
    with pytest.raises(ValueError, match=list(options)[0].replace("_", ".")):
        LocalBridge(**options)


def test_a_disk_that_is_full_is_507_and_one_that_fails_503(alice, local, monkeypatch):
    bucket, failures = alice.bucket(storage=0.00003), []
    old = alice.upload(bucket, b"old")

    def fail(descriptor):
        raise failures[0]

    tokens = [alice.token(bucket), alice.token(bucket)]
    monkeypatch.setattr("pymdc.bridge.storage.folder.os.fsync", fail)
    for failure, status in ((OSError(errno.ENOSPC, "full"), 507), (OSError(errno.EIO, "broken"), 503)):
        failures[:] = [failure]
        answer = alice.nobody.put(f"/buckets/{bucket}/files", multipart(b"x" * 20_000), tokens.pop(), 20_000)

        assert answer.status_code == status and answer.json()["error"]
    monkeypatch.undo()
    assert [file["hash"] for file in alice.signed.get(f"/buckets/{bucket}/files").json()] == [old]
    assert alice.pointers(bucket, old).status_code == 200
    assert alice.upload(bucket, b"x" * 20_000)  # the failed ones have given their room back


def test_whose_commit_fails_with_that_of_another_may_try_again(tmp_path, monkeypatch):
    waits, wait = threading.Event(), commits._Place.wait
    monkeypatch.setattr(commits._Place, "wait", lambda place: waits.set() or wait(place))
    with LocalBridge(tmp_path) as bridge:
        engine = bridge._server.services.metadata._database._engine

        def fail(connection):
            raise sqlite3.OperationalError("database or disk is full")

        def register(number):
            return Wire(bridge.url).post("/users", {"email": f"{number}@example.com", "password": "ab" * 32})

        with concurrent.futures.ThreadPoolExecutor() as pool, monkeypatch.context() as patch:
            patch.setattr(engine.dialect, "do_commit", fail)
            with Turn(str(tmp_path / "bridge.sqlite")):
                answers = [pool.submit(register, number) for number in range(2)]
                assert waits.wait(30)
            undone, full = sorted((answer.result() for answer in answers), key=lambda answer: answer.status_code)
        again = [register(number) for number in range(2)]

    assert (undone.status_code, undone.headers["Retry-After"]) == (503, "1")
    assert undone.json() == {"error": "The bridge could not keep it: try again"}
    assert (full.status_code, full.json()) == (507, {"error": "No space left on the bridge"})
    assert [answer.status_code for answer in again] == [200, 200]


def test_an_upload_that_breaks_off_leaves_nothing(alice, local):
    bucket, incoming = alice.bucket(), local.outbox.parent / "shards" / "incoming"
    token, body = alice.token(bucket), multipart(b"x" * 3000000)
    head = (f"PUT /buckets/{bucket}/files HTTP/1.1\r\nHost: x\r\nx-token: {token}\r\nx-filesize: 3000000\r\n"
            f"Content-Type: multipart/form-data; boundary=----boundary7f3a\r\nContent-Length: {len(body)}\r\n\r\n")
    host, port = local.url[7:].split(":")

    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + body[:2000000])
        eventually(lambda: list(incoming.iterdir()))

    eventually(lambda: not list(incoming.iterdir()))
    eventually(lambda: not local._server.services.metadata.uploads.dead(10**18))  # which is all there are
    assert alice.signed.get(f"/buckets/{bucket}/files").json() == []
    assert alice.nobody.put(f"/buckets/{bucket}/files", body, token, 3000000).status_code == 401


def test_no_secret_reaches_the_log_or_the_disk(tmp_path, caplog):
    email = "secret@example.com"
    with caplog.at_level("DEBUG"), LocalBridge(tmp_path) as bridge:
        client = pymdc.Client(bridge.url)
        user = pymdc.api.Users(email, "password", client=client)
        user.register()
        activation = bridge.activation_token(email)
        user.activate(activation)
        pair = pymdc.keypair.ECDSA()
        pymdc.api.Keys(user).create(pair)
        bucket = pymdc.api.Buckets(pair, client=client).create("b", 1, 1)
        files = pymdc.api.Files(bucket, pair, client=client)
        token = files.token("PUSH")["token"]
        files.upload(__file__, token)
        pull = files.token("PULL")["token"]
        path = "/buckets/{}/files/{}".format(bucket["id"], files.list()[0]["hash"])
        pointer = Wire(bridge.url).get(path, headers={"x-token": pull}).json()[0]
        shard = Wire(bridge.url).get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})
        reset = ask_for_reset(bridge, email)
        done = urllib.request.urlopen(bridge.url + reset, b"password=new-secret&again=new-secret")
        for mail in bridge.outbox.glob("*.eml"):
            mail.unlink()
    logged = "".join(record.getMessage() for record in caplog.records)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("bridge.sqlite*"))

    assert shard.status_code == done.status == 200 and email in logged and email.encode() in stored
    new = hashlib.sha256(b"new-secret").hexdigest()
    for secret in (activation, token, pull, pointer["token"], user._auth.password_hash, reset[-64:], "new-secret", new):
        assert secret not in logged
        assert secret.encode() not in stored


@pytest.mark.parametrize("public_url, base, channel", [
    ("https://bridge.example/", "https://bridge.example", "wss://bridge.example"),
    ("https://bridge.example:8443", "https://bridge.example:8443", "wss://bridge.example:8443"),
    ("http://bridge.example", "http://bridge.example", "ws://bridge.example"),
    (None, None, None),
])
def test_links_and_pointers_lead_to_the_public_url(tmp_path, public_url, base, channel):
    with LocalBridge(tmp_path, public_url=public_url) as bridge:
        base, channel = base or bridge.url, channel or "ws" + bridge.url.removeprefix("http")
        account = Account(bridge.url, "a@example.com", "ab" * 32, pymdc.keypair.ECDSA())
        account.nobody.post("/users", {"email": account.email, "password": account.password, "pubkey": account.key})
        mail, = [mail.read_text() for mail in bridge.outbox.glob("*.eml")]
        account.nobody.get("/activations/" + bridge.activation_token(account.email))
        bucket = account.bucket()
        pointer, = account.pointers(bucket, account.upload(bucket, b"content")).json()

        assert f"{base}/activations/{bridge.activation_token(account.email)}" in mail
        assert (pointer["url"], pointer["channel"]) == (f"{base}/shards/{pointer['hash']}", channel)
