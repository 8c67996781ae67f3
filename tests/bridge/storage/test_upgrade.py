"""The database of a data folder is upgraded whole or not at all, and a copy is kept of what it was."""

import contextlib
import errno
import json
import os
import sqlite3
import stat
import subprocess
import sys

import pytest
import sqlalchemy

import killed_upgrades
from next_revision import NEXT, RECREATE, NextVersion
from pymdc.bridge import LocalBridge
from pymdc.bridge.metadata import tables
from pymdc.bridge.storage import upgrade as upgrading
from pymdc.bridge.storage.datafolder import DataFolder
from pymdc.bridge.storage.folder import FolderStore
from pymdc.bridge.storage.upgrade import KEPT, upgrade
from used_bridge import UsedBridge, command
from used_database import CONTENTS, load
from wire import Wire, hash_of

NOW = NEXT - 1


@pytest.fixture
def folder(tmp_path):
    """The data folder of a bridge, with something in all tables and everything in the store."""
    return make_folder(tmp_path / "data")


def make_folder(path, revision=tables.REVISION):
    folder = DataFolder(path)
    load(revision, folder.database)
    store = FolderStore(folder.shards)
    by_hash = {hash_of(content): content for content in CONTENTS.values()}
    with contextlib.closing(sqlite3.connect(folder.database)) as db:
        for file_hash, name in db.execute("SELECT hash, object FROM shards WHERE object NOT LIKE 'inline-%'"):
            store.path(name).write_bytes(by_hash[file_hash])
    return folder


@pytest.fixture
def next_version(tmp_path):
    return NextVersion(tmp_path / "next")


def known(path):
    """Return the revision in a database, if there is one, and all its rows but what a start forgets."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}
    revisions = found.pop("alembic_version", [(None,)])
    return [text and int(text) for text, in revisions], found


def rows(path):
    return known(path)[1]


def copies(folder):
    return sorted(path for path in folder.path.glob("bridge.sqlite.*"))


@pytest.mark.parametrize("revision", range(1, tables.REVISION + 1))
def test_a_bridge_serves_all_that_an_older_version_has_stored(tmp_path, revision):
    make_folder(tmp_path, revision)

    with UsedBridge(tmp_path) as bridge:
        account = bridge.account
        account.signed = account.basic
        assert [key["user"] for key in account.basic.get("/keys").json()] == [account.email]
        first, second = account.basic.get("/buckets").json()
        files = {file["filename"]: file["hash"] for file in account.basic.get(f"/buckets/{first['id']}/files").json()}
        assert files.items() >= {name: hash_of(content) for name, content in CONTENTS.items()}.items()
        assert bridge.download(second["id"], files["large"]) == (200, CONTENTS["large"])
        for name in ("empty", "small", "large"):
            assert bridge.download(first["id"], files[name]) == (200, CONTENTS[name])
        assert bridge.download(first["id"], files["damaged"])[0] == 410
        assert account.nobody.get("/health").json()["schema"] == tables.REVISION


def test_an_upgrade_leaves_a_copy_of_what_was_there_for_its_owner_only(folder, next_version, monkeypatch):
    before, lines = known(folder.database), []
    next_version.use(monkeypatch)

    upgrade(folder, lines.append)
    upgrade(folder, lines.append)  # there is nothing to do

    copy, = copies(folder)
    assert lines == [f"the database is upgraded from revision {NOW} to {NEXT}; as it was it is in {copy}"]
    assert copy.name.endswith(f"Z.revision-{NOW}") and stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert known(copy) == before and known(folder.database) == ([NEXT], before[1])


def test_a_copy_is_on_disk_before_anything_is_changed(folder, next_version, monkeypatch):
    calls = []

    def noting(name, function):
        def call(*arguments):
            target = arguments[-1] if name == "replace" else os.readlink(f"/proc/self/fd/{arguments[0]}")
            calls.append((name, os.path.basename(target)))
            return function(*arguments)
        return call

    def note(connection, cursor, statement, *others):
        if statement.lstrip().startswith(("CREATE", "DROP", "ALTER", "INSERT", "UPDATE")):
            calls.append(("change", statement.split()[0]))

    next_version.use(monkeypatch)
    monkeypatch.setattr(os, "fsync", noting("fsync", os.fsync))
    monkeypatch.setattr(os, "replace", noting("replace", os.replace))
    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        upgrade(folder, print)
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)

    copy, = copies(folder)
    kept = [("fsync", "bridge.sqlite.partial"), ("replace", copy.name), ("fsync", folder.path.name)]
    first = calls.index(kept[0])
    assert calls[first:first + 3] == kept
    assert ("change", "DROP") in calls[first + 3:] and ("change", "DROP") not in calls[:first]


def test_a_copy_that_was_broken_off_is_made_again(folder, next_version, monkeypatch):
    before = known(folder.database)
    (folder.path / "bridge.sqlite.partial").write_bytes(b"half")
    next_version.use(monkeypatch)

    upgrade(folder, print)

    copy, = copies(folder)
    assert known(copy) == before


def test_only_the_newest_copies_are_kept(folder, next_version, monkeypatch):
    older = [folder.path / f"bridge.sqlite.2020010{day}T000000Z.revision-{revision}"
             for day, revision in enumerate((9, 10, 11, 12), 1)]
    for path in older:
        path.write_bytes(b"")
    next_version.use(monkeypatch)

    upgrade(folder, print)

    assert len(copies(folder)) == KEPT and copies(folder)[:-1] == older[-(KEPT - 1):]


@pytest.mark.parametrize("steps", ['    op.execute("DELETE FROM rates")', RECREATE + "    raise KeyError"])
def test_an_upgrade_that_comes_to_nothing_leaves_no_copy(folder, tmp_path, monkeypatch, steps):
    before = known(folder.database)
    NextVersion(tmp_path / "next", steps).use(monkeypatch)

    with pytest.raises((OSError, KeyError)):
        upgrade(folder, print)

    assert copies(folder) == [] and known(folder.database) == before


def test_where_there_is_no_room_for_a_copy_nothing_is_changed(folder, next_version, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = known(folder.database)
    next_version.use(monkeypatch)
    monkeypatch.setattr(upgrading, "copy", fail)

    with pytest.raises(OSError, match="No space left"):
        upgrade(folder, print)

    assert copies(folder) == [] and known(folder.database) == before


def test_a_kill_at_any_moment_leaves_the_old_schema_or_the_new_one_whole(
    folder, next_version, tmp_path, monkeypatch, full,
):
    before, copied = known(folder.database), tmp_path / "copied"
    stride = 1 if full else 10
    subprocess.run([sys.executable, killed_upgrades.__file__, folder.path, copied, next_version.folder, str(NEXT),
                    str(stride)], check=True, timeout=500)
    next_version.use(monkeypatch)

    left = [DataFolder(path) for path in sorted(copied.iterdir())]

    found = [known(each.database) for each in left]
    assert found == [before] * (len(left) - 1) + [([NEXT], before[1])] and len(left) > 100 / stride
    for each in left:
        upgrade(each, lambda line: None)
        assert known(each.database) == ([NEXT], before[1]), each.path
        assert 1 <= len(copies(each)) <= 2 and all(known(copy) == before for copy in copies(each)), each.path


def refused(ended, *words):
    assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stderr
    assert all(word in ended.stderr for word in words), ended.stderr


@pytest.fixture
def upgraded(folder, next_version):
    """A data folder of a newer version."""
    assert next_version.command("upgrade", "--data-dir", folder.path).returncode == 0
    return folder


@pytest.mark.parametrize("arguments", [
    ["serve", "--port", "0"], ["serve", "--new", "--port", "0"], ["scrub"], ["scrub", "--new"], ["upgrade"],
    ["backup", "target"], ["backup", "--new", "target"], ["accounts", "list"],
])
def test_every_command_refuses_a_newer_database_in_words(upgraded, tmp_path, arguments):
    before = known(upgraded.database)

    target = [tmp_path / "target"] if arguments[-1] == "target" else []
    options = arguments[:-1] if target else arguments
    ended = command(*options, "--data-dir", upgraded.path, *target)

    refused(ended, f"a newer version: its schema has revision {NEXT}", f"knows {NOW} at most", "use that version, or")
    assert known(upgraded.database) == before


@pytest.mark.parametrize("name", ["scrub", "backup"])
def test_who_does_not_upgrade_refuses_an_older_database_in_words(folder, next_version, tmp_path, name):
    target = [tmp_path / "target"] if name == "backup" else []
    ended = next_version.command(name, "--data-dir", folder.path, *target)

    refused(ended, f"an older version: its schema has revision {NOW}", f"needs {NEXT}", "pymdc.bridge upgrade")
    assert copies(folder) == []


def test_the_command_upgrades_and_says_that_a_start_would_too(folder, next_version):
    first, again = (next_version.command("upgrade", "--data-dir", folder.path) for _ in range(2))

    assert first.stdout.startswith(f"the database is upgraded from revision {NOW} to {NEXT}; as it was it is in ")
    assert first.stdout.splitlines()[1:] == again.stdout.splitlines() == [
        f"the database's schema has revision {NEXT}, as this version wants it; a bridge on SQLite upgrades it itself "
        "when it starts"
    ]


@pytest.mark.parametrize("arguments", [["upgrade"], ["serve", "--port", "0"]])
def test_nothing_is_upgraded_while_a_bridge_runs(folder, next_version, arguments):
    with LocalBridge(folder.path):
        refused(next_version.command(*arguments, "--data-dir", folder.path), "another bridge is running on it")
        assert known(folder.database)[0] == [NOW] and copies(folder) == []


@pytest.mark.parametrize("options", [["--workers", "2"], ["--new"]])
def test_of_two_bridges_that_start_at_once_one_upgrades_and_serves(folder, next_version, options):
    before = rows(folder.database)
    arguments = ["serve", "--port", "0", "--log-level", "warning", "--data-dir", folder.path, *options]
    both = [next_version.start(*arguments) for _ in range(2)]
    try:
        said = [bridge.stdout.readline() for bridge in both]
        served = next(bridge for bridge, line in zip(both, said) if line)
        health = Wire(said[both.index(served)].split()[-1]).get("/health").json()
    finally:
        for bridge in both:
            bridge.terminate()
        ended = [bridge.communicate(timeout=60)[1] for bridge in both]

    assert sorted(map(bool, said)) == [False, True] and health["schema"] == NEXT
    assert "another bridge is running on it" in ended[1 - both.index(served)]
    told = [json.loads(line)["message"] for line in ended[both.index(served)].splitlines()]
    copy, = copies(folder)
    assert f"the database is upgraded from revision {NOW} to {NEXT}; as it was it is in {copy}" in told
    after = rows(folder.database)
    assert {name: after[name] for name in ("accounts", "files", "shards", "file_shards", "seen", "tokens")} == {
        name: before[name] for name in ("accounts", "files", "shards", "file_shards", "seen", "tokens")
    }


def test_a_backup_holds_its_revision_and_is_upgraded_when_it_is_restored(folder, next_version, tmp_path):
    made = command("backup", "--data-dir", folder.path, tmp_path / "backup")
    restored = next_version.command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    assert (made.returncode, restored.returncode) == (0, 0), restored.stderr
    assert known(tmp_path / "backup" / "bridge.sqlite")[0] == [NOW]
    new = DataFolder(tmp_path / "new")
    assert known(new.database)[0] == [NEXT] and copies(new) == []
    for name in ("accounts", "files", "file_shards"):
        assert rows(new.database)[name] == rows(folder.database)[name]


def test_a_backup_of_a_newer_version_is_neither_restored_nor_replaced(upgraded, next_version, tmp_path):
    next_version.command("backup", "--data-dir", upgraded.path, tmp_path / "backup")
    before = known(tmp_path / "backup" / "bridge.sqlite")
    make_folder(tmp_path / "older")

    restored = command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")
    replaced = command("backup", "--data-dir", tmp_path / "older", tmp_path / "backup")

    for ended in (restored, replaced):
        refused(ended, "a newer version", f"revision {NEXT}", str(tmp_path / "backup"))
    assert list((tmp_path / "new").glob("*")) == []
    assert known(tmp_path / "backup" / "bridge.sqlite") == before


@pytest.mark.parametrize("name", ["serve", "scrub", "upgrade"])
@pytest.mark.parametrize("harm, words", [
    ("DROP TABLE IF EXISTS alembic_version; CREATE TABLE alembic_version (version_num);"
     "INSERT INTO alembic_version VALUES ('ae1027a6acf')", "another program, whose alembic_version is 'ae1027a6acf'"),
    ("ALTER TABLE files ADD COLUMN colour", "whose table files has other columns"),
])
def test_a_database_that_is_none_of_ours_is_refused_in_words(folder, name, harm, words):
    with contextlib.closing(sqlite3.connect(folder.database)) as db:
        db.executescript(harm)

    ended = command(name, "--data-dir", folder.path, *(["--port", "0"] if name == "serve" else []))

    refused(ended, words)
