"""What happens to shards that are deleted, damaged, orphaned, backed up and restored."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
import sqlalchemy

import pymdc
from pymdc.bridge import LocalBridge, services
from pymdc.bridge.metadata import sqlite, uploads
from pymdc.bridge.refusal import Refusal
from wire import Account, Signed, multipart

SHARD = 8 * 1024 * 1024


class World:
    """A bridge, an account on it and a bucket."""

    def __init__(self, folder, key_pair=None, **options):
        self.folder = folder
        self.bridge = LocalBridge(folder, **options)
        self.key_pair = key_pair or pymdc.keypair.ECDSA()

    def __enter__(self):
        self.bridge.__enter__()
        self.account = Account(self.bridge.url, "una@example.com", "ab" * 32, self.key_pair)
        return self

    def __exit__(self, *exception):
        self.bridge.__exit__(*exception)

    def register(self):
        account = self.account
        account.nobody.post("/users", {"email": account.email, "password": account.password, "pubkey": account.key})
        account.nobody.get("/activations/" + self.bridge.activation_token(account.email))
        self.bucket = account.bucket()
        return self

    def download(self, bucket, file_hash):
        """Return the status of the last answer, and what came."""
        pointers = self.account.pointers(bucket, file_hash)
        if pointers.status_code != 200:
            return pointers.status_code, pointers.json()["error"]
        content = b""
        for pointer in pointers.json():
            shard = self.account.nobody.get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})
            if shard.status_code != 200:
                return shard.status_code, shard.json()["error"]
            content += shard.content
        return 200, content

    @property
    def objects(self):
        return sorted(path for path in (self.folder / "shards").rglob("*-*") if path.is_file())


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "data") as world:
        yield world.register()


def command(*arguments):
    return subprocess.run([sys.executable, "-m", "pymdc.bridge", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)


def flip_a_byte(path):
    with open(path, "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))


def test_scrub_finds_nothing_wrong_with_a_bridge_in_use(world):
    file_hash = world.account.upload(world.bucket, b"x" * SHARD + b"y")

    scrub = command("scrub", "--data-dir", world.folder)

    assert (scrub.returncode, scrub.stderr) == (0, "")
    assert scrub.stdout == (
        f"2 shards of {SHARD + 1} bytes checked, 0 of them damaged; 0 objects that belonged to nothing removed\n"
    )
    assert world.download(world.bucket, file_hash)[0] == 200


@pytest.mark.parametrize("harm, flaw", [
    (flip_a_byte, "has wrong bytes"),
    (lambda path: os.truncate(path, 5000), "has wrong bytes"),
    (os.unlink, "is missing"),
])
def test_a_damaged_shard_is_reported_withheld_and_healed_by_uploading_it_again(world, harm, flaw):
    content = os.urandom(20_000)
    file_hash = world.account.upload(world.bucket, content, "kept.bin")
    other = world.account.bucket()
    world.account.upload(other, content, "other.bin")
    whole = world.account.upload(world.bucket, b"whole")
    name = next(path for path in world.objects if path.stat().st_size == 20_000).name

    harm(next(path for path in world.objects if path.name == name))
    scrub = command("scrub", "--data-dir", world.folder)
    refused = world.download(world.bucket, file_hash)
    again = command("scrub", "--data-dir", world.folder)
    world.account.upload(world.bucket, content, "kept.bin")
    healed = command("scrub", "--data-dir", world.folder)

    assert scrub.returncode == again.returncode == 1
    assert scrub.stdout.splitlines()[:3] == [
        f"damaged: {name} {flaw}; it belongs to",
        f"    bucket {world.bucket}, file {file_hash}, 'kept.bin'",
        f"    bucket {other}, file {file_hash}, 'other.bin'",
    ]
    assert refused == (410, "The file is damaged: of its 1 shards, number 1 is lost")
    assert world.download(world.bucket, whole) == (200, b"whole")
    assert healed.returncode == 0
    assert world.download(other, file_hash) == (200, content)


def test_a_damaged_shard_that_nobody_has_noticed_fails_the_download(world, tmp_path):
    bucket = pymdc.api.Bucket(world.bucket, world.key_pair, client=pymdc.Client(world.bridge.url, retries=0))
    flipped = world.account.upload(world.bucket, os.urandom(20_000))
    flip_a_byte(world.objects[0])
    cut = world.account.upload(world.bucket, os.urandom(30_000))
    os.truncate(next(path for path in world.objects if path.stat().st_size == 30_000), 10)

    with pytest.raises(pymdc.errors.IntegrityError):
        bucket.files.download(flipped, tmp_path / "target")

    assert world.download(world.bucket, cut) == (410, "The shard is damaged")
    assert not (tmp_path / "target").exists()


def test_a_lost_shard_is_not_charged(world):
    bucket = world.account.bucket(transfer=0.00003)
    file_hash = world.account.upload(bucket, b"x" * 20_000)
    path = world.objects[0]
    content = path.read_bytes()
    path.unlink()

    lost = [world.download(bucket, file_hash) for _ in range(3)]
    path.write_bytes(content)

    assert lost == [(410, "The shard is lost")] * 3
    assert world.download(bucket, file_hash) == (200, content)


def test_scrub_removes_what_belongs_to_nothing_and_nothing_else(world):
    folder = world.folder / "shards"
    world.account.upload(world.bucket, b"kept")
    kept = world.objects
    (folder / "ab" / f"{'ab' * 20}-0123456789abcdef-0").write_bytes(b"orphan")
    (folder / "incoming" / "0123456789abcdef-1").write_bytes(b"half")
    (folder / "ab" / "README").write_text("not ours")

    scrub = command("scrub", "--data-dir", world.folder)

    assert "2 objects that belonged to nothing removed" in scrub.stdout
    assert world.objects == kept
    assert (folder / "ab" / "README").exists()


def test_an_upload_under_way_keeps_its_shards_whatever_happens_meanwhile(world, tmp_path):
    """It shares its content with a file that is deleted, the store is scrubbed, a backup made."""
    content = os.urandom(SHARD) + b"last"
    file_hash = world.account.upload(world.bucket, content)
    token = world.account.token(world.bucket)
    begun, go_on, answers = threading.Event(), threading.Event(), []

    def body():
        whole = multipart(content)
        yield whole[:-300]
        begun.set()
        go_on.wait(60)
        yield whole[-300:]

    upload = threading.Thread(target=lambda: answers.append(
        world.account.nobody.put(f"/buckets/{world.bucket}/files", body(), token, len(content))
    ))
    upload.start()
    begun.wait(30)
    world.account.signed.delete(f"/buckets/{world.bucket}/files/{file_hash}")
    scrub = command("scrub", "--data-dir", world.folder)
    backup = command("backup", "--data-dir", world.folder, tmp_path / "backup")
    go_on.set()
    upload.join(30)

    assert (scrub.returncode, backup.returncode) == (0, 0)
    assert answers[0].status_code == 200
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


def test_a_killed_upload_gives_its_room_back_at_the_next_start(tmp_path):
    with World(tmp_path / "data") as world:
        bucket = world.register().account.bucket(storage=0.001)
        left = tmp_path / "data" / "shards" / "ab" / f"{'ab' * 20}-0123456789abcdef-0"
        with _rows(tmp_path / "data") as memory:
            memory.uploads.begin({"id": "0123456789abcdef", "bucket": bucket, "size": 10**6, "expires": 10**15},
                                 pymdc.bridge.metadata.Room(10**9, 10**15), 0)
        left.write_bytes(b"half an upload")
        assert world.account.nobody.put(
            f"/buckets/{bucket}/files", multipart(b"x"), world.account.token(bucket), 1).status_code == 413

    with World(tmp_path / "data", world.key_pair) as world:
        assert not left.exists()
        assert world.account.upload(bucket, b"x" * 10**6)


def _rows(folder):
    return contextlib.closing(sqlite(folder / "bridge.sqlite"))


def test_an_upload_may_be_as_slow_as_it_likes(tmp_path):
    with World(tmp_path / "data", silence=0.3) as world:
        bucket = world.register().account.bucket(storage=0.000001)
        tokens = [world.account.token(bucket) for _ in range(2)]
        meanwhile = []

        def put(body, token):
            return world.account.nobody.put(f"/buckets/{bucket}/files", body, token, 900)

        def body():
            whole = multipart(b"x" * 900)
            scrubs = subprocess.Popen([sys.executable, "-m", "pymdc.bridge", "scrub", "--data-dir", world.folder])
            for start in range(0, len(whole), 20):
                yield whole[start:start + 20]
                time.sleep(0.08)  # 4 s in all: longer than an upload lives that is not renewed
            meanwhile.append((scrubs.wait(), put(multipart(b"y" * 900), tokens[1]).status_code))

        answer = put(body(), tokens[0])

        assert meanwhile == [(0, 413)]
        assert answer.status_code == 200
        assert world.download(bucket, answer.json()["hash"]) == (200, b"x" * 900)


def test_an_object_that_cannot_be_deleted_stands_in_nobodys_way(world):
    stuck, free = (world.account.upload(world.bucket, content) for content in (b"stuck", b"free"))
    path = next(path for path in world.objects if path.name.startswith(stuck))
    path.unlink()
    path.mkdir()

    for file_hash in (stuck, free):
        assert world.account.signed.delete(f"/buckets/{world.bucket}/files/{file_hash}").status_code == 204

    assert world.objects == []


def test_an_upload_whose_commit_fails_gives_everything_back(world, monkeypatch):
    bucket = world.account.bucket(storage=0.000001)
    token = world.account.token(bucket)

    def fail(db, file, shards):
        raise sqlalchemy.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(uploads, "_enter", fail)
    answer = world.account.nobody.put(f"/buckets/{bucket}/files", multipart(b"x" * 900), token, 900)
    monkeypatch.undo()

    assert answer.status_code == 507
    assert world.objects == []
    assert world.account.upload(bucket, b"x" * 900)


def test_what_a_killed_worker_leaves_is_removed_while_the_bridge_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "TIDY_INTERVAL", 0.05)
    with World(tmp_path / "data") as world, _rows(tmp_path / "data") as memory:
        bucket = world.register().account.bucket()
        left = tmp_path / "data" / "shards" / "ab" / f"{'ab' * 20}-0123456789abcdef-0"
        left.write_bytes(b"half an upload")
        memory.uploads.begin({"id": "0123456789abcdef", "bucket": bucket, "size": 10**6, "expires": 1},
                             pymdc.bridge.metadata.Room(10**9, 10**15), 0)

        for _ in range(200):
            if not left.exists():
                break
            time.sleep(0.05)

        assert not left.exists()


def test_a_key_that_is_deleted_meanwhile_has_no_power(tmp_path):
    """What is asked for by a key that another request deletes before it is done."""
    with contextlib.closing(sqlite(tmp_path / "bridge.sqlite")) as memory:
        account = {"email": "kim@example.com", "password": "hash", "created": 0}
        registration = {"token": "t", "password": "hash", "redirect": None, "point": "p", "text": "P", "created": 0}
        memory.accounts.register(account, registration)
        memory.accounts.activate("t")
        fields = {"name": "b", "storage": 1, "transfer": 1}
        bucket = memory.buckets.add("kim@example.com", 0, fields, {"P": "p"}, "p")["id"]

        memory.keys.delete("kim@example.com", "P", None)

        late = [
            lambda: memory.tokens.add(
                {"hash": "h", "bucket": bucket, "operation": "PUSH", "expires": 10**15, "point": "p"}, 0),
            lambda: memory.buckets.add("kim@example.com", 0, fields, {"P": "p"}, "p"),
            lambda: memory.buckets.change("kim@example.com", bucket, {}, {"P": "p"}, "p"),
            lambda: memory.keys.add("kim@example.com", "q", "Q", False, "p"),
        ]
        for attempt in late:
            with pytest.raises(Refusal, match="Public key not registered"):
                attempt()


def test_a_backup_of_a_running_bridge_is_restored_with_all_there_was(world, tmp_path):
    contents = {}
    for size in (0, 1, 70_000, SHARD, 2 * SHARD + 5):
        content = os.urandom(size)
        contents[world.account.upload(world.bucket, content, f"{size}.bin")] = content
    stop = threading.Event()
    busy = threading.Thread(target=lambda: _keep_busy(world, stop))
    busy.start()

    backup = command("backup", "--data-dir", world.folder, tmp_path / "backup")
    stop.set()
    busy.join(30)
    before = {path: world.account.signed.get(path).json() for path in ("/keys", "/buckets")}
    listed = world.account.signed.get(f"/buckets/{world.bucket}/files").json()
    restored = command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    assert (backup.returncode, backup.stderr, restored.returncode, restored.stderr) == (0, "", 0, "")
    with World(tmp_path / "new", world.key_pair) as copy:
        assert {path: copy.account.basic.get(path).json() for path in before} == before
        assert copy.account.basic.get(f"/buckets/{world.bucket}/files").json()[:5] == listed[:5]
        copy.account.signed = copy.account.basic
        for file_hash, content in contents.items():
            assert copy.download(world.bucket, file_hash) == (200, content)


def _keep_busy(world, stop):
    while not stop.is_set():
        file_hash = world.account.upload(world.bucket, os.urandom(1000))
        world.account.signed.delete(f"/buckets/{world.bucket}/files/{file_hash}")


def test_while_a_backup_copies_nothing_is_deleted(world):
    file_hash = world.account.upload(world.bucket, b"kept for the backup")
    with _rows(world.folder) as memory:
        memory.shards.hold_back("a backup", 10**15)
        world.account.signed.delete(f"/buckets/{world.bucket}/files/{file_hash}")
        command("scrub", "--data-dir", world.folder)
        during = len(world.objects)
        memory.shards.release("a backup")
        command("scrub", "--data-dir", world.folder)

    assert (during, len(world.objects)) == (1, 0)


def test_a_backup_is_made_again_on_the_same_folder(world, tmp_path):
    first = world.account.upload(world.bucket, b"first" * 100)
    command("backup", "--data-dir", world.folder, tmp_path / "backup")
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "backup" / "shards").rglob("*-*")}
    second = world.account.upload(world.bucket, b"second" * 100)
    again = command("backup", "--data-dir", world.folder, tmp_path / "backup")
    world.account.signed.delete(f"/buckets/{world.bucket}/files/{first}")
    both = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "backup" / "shards").rglob("*-*")}
    command("backup", "--data-dir", world.folder, tmp_path / "backup")
    last = [path.name for path in (tmp_path / "backup" / "shards").rglob("*-*")]

    assert len(kept) == 1 and kept.items() <= both.items()
    assert again.stdout == "2 shards in the backup, 1 of them new; 0 damaged, and not copied\n"
    assert len(both) == 2
    assert len(last) == 1 and last[0].startswith(second)


def test_a_restored_bridge_takes_no_request_from_before(world, tmp_path):
    token = world.account.token(world.bucket)
    command("backup", "--data-dir", world.folder, tmp_path / "backup")
    world.account.signed.post("/buckets", {"name": "once"})
    request = world.account.signed.last

    command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    with World(tmp_path / "new", world.key_pair) as copy:
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
