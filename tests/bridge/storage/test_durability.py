"""What is told to be done is on disk: the order of the system calls, as strace tells it."""

import hashlib
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

import pymdc
from needed import is_missing
from pymdc._digest import content_hash
from traced_bridge import STRACE, SystemCall, TracedBridge, read_trace
from wire import Account

if is_missing("strace"):
    pytest.skip("needs strace, which .ci/run installs", allow_module_level=True)

SHARD_SIZE = 8 * 1024 * 1024
SHARDS = [b"\x01" * SHARD_SIZE, b"\x02" * 1000]
SMALL = b"\x04" * 4096  # for the database
UNNEEDED = "shards/incoming/upload-0"
DELETED = b"\x03" * 20_000


def first(calls, matches, after):
    """Return the first call that matches and began when *after* was over."""
    found = [call for call in calls if call.began > after.ended and matches(call)]
    assert found, f"nothing of the kind after {after}"
    return found[0]


def in_peril(calls, folder, at):
    """Return what of a folder's changes a power cut would have undone when the call *at* began."""
    changes = [
        (call, path) for call in calls if call.ended < at.began for path in call.changed
        if path.is_relative_to(folder) and not path.name.endswith("-shm")  # which SQLite makes anew
    ]
    syncs = [call for call in calls if "sync" in call.name and call.ended < at.began]
    return {path for call, path in changes if not any(each.syncs(path) and each.began > call.ended for each in syncs)}


def trace_command(trace, *arguments):
    """Return what a command of the bridge has called."""
    subprocess.run([*STRACE, "-o", trace, sys.executable, "-m", "pymdc.bridge", *arguments],
                   check=True, capture_output=True, timeout=60)
    return read_trace(trace.read_text().splitlines())


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """
    The data folder, and what the bridge called from its first start to its end: somebody registered, made one upload
    that stayed, one that he deleted at once, and a small one; then he asked for his keys, twice, and
    registered one again, for which he was refused.
    """
    bridge = TracedBridge(tmp_path_factory.mktemp("strace") / "trace")
    try:
        account = Account(bridge.url, f"{uuid.uuid4().hex}@example.com", "ab" * 32, pymdc.keypair.ECDSA())
        account.nobody.post("/users", {"email": account.email, "password": account.password, "pubkey": account.key})
        account.nobody.get(bridge.activation_link(account.email)[len(bridge.url):])
        bucket = account.bucket()
        account.upload(bucket, b"".join(SHARDS))
        account.basic.delete(f"/buckets/{bucket}/files/{account.upload(bucket, DELETED)}")
        account.upload(bucket, SMALL)
        for _ in range(2):
            account.signed.get("/keys")
        account.signed.post("/keys", {"key": account.key})
    finally:
        calls = bridge.calls()
    return bridge.folder, calls


@pytest.fixture(scope="module")
def backup(served, tmp_path_factory):
    """The folder of a backup, and what was called to make it.  From an earlier one it had what is not needed now."""
    target = tmp_path_factory.mktemp("backup") / "backup"
    unneeded = target / UNNEEDED
    unneeded.parent.mkdir(parents=True)
    unneeded.touch()
    (target / "BACKUP").touch()
    return target, trace_command(target.parent / "trace", "backup", "--data-dir", served[0], target)


@pytest.fixture(scope="module")
def restored(backup, tmp_path_factory):
    """The folder of a bridge, and what was called to make it from a backup."""
    target = tmp_path_factory.mktemp("restored") / "new" / "data"
    return target, trace_command(target.parents[1] / "trace", "restore", "--data-dir", target, backup[0])


def test_new_folders_are_on_disk_before_the_bridge_says_that_it_listens(served):
    folder, calls = served
    listening = next(call for call in calls if call.says("listening on"))

    made = {call.paths[0] for call in calls if "mkdir" in call.name and call.ended < listening.began}

    shards = folder / "shards"
    expected = [folder.parent, folder, folder / "outbox", shards, shards / "incoming", shards / "00", shards / "ff"]
    assert made.issuperset(map(str, expected))
    assert in_peril(calls, folder.parents[1], at=listening) == set()


def test_a_mail_is_on_disk_before_the_registration_is_answered(served):
    folder, calls = served
    renaming = next(call for call in calls if call.renames() and call.paths[1].endswith(".eml"))
    old, new = map(Path, renaming.paths)
    writes = [call for call in calls if call.writes(old)]
    answer = first(calls, SystemCall.answers, after=writes[0])

    synced = first(calls, lambda call: call.syncs(old), after=writes[-1])
    renamed = first(calls, lambda call: call is renaming, after=synced)
    listed = first(calls, lambda call: call.syncs(new.parent), after=renamed)

    assert new.parent == folder / "outbox"
    assert sum(call.result for call in writes) == new.stat().st_size
    assert "HTTP/1.1 200 OK" in answer.arguments
    assert listed.ended < answer.began


@pytest.mark.parametrize("shard", SHARDS, ids=["first", "last"])
def test_an_upload_is_answered_after_its_shards_and_their_rows_are_on_disk(served, shard):
    folder, calls = served
    log, shard_hash = folder / "bridge.sqlite-wal", content_hash(hashlib.sha256(shard))
    renaming = next(call for call in calls if call.renames() and f"/{shard_hash}-" in call.paths[1])
    old, new = map(Path, renaming.paths)
    writes = [call for call in calls if call.writes(old)]
    answer = first(calls, SystemCall.answers, after=writes[0])

    synced = first(calls, lambda call: call.syncs(old), after=writes[-1])
    renamed = first(calls, lambda call: call is renaming, after=synced)
    listed = first(calls, lambda call: call.syncs(new.parent), after=renamed)
    entered = [call for call in calls if call.writes(log) and listed.ended < call.began < answer.began]
    committed = first(calls, lambda call: call.syncs(log), after=entered[-1])

    assert sum(call.result for call in writes) == len(shard)
    assert "HTTP/1.1 200 OK" in answer.arguments
    assert committed.ended < answer.began


def test_a_small_upload_is_answered_after_its_content_is_on_disk_in_the_database_and_writes_to_nothing_else(served):
    folder, calls = served
    log = folder / "bridge.sqlite-wal"
    content = next(call for call in calls if call.writes(log) and r"\4\4\4\4" in call.arguments)
    token = [call for call in calls if call.answers() and call.ended < content.began][-1]
    answer = first(calls, SystemCall.answers, after=content)

    meanwhile = [call for call in calls if token.ended < call.began and call.ended < answer.began]
    entered = [call for call in meanwhile if call.writes(log)]
    committed = first(calls, lambda call: call.syncs(log), after=entered[-1])

    assert "HTTP/1.1 200 OK" in answer.arguments
    assert committed.ended < answer.began
    assert {path for call in meanwhile for path in map(str, call.changed) if path.startswith(str(folder))} == {str(log)}
    assert {call.target for call in meanwhile if "sync" in call.name} == {str(log)}


def test_a_signed_get_waits_for_no_sync(served):
    folder, calls = served
    before, answer = [call for call in calls if call.answers() and "HTTP/1.1 200 OK" in call.arguments][-2:]

    meanwhile = [call for call in calls if before.ended < call.began and call.ended < answer.began]

    assert any(call.writes(folder / "bridge.sqlite-wal") for call in meanwhile)
    assert [call for call in meanwhile if "sync" in call.name] == []


def test_that_a_request_other_than_a_get_was_seen_is_on_disk_before_it_is_answered(served):
    folder, calls = served
    log = folder / "bridge.sqlite-wal"
    before = [call for call in calls if call.answers() and "HTTP/1.1 200 OK" in call.arguments][-1]
    answer = first(calls, lambda call: call.answers() and "HTTP/1.1 400" in call.arguments, after=before)

    seen = [call for call in calls if call.writes(log) and before.ended < call.began < answer.began]
    synced = first(calls, lambda call: call.syncs(log), after=seen[-1])

    assert synced.ended < answer.began


def test_an_object_is_deleted_after_it_is_on_disk_that_nothing_needs_it(served):
    folder, calls = served
    log, shard_hash = folder / "bridge.sqlite-wal", content_hash(hashlib.sha256(DELETED))
    deletion = next(call for call in calls if "unlink" in call.name and f"/{shard_hash}-" in call.paths[0])
    upload = [call for call in calls if call.answers() and call.ended < deletion.began][-1]
    entered = [call for call in calls if call.writes(log) and upload.ended < call.began < deletion.began]

    assert entered, "nothing has come into the log since the upload"
    committed = first(calls, lambda call: call.syncs(log), after=entered[-1])

    assert committed.ended < deletion.began


def test_a_backup_is_on_disk_before_its_database_takes_its_place_and_that_before_what_it_had_goes(backup):
    target, calls = backup
    replacing = next(call for call in calls if call.renames() and call.paths[1] == str(target / "bridge.sqlite"))
    end = next(call for call in calls if call.says("3 shards in the backup"))

    assert copied_before(replacing, calls).issuperset(contents_of(target))
    assert in_peril(calls, target, at=replacing) == set()
    listed = first(calls, lambda call: call.syncs(target), after=replacing)
    deletion = first(calls, lambda call: call.unlinks(target / UNNEEDED), after=listed)
    assert deletion.ended < end.began
    assert in_peril(calls, target, at=end) == set()


def test_what_is_restored_is_on_disk_before_its_folder_counts_as_whole_and_that_before_the_end(restored):
    target, calls = restored
    mark = target / "UNFINISHED"
    marked = [call for call in calls if call.writes(mark)][-1]
    begun = first(calls, lambda call: bool(call.changed), after=marked)
    unmarking = next(call for call in calls if call.unlinks(mark))
    end = next(call for call in calls if call.says("3 shards of"))

    assert in_peril(calls, target.parents[1], at=begun) == set()
    assert first(calls, lambda call: call.syncs(target), after=marked).ended < begun.began
    assert copied_before(unmarking, calls).issuperset([*contents_of(target), target / "bridge.sqlite"])
    assert in_peril(calls, target.parents[1], at=unmarking) == set()
    assert first(calls, lambda call: call.syncs(target), after=unmarking).ended < end.began


def copied_before(moment, calls):
    """Return the names of the files that were written or renamed before a call."""
    done = [call for call in calls if call.ended < moment.began]
    return {Path(path) for call in done for path in (call.written or "", *call.paths)}


def contents_of(folder):
    """Return the shards and the mails in a data folder."""
    found = [*(folder / "shards").rglob("*-*"), *(folder / "outbox").glob("*.eml")]
    assert len(found) == len(SHARDS) + 1
    return found


DOWNLOAD = """
import sys, pymdc
client = pymdc.Client(sys.argv[1], raise_errors=True)
bucket = pymdc.api.Bucket(sys.argv[2], client=client)
bucket.files.download(sys.argv[3], sys.argv[4], sys.argv[5])
"""


@pytest.mark.parametrize("replaces", [False, True])
def test_a_downloaded_file_is_on_disk_before_it_takes_its_name_and_the_name_before_the_end(
        alice, local, tmp_path, replaces):
    bucket = alice.bucket()
    stored = alice.upload(bucket, b"".join(SHARDS))
    token = alice.token(bucket, "PULL")
    path, trace = tmp_path / "folder" / "copy", tmp_path / "trace"
    path.parent.mkdir()
    if replaces:
        path.write_bytes(b"old content")
    script = [sys.executable, "-c", DOWNLOAD, local.url, bucket, stored, path, token]

    subprocess.run([*STRACE, "-o", trace, *script], check=True)

    calls = read_trace(trace.read_text().splitlines())
    renaming = next(call for call in calls if call.renames() and call.paths[1] == str(path))
    part = renaming.paths[0]
    writes = [call for call in calls if call.writes(part)]
    synced = first(calls, lambda call: call.syncs(part), after=writes[-1])
    renamed = first(calls, lambda call: call is renaming, after=synced)
    first(calls, lambda call: call.syncs(path.parent), after=renamed)
    assert sum(call.result for call in writes) == path.stat().st_size == sum(map(len, SHARDS))
    assert Path(part).parent == path.parent


def test_a_call_that_another_thread_interrupts_in_the_trace_is_put_together():
    trace = [
        "12    fsync(7</data/a> <unfinished ...>",
        '13    rename("/data/b", "/data/c") = 0',
        "13    fsync(8</data/d>) = -1 EIO (Input/output error)",
        "12    <... fsync resumed>)               = 0",
        "12    +++ exited with 0 +++",
    ]

    calls = read_trace(trace)

    assert calls == [SystemCall("rename", '"/data/b", "/data/c"', 0, 1, 1), SystemCall("fsync", "7</data/a>", 0, 0, 3)]
    assert calls[1].syncs("/data/a")
