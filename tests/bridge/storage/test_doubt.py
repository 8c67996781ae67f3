"""Nothing is thrown away on a doubt, and /health tells one."""

import contextlib
import os
import shutil
import sqlite3

import pytest

from used_bridge import UsedBridge, command


def _emptied(database):
    database.write_bytes(b"")


def _made_anew(database):
    database.unlink()
    with contextlib.closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE notes (text)")


def _forgetful(database):
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        db.execute("DELETE FROM file_shards")
        db.execute("DELETE FROM shards")


def _cut(database):
    os.truncate(database, database.stat().st_size // 2)


@pytest.fixture
def stopped(tmp_path):
    """The data folder of a bridge that has ended, and its backup."""
    with UsedBridge(tmp_path / "data") as world:
        world.register().account.upload(world.bucket, b"x" * 20_000)
        assert command("backup", "--data-dir", world.folder, tmp_path / "backup").returncode == 0
    return world


@pytest.mark.parametrize("harm", [_emptied, _made_anew, _forgetful, _cut, os.unlink])
def test_nothing_is_thrown_away_on_a_doubt(stopped, tmp_path, harm):
    objects = stopped.objects
    kept = sorted((tmp_path / "backup" / "shards").rglob("*-*"))
    harm(stopped.folder / "bridge.sqlite")

    refused = [command("scrub", "--data-dir", stopped.folder),
               command("backup", "--data-dir", stopped.folder, tmp_path / "backup")]
    if harm is not _cut:
        with pytest.raises(OSError):
            UsedBridge(stopped.folder).__enter__()

    assert all(ended.returncode != 0 and ended.stderr and "Traceback" not in ended.stderr for ended in refused)
    assert stopped.objects == objects
    assert sorted((tmp_path / "backup" / "shards").rglob("*-*")) == kept


def test_a_backup_is_not_emptied_by_a_bridge_that_is_empty(stopped, tmp_path):
    with UsedBridge(tmp_path / "other") as other:
        refused = command("backup", "--data-dir", other.folder, tmp_path / "backup")
        meant = command("backup", "--new", "--data-dir", other.folder, tmp_path / "backup")

    assert refused.returncode == 1 and "say --new" in refused.stderr
    assert meant.returncode == 0


def test_a_new_bridge_is_begun_for_who_means_it(stopped):
    (stopped.folder / "bridge.sqlite").unlink()

    with UsedBridge(stopped.folder, new=True) as bridge:
        assert bridge.account.nobody.get("/health").status_code == 200


def test_a_backup_of_a_database_without_its_shards_names_is_not_restored(stopped, tmp_path):
    _emptied(tmp_path / "backup" / "bridge.sqlite")

    restored = command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    assert restored.returncode == 1 and "names none" in restored.stderr


def test_what_a_killed_backup_leaves_goes_with_the_next(stopped, tmp_path):
    left = tmp_path / "backup" / "unfinished"
    left.mkdir()
    (left / "snapshot.sqlite").write_bytes(b"half")

    again = command("backup", "--data-dir", stopped.folder, tmp_path / "backup")

    assert again.returncode == 0 and not left.exists()


@pytest.mark.parametrize("gone", ["ab", "incoming", "."])
def test_health_tells_that_a_folder_of_the_store_is_gone(world, gone):
    shutil.rmtree(world.folder / "shards" / gone)

    answer = world.account.nobody.get("/health")

    assert (answer.status_code, answer.json()["store"]) == (503, "failing")
