"""Nothing is thrown away on a doubt, and /health tells one."""

import contextlib
import os
import shutil
import sqlite3

import pytest

from used_bridge import UsedBridge, command


@pytest.fixture
def store_url():
    """What is told here is told of folders."""
    return None


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


def _cut_after_a_kill(database):
    """Cut off its end where a bridge that was killed has left beside it what is still to be written to it."""
    log = database.with_name("bridge.sqlite-wal")
    with contextlib.closing(sqlite3.connect(database)) as db:
        with db:
            db.execute("INSERT INTO holds VALUES ('probe', 0)")
        written = log.read_bytes()
    log.write_bytes(written)
    os.truncate(database, database.stat().st_size - 2 * 4096)


@pytest.fixture
def stopped(tmp_path):
    """The data folder of a bridge that has ended, and its backup."""
    with UsedBridge(tmp_path / "data") as world:
        world.register().account.upload(world.bucket, b"x" * 20_000)
        assert command("backup", "--data-dir", world.folder, tmp_path / "backup").returncode == 0
    return world


@pytest.mark.parametrize("harm", [_emptied, _made_anew, _forgetful, _cut, _cut_after_a_kill, os.unlink])
def test_nothing_is_thrown_away_on_a_doubt(stopped, tmp_path, harm):
    objects = stopped.objects
    kept = sorted((tmp_path / "backup" / "shards").rglob("*-*"))
    harm(stopped.folder / "bridge.sqlite")

    refused = [command("serve", "--port", 0, "--data-dir", stopped.folder),
               command("scrub", "--data-dir", stopped.folder),
               command("backup", "--data-dir", stopped.folder, tmp_path / "backup")]

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
    with UsedBridge(stopped.folder):
        pass  # nobody is asked twice

    assert stopped.objects == []
    assert len(list((stopped.folder / "quarantine").iterdir())) == 1


def test_a_bridge_whose_users_have_deleted_everything_is_backed_up(stopped, tmp_path):
    with UsedBridge(stopped.folder, stopped.key_pair) as emptied:
        emptied.account.signed.delete("/buckets/" + stopped.bucket)

    again = command("backup", "--data-dir", stopped.folder, tmp_path / "backup")

    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("0 shards in the backup")


def test_a_backup_of_a_database_without_its_shards_names_is_not_restored(stopped, tmp_path):
    _emptied(tmp_path / "backup" / "bridge.sqlite")

    restored = command("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")

    assert restored.returncode == 1 and "the backup is not whole" in restored.stderr


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
