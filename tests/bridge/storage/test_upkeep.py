"""What happens to shards that are deleted, damaged or orphaned."""

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
import time

import pytest
import sqlalchemy

import pymdc
from half_upload import HalfUpload
from pymdc.bridge import services
from pymdc.bridge.clock import HostClock, now
from pymdc.bridge.metadata import Asker, shards, sqlite, uploads
from pymdc.bridge.metadata.accounts import REGISTRATION_LIFE
from pymdc.bridge.refusal import Refusal
from pymdc.bridge.storage.data import Data
from pymdc.bridge.storage.datafolder import DataFolder
from pymdc.bridge.storage.scrub import scrub
from used_bridge import SHARD, UsedBridge, command, cut, flip_a_byte, lose, rows
from waiting import eventually
from wire import multipart

ROOM = uploads.Room(account=10**9, at_once=64, disk=lambda: 10**15, written=dict)


def test_scrub_finds_nothing_wrong_with_a_bridge_in_use(world):
    file_hash = world.account.upload(world.bucket, b"x" * SHARD + b"y")

    scrub = world.command("scrub")

    assert (scrub.returncode, scrub.stderr) == (0, "")
    assert scrub.stdout == (
        f"2 shards of {SHARD + 1} bytes checked, 0 of them damaged; 0 objects that belonged to nothing removed\n"
    )
    assert world.download(world.bucket, file_hash)[0] == 200


@pytest.mark.parametrize("harm, flaw", [
    (flip_a_byte, "has wrong bytes"),
    (cut, "has wrong bytes"),
    (lose, "is missing"),
])
def test_a_damaged_shard_is_reported_withheld_and_healed_by_uploading_it_again(world, harm, flaw):
    content = os.urandom(20_000)
    file_hash = world.account.upload(world.bucket, content, "kept.bin")
    other = world.account.bucket()
    world.account.upload(other, content, "other.bin")
    whole = world.account.upload(world.bucket, b"whole" * 5000)
    name = next(path for path in world.objects if path.size == 20_000).name

    harm(next(path for path in world.objects if path.name == name))
    scrub = world.command("scrub")
    refused = world.download(world.bucket, file_hash)
    again = world.command("scrub")
    world.account.upload(world.bucket, content, "kept.bin")
    healed = world.command("scrub")

    assert scrub.returncode == again.returncode == 1
    assert scrub.stdout.splitlines()[:3] == [
        f"damaged: {name} {flaw}; it belongs to",
        f"    bucket {world.bucket}, file {file_hash}, 'kept.bin'",
        f"    bucket {other}, file {file_hash}, 'other.bin'",
    ]
    assert refused == (410, "The file is damaged: of its 1 shards, number 1 is lost")
    assert world.download(world.bucket, whole) == (200, b"whole" * 5000)
    assert healed.returncode == 0
    assert world.download(other, file_hash) == (200, content)


@pytest.mark.parametrize("store_url", [None])
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_in_the_place_of_one_is_as_good_as_missing(world, make):
    file_hash = world.account.upload(world.bucket, os.urandom(20_000))
    path, = world.objects
    path.unlink()
    make(path)

    scrub = world.command("scrub")

    assert scrub.returncode == 1
    assert scrub.stdout.startswith(f"damaged: {path.name} is missing; it belongs to")
    assert world.download(world.bucket, file_hash)[0] == 410


def test_a_damaged_shard_that_nobody_has_noticed_fails_the_download(world, tmp_path):
    client = pymdc.Client(world.bridge.url, retries=0, raise_errors=True)
    bucket = pymdc.api.Bucket(world.bucket, world.key_pair, client=client)
    flipped = world.account.upload(world.bucket, os.urandom(20_000))
    flip_a_byte(world.objects[0])
    shortened = world.account.upload(world.bucket, os.urandom(30_000))
    cut(next(path for path in world.objects if path.size == 30_000))

    with pytest.raises(pymdc.errors.PymdcError):
        bucket.files.download(flipped, tmp_path / "target")

    assert world.download(world.bucket, shortened) == (410, "The shard is damaged")
    assert not (tmp_path / "target").exists()


def test_a_lost_shard_is_not_charged_and_is_served_again_once_it_is_back_and_scrubbed(world):
    bucket = world.account.bucket(transfer=0.00003)
    file_hash = world.account.upload(bucket, b"x" * 20_000)
    path = world.objects[0]
    content = path.read_bytes()
    path.lose()

    lost = [world.download(bucket, file_hash) for _ in range(3)]
    path.write(content)
    scrub = world.command("scrub")

    assert lost == [(410, "The shard is lost"), *[(410, "The file is damaged: of its 1 shards, number 1 is lost")] * 2]
    assert scrub.returncode == 0
    assert world.download(bucket, file_hash) == (200, content)


def scrubbed(world):
    """Scrub in this process; return the findings, and the lines that were told."""
    told = []
    with Data(DataFolder(world.folder, store_url=world.store_url)) as data:
        return scrub(data, int(time.time() * 1000), told.append), told


def test_scrub_reads_more_shards_than_fit_a_page(world, monkeypatch):
    monkeypatch.setattr(shards, "_PAGE", 2)
    for number in range(4):
        world.account.upload(world.bucket, b"%d" % number * 20_000)
    last = world.account.upload(world.bucket, b"last" * 5000)

    next(path for path in world.objects if path.name.startswith(last)).lose()
    findings, _ = scrubbed(world)

    assert (findings.shards, findings.damaged) == (5, 1)


def test_scrub_goes_on_after_a_sector_that_cannot_be_read(world, monkeypatch):
    bad = world.account.upload(world.bucket, b"on the bad sector" * 1000)
    flipped = world.account.upload(world.bucket, os.urandom(20_000))
    flip_a_byte(next(path for path in world.objects if path.name.startswith(flipped)))
    kind = type(world.bridge._server.services.store)
    read = kind.open

    def read_or_fail(store, name, *part):
        if name.startswith(bad):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(store, name, *part)

    monkeypatch.setattr(kind, "open", read_or_fail)
    findings, told = scrubbed(world)

    assert (findings.shards, findings.damaged) == (2, 2)
    assert any(line.startswith(f"damaged: {bad}") and "cannot be read" in line for line in told)


def test_scrub_ends_where_what_fails_is_not_the_shard(world, monkeypatch):
    content = b"whole" * 4000
    file_hash = world.account.upload(world.bucket, content)

    def fail(store, *asked):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(type(world.bridge._server.services.store), "open", fail)
    with pytest.raises(OSError):
        scrubbed(world)
    monkeypatch.undo()

    assert world.download(world.bucket, file_hash) == (200, content)


def test_a_shard_that_an_operator_puts_back_is_good_again_once_it_is_scrubbed(world):
    content = b"lost for a while" * 2000
    file_hash = world.account.upload(world.bucket, content)
    path, = world.objects
    path.lose()
    assert scrubbed(world)[0].damaged == 1
    assert world.download(world.bucket, file_hash)[0] == 410

    path.write(content)
    findings, _ = scrubbed(world)

    assert findings.damaged == 0
    assert world.download(world.bucket, file_hash) == (200, content)


def test_scrub_removes_what_belongs_to_nothing_and_nothing_else(world):
    world.account.upload(world.bucket, b"kept" * 5000)
    kept = world.objects
    for number in range(2):
        world.leave(f"{'ab' * 20}-0123456789abcdef-{number}", b"orphan")

    scrub = world.command("scrub")

    assert "2 objects that belonged to nothing removed" in scrub.stdout
    assert world.objects == kept


@pytest.mark.parametrize("store_url", [None])
def test_scrub_removes_what_nobody_writes_any_more_and_leaves_what_is_not_ours(world):
    folder = world.folder / "shards"
    world.account.upload(world.bucket, b"kept" * 5000)
    kept = world.objects
    (folder / "incoming" / "0123456789abcdef-1").write_bytes(b"half")
    (folder / "ab" / "README").write_text("not ours")

    scrub = world.command("scrub")

    assert "1 objects that belonged to nothing removed" in scrub.stdout
    assert world.objects == kept
    assert (folder / "ab" / "README").exists()


def test_an_upload_under_way_keeps_its_shards_whatever_happens_meanwhile(world, tmp_path):
    """It shares its content with a file that is deleted, the store is scrubbed, a backup made."""
    content = os.urandom(SHARD) + b"last"
    file_hash = world.account.upload(world.bucket, content)
    upload = HalfUpload(world.account, world.bucket, content)
    world.account.signed.delete(f"/buckets/{world.bucket}/files/{file_hash}")
    scrub = world.command("scrub")
    backup = world.store_url or command("backup", "--data-dir", world.folder, tmp_path / "backup")
    answer = upload.finish()

    assert scrub.returncode == 0
    assert world.store_url or backup.returncode == 0
    assert answer.status_code == 200
    assert world.download(world.bucket, file_hash) == (200, content)
    assert len(world.objects) == 2


def test_an_upload_whose_bucket_goes_away_ends_404_and_leaves_nothing(world):
    token = world.account.token(world.bucket)

    def body():
        yield multipart(b"x" * 100_000)[:50_000]
        world.account.signed.delete(f"/buckets/{world.bucket}")
        yield multipart(b"x" * 100_000)[50_000:]

    answer = world.account.nobody.put(f"/buckets/{world.bucket}/files", body(), token, 100_000)

    assert (answer.status_code, answer.json()) == (404, {"error": "Bucket not found"})
    assert world.objects == []


def test_a_killed_upload_gives_its_room_back_at_the_next_start(tmp_path, store_url, s3_of):
    with UsedBridge(tmp_path / "data", s3=s3_of, store_url=store_url) as world:
        bucket = world.register().account.bucket(storage=0.001)
        with rows(tmp_path / "data") as memory:
            upload = {"id": "0123456789abcdef", "bucket": bucket, "size": 10**6, "expires": 10**15}
            memory.uploads.begin(upload, ROOM, 0, Asker())
        left = world.leave(f"{'ab' * 20}-0123456789abcdef-0", b"half an upload")
        assert world.account.nobody.put(
            f"/buckets/{bucket}/files", multipart(b"x"), world.account.token(bucket), 1).status_code == 413

    with UsedBridge(tmp_path / "data", world.key_pair, s3_of, store_url) as world:
        assert not left.exists()
        assert world.account.upload(bucket, b"x" * 10**6)


def test_an_upload_may_take_as_long_as_it_likes(tmp_path):
    with UsedBridge(tmp_path / "data", silence=0.3) as world:
        bucket, size = world.register().account.bucket(storage=0.00009), 50_000
        tokens = [world.account.token(bucket) for _ in range(2)]
        meanwhile = []

        def put(body, token):
            return world.account.nobody.put(f"/buckets/{bucket}/files", body, token, size)

        def body():
            whole = multipart(b"x" * size)
            scrubs = subprocess.Popen([sys.executable, "-m", "pymdc.bridge", "scrub", "--data-dir", world.folder])
            for start in range(0, len(whole), 1000):
                yield whole[start:start + 1000]
                time.sleep(0.08)  # 4 s in all: longer than an upload lives that is not renewed
            meanwhile.append((scrubs.wait(), put(multipart(b"y" * size), tokens[1]).status_code))

        answer = put(body(), tokens[0])

        assert meanwhile == [(0, 413)]
        assert answer.status_code == 200
        assert world.download(bucket, answer.json()["hash"]) == (200, b"x" * size)


@pytest.mark.parametrize("store_url", [None])
def test_an_object_that_cannot_be_deleted_stands_in_nobodys_way_and_is_tried_again(world):
    stuck, free = (world.account.upload(world.bucket, content) for content in (b"stuck" * 4000, b"free" * 5000))
    path = next(path for path in world.objects if path.name.startswith(stuck))
    path.unlink()
    path.mkdir()

    for file_hash in (stuck, free):
        assert world.account.signed.delete(f"/buckets/{world.bucket}/files/{file_hash}").status_code == 204
    left = world.objects
    path.rmdir()
    path.write_bytes(b"stuck" * 4000)
    world.command("scrub")

    assert left == []
    assert not path.exists()


def test_what_nothing_holds_any_more_is_kept_as_long_as_is_said(tmp_path, store_url, s3_of, later):
    hour = 60 * 60
    with UsedBridge(tmp_path / "data", s3=s3_of, store_url=store_url, keep_deleted=2) as world:
        world.register()
        hashes = [world.account.upload(world.bucket, content * 10_000) for content in (b"deleted", b"replaced")]
        world.account.signed.delete(f"/buckets/{world.bucket}/files/{hashes[0]}")
        world.account.upload(world.bucket, b"replaced" * 10_000)
        sweep, left = world.bridge._server.services.sweep, []

        for moment in (0, 2 * hour - 60, 2 * hour + 60):
            later(moment)
            sweep(now())
            left.append(len(world.objects))
        scrubbed = world.command("scrub", "--keep-deleted", 2)

    assert left == [3, 3, 1]
    assert "0 objects that belonged to nothing removed" in scrubbed.stdout


@pytest.mark.parametrize("size", [900, 19_000])
def test_an_upload_whose_commit_fails_gives_everything_back(world, monkeypatch, size):
    bucket = world.account.bucket(storage=0.00002)
    token = world.account.token(bucket)

    def fail(*arguments):
        raise sqlalchemy.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(uploads, "enter", fail)
    answer = world.account.nobody.put(f"/buckets/{bucket}/files", multipart(b"x" * size), token, size)
    monkeypatch.undo()

    assert answer.status_code == 507
    assert world.objects == world.contents == []
    assert world.account.upload(bucket, b"x" * size)


def test_what_a_killed_worker_leaves_is_removed_while_the_bridge_runs(tmp_path, monkeypatch, store_url, s3_of):
    monkeypatch.setattr(services, "TIDY_INTERVAL", 0.05)
    data = tmp_path / "data"
    with UsedBridge(data, s3=s3_of, store_url=store_url) as world, rows(data) as memory:
        bucket = world.register().account.bucket()
        left = world.leave(f"{'ab' * 20}-0123456789abcdef-0", b"half an upload")
        upload = {"id": "0123456789abcdef", "bucket": bucket, "size": 10**6, "expires": 1}
        memory.uploads.begin(upload, ROOM, 0, Asker())

        eventually(lambda: not left.exists())


def test_a_registration_that_nobody_activates_goes_while_the_bridge_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "TIDY_INTERVAL", 0.01)
    with UsedBridge(tmp_path / "data") as world, rows(tmp_path / "data") as memory:
        user = {"email": world.account.email, "password": world.account.password}
        assert world.account.nobody.post("/users", user).status_code == 200

        monkeypatch.setattr(HostClock, "now", staticmethod(lambda: now() + REGISTRATION_LIFE))
        eventually(lambda: memory.accounts.find(world.account.email) is None)


def test_a_key_that_is_deleted_meanwhile_has_no_power(tmp_path):
    """What is asked for by a key that another request deletes before it is done."""
    with contextlib.closing(sqlite(tmp_path / "bridge.sqlite")) as memory:
        account = {"email": "kim@example.com", "password": "hash", "created": 0}
        registration = {"token": "t", "password": "hash", "redirect": None, "point": "p", "text": "P", "created": 0}
        memory.accounts.register(account, registration)
        memory.accounts.activate("t", 1)
        fields = {"name": "b", "storage": 1, "transfer": 1}
        bucket = memory.buckets.add("kim@example.com", 0, fields, {"P": "p"}, Asker("p"))["id"]

        memory.keys.delete("kim@example.com", "P", Asker())

        late = [
            lambda: memory.tokens.add(
                {"hash": "h", "bucket": bucket, "operation": "PUSH", "expires": 10**15}, Asker("p"), 1, 0),
            lambda: memory.buckets.add("kim@example.com", 0, fields, {"P": "p"}, Asker("p")),
            lambda: memory.buckets.change("kim@example.com", bucket, {}, {"P": "p"}, Asker("p")),
            lambda: memory.keys.add("kim@example.com", "q", "Q", False, Asker("p")),
        ]
        for attempt in late:
            with pytest.raises(Refusal, match="Public key not registered"):
                attempt()


@pytest.mark.parametrize("store_url", [None])
def test_commands_refuse_folders_that_are_not_theirs(world, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    command("backup", "--data-dir", world.folder, tmp_path / "backup")

    refusals = [
        (command("scrub", "--data-dir", tmp_path / "full"), "no bridge has its data in"),
        (command("backup", "--data-dir", tmp_path / "full", tmp_path / "new"), "no bridge has its data in"),
        (command("backup", "--data-dir", world.folder, tmp_path / "full"), "neither empty nor a backup"),
        (command("backup", "--data-dir", world.folder, world.folder), "inside the folder that is to be copied"),
        (command("backup", "--data-dir", world.folder, world.folder / "sub"), "inside the folder that is to be copied"),
        (command("restore", "--data-dir", tmp_path / "full", tmp_path / "backup"), "not empty"),
        (command("restore", "--data-dir", tmp_path / "new", world.folder), "not a backup"),
        (command("serve", "--port", "0", "--data-dir", tmp_path / "backup"), "a backup, to be restored"),
    ]

    for ended, complaint in refusals:
        assert ended.returncode != 0
        assert complaint in ended.stderr and "Traceback" not in ended.stderr
