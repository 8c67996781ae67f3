"""The benchmarks, as far as they go without peers to install; not how fast anything is."""

import os
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree

import pytest

from benchmarks import cases, measure, peers, picture, processes, sizing
from waiting import eventually

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MARK = "PYMDC_TEST_RUN"  # of its environment, by which the processes of a run are found
SVG = "{http://www.w3.org/2000/svg}"


def start(folder, *options, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "--folder", folder, *options], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment, MARK: str(folder)},
    )


def run(folder, *options, **environment):
    """Return what a run reports."""
    process = start(folder, *options, **environment)
    report, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return report


def processes_of(folder):
    """Return the ids of all processes of the run that was given *folder*."""
    return [pid for pid in filter(str.isdigit, os.listdir("/proc")) if f"{MARK}={folder}\0" in environment_of(pid)]


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", errors="replace") as file:
            return file.read()
    except OSError:
        return ""  # it has ended, or is somebody else's


def test_a_case_is_measured_reported_and_drawn(tmp_path):
    picture = tmp_path / "picture.svg"
    folder = tmp_path / "folder"
    folder.mkdir()

    report = run(folder, "--only", "call", "--rounds", "2", "--calls", "2", "--picture", picture)

    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in report.splitlines() if line[:1] == "|"]
    reached = {row[0]: row for row in rows}
    assert float(reached["time of a signed GET / a bare requests.Session"][1]) > 0
    assert {row[1] for row in rows if row[0] == "call: call"} >= {"pymdc to bridge", "requests to route"}
    bars = xml.etree.ElementTree.parse(picture).findall(f"{SVG}rect")[1:]
    assert len(bars) == len([row for row in rows if row[-1] in ("aim", "must", "missed")])
    assert os.listdir(folder) == []
    assert processes_of(folder) == []


def test_a_peer_that_is_missing_is_named(tmp_path):
    report = run(tmp_path, "--only", "large", "--rounds", "1", "--megabytes", "1", PATH="")

    assert "Missing, so not compared: curl (apt-get install curl)" in report
    assert "pymdc to bridge" in report


def test_the_sizing_names_what_it_would_need(monkeypatch):
    monkeypatch.setattr(peers, "_program", lambda name: None)

    assert sizing.lacking() == ["postgres (apt-get install postgresql)", 'weed (pip install -e ".[benchmarks]")']


def test_the_speed_of_each_setting_is_told_and_drawn(tmp_path):
    about = {"case": "small", "side": cases.FAST, "step": "put", "in_bytes": False, "work": 100, "client_peak": None,
             "server_peak": 0, "others": 0, "client_cpu": 0, "server_cpu": 0.002,
             "behind_cpu": {"database": 0.001, "store": 0}}
    found = {("put", setting): [measure.Sample(**about, seconds=seconds) for seconds in (1, 2, 4)]
             for setting in sizing.SETTINGS[:3]}

    picture.draw_sizing(found, tmp_path / "picture.svg")
    lines = sizing.text(found).splitlines()

    assert len(lines) == 2 + 3 and all("50.0 a second" in line and "2.00 ms" in line for line in lines[2:])
    assert len(xml.etree.ElementTree.parse(tmp_path / "picture.svg").findall(f"{SVG}rect")) == 1 + 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_processes_and_no_files(tmp_path, number):
    process = start(tmp_path, "--only", "memory", "--rounds", "1000", "--megabytes", "8")
    eventually(lambda: len(processes_of(tmp_path)) == 1 + 1 + 8)  # the run, the bridge and its clients

    process.send_signal(number)
    process.communicate(timeout=60)

    assert process.returncode == 128 + number
    assert processes_of(tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_a_process_that_says_nothing_is_ended_without_a_thread_that_would_outlive_an_interruption(monkeypatch):
    silent = subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE, text=True)
    monkeypatch.setattr(threading.Thread, "start", lambda thread: pytest.fail("a thread"))

    with silent:
        assert processes.line(silent, 0.1) == ""
    assert silent.returncode == -signal.SIGKILL
