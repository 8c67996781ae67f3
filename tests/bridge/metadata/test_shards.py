"""Files of more shards than one statement has room for."""

import time

import pytest

from pymdc.bridge.metadata import Asker, Room, shards


@pytest.fixture
def bucket(memory, monkeypatch):
    """A bucket, where a statement has room for two values."""
    monkeypatch.setattr(shards, "_GROUP", 2)
    memory.accounts.register(
        {"email": "a@example.com", "password": "hash", "created": 0},
        {"token": "t", "password": "hash", "redirect": None, "point": None, "text": None, "created": 0},
    )
    memory.accounts.activate("t", 1)
    return memory.buckets.add("a@example.com", 0, {"name": "b", "storage": 1, "transfer": 1}, {}, Asker())["id"]


def enter(memory, bucket, upload_id, name):
    """Enter a file of five shards, whose objects are named after the upload."""
    now = int(time.time() * 1000)
    room = Room(account=10**9, at_once=64, disk=lambda: 10**15, written=dict)
    memory.uploads.begin({"id": upload_id, "bucket": bucket, "size": 5, "expires": 10**15}, room, now, Asker())
    pieces = [
        {"object": f"{n}-{upload_id}-{n}", "hash": f"{n}" * 40, "sha256": f"{n}" * 64, "size": 1} for n in range(5)
    ]
    file = {"bucket": bucket, "mimetype": "text/plain", "filename": name, "size": 5, "hash": name * 40,
            "created": now}
    memory.uploads.finish(upload_id, file, pieces, now)


def test_the_shards_of_a_long_file_are_known_when_they_come_again(memory, bucket):
    enter(memory, bucket, "first", "a")
    enter(memory, bucket, "second", "b")

    assert len(list(memory.shards.all())) == 5


def test_the_shards_of_a_long_file_go_with_it_all_of_them(memory, bucket):
    enter(memory, bucket, "first", "a")

    memory.files.delete("a@example.com", bucket, "a" * 40, Asker())

    assert list(memory.shards.all()) == []
    assert len(memory.shards.unneeded(0)) == 5
