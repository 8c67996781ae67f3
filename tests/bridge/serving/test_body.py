"""Large bodies, which are received past the server's callbacks: whole, bounded, and not a byte beyond."""

import errno
import os
import ssl
import sys
import threading
import time
from pathlib import Path

import pytest
from uvicorn.protocols.http import httptools_impl

import pymdc.testing
import raw
from pymdc.bridge import LocalBridge
from pymdc.bridge.serving import protocol
from pymdc.bridge.serving.body import BUFFER, BUFFERS, Body
from pymdc.bridge.serving.protocol import READ_UPLOAD
from pymdc.bridge.storage import folder
from pymdc.bridge.storage.incoming import Incoming
from used_bridge import UsedBridge
from waiting import eventually
from wire import BOUNDARY, Wire, hash_of, multipart

CERTIFICATES = Path(__file__).parents[2] / "certificates"
TLS = {"tls_cert": CERTIFICATES / "localhost.crt", "tls_key": CERTIFICATES / "localhost.key"}
MIB = 1024 * 1024
SHARD = 8 * MIB


@pytest.fixture
def bucket(alice):
    return "/buckets/" + alice.bucket()


def head(alice, bucket, size, **headers):
    """Return the headers of a direct upload."""
    headers = {"x-token": alice.token(bucket[9:]), "Content-Length": size, **headers}
    return raw.request("PUT", f"{bucket}/files?size={size}", headers)


def objects(local):
    return set((local.outbox.parent / "shards").glob("*/*"))


@pytest.fixture
def bodies(monkeypatch):
    """The bodies that are received apart."""
    made = []

    class Watched(Body):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(protocol, "Body", Watched)
    return made


def metric(local, name):
    return float(Wire(local.url).get("/metrics").text.split(f"\n{name} ")[1].split()[0])


def sent_in_pieces(connection, data, size):
    for start in range(0, len(data), size):
        connection.send(data[start:start + size])


@pytest.mark.parametrize("size", [300_000, BUFFER, 2 * BUFFER + 1, SHARD, 3 * SHARD, 3 * SHARD + 5])
@pytest.mark.parametrize("piece", [65_537, 3 * BUFFER])
def test_a_body_is_read_whole_and_not_a_byte_beyond(alice, bucket, local, bodies, size, piece):
    content = os.urandom(size)
    again = raw.request("PUT", f"{bucket}/files?size=5", {"x-token": alice.token(bucket[9:])}, b"again")

    with raw.Connection(local.url) as connection:
        connection.send(head(alice, bucket, size))
        sent_in_pieces(connection, content + again + raw.LAST, piece)
        answers = connection.answers()

    assert [answer.status for answer in answers] == [200, 200, 204]
    assert [answer.json()["hash"] for answer in answers[:2]] == [hash_of(content), hash_of(b"again")]
    assert bodies[0].came > size - 2 * READ_UPLOAD
    assert not bodies[0].left


def test_it_is_counted(alice, bucket, local):
    before = metric(local, "pymdc_received_bytes_total")
    raw.talk(local.url, head(alice, bucket, SHARD) + bytes(SHARD))

    assert SHARD <= metric(local, "pymdc_received_bytes_total") - before < SHARD + 1000


def test_a_form_is_received_so_too(alice, bucket, local, bodies):
    content = os.urandom(SHARD + 3)
    form = multipart(content)
    headers = {"x-token": alice.token(bucket[9:]), "x-filesize": len(content),
               "Content-Type": "multipart/form-data; boundary=" + BOUNDARY}

    answer, = raw.talk(local.url, raw.request("PUT", bucket + "/files", headers, form))

    assert answer.json()["hash"] == hash_of(content)
    assert bodies[0].came > SHARD - 2 * READ_UPLOAD


def test_over_tls_as_well(tmp_path, bodies):
    content = os.urandom(2 * SHARD + 5)
    with LocalBridge(tmp_path, **TLS) as bridge:
        client = pymdc.Client(bridge.url.replace("127.0.0.1", "localhost"), verify=TLS["tls_cert"], raise_errors=True)
        made = pymdc.testing.account(bridge, client)
        bucket = pymdc.api.Buckets(made.key_pair, client=client).create("b", 1, 1, [made.key_pair])
        token = pymdc.api.Bucket(bucket, made.key_pair, client=client).files.token("PUSH")["token"]
        target = f"/buckets/{bucket['id']}/files?size={len(content)}"

        with raw.Connection(bridge.url) as connection:
            connection._socket = ssl.create_default_context(cafile=TLS["tls_cert"]).wrap_socket(
                connection._socket, server_hostname="localhost")
            connection.send(raw.request("PUT", target, {"x-token": token}, content) + raw.LAST)
            stored, last = connection.answers()

    assert (stored.json()["hash"], last.status) == (hash_of(content), 204)
    assert bodies[0].came > SHARD or sys.version_info < (3, 11)


@pytest.mark.parametrize("size", [SHARD, 4 * SHARD])
def test_no_block_is_copied(alice, bucket, local, monkeypatch, size):
    write, buffers, copied = Incoming.write, set(), []

    def note(self, data):
        if isinstance(data.obj, bytearray):
            buffers.add(id(data.obj))
        else:
            copied.append(len(data))
        write(self, data)

    monkeypatch.setattr(Incoming, "write", note)
    raw.talk(local.url, head(alice, bucket, size) + bytes(size))

    assert 1 <= len(buffers) <= BUFFERS
    assert sum(copied) <= 2 * BUFFER  # what comes with the headers, and the end, however long the body is


def test_who_waits_for_a_word_is_told_to_go_on(alice, bucket, local, monkeypatch):
    monkeypatch.setattr(httptools_impl, "HIGH_WATER_LIMIT", 0)  # bytes at which the server reads no more for now
    content = os.urandom(2 * MIB)

    with raw.Connection(local.url) as connection:
        connection.send(head(alice, bucket, len(content), Expect="100-continue"))
        assert connection.exactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(content)
        assert connection.answer().json()["hash"] == hash_of(content)


def test_a_slow_disk_slows_the_sender(alice, bucket, local, bodies, monkeypatch):
    content, free = os.urandom(64 * MIB), threading.Event()
    write = folder.ShardWriter.write
    monkeypatch.setattr(folder.ShardWriter, "write", lambda self, data: free.wait(30) and write(self, data))
    connection = raw.Connection(local.url, timeout=30)
    sender = threading.Thread(target=connection.send, args=(head(alice, bucket, len(content)) + content,))

    with connection:
        sender.start()
        try:
            eventually(lambda: bodies and bodies[0]._filling is None)
            sender.join(0.5)
            assert sender.is_alive()
            assert bodies[0].came == BUFFERS * BUFFER
        finally:
            free.set()
            sender.join(30)
        assert connection.answer().json()["hash"] == hash_of(content)


def test_a_disk_that_fills_up_is_an_answer_and_the_rest_is_drained(alice, bucket, local, monkeypatch):
    before, write = objects(local), folder.ShardWriter.write

    def fail(self, data):
        if self.size > 4 * MIB:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, data)

    monkeypatch.setattr(folder.ShardWriter, "write", fail)
    with raw.Connection(local.url) as connection:
        connection.send(head(alice, bucket, SHARD) + os.urandom(SHARD))
        answer, end = connection.answer(), connection.answer()

    assert (answer.status, answer.closes, end) == (507, True, None)
    assert objects(local) == before


@pytest.mark.parametrize("where, name", [(os, "fsync"), (folder, "sync_folder")])
def test_a_shard_that_cannot_be_synced_fails_the_upload(alice, bucket, local, monkeypatch, where, name):
    before, sync = objects(local), getattr(where, name)
    failures = [OSError(errno.EIO, os.strerror(errno.EIO))]

    def fail(what):
        if failures:
            raise failures.pop()
        sync(what)

    monkeypatch.setattr(where, name, fail)
    content = os.urandom(3 * SHARD)
    answers = [raw.talk(local.url, head(alice, bucket, len(content)) + content)[0] for _ in range(2)]

    assert [answer.status for answer in answers] == [503, 200]
    assert len(objects(local)) == len(before) + 3


def test_a_shard_is_synced_while_the_next_one_comes(alice, bucket, local, monkeypatch):
    content, came = os.urandom(2 * SHARD), threading.Event()
    write, keep = folder.ShardWriter.write, folder.ShardWriter.keep
    waited = []

    def note(self, data):
        if self._name.endswith("-1"):
            came.set()
        write(self, data)

    def wait(self):
        if self._name.endswith("-0"):
            waited.append(came.wait(30))
        return keep(self)

    monkeypatch.setattr(folder.ShardWriter, "write", note)
    monkeypatch.setattr(folder.ShardWriter, "keep", wait)
    answer, = raw.talk(local.url, head(alice, bucket, len(content)) + content)

    assert (answer.status, waited) == (200, [True])


@pytest.mark.parametrize("size", [300_000, 3 * MIB, 12 * MIB])
def test_who_leaves_in_the_middle_leaves_nothing(alice, bucket, local, bodies, size):
    before = objects(local)

    with raw.Connection(local.url) as connection:
        connection.send(head(alice, bucket, 2 * SHARD) + os.urandom(size))
        eventually(lambda: bodies and bodies[0].came > size - 2 * READ_UPLOAD)

    eventually(lambda: metric(local, "pymdc_uploads") == 0)
    assert objects(local) == before


@pytest.mark.parametrize("came", [300_000, 3 * MIB])
def test_who_falls_silent_is_told_so(tmp_path, bodies, came):
    with UsedBridge(tmp_path / "data", silence=0.4) as world:
        account = world.register().account
        with raw.Connection(account.nobody.url) as connection:
            connection.send(head(account, "/buckets/" + world.bucket, SHARD) + os.urandom(came))
            answer = connection.answer()

    assert (answer.status, answer.json()) == (408, {"error": "Nothing came for 0.4 seconds"})
    assert bodies


def test_what_comes_slowly_is_not_held_back(tmp_path, bodies):
    """Each block renews the upload, which would be given up else."""
    content = os.urandom(300_000)
    with UsedBridge(tmp_path / "data", silence=0.2) as world:
        account = world.register().account
        with raw.Connection(account.nobody.url) as connection:
            connection.send(head(account, "/buckets/" + world.bucket, len(content)))
            for start in range(0, len(content), 10_000):
                connection.send(content[start:start + 10_000])
                time.sleep(0.1)
            answer = connection.answer()

    assert answer.json()["hash"] == hash_of(content)
    assert bodies
