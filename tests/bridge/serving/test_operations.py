"""Running a bridge: health, metrics, the log, TLS, and who keeps it waiting."""

import contextlib
import hashlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import websocket

import pymdc
from pymdc.bridge import LocalBridge, address
from pymdc.bridge.metadata import tables
from wire import Account, Basic, Wire, multipart, registered

CERTIFICATES = Path(__file__).parents[2] / "certificates"
SHARD = 8 * 1024 * 1024
RATE = 2_500_000  # bytes a second, at which a buffer of the system takes longer than a silence to show any progress
TLS = {"tls_cert": CERTIFICATES / "localhost.crt", "tls_key": CERTIFICATES / "localhost.key"}


def test_health_names_what_fails(tmp_path, monkeypatch):
    with LocalBridge(tmp_path) as bridge:
        well = Wire(bridge.url).get("/health")
        os.rename(tmp_path / "shards" / "incoming", tmp_path / "shards" / "gone")
        ill = Wire(bridge.url).get("/health")

    assert (well.status_code, well.json()) == (200, {
        "status": "ok", "database": "ok", "store": "ok", "disk": "ok", "schema": tables.REVISION,
    })
    assert (ill.status_code, ill.json()) == (503, {
        "error": "Failing: store", "status": "failing", "database": "ok", "store": "failing", "disk": "ok",
        "schema": tables.REVISION,
    })


def test_metrics_count_requests_bytes_tokens_and_refusals(tmp_path):
    with LocalBridge(tmp_path) as bridge:
        account = registered(bridge)
        bucket = account.bucket()
        account.upload(bucket, b"x" * 1000)
        account.nobody.put(f"/buckets/{bucket}/files", multipart(b"x"), "00" * 32, 1)
        text = account.nobody.get("/metrics").text

    assert 'pymdc_requests_total{method="PUT",route="/buckets/{bucket}/files",status="200"} 1.0' in text
    assert 'pymdc_request_seconds_count{route="/buckets/{bucket}/files"} 2.0' in text
    assert 'pymdc_tokens_total{event="issued",operation="PUSH"} 1.0' in text
    assert 'pymdc_tokens_total{event="spent",operation="PUSH"} 1.0' in text
    assert 'pymdc_refusals_total{reason="Invalid or expired token"} 1.0' in text
    assert "pymdc_uploads 0.0" in text
    assert float(re.search(r"^pymdc_received_bytes_total (\S+)", text, re.MULTILINE)[1]) > 1000


def test_metrics_count_a_link_once_however_often_it_is_clicked(tmp_path):
    with LocalBridge(tmp_path) as bridge:
        account = registered(bridge)
        bucket = account.bucket()
        file_hash = account.upload(bucket, b"x" * 1000)
        asked = {"operation": "PULL", "file": file_hash}
        link = account.signed.post(f"/buckets/{bucket}/tokens", asked).json()["link"]
        for _ in range(2):
            requests.post(link, {"once": "0f" * 16}, timeout=30)
        text = account.nobody.get("/metrics").text

    assert 'pymdc_tokens_total{event="spent",operation="PULL"} 1.0' in text


def test_metrics_are_for_loopback_or_the_token(tmp_path):
    options = {"behind_proxy": ("127.0.0.1",), "metrics_token": "correct-horse"}
    with LocalBridge(tmp_path, **options) as bridge:
        far = {"X-Forwarded-For": "192.0.2.1"}

        def status(**headers):
            return Wire(bridge.url).get("/metrics", headers={**far, **headers}).status_code

        assert status() == 403
        assert status(Authorization="Bearer wrong") == 403
        assert status(Authorization="Bearer correct-horse") == 200
        assert Wire(bridge.url).get("/metrics").status_code == 200
        for unreadable in ("unknown", "192.0.2.1:80", "127.0.0.1, nonsense", ""):
            answer = Wire(bridge.url).get("/metrics", headers={"X-Forwarded-For": unreadable})
            assert answer.status_code == 403


@pytest.mark.parametrize("text, plain", [
    ("127.0.0.1", "127.0.0.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("0:0:0:0:0:0:0:1", "::1"), ("x", "unknown"),
])
def test_an_address_is_written_in_one_way(text, plain):
    assert address.plain(text) == plain


@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_access_log_tells_of_each_request_in_json_without_secrets(tmp_path, level):
    bridge = subprocess.Popen(
        [sys.executable, "-m", "pymdc.bridge", "--port", "0", "--data-dir", tmp_path, "--rates", "off",
         "--log-level", level],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    try:
        url = bridge.stdout.readline().split()[-1]
        account = Account(url, "ann@example.com", "ab" * 32, pymdc.keypair.ECDSA())
        fields = {"email": account.email, "password": account.password, "pubkey": account.key}
        answer = account.nobody.post("/users", fields)
        link = re.search("/activations/[0-9a-f]{64}", next((tmp_path / "outbox").glob("*.eml")).read_text())[0]
        account.nobody.get(link)
        bucket = account.bucket()
        token = account.token(bucket)
        file_hash = account.upload(bucket, b"x" * 1000)
        pointer = account.pointers(bucket, file_hash).json()[0]
        account.nobody.get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})
        asked = json.dumps({"token": account.pointers(bucket, file_hash).json()[0]["token"], "hash": pointer["hash"],
                            "operation": "PULL"})
        channel = websocket.create_connection(pointer["channel"], timeout=10)
        channel.send(asked)
        assert channel.recv() == b"x" * 1000
        channel.shutdown()
        account.signed.post(f"/buckets/{bucket}/tokens", {"operation": "PULL"})
        signature = account.signed.last.headers["x-signature"]
        account.basic.get("/buckets/" + "0" * 24)
        account.nobody.get("/activations/" + "5e" * 32)
    finally:
        bridge.terminate()
        _, log = bridge.communicate(timeout=30)

    lines = [json.loads(line) for line in log.splitlines()]
    entries = [line for line in lines if line["logger"] == "pymdc.bridge.access"]
    registered, uploaded = entries[0], next(entry for entry in entries if entry["method"] == "PUT")
    refused = [entry for entry in entries if entry["status"] >= 400]
    assert registered["request"] == answer.headers["X-Request-Id"]
    assert (registered["method"], registered["route"], registered["address"]) == ("POST", "/users", "127.0.0.1")
    assert uploaded["route"] == "/buckets/{bucket}/files" and uploaded["received"] > 1000
    assert {entry["account"] for entry in entries if "account" in entry} == {account.email}
    assert len({entry["key"] for entry in entries if "key" in entry}) == 1
    assert [entry["error"] for entry in refused] == ["Bucket not found", "Invalid activation token"]
    assert all(entry["milliseconds"] > 0 for entry in entries)
    assert [line for line in lines if not line["logger"].startswith("pymdc.bridge") and line["level"] == "debug"] == []
    secrets = (account.password, token, pointer["token"], json.loads(asked)["token"], link.rpartition("/")[2],
               "5e" * 32, signature, "argon2id", "Basic", account.key)
    for secret in secrets:
        assert secret not in log


def test_a_database_that_fails_is_told_of_without_what_it_was_given(tmp_path, caplog):
    email, password, link = "ann@example.com", "ab" * 32, "5e" * 32
    with LocalBridge(tmp_path) as bridge:
        with contextlib.closing(sqlite3.connect(tmp_path / "bridge.sqlite")) as database:
            for table in ("registrations", "accounts", "tokens"):
                database.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")
        nobody = Wire(bridge.url)
        answers = [
            nobody.post("/users", {"email": email, "password": password}), nobody.get("/activations/" + link),
            Basic(bridge.url, email, password).get("/keys"),
            nobody.put("/buckets/" + "0" * 24 + "/files", multipart(b"x"), link, 1),
        ]

    logged = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert [answer.status_code >= 500 for answer in answers] == [True] * 4
    assert logged.count("no such table") >= 4
    for secret in (email, password, link, hashlib.sha256(link.encode()).hexdigest(), "argon2id"):
        assert secret not in logged + "".join(answer.text for answer in answers)


def test_every_answer_carries_security_headers(wire):
    answers = [wire.get("/"), wire.get("/nowhere"), wire.get("/health"), wire.get("/keys")]

    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "WWW-Authenticate" not in answer.headers
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 4


def test_a_bridge_with_tls_serves_https_and_wss(tmp_path):
    with LocalBridge(tmp_path, host="127.0.0.1", **TLS) as bridge:
        url = bridge.url.replace("127.0.0.1", "localhost")
        client = pymdc.Client(url, verify=str(TLS["tls_cert"]))
        answer = requests.get(url + "/", verify=TLS["tls_cert"], timeout=10)
        user = pymdc.api.Users("tess@example.com", "secret", client=client)
        user.register()
        user.activate(bridge.activation_token("tess@example.com"))
        bucket = pymdc.api.Bucket(pymdc.api.Buckets(user).create("b", 1, 1)["id"], user)
        (tmp_path / "file").write_bytes(b"content" * 2_000_000)
        stored = bucket.files.upload(tmp_path / "file")
        pointer = requests.get(
            f"{url}/buckets/{stored['bucket']}/files/{stored['hash']}", verify=TLS["tls_cert"], timeout=10,
            headers={"x-token": bucket.files.token("PULL")["token"]},
        ).json()[0]
        channel = websocket.create_connection(
            pointer["channel"].replace("127.0.0.1", "localhost"), timeout=10, sslopt={"ca_certs": TLS["tls_cert"]},
        )
        channel.send(json.dumps({"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL"}))
        shard = channel.recv()
        channel.shutdown()

    assert bridge.url.startswith("https://127.0.0.1:")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert stored["size"] == 14_000_000
    assert pointer["channel"].startswith("wss://") and shard == (b"content" * 2_000_000)[:SHARD]


@pytest.mark.parametrize("options, complaint", [
    ({"host": "0.0.0.0"}, "passwords must not travel in the clear"),
    ({"host": "::"}, "passwords must not travel in the clear"),
    ({"host": "bridge.example"}, "passwords must not travel in the clear"),
    ({"tls_cert": "cert.pem"}, "tls-cert and tls-key belong together"),
    ({"behind_proxy": ("proxy.example",)}, "behind-proxy must be addresses"),
    ({"workers": 0}, "workers must be"),
    ({"workers": 2}, "workers are processes"),
    ({"rates": "slow"}, "rates must be on or off"),
    ({"account_storage": -1}, "account-storage must be"),
    ({"redirect_host": ("https://www.example.com",)}, "redirect-host must be names"),
    ({"public_url": "https://bridge.example/sub"}, "public-url must be like https://bridge.example, without a path"),
    ({"metrics_token": "short"}, "metrics-token must be at least 8 characters"),
])
def test_an_option_that_makes_no_sense_is_named(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        LocalBridge(**options)


def test_a_bridge_beyond_loopback_wants_a_proxy(running):
    bridge = running("--host", "0.0.0.0", "--behind-proxy")

    assert Wire(bridge.url).get("/").status_code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_bad_certificate_is_named_in_a_line(tmp_path, workers):
    (tmp_path / "bad.pem").write_text("no certificate")

    ended = subprocess.run(
        [sys.executable, "-m", "pymdc.bridge", "--port", "0", "--data-dir", tmp_path / "data", "--workers", workers,
         "--tls-cert", tmp_path / "bad.pem", "--tls-key", tmp_path / "bad.pem"],
        capture_output=True, text=True, timeout=30,
    )

    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr.startswith("Error: cannot serve") and ended.stderr.count("\n") == 1


@pytest.fixture
def reader(tmp_path):
    """A function that reads a shard of 8 MiB by websocket, a little at a time, and returns how much came of it."""
    with LocalBridge(tmp_path, silence=0.4) as bridge:
        account = registered(bridge)
        bucket = account.bucket()
        pointer = account.pointers(bucket, account.upload(bucket, os.urandom(SHARD))).json()[0]

        def read(pause, size):
            connection = socket.create_connection(bridge.url.rpartition("/")[2].split(":"), timeout=10)
            channel = websocket.create_connection(pointer["channel"], socket=connection)
            channel.send(json.dumps({"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL"}))
            came = 0
            with connection, contextlib.suppress(OSError):
                time.sleep(pause)
                while block := connection.recv(size):
                    came += len(block)
                    time.sleep(size / RATE)
            return came

        yield read


def test_a_reader_who_takes_nothing_is_cut(reader):
    assert reader(pause=2, size=SHARD) < SHARD


def test_a_reader_may_be_slow(reader):
    assert reader(pause=0, size=100_000) > SHARD


def test_headers_that_do_not_come_are_not_waited_for(tmp_path):
    with LocalBridge(tmp_path, silence=0.2) as bridge:
        host, port = bridge.url.rpartition("/")[2].split(":")

        for beginning in (b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 1000):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(beginning)
                while connection.recv(65536):
                    pass
