"""python -m pymdc.bridge: what it says when it serves, and when it cannot."""

import os
import socket
import subprocess
import sys

import pytest

from pymdc.bridge import LocalBridge


def run(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "pymdc.bridge", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )


def test_a_second_bridge_on_one_data_folder_is_refused(tmp_path):
    with LocalBridge(tmp_path):
        bridge = run("--port", "0", "--data-dir", str(tmp_path))
        _, said = bridge.communicate(timeout=60)

    assert bridge.returncode != 0
    assert "another bridge is running on it" in said and "Traceback" not in said


def test_a_database_that_is_none_is_named_in_a_line(tmp_path):
    (tmp_path / "bridge.sqlite").write_bytes(b"garbage" * 1000)

    bridge = run("--port", "0", "--data-dir", str(tmp_path))
    _, said = bridge.communicate(timeout=60)

    assert bridge.returncode != 0
    assert "file is not a database" in said and "Traceback" not in said


def test_the_command_can_be_named(tmp_path):
    bridge = run("serve", "--port", "0", "--data-dir", str(tmp_path))

    assert bridge.stdout.readline().startswith("listening on ")
    bridge.terminate()
    bridge.communicate(timeout=30)


def test_the_command_says_where_it_listens_and_ends_on_sigterm(tmp_path):
    bridge = run("--port", "0", PYMDC_BRIDGE_DATA_DIR=str(tmp_path / "data"))

    line = bridge.stdout.readline()
    host, port = line.strip().rsplit("/", 1)[1].split(":")
    socket.create_connection((host, int(port))).close()
    bridge.terminate()
    rest, _ = bridge.communicate(timeout=30)

    assert line.startswith("listening on http://127.0.0.1:") and rest == ""
    assert (tmp_path / "data" / "bridge.sqlite").exists()


@pytest.mark.parametrize("arguments, complaint", [
    (["--port", "70000"], "70000"), (["--log-level", "loud"], "loud"), (["--nonsense"], "nonsense"),
    (["--public-url", "bridge.example"], "public-url"), (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
    (["--data-dir", "/dev/null/x"], "/dev/null/x"),
])
def test_a_bad_option_is_named_in_a_line(arguments, complaint):
    bridge = run("--port", "0", *arguments)

    _, said = bridge.communicate(timeout=60)

    assert bridge.returncode != 0
    assert complaint in said and "Traceback" not in said


def test_a_port_in_use_is_named_in_a_line(local):
    bridge = run("--port", local.url.rsplit(":", 1)[1], PYMDC_BRIDGE_DATA_DIR="/tmp/never-used")

    _, said = bridge.communicate(timeout=60)

    assert bridge.returncode != 0
    assert "cannot serve 127.0.0.1:" in said and "Traceback" not in said
