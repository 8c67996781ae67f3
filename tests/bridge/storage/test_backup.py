"""Backups: made while the bridge runs, again and again, also of a store that is damaged; and what is made of them."""

import errno
import os
import sqlite3
import threading
import time

import pytest

import pymdc
from pymdc.bridge.metadata import shards
from pymdc.bridge.storage import backup
from pymdc.bridge.storage.backup import back_up
from pymdc.bridge.storage.datafolder import DataFolder
from pymdc.bridge.storage.folder import FolderStore
from seaweedfs import StoredFile
from used_bridge import SHARD, UsedBridge, command, flip_a_byte, rows
from wire import Signed, multipart

MINUTE = 60_000  # milliseconds


@pytest.fixture
def store_url():
    """What is told here is told of folders."""
    return None


@pytest.fixture
def target(tmp_path):
    return tmp_path / "backup"


def make_backup(world, target):
    """Make a backup in this process, and return what was copied."""
    return back_up(DataFolder(world.folder), DataFolder(target), print)


def objects(folder):
    return sorted(path for path in (folder / "shards").rglob("*-*"))


def test_a_backup_of_a_running_bridge_is_restored_with_all_there_was(world, tmp_path):
    contents = {}
    for size in (0, 1, 70_000, SHARD, 2 * SHARD + 5):
        content = os.urandom(size)
        contents[world.account.upload(world.bucket, content, f"{size}.bin")] = content
    paths = ("/keys", f"/buckets/{world.bucket}", f"/buckets/{world.bucket}/files")
    before = {path: world.account.signed.get(path).json() for path in paths}
    busy_bucket = world.account.signed.post("/buckets", {"name": "busy"}).json()["id"]
    stop = threading.Event()
    busy = threading.Thread(target=lambda: _keep_busy(world, busy_bucket, stop))
    busy.start()

    made = command("backup", "--data-dir", world.folder, tmp_path / "backup")
    stop.set()
    busy.join(30)
    restored = command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    assert (made.returncode, made.stderr, restored.returncode, restored.stderr) == (0, "", 0, "")
    with UsedBridge(tmp_path / "new", world.key_pair) as copy:
        assert {path: copy.account.basic.get(path).json() for path in before} == before
        copy.account.signed = copy.account.basic
        for file_hash, content in contents.items():
            assert copy.download(world.bucket, file_hash) == (200, content)


def _keep_busy(world, bucket, stop):
    while not stop.is_set():
        file_hash = world.account.upload(bucket, os.urandom(1000))
        world.account.signed.delete(f"/buckets/{bucket}/files/{file_hash}")


def test_a_backup_is_made_again_on_the_same_folder(world, tmp_path):
    first = world.account.upload(world.bucket, b"first" * 4000)
    command("backup", "--data-dir", world.folder, tmp_path / "backup")
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "backup" / "shards").rglob("*-*")}
    second = world.account.upload(world.bucket, b"second" * 4000)
    again = command("backup", "--data-dir", world.folder, tmp_path / "backup")
    world.account.signed.delete(f"/buckets/{world.bucket}/files/{first}")
    both = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "backup" / "shards").rglob("*-*")}
    command("backup", "--data-dir", world.folder, tmp_path / "backup")
    last = [path.name for path in (tmp_path / "backup" / "shards").rglob("*-*")]

    assert len(kept) == 1 and kept.items() <= both.items()
    assert again.stdout == "2 shards in the backup, 1 of them new, 0 in its database; 0 damaged, and not copied\n"
    assert len(both) == 2
    assert len(last) == 1 and last[0].startswith(second)


def test_a_restored_bridge_takes_no_request_from_before(world, tmp_path):
    token = world.account.token(world.bucket)
    command("backup", "--data-dir", world.folder, tmp_path / "backup")
    world.account.signed.post("/buckets", {"name": "once"})
    request = world.account.signed.last

    command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    with UsedBridge(tmp_path / "new", world.key_pair) as copy:
        request.url = request.url.replace(world.bridge.url, copy.bridge.url)
        replayed = Signed(copy.bridge.url, world.key_pair)
        replayed.last = request
        assert replayed.send_again().json() == {"error": "Invalid nonce supplied"}
        assert copy.account.nobody.put(f"/buckets/{world.bucket}/files", multipart(b"x"), token, 1).status_code == 401
        assert pymdc.api.Buckets(world.key_pair, client=pymdc.Client(copy.bridge.url)).list()[0]["id"] == world.bucket


def test_a_restore_that_is_broken_off_cannot_be_taken_for_a_bridge(world, tmp_path):
    world.account.upload(world.bucket, b"x" * 20_000)
    command("backup", "--data-dir", world.folder, tmp_path / "backup")
    (tmp_path / "backup" / "bridge.sqlite").rename(tmp_path / "gone")

    restored = command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")
    served = command("serve", "--port", "0", "--data-dir", tmp_path / "new")

    assert restored.returncode == served.returncode == 1
    assert "its restore was broken off: empty it, and restore again" in served.stderr


@pytest.mark.parametrize("harm, flaw", [
    (flip_a_byte, "has wrong bytes"),
    (lambda path: os.truncate(path, 5000), "has wrong bytes"),
    (os.unlink, "is missing"),
])
def test_a_backup_of_a_damaged_store_has_the_rest_and_ends_with_1(world, target, tmp_path, harm, flaw):
    damaged = world.account.upload(world.bucket, os.urandom(20_000))
    harmed, = world.objects
    content = b"whole" * 4000
    whole = world.account.upload(world.bucket, content)

    harm(harmed)
    made = command("backup", "--data-dir", world.folder, target)
    used = command("restore", "--data-dir", tmp_path / "new", target)

    assert (made.returncode, used.returncode) == (1, 1)
    assert made.stdout.splitlines() == [
        f"damaged: {harmed.name} {flaw}",
        "1 shards in the backup, 1 of them new, 0 in its database; 1 damaged, and not copied",
    ]
    assert [path.name[:40] for path in objects(target)] == [whole]
    with UsedBridge(tmp_path / "new", world.key_pair) as copy:
        copy.account.signed = copy.account.basic
        assert copy.download(world.bucket, whole) == (200, content)
        assert copy.download(world.bucket, damaged)[0] == 410


def test_a_backup_that_is_damaged_itself_is_found_out_when_it_is_restored(world, target, tmp_path):
    world.account.upload(world.bucket, os.urandom(20_000))
    make_backup(world, target)

    flip_a_byte(StoredFile(objects(target)[0]))
    used = command("restore", "--data-dir", tmp_path / "new", target)

    assert used.returncode == 1
    assert "1 of them damaged" in used.stdout


@pytest.mark.parametrize("harm", [
    lambda path: path.write_bytes(b"no database at all" * 1000),
    lambda path: os.truncate(path, path.stat().st_size // 2),
])
def test_a_backup_whose_database_is_damaged_is_made_again(world, target, tmp_path, harm):
    world.account.upload(world.bucket, b"first")
    make_backup(world, target)

    harm(target / "bridge.sqlite")
    make_backup(world, target)

    assert command("restore", "--data-dir", tmp_path / "new", target).returncode == 0


def test_a_backup_that_is_broken_off_leaves_the_one_before_usable(world, target, tmp_path, monkeypatch):
    world.account.upload(world.bucket, b"first" * 4000)
    make_backup(world, target)
    before = world.account.signed.get(f"/buckets/{world.bucket}/files").json()
    for content in (b"second", b"third"):
        world.account.upload(world.bucket, content * 4000)

    def take_once(store, other, name):
        monkeypatch.setattr(FolderStore, "take", fail)
        take(store, other, name)

    def fail(store, other, name):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    take = FolderStore.take
    monkeypatch.setattr(FolderStore, "take", take_once)
    with pytest.raises(OSError):
        make_backup(world, target)
    used = command("restore", "--data-dir", tmp_path / "new", target)
    monkeypatch.undo()
    again = make_backup(world, target)

    assert used.returncode == 0
    with UsedBridge(tmp_path / "new", world.key_pair) as copy:
        assert copy.account.basic.get(f"/buckets/{world.bucket}/files").json() == before
    assert (again.shards, again.new) == (3, 1)
    assert {path.name for path in target.iterdir()} <= {
        "BACKUP", "bridge.sqlite", "bridge.sqlite-door", "bridge.sqlite-turn", "lock", "outbox", "shards",
    }


def test_an_object_that_an_earlier_backup_has_cut_short_is_copied_again(world, target):
    world.account.upload(world.bucket, os.urandom(20_000))
    make_backup(world, target)

    os.truncate(objects(target)[0], 10)
    again = make_backup(world, target)

    assert (again.shards, again.new) == (1, 1)
    assert objects(target)[0].read_bytes() == world.objects[0].read_bytes()


def test_while_a_backup_copies_nothing_is_deleted_and_afterwards_it_is(world, target, monkeypatch):
    file_hash = world.account.upload(world.bucket, b"kept for the backup" * 1000)
    during, take = [], FolderStore.take

    def take_after_a_deletion(store, other, name):
        world.account.signed.delete(f"/buckets/{world.bucket}/files/{file_hash}")
        command("scrub", "--data-dir", world.folder)
        during.append(len(world.objects))
        take(store, other, name)

    monkeypatch.setattr(FolderStore, "take", take_after_a_deletion)
    copied = make_backup(world, target)

    assert (during, copied.shards) == ([1], 1)
    assert world.objects == []


def test_a_backup_that_takes_long_renews_its_hold(world, target, monkeypatch):
    for number in range(15):
        world.account.upload(world.bucket, b"%d" % number * 20_000)
    moment, left, take = [int(time.time() * 1000)], [], FolderStore.take

    def take_and_look(store, other, name):
        moment[0] += MINUTE
        with sqlite3.connect(world.folder / "bridge.sqlite") as db:
            left.append(db.execute("SELECT max(expires) FROM holds").fetchone()[0] - moment[0])
        take(store, other, name)

    monkeypatch.setattr(backup, "now", lambda: moment[0])
    monkeypatch.setattr(FolderStore, "take", take_and_look)
    make_backup(world, target)

    assert len(left) == 15 and min(left) > 0


def test_a_backup_that_was_killed_holds_nothing_back_for_long(world):
    file_hash = world.account.upload(world.bucket, b"deleted" * 3000)

    with rows(world.folder) as memory:
        memory.shards.hold_back("a backup that was killed", int(time.time() * 1000) - 1)
    world.account.signed.delete(f"/buckets/{world.bucket}/files/{file_hash}")

    assert world.objects == []


def test_mails_that_wait_are_in_the_backup_and_wait_again_when_it_is_restored(world, target, tmp_path):
    waiting = {path.name: path.read_bytes() for path in (world.folder / "outbox").glob("*.eml")}

    make_backup(world, target)
    command("restore", "--data-dir", tmp_path / "new", target)

    for folder in (target, tmp_path / "new"):
        assert {path.name: path.read_bytes() for path in (folder / "outbox").glob("*.eml")} == waiting != {}


def test_a_restored_bridge_takes_no_request_from_before_by_a_client_that_counts_in_seconds(world, target, tmp_path):
    key_pair = pymdc.keypair.ECDSA()
    world.account.basic.post("/keys", {"key": key_pair.get_public_key()})
    slow = Signed(world.bridge.url, key_pair)
    assert slow.get("/buckets", nonce=time.time()).status_code == 200
    make_backup(world, target)
    assert slow.post("/buckets", {"name": "once"}, nonce=time.time()).status_code == 200
    request = slow.last

    command("restore", "--data-dir", tmp_path / "new", target)

    with UsedBridge(tmp_path / "new", world.key_pair) as copy:
        request.url = request.url.replace(world.bridge.url, copy.bridge.url)
        replayed = Signed(copy.bridge.url, key_pair)
        replayed.last = request
        assert replayed.send_again().json() == {"error": "Invalid nonce supplied"}


def test_a_backup_has_more_shards_than_fit_a_page(world, target, monkeypatch):
    monkeypatch.setattr(shards, "_PAGE", 2)
    for number in range(5):
        world.account.upload(world.bucket, b"%d" % number * 20_000)

    copied = make_backup(world, target)

    assert (copied.shards, len(objects(target))) == (5, 5)
