"""What is told to be done is on disk: the order of the system calls, as strace tells it."""

import hashlib
import re
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

import pymdc
from pymdc._digest import content_hash
from running_bridge import RunningBridge
from wire import Account

if not shutil.which("strace"):
    pytest.skip("needs strace, which .ci/run installs", allow_module_level=True)

CALLS = "write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2"
STRACE = ["strace", "-f", "--seccomp-bpf", "-yy", "-s", "200", "-e", "trace=" + CALLS]
SHARD_SIZE = 8 * 1024 * 1024
SHARDS = [b"\x01" * SHARD_SIZE, b"\x02" * 1000]
PATIENCE = 30  # seconds

_LINE = re.compile(r"(\d+) +(.*)")
_UNFINISHED = re.compile(r"(.*?) *<unfinished \.\.\.>")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (\d+)")
_DESCRIPTOR = re.compile(r"\d+<(.*?)>(?:\(deleted\))?(?:,|$)")


class TracedBridge(RunningBridge):
    """A bridge whose system calls are written to a file by strace, which stands beside it and ends after it."""

    def __init__(self, trace):
        self._trace = Path(trace)
        super().__init__("--log-level", "error")

    def calls(self):
        """Stop, and return what was called."""
        self.close()
        deadline = time.monotonic() + PATIENCE
        while not re.search(rf"^{self._process.pid} +\+\+\+ ", self._trace.read_text(), re.MULTILINE):
            assert time.monotonic() < deadline, "strace does not end"
            time.sleep(0.05)
        return read_trace(self._trace.read_text().splitlines())

    def _command(self, port):
        return [*STRACE, "-D", "-o", self._trace, *super()._command(port)]


@dataclass
class SystemCall:
    """
    One that has succeeded.

    :ivar began, ended: lines of the trace.
    :ivar result: the number it returned.
    """

    name: str
    arguments: str
    result: int
    began: int
    ended: int

    @property
    def target(self):
        """The file or the connection that it writes or syncs."""
        descriptor = _DESCRIPTOR.match(self.arguments)
        return descriptor and descriptor.group(1)

    @property
    def paths(self):
        """The old and the new name of what it renames."""
        return re.findall(r'"(.*?)"', self.arguments)

    def writes(self, path):
        return "write" in self.name and self.target == str(path)

    def syncs(self, path):
        return "sync" in self.name and self.target == str(path)

    def renames(self):
        return "rename" in self.name

    def answers(self):
        return not self.renames() and bool(self.target) and self.target.startswith("TCP")


def read_trace(lines):
    """Return the calls in the order in which they ended."""
    calls, unfinished = [], {}
    for number, line in enumerate(lines):
        thread, text = _LINE.fullmatch(line).groups()
        began, interrupted, resumed = number, _UNFINISHED.fullmatch(text), _RESUMED.fullmatch(text)
        if interrupted:
            unfinished[thread] = number, interrupted.group(1)
            continue
        if resumed:
            began, beginning = unfinished.pop(thread)
            text = beginning + resumed.group(1)
        call = _CALL.match(text)
        if call:
            calls.append(SystemCall(call.group(1), call.group(2), int(call.group(3)), began, number))
    return calls


def first(calls, matches, after):
    """Return the first call that matches and began when *after* was over."""
    found = [call for call in calls if call.began > after.ended and matches(call)]
    assert found, f"nothing of the kind after {after}"
    return found[0]


@pytest.fixture(scope="module")
def upload(tmp_path_factory):
    """The data folder, and what the bridge called while it took one upload."""
    bridge = TracedBridge(tmp_path_factory.mktemp("strace") / "trace")
    try:
        account = Account(bridge.url, f"{uuid.uuid4().hex}@example.com", "ab" * 32, pymdc.keypair.ECDSA())
        account.nobody.post("/users", {"email": account.email, "password": account.password, "pubkey": account.key})
        account.nobody.get(bridge.activation_link(account.email)[len(bridge.url):])
        account.upload(account.bucket(), b"".join(SHARDS))
    finally:
        calls = bridge.calls()
    return Path(bridge.data_dir), calls


@pytest.mark.parametrize("shard", SHARDS, ids=["first", "last"])
def test_an_upload_is_answered_after_its_shards_and_their_rows_are_on_disk(upload, shard):
    folder, calls = upload
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
