"""Quotas: never over, held while an upload lasts, and given back."""

import contextlib
import threading

import pytest

import pymdc
import raw
from half_upload import HalfUpload
from pymdc.bridge import LocalBridge
from pymdc.bridge.metadata import Asker, Room, sqlite, tables
from pymdc.bridge.refusal import Refusal
from pymdc.bridge.storage.folder import FolderStore
from pymdc.bridge.storage.incoming import Incoming
from pymdc.bridge.storage.store import SHARD_SIZE
from waiting import eventually
from wire import BOUNDARY, Account, multipart, race, registered

MEGABYTE = 1000 * 1000


def put(account, bucket, content, size=None):
    return account.nobody.put(
        f"/buckets/{bucket}/files", multipart(content), account.token(bucket), len(content) if size is None else size,
    )


@pytest.mark.both_databases
def test_parallel_uploads_never_exceed_the_storage_of_a_bucket(alice):
    bucket = alice.bucket(storage=0.004)

    answers = race(8, lambda number: put(alice, bucket, bytes([number]) * MEGABYTE))

    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [413] * 4
    assert len(alice.signed.get(f"/buckets/{bucket}/files").json()) == 4


def test_parallel_uploads_never_exceed_the_storage_of_an_account(carol):
    buckets = [carol.bucket() for _ in range(4)]

    answers = race(8, lambda number: put(carol, buckets[number % 4], bytes([number]) * 600_000))

    refused = [answer for answer in answers if answer.status_code != 200]
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [413] * 5
    assert all(answer.json()["error"].startswith("Account storage exceeded: 600000 bytes") for answer in refused)


def test_room_is_given_back_when_an_upload_fails_and_when_a_file_is_deleted(alice):
    bucket = alice.bucket(storage=0.001)

    for _ in range(3):
        assert put(alice, bucket, b"short", size=MEGABYTE).status_code == 400
        answer = put(alice, bucket, b"x" * MEGABYTE)
        assert answer.status_code == 200
        assert put(alice, bucket, b"y" * MEGABYTE).status_code == 413
        assert alice.signed.delete(f"/buckets/{bucket}/files/{answer.json()['hash']}").status_code == 204


def test_the_room_of_an_upload_is_taken_before_its_body_comes(alice, local):
    bucket = alice.bucket(storage=0.001)

    slow = HalfUpload(alice, bucket, b"x" * MEGABYTE, left=MEGABYTE // 2)
    during = put(alice, bucket, b"y")

    assert during.status_code == 413
    assert slow.finish().status_code == 200


@pytest.mark.parametrize("size, words", [(1, "1 bytes, counted as 4096,"), (4095, "4095 bytes, counted as 4096,"),
                                         (4096, "4096 bytes"), (4097, "4097 bytes")])
def test_a_file_counts_as_4_kib_at_least(alice, size, words):
    bucket = alice.bucket(storage=0.00001)  # 10 000 bytes

    kept = [put(alice, bucket, content * size) for content in (b"a", b"b")]
    refused = put(alice, bucket, b"c" * size)

    assert [answer.status_code for answer in kept] == [200, 200]
    assert refused.status_code == 413
    used = 2 * max(size, 4096)
    assert refused.json()["error"] == f"Bucket storage exceeded: {words} do not fit beside {used} of 10000"


@pytest.mark.parametrize("size", [1, 4097])
def test_a_file_that_is_deleted_gives_back_what_it_counted_as(alice, size):
    bucket = alice.bucket(storage=0.00001)
    for number in range(5):
        answer = put(alice, bucket, bytes([number]) * size)
        assert answer.status_code == 200
        alice.signed.delete(f"/buckets/{bucket}/files/{answer.json()['hash']}")

    assert put(alice, bucket, b"x" * 10_000).status_code == 200


def test_a_small_file_counts_as_4_kib_in_its_account_too(tmp_path):
    with LocalBridge(tmp_path, account_storage=0.00001) as bridge:
        carol = registered(bridge, "carol@example.com")
        statuses = [put(carol, carol.bucket(), bytes([number])).status_code for number in range(3)]

    assert statuses == [200, 200, 413]


def test_an_upload_of_a_small_file_holds_4_kib_of_the_disk(tmp_path):
    with contextlib.closing(sqlite(tmp_path / "bridge.sqlite")) as memory:
        memory.accounts.register({"email": "kim@example.com", "password": "hash", "created": 0}, {
            "token": "t", "password": "hash", "redirect": None, "point": None, "text": None, "created": 0,
        })
        bucket = memory.buckets.add("kim@example.com", 0, {"name": "b", "storage": 1, "transfer": 1}, {}, Asker())["id"]
        room = Room(account=10**9, at_once=64, disk=lambda: 10_000, written=dict)

        for name in "ab":
            memory.uploads.begin({"id": name, "bucket": bucket, "size": 1, "expires": 10**15}, room, 0, Asker())

        with pytest.raises(Refusal, match="No space left on the bridge"):
            memory.uploads.begin({"id": "c", "bucket": bucket, "size": 1, "expires": 10**15}, room, 0, Asker())


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A bridge on a disk for 30 MB of shards."""
    def free_space(store):
        return 30 * MEGABYTE - sum(path.stat().st_size for path in tmp_path.glob("data/shards/*/*"))

    monkeypatch.setattr(FolderStore, "free_space", free_space)
    with LocalBridge(tmp_path / "data", free_space=0) as bridge:
        yield bridge


@pytest.mark.parametrize("came", [5 * MEGABYTE, 18 * MEGABYTE])
def test_an_upload_under_way_holds_what_it_has_still_to_bring(small_disk, tmp_path, came):
    """What has come of it is on the disk already, and counts once."""
    store = FolderStore(tmp_path / "data" / "shards")
    eve, dan = (registered(small_disk, f"{name}@example.com") for name in ("eve", "dan"))
    content = b"x" * 20 * MEGABYTE
    with raw.Connection(small_disk.url, timeout=60) as connection:
        bucket = eve.bucket()
        headers = {"x-token": eve.token(bucket), "Content-Length": len(content)}
        connection.send(raw.request("PUT", f"/buckets/{bucket}/files?size={len(content)}", headers, content[:came]))
        eventually(lambda: sum(store.written().values()) > came - 3 * MEGABYTE)  # the rest waits in memory

        bucket = dan.bucket()
        too_much, enough = (put(dan, bucket, b"y" * size) for size in (10 * MEGABYTE + 1, 10 * MEGABYTE))
        one_more = put(dan, bucket, b"z")
        connection.send(content[came:])
        held = connection.answer()

    assert (too_much.status_code, too_much.json()) == (507, {"error": "No space left on the bridge"})
    assert [enough.status_code, one_more.status_code, held.status] == [200, 507, 200]


@pytest.mark.parametrize("size", [1, SHARD_SIZE - 1, SHARD_SIZE, SHARD_SIZE + 1, 2 * SHARD_SIZE])
def test_what_has_come_of_an_upload_can_be_told_at_any_time(tmp_path, size):
    store = FolderStore(tmp_path)
    incoming = Incoming(store, 3 * SHARD_SIZE)

    incoming.write(memoryview(bytes(size)))

    assert size - 8192 < store.written()[incoming.id] <= size  # the rest is in the buffer of the file
    incoming.discard()
    assert list(store.objects()) == []


def test_an_account_has_only_so_many_uploads_at_a_time(tmp_path):
    with LocalBridge(tmp_path, uploads_at_once=2) as bridge:
        carol, dan = (registered(bridge, f"{name}@example.com") for name in ("carol", "dan"))
        buckets = [carol.bucket(), carol.bucket()]
        slow = [HalfUpload(carol, bucket, b"x" * 100_000, left=30_000) for bucket in buckets]
        eventually(lambda: put(carol, buckets[0], b"one more").status_code == 429)
        third, another_s = put(carol, buckets[0], b"one more"), put(dan, dan.bucket(), b"x")
        answers = [upload.finish() for upload in slow]

        assert third.json() == {"error": "Too many uploads: an account may have 2 at a time"}
        assert third.headers["Retry-After"] == "1"
        assert another_s.status_code == 200
        assert [answer.status_code for answer in answers] == [200, 200]
        assert put(carol, buckets[0], b"one more").status_code == 200


@pytest.mark.parametrize("piece", [b"x", b"x" * 20])
def test_an_upload_that_comes_too_slowly_is_given_up_with_its_room(tmp_path, piece):
    """It is never silent for as long as it may be."""
    with LocalBridge(tmp_path, silence=0.4) as bridge:
        carol = registered(bridge, "carol@example.com")
        bucket, left = carol.bucket(storage=0.001), threading.Event()
        head = raw.request("PUT", f"/buckets/{bucket}/files", {
            "x-token": carol.token(bucket), "x-filesize": MEGABYTE,
            "Content-Type": "multipart/form-data; boundary=" + BOUNDARY, "Content-Length": 2 * MEGABYTE,
        })

        def send_slowly(connection):
            while not left.wait(0.05):
                connection.send(piece)

        with raw.Connection(bridge.url, timeout=60) as connection:
            connection.send(head + multipart(b"x" * MEGABYTE)[:200])
            slow = threading.Thread(target=send_slowly, args=(connection,))
            slow.start()
            answer = connection.answer()
            left.set()
            slow.join()

        assert (answer.status, answer.json()) == (408, {"error": "Slower than 1024 bytes a second for 0.4 seconds"})
        assert put(carol, bucket, b"y" * MEGABYTE).status_code == 200


@pytest.mark.both_databases
def test_parallel_downloads_never_exceed_the_transfer_of_a_bucket(alice):
    bucket = alice.bucket(transfer=0.003)
    file_hash = alice.upload(bucket, b"x" * MEGABYTE)
    pointers = [alice.pointers(bucket, file_hash).json()[0] for _ in range(6)]

    answers = race(6, lambda number: alice.nobody.get(
        "/shards/" + pointers[number]["hash"], headers={"x-token": pointers[number]["token"]}
    ))

    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [403] * 3
    assert alice.pointers(bucket, file_hash).status_code == 403


def test_a_disk_that_is_nearly_full_takes_no_file_and_keeps_the_old_ones(tmp_path):
    with LocalBridge(tmp_path) as bridge:
        account = registered(bridge, "dan@example.com")
        bucket = account.bucket()
        kept = account.upload(bucket, b"old")
        token = account.token(bucket)
    with LocalBridge(tmp_path, free_space=10**9) as bridge:
        account = Account(bridge.url, account.email, account.password, account.key_pair)
        answer = account.nobody.put(f"/buckets/{bucket}/files", multipart(b"x"), token, 1)
        health = account.nobody.get("/health")
        pointers = account.pointers(bucket, kept)

    assert (answer.status_code, answer.json()) == (507, {"error": "No space left on the bridge"})
    assert pointers.status_code == 200
    assert (health.status_code, health.json()) == (503, {
        "error": "Failing: disk", "status": "failing", "database": "ok", "store": "ok", "disk": "failing",
        "schema": tables.REVISION,
    })


@pytest.fixture
def full(tmp_path):
    """An account with a bucket, on a bridge whose disk has filled up since."""
    with LocalBridge(tmp_path) as bridge:
        account = registered(bridge, "dan@example.com")
        bucket = account.bucket()
        account.upload(bucket, b"old")
    with LocalBridge(tmp_path, free_space=10**9) as bridge:
        yield Account(bridge.url, account.email, account.password, account.key_pair), bucket


GROWTH = {
    "a registration": lambda account, bucket: account.nobody.post(
        "/users", {"email": "new@example.com", "password": "ab" * 32}),
    "a reset": lambda account, bucket: account.nobody.post("/resets", {"email": account.email}),
    "a key": lambda account, bucket: account.signed.post("/keys", {"key": pymdc.keypair.ECDSA().get_public_key()}),
    "a bucket": lambda account, bucket: account.signed.post("/buckets", {}),
    "a longer list of keys": lambda account, bucket: account.signed.patch(
        "/buckets/" + bucket, {"pubkeys": [account.key, pymdc.keypair.ECDSA().get_public_key()]}),
    "a token for an upload": lambda account, bucket: account.signed.post(
        f"/buckets/{bucket}/tokens", {"operation": "PUSH"}),
    "a token that lasts": lambda account, bucket: account.signed.post(
        f"/buckets/{bucket}/tokens", {"operation": "PULL", "expires_in": 86400}),
}


@pytest.mark.parametrize("grow", list(GROWTH.values()), ids=list(GROWTH))
def test_a_disk_that_is_nearly_full_takes_nothing_that_grows(full, grow):
    answer = grow(*full)

    assert (answer.status_code, answer.json()) == (507, {"error": "No space left on the bridge"})


@pytest.mark.parametrize("kept, warned", [(10**6, True), (0.001, False)])  # GB
def test_a_bridge_that_starts_on_a_disk_that_is_nearly_full_says_so(caplog, kept, warned):
    with LocalBridge(free_space=kept):
        assert ("nothing can be stored: of the disk --free-space keeps" in caplog.text) is warned


SHRINKAGE = {
    "a listing": lambda account, bucket: account.signed.get(f"/buckets/{bucket}/files"),
    "a shorter list of keys": lambda account, bucket: account.signed.patch("/buckets/" + bucket, {"pubkeys": []}),
    "another name": lambda account, bucket: account.signed.patch("/buckets/" + bucket, {"name": "x"}),
    "a deletion of a file": lambda account, bucket: account.signed.delete(
        f"/buckets/{bucket}/files/" + account.signed.get(f"/buckets/{bucket}/files").json()[0]["hash"]),
    "a deletion of a bucket": lambda account, bucket: account.signed.delete("/buckets/" + bucket),
    "a deletion of a key": lambda account, bucket: account.signed.delete("/keys/" + account.key),
}


@pytest.mark.parametrize("shrink", list(SHRINKAGE.values()), ids=list(SHRINKAGE))
def test_a_disk_that_is_nearly_full_can_be_looked_at_and_emptied(full, shrink):
    assert shrink(*full).status_code in (200, 204)
