"""Where a bridge starts, where it does not, and how it says so; whose its files are."""

import errno
import os
import shutil
import stat
import socket
import subprocess
import sys
import time

import pytest

import pymdc
from half_upload import HalfUpload
from pymdc.bridge import LocalBridge, _requirements
from pymdc.bridge.storage.backup import back_up, restore
from pymdc.bridge.storage.datafolder import DataFolder
from waiting import eventually
from wire import Account, Wire


def run(*arguments, cwd, **options):
    return subprocess.run(
        [sys.executable, "-m", "pymdc.bridge", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60,
        **options,
    )


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["scrub"], ["backup", "there"], ["restore", "."]])
@pytest.mark.parametrize("by_variable", [False, True])
def test_an_empty_data_folder_is_refused(tmp_path, command, by_variable):
    option = [] if by_variable else ["--data-dir", ""]
    environment = {**os.environ, **({"PYMDC_BRIDGE_DATA_DIR": ""} if by_variable else {})}

    ended = run(*command, *option, cwd=tmp_path, env=environment)

    assert ended.returncode == 2 and "is empty" in ended.stderr and "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["backup", ""], ["restore", ""], ["serve", "--tls-cert", ""]])
def test_an_empty_path_is_no_path(tmp_path, command):
    ended = run(*command, "--data-dir", str(tmp_path / "data"), cwd=tmp_path)

    assert ended.returncode == 2 and "is empty" in ended.stderr


def test_a_port_that_is_taken_is_told_with_the_way_out(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = run("--port", port, "--data-dir", str(tmp_path / "data"), cwd=tmp_path)

    assert ended.returncode == 1
    assert f"cannot serve 127.0.0.1:{port} from" in ended.stderr
    assert "another program has this port, or a bridge that runs already; --port takes another" in ended.stderr


@pytest.mark.parametrize("arguments, code, said", [
    (["--version"], 0, "pymdc "), (["serve", "--help"], 0, "data folder"), (["--port", "0"], 2, "--data-dir"),
])
def test_who_has_no_home_is_told_when_one_is_needed(tmp_path, arguments, code, said):
    # A user whom the system does not know, as in a container; only root can become one here.
    script = (
        "import os, pwd, runpy, sys\n"
        "def unknown(_): raise KeyError\n"
        "pwd.getpwuid = unknown\n"
        f"sys.argv = ['bridge', *{arguments!r}]\n"
        "runpy.run_module('pymdc.bridge', run_name='__main__', alter_sys=True)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_DATA_HOME")}

    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environment,
    )

    assert ended.returncode == code, ended.stderr
    assert said in ended.stdout + ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize("module, said", [
    ("fcntl", "POSIX"), ("termios", "POSIX"), ("resource", "POSIX"), ("sqlite3", "SQLite"), ("uvicorn", "extra"),
])
def test_where_a_bridge_cannot_run_a_line_says_why(monkeypatch, module, said):
    assert _requirements.missing() is None
    monkeypatch.setitem(sys.modules, module, None)

    assert said in _requirements.missing() and "\n" not in _requirements.missing()


def test_a_sqlite_that_is_too_old_is_named(monkeypatch):
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))

    assert "SQLite 3.35" in _requirements.missing()


@pytest.fixture
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_what_a_bridge_writes_is_nobody_else_s(tmp_path, usual_umask):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    with LocalBridge(folder) as bridge:
        account = Account(bridge.url, "ann@example.com", "ab" * 32, pymdc.keypair.ECDSA())
        account.nobody.post("/users", {"email": account.email, "password": account.password, "pubkey": account.key})
        account.nobody.get("/activations/" + bridge.activation_token(account.email))
        account.upload(account.bucket(), b"x" * 100_000)
        found = modes(folder)

    assert {".", "bridge.sqlite", "bridge.sqlite-wal", "lock", "outbox", "shards"} <= set(found)
    assert [name for name, mode in found.items() if mode & 0o077] == []


def modes(folder):
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def loosen(folder):
    """Let everybody read what is in a folder, as a bridge or a copy of it may have left it."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def used(tmp_path, usual_umask):
    """The data folder of a bridge that has an account that waits, with its mail, and was not closed properly."""
    folder = tmp_path / "data"
    with LocalBridge(folder) as bridge:
        Wire(bridge.url).post("/users", {"email": "ann@example.com", "password": "ab" * 32})
        shutil.copytree(folder, tmp_path / "left")  # with its -wal and -shm
    return tmp_path / "left"


def test_what_others_could_read_in_a_data_folder_is_closed_to_them_at_the_start(used):
    (used / "quarantine").mkdir()
    loosen(used)

    with LocalBridge(used) as bridge:
        assert Wire(bridge.url).get("/activations/" + bridge.activation_token("ann@example.com")).status_code == 200
        found = modes(used)

    mails = [name for name in found if name.endswith(".eml")]
    assert {".", "bridge.sqlite", "bridge.sqlite-wal", "bridge.sqlite-shm", "bridge.sqlite-door", "bridge.sqlite-turn",
            "lock", "outbox", "shards", "shards/00", "shards/incoming", "quarantine"} <= set(found) and len(mails) == 1
    assert [name for name, mode in found.items() if mode & 0o077] == []


def test_a_folder_that_everybody_shares_stays_so(tmp_path):
    tmp_path.chmod(0o1777)

    with LocalBridge(tmp_path):
        assert modes(tmp_path)["."] == 0o1777


def test_a_data_folder_of_somebody_else_is_used_as_it_is(tmp_path, monkeypatch):
    tmp_path.chmod(0o755)

    def refuse(*arguments):
        raise PermissionError(errno.EPERM, "not yours")
    monkeypatch.setattr("pymdc.bridge.private.os.chmod", refuse)

    with LocalBridge(tmp_path) as bridge:
        assert Wire(bridge.url).get("/health").status_code == 200


@pytest.mark.parametrize("there", [False, True])
def test_a_backup_and_what_is_restored_is_nobody_else_s(used, tmp_path, there):
    backup, restored = DataFolder(tmp_path / "backup"), DataFolder(tmp_path / "restored")
    back_up(DataFolder(used), backup, print)
    for folder in (used, backup.path, restored.path):
        loosen(folder) if there else None

    back_up(DataFolder(used), backup, print)
    assert [name for name, mode in modes(backup.path).items() if mode & 0o077 and name != "BACKUP"] == []

    loosen(backup.path) if there else None
    restore(backup, restored, print)
    found = modes(restored.path)
    assert len([name for name in found if name.endswith(".eml")]) == 1 and "bridge.sqlite" in found
    assert [name for name, mode in found.items() if mode & 0o077] == []


def test_an_upload_outlives_a_clock_that_is_set_forward(alice, local, monkeypatch):
    slow, real = HalfUpload(alice, alice.bucket(), b"x" * 100_000), time.time
    eventually(lambda: local._server.services.metadata.uploads.dead(10**18))  # which is all there are
    monkeypatch.setattr("pymdc.bridge.clock.time.time", lambda: real() + 7 * 86400)
    local._server.services.clear_uploads(int(time.monotonic() * 1000))

    assert slow.finish().status_code == 200
