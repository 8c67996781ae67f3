"""What is stored again heals, and what is sent is verified and charged."""

import concurrent.futures
import contextlib
import http.client
import os
import socket
import sqlite3
import urllib.parse

import pytest
import requests
import urllib3

from pymdc.bridge import services
from used_bridge import SHARD, UsedBridge, cut, flip_a_byte, lose
from waiting import eventually


@pytest.mark.parametrize("harm", [flip_a_byte, cut, lose])
def test_content_that_comes_again_heals_what_nobody_has_noticed(world, harm):
    content = os.urandom(SHARD) + os.urandom(5000)
    file_hash = world.account.upload(world.bucket, content)
    other = world.account.bucket()
    for path in world.objects:
        harm(path)

    world.account.upload(other, content)

    assert world.download(other, file_hash) == world.download(world.bucket, file_hash) == (200, content)
    assert len(world.objects) == 2


@pytest.mark.parametrize("size", [5000, 40_000])
def test_content_that_comes_many_times_at_once_is_kept_once(world, size):
    content = os.urandom(size)
    buckets = [world.account.bucket() for _ in range(8)]

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        hashes = set(threads.map(lambda bucket: world.account.upload(bucket, content), buckets))

    assert [world.download(bucket, *hashes) for bucket in buckets] == [(200, content)] * 8
    assert len(world.objects + world.contents) == 1


def test_a_bridge_that_dies_before_it_deletes_what_was_replaced_does_so_later(tmp_path, monkeypatch, store_url, s3_of):
    with UsedBridge(tmp_path / "data", s3=s3_of, store_url=store_url) as world:
        file_hash = world.register().account.upload(world.bucket, b"x" * 20_000)
        monkeypatch.setattr(services.Services, "sweep", lambda self, now: None)
        world.account.upload(world.bucket, b"x" * 20_000)
        both = world.objects
    monkeypatch.undo()

    with UsedBridge(tmp_path / "data", world.key_pair, s3_of, store_url) as again:
        assert (len(both), len(again.objects)) == (2, 1)
        assert again.download(world.bucket, file_hash) == (200, b"x" * 20_000)


def test_a_shard_that_is_replaced_before_it_is_opened_or_while_it_is_read_is_served(world, monkeypatch):
    content = os.urandom(SHARD)
    file_hash = world.account.upload(world.bucket, content)
    pointer, = world.account.pointers(world.bucket, file_hash).json()
    kind = type(world.bridge._server.services.store)
    really_open = kind.open

    def open_late(store, *asked):
        monkeypatch.undo()
        world.account.upload(world.bucket, content)
        return really_open(store, *asked)

    monkeypatch.setattr(kind, "open", open_late)
    with requests.get(pointer["url"], headers={"x-token": pointer["token"]}, stream=True, timeout=60) as shard:
        first = shard.raw.read(1000)
        world.account.upload(world.bucket, content)
        rest = shard.raw.read()

    assert shard.status_code == 200
    assert first + rest == content


def test_wrong_bytes_are_noticed_when_they_are_sent_and_not_charged(world):
    bucket = world.account.bucket(transfer=0.00003)
    content = os.urandom(20_000)
    file_hash = world.account.upload(bucket, content)
    flip_a_byte(world.objects[0])

    noticed = world.download(bucket, file_hash)
    withheld = world.download(bucket, file_hash)
    world.account.upload(bucket, content)

    assert noticed == (410, "The shard is damaged")
    assert withheld == (410, "The file is damaged: of its 1 shards, number 1 is lost")
    assert world.download(bucket, file_hash) == (200, content)


def test_a_damaged_file_is_refused_before_a_byte_of_it_is_sent_or_cut(world, caplog):
    small, large = (world.account.upload(world.bucket, os.urandom(size)) for size in (20_000, 3 * 1024 * 1024))
    for path in world.objects:
        flip_a_byte(path)

    def get(file_hash):
        return world.account.signed.get(f"/buckets/{world.bucket}/files/{file_hash}/content")

    assert (get(small).status_code, _transferred(world)) == (410, 0)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(large)
    assert get(large).status_code == 410
    eventually(lambda: _transferred(world) == 0)
    assert not any(record.exc_info for record in caplog.records)


def test_a_file_that_is_cut_short_is_refused_before_a_byte_of_it_is_sent(world):
    file_hash = world.account.upload(world.bucket, os.urandom(3 * 1024 * 1024))
    cut(world.objects[0])

    answer = world.account.signed.get(f"/buckets/{world.bucket}/files/{file_hash}/content")

    assert (answer.status_code, answer.json()) == (410, {"error": "The shard is damaged"})
    assert _transferred(world) == 0


def test_a_file_that_is_deleted_while_it_is_read_is_cut_and_charged_for_what_was_sent(world, caplog):
    content = os.urandom(5 * SHARD)  # more than lies on the way
    path = f"/buckets/{world.bucket}/files/{world.account.upload(world.bucket, content)}"
    basic = (world.account.email, world.account.password)

    with requests.get(world.bridge.url + path + "/content", auth=basic, stream=True, timeout=60) as answer:
        first = answer.raw.read(1000)
        world.account.basic.delete(path)
        with pytest.raises(urllib3.exceptions.ProtocolError):
            answer.raw.read()

    assert (answer.status_code, first) == (200, content[:1000])
    eventually(lambda: 0 < _transferred(world) < 5 * SHARD)
    assert "a download is cut: The file was deleted meanwhile" in caplog.messages
    assert not any(record.exc_info for record in caplog.records)


def test_what_cannot_be_opened_is_not_charged(world):
    file_hash = world.account.upload(world.bucket, os.urandom(20_000))
    world.objects[0].lose()

    answer = world.account.signed.get(f"/buckets/{world.bucket}/files/{file_hash}/content",
                                      headers={"Range": "bytes=0-9999"})

    assert (answer.status_code, answer.json()) == (410, {"error": "The shard is lost"})
    assert _transferred(world) == 0


def test_a_range_of_which_a_part_is_damaged_is_not_charged(world):
    content = os.urandom(SHARD + 20_000)
    file_hash = world.account.upload(world.bucket, content)
    flip_a_byte(min(world.objects, key=lambda stored: stored.size))

    answer = world.account.signed.get(f"/buckets/{world.bucket}/files/{file_hash}/content",
                                      headers={"Range": f"bytes={SHARD - 10}-"})

    assert (answer.status_code, _transferred(world)) == (410, 0)


def test_a_download_that_is_broken_off_is_charged_for_what_was_sent(world):
    file_hash = world.account.upload(world.bucket, os.urandom(SHARD))
    pointer, = world.account.pointers(world.bucket, file_hash).json()
    address = urllib.parse.urlsplit(world.bridge.url)

    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((address.hostname, address.port))
        connection.sendall(f"GET /shards/{pointer['hash']} HTTP/1.1\r\nHost: x\r\nx-token: {pointer['token']}\r\n\r\n"
                           .encode())
        with http.client.HTTPResponse(connection) as answer:
            answer.begin()
            assert (answer.status, len(answer.read(1000))) == (200, 1000)
            charged_whole = _transferred(world)

    assert charged_whole == SHARD
    eventually(lambda: 0 < _transferred(world) < SHARD)


def _transferred(world):
    with contextlib.closing(sqlite3.connect(world.folder / "bridge.sqlite")) as database:
        return database.execute("SELECT max(transferred) FROM buckets").fetchone()[0]
