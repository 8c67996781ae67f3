"""Small content, which lies in the database: all that holds for objects holds for it."""

import os
import sqlite3

import pytest
import sqlalchemy

from pymdc.bridge import services
from pymdc.bridge.metadata import uploads
from pymdc.bridge.metadata.contents import Contents
from pymdc.bridge.storage.data import Data
from pymdc.bridge.storage.datafolder import DataFolder
from pymdc.bridge.storage.scrub import scrub
from used_bridge import UsedBridge, command, rows
from wire import multipart, registered

SMALL = 16 * 1024  # bytes, and not one more


def flip(world):
    world.query("UPDATE contents SET content = zeroblob(length(content))")


def cut(world):
    world.query("UPDATE contents SET content = substr(content, 1, 100)")


def lose(world):
    world.query("DELETE FROM contents")


def read(world, file_hash, **headers):
    """Fetch a file in one request."""
    answer = world.account.signed.get(f"/buckets/{world.bucket}/files/{file_hash}/content", headers=headers)
    return answer.status_code, answer.content if answer.ok else answer.json()["error"]


def delete(world, bucket, file_hash):
    assert world.account.signed.delete(f"/buckets/{bucket}/files/{file_hash}").status_code == 204


def names(world):
    return [name for name, in world.query("SELECT object FROM shards")]


@pytest.mark.parametrize("size, inline", [(2, True), (SMALL, True), (SMALL + 1, False)])
def test_a_small_file_lies_in_the_database_and_not_in_the_store(world, size, inline):
    content = os.urandom(size)

    file_hash = world.account.upload(world.bucket, content)

    assert (world.contents, len(world.objects)) == (([content], 0) if inline else ([], 1))
    assert world.download(world.bucket, file_hash) == read(world, file_hash) == (200, content)
    assert read(world, file_hash, Range="bytes=0-0") == (206, content[:1])
    assert read(world, file_hash, Range="bytes=1-") == (206, content[1:])


def test_nothing_lies_in_the_database_where_none_is_to(tmp_path):
    with UsedBridge(tmp_path / "data", inline=0) as world:
        world.register()
        for content in (b"", b"x"):
            file_hash = world.account.upload(world.bucket, content)
            assert world.download(world.bucket, file_hash) == (200, content)

        assert (world.contents, len(world.objects)) == ([], 1)


def test_small_content_is_shared_across_accounts_and_goes_with_the_last_file_that_holds_it(world):
    una, content = world.account, os.urandom(4096)
    ben = registered(world.bridge, "ben@example.com")
    his = ben.bucket()

    file_hash = una.upload(world.bucket, content)
    assert ben.upload(his, content) == file_hash
    shared = world.contents
    delete(world, world.bucket, file_hash)
    kept = world.contents, len(ben.pointers(his, file_hash).json())
    ben.signed.delete("/buckets/" + his)

    assert (shared, kept) == ([content], ([content], 1))
    assert (world.contents, names(world), world.query("SELECT * FROM unneeded")) == ([], [], [])


def test_small_content_gives_the_store_nothing_to_do(world, monkeypatch):
    """Neither when it comes again, nor when it is deleted, nor when its upload fails."""
    asked, token = [], world.account.token(world.bucket)
    monkeypatch.setattr(services.Services, "sweep", lambda self, now: None)
    kind = type(world.bridge._server.services.store)
    monkeypatch.setattr(kind, "delete", lambda self, names: asked.extend(names) or [])

    for _ in range(2):
        file_hash = world.account.upload(world.bucket, b"small")
    delete(world, world.bucket, file_hash)

    def fail(*arguments):
        raise sqlalchemy.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(uploads, "enter", fail)
    failed = world.account.nobody.put(f"/buckets/{world.bucket}/files", multipart(b"small"), token, 5)

    assert failed.status_code == 507
    assert (asked, world.query("SELECT * FROM unneeded"), world.contents) == ([], [], [])


def test_content_that_comes_again_lies_where_it_has_come_to_last(world):
    content, seen = os.urandom(5000), []

    for inline in (0, 5000, 5000, 4999):
        world.set(inline=inline)
        file_hash = world.account.upload(world.account.bucket(), content)
        assert world.download(world.bucket, world.account.upload(world.bucket, content)) == (200, content)
        seen.append((len(world.objects), world.contents))

    assert seen == [(1, []), (0, [content]), (0, [content]), (1, [])]
    assert [path.name for path in world.objects] == names(world)
    assert read(world, file_hash) == (200, content)


def test_an_object_that_small_content_replaces_before_it_is_opened_is_served(world, monkeypatch):
    world.set(inline=0)
    content = os.urandom(5000)
    file_hash = world.account.upload(world.bucket, content)
    store = world.bridge._server.services.store
    really_open = store.open

    def open_late(*asked):
        monkeypatch.undo()
        world.set(inline=SMALL)
        world.account.upload(world.bucket, content)
        return really_open(*asked)

    monkeypatch.setattr(store, "open", open_late)

    assert read(world, file_hash) == (200, content)
    assert (world.objects, world.contents) == ([], [content])


@pytest.mark.parametrize("harm, flaw", [(flip, "damaged"), (cut, "damaged"), (lose, "lost")])
@pytest.mark.parametrize("fetch", [read, lambda world, file_hash: world.download(world.bucket, file_hash)])
def test_small_content_that_is_damaged_is_noticed_withheld_not_charged_and_healed(world, fetch, harm, flaw):
    content = os.urandom(5000)
    file_hash = world.account.upload(world.bucket, content)

    harm(world)
    answers = [fetch(world, file_hash) for _ in range(2)]
    charged = world.query("SELECT transferred FROM buckets WHERE id = ?", world.bucket)
    world.account.upload(world.account.bucket(), content)

    assert answers == [
        (410, f"The shard is {flaw}"), (410, "The file is damaged: of its 1 shards, number 1 is lost"),
    ]
    assert charged == [(0,)]
    assert fetch(world, file_hash) == (200, content)


@pytest.mark.parametrize("harm", [flip, cut, lose])
def test_small_content_that_comes_again_heals_what_nobody_has_noticed(world, harm):
    content = os.urandom(5000)
    file_hash = world.account.upload(world.bucket, content)

    harm(world)
    world.account.upload(world.bucket, content)

    assert read(world, file_hash) == (200, content)
    assert world.contents == [content]


@pytest.mark.parametrize("harm, flaw, left", [
    (flip, "has wrong bytes", [bytes(5000)]), (cut, "has wrong bytes", [b"x" * 100]), (lose, "is missing", []),
])
def test_scrub_reports_small_content_that_is_damaged_and_sets_it_aside(world, harm, flaw, left):
    file_hash = world.account.upload(world.bucket, b"x" * 5000, "kept.bin")
    name, = names(world)

    harm(world)
    whole = world.account.upload(world.bucket, b"whole")
    found, again = (world.command("scrub") for _ in range(2))
    contents, withheld = world.contents, read(world, file_hash)
    world.account.upload(world.bucket, b"x" * 5000)
    healed = world.command("scrub")

    assert (found.returncode, again.returncode, healed.returncode) == (1, 1, 0)
    assert found.stdout.splitlines() == [
        f"damaged: {name} {flaw}; it belongs to",
        f"    bucket {world.bucket}, file {file_hash}, 'kept.bin'",
        "2 shards of 5005 bytes checked, 1 of them damaged; 0 objects that belonged to nothing removed",
    ]
    assert [path.read_bytes() for path in world.quarantine] == left
    assert [path.name for path in world.quarantine] == [name] * len(left)
    assert (contents, withheld[0], read(world, whole)) == ([b"whole"], 410, (200, b"whole"))
    assert read(world, file_hash) == (200, b"x" * 5000)


def test_what_scrub_finds_is_healed_meanwhile_and_stays(world, monkeypatch):
    """Between its being found damaged and its being set aside, the content comes again."""
    content = os.urandom(5000)
    file_hash = world.account.upload(world.bucket, content)
    flip(world)
    really_drop = Contents.drop

    def drop_late(contents, shard):
        world.account.upload(world.bucket, content)
        really_drop(contents, shard)

    monkeypatch.setattr(Contents, "drop", drop_late)
    with Data(DataFolder(world.folder, store_url=world.store_url)) as data:
        scrub(data, 0, print)

    assert read(world, file_hash) == (200, content)


@pytest.mark.parametrize("store_url", [None])
def test_a_backup_has_what_lies_in_the_database_and_needs_no_object_for_it(world, tmp_path):
    contents = {world.account.upload(world.bucket, content): content for content in (b"a", b"b" * 5000, b"c" * 20_000)}

    made = [command("backup", "--data-dir", world.folder, tmp_path / "backup") for _ in range(2)]
    restored = command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    assert [ended.stdout for ended in made] == [
        f"3 shards in the backup, {new} of them new, 2 in its database; 0 damaged, and not copied\n" for new in (1, 0)
    ]
    assert len(list((tmp_path / "backup" / "shards").rglob("*-*"))) == 1
    assert restored.stdout.startswith("3 shards of 25001 bytes checked, 0 of them damaged")
    with UsedBridge(tmp_path / "new", world.key_pair) as copy:
        copy.account.signed = copy.account.basic
        for file_hash, content in contents.items():
            assert copy.download(world.bucket, file_hash) == (200, content)


@pytest.mark.parametrize("store_url", [None])
def test_a_bridge_with_nothing_in_its_store_is_backed_up_and_restored(world, tmp_path):
    file_hash = world.account.upload(world.bucket, b"small")

    made = command("backup", "--data-dir", world.folder, tmp_path / "backup")
    restored = command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    assert (made.returncode, restored.returncode) == (0, 0)
    with UsedBridge(tmp_path / "new", world.key_pair) as copy:
        copy.account.signed = copy.account.basic
        assert copy.download(world.bucket, file_hash) == (200, b"small")


@pytest.mark.parametrize("store_url", [None])
@pytest.mark.parametrize("harm, flaw", [(flip, "has wrong bytes"), (lose, "is missing")])
def test_small_content_that_is_damaged_is_not_in_a_backup(world, tmp_path, harm, flaw):
    file_hash = world.account.upload(world.bucket, b"x" * 5000)
    harm(world)
    name, = names(world)
    whole = world.account.upload(world.bucket, b"whole")

    made = command("backup", "--data-dir", world.folder, tmp_path / "backup")
    with rows(tmp_path / "backup") as memory:
        kept = [memory.contents.find(shard) for shard in memory.shards.all()]
    restored = command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    assert (made.returncode, restored.returncode, kept) == (1, 1, [None, b"whole"])
    assert made.stdout.splitlines() == [
        f"damaged: {name} {flaw}",
        "1 shards in the backup, 0 of them new, 1 in its database; 1 damaged, and not copied",
    ]
    with UsedBridge(tmp_path / "new", world.key_pair) as copy:
        copy.account.signed = copy.account.basic
        assert copy.download(world.bucket, whole) == (200, b"whole")
        assert copy.download(world.bucket, file_hash)[0] == 410


def test_a_database_that_knows_of_small_content_only_names_no_objects(tmp_path):
    """Where objects lie, it is not theirs."""
    with UsedBridge(tmp_path / "data") as world:
        world.register().account.upload(world.bucket, b"small")
    object_ = tmp_path / "data" / "shards" / "ab" / f"{'ab' * 20}-0123456789abcdef-0"
    object_.write_bytes(b"of another database")

    refused = [command(name, "--data-dir", world.folder, *more)
               for name, *more in (("serve", "--port", 0), ("scrub",), ("backup", tmp_path / "backup"))]

    assert [(ended.returncode, "it names none" in ended.stderr) for ended in refused] == [(1, True)] * 3
    assert object_.exists()


@pytest.mark.parametrize("store_url", [None])
def test_a_backup_of_small_content_is_not_emptied_by_a_bridge_that_is_empty(world, tmp_path):
    world.account.upload(world.bucket, b"small")
    command("backup", "--data-dir", world.folder, tmp_path / "backup")

    with UsedBridge(tmp_path / "other") as other:
        refused = command("backup", "--data-dir", other.folder, tmp_path / "backup")

    assert refused.returncode == 1 and "say --new" in refused.stderr


@pytest.mark.parametrize("store_url", [None])
def test_the_space_of_what_is_deleted_is_used_again(world):
    def fill():
        return [world.account.upload(world.bucket, os.urandom(SMALL)) for _ in range(20)]

    def pages():
        return world.query("PRAGMA page_count")[0][0]

    hashes = fill()
    full = pages()
    for file_hash in hashes:
        delete(world, world.bucket, file_hash)
    empty = pages()
    fill()

    assert empty == full
    assert pages() < full + 20  # in place of the 80 that they take
