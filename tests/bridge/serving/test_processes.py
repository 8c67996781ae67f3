"""The processes of a bridge: workers, and how they all end."""

import collections
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import websocket

from half_upload import HalfUpload
from waiting import eventually
from wire import Wire, multipart, race, registered

SHARD = 8 * 1024 * 1024


def test_of_racing_copies_of_a_request_one_passes_whichever_worker_gets_it(running):
    account = registered(running("--workers", "3"))
    bucket = account.bucket()
    token = account.token(bucket)
    account.signed.deliver = lambda request: None
    account.signed.post("/buckets", {"name": "once"})
    del account.signed.deliver

    def upload(_):
        return account.nobody.put(f"/buckets/{bucket}/files", multipart(b"once"), token, 4).status_code

    assert collections.Counter(race(50, lambda _: account.signed.send_again().status_code)) == {200: 1, 401: 49}
    assert collections.Counter(race(50, upload)) == {200: 1, 401: 49}


def test_workers_share_their_counts(running):
    bridge = running("--workers", "3")

    for _ in range(30):
        Wire(bridge.url).get("/keys")

    text = Wire(bridge.url).get("/metrics").text
    assert 'pymdc_requests_total{method="GET",route="/keys",status="401"} 30.0' in text


def test_a_worker_that_dies_is_replaced(running):
    bridge = running("--workers", "2")
    first = _children(bridge)

    os.kill(first[0], signal.SIGKILL)

    eventually(lambda: len(_children(bridge)) == 2 and _children(bridge) != first)
    assert Wire(bridge.url).get("/health").status_code == 200


def test_workers_go_when_their_parent_is_killed(running):
    bridge = running("--workers", "2")
    workers = _children(bridge)

    bridge.stop(kill=True)
    eventually(lambda: not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers))
    bridge.start()

    assert Wire(bridge.url).get("/health").status_code == 200


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends what its parent leaves")
def test_workers_that_do_nothing_go_with_their_parent_too(running):
    bridge = running("--workers", "2")
    workers = _children(bridge)
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)

    bridge.stop(kill=True)

    eventually(lambda: not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends what its parent leaves")
def test_what_is_done_apart_at_the_start_ends_with_the_bridge():
    program = "import time; from pymdc.bridge.serving.server import _apart; _apart(time.sleep, 600)"
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        eventually(lambda: _children(process))
        child, = _children(process)
        process.kill()

    eventually(lambda: not Path(f"/proc/{child}/cmdline").exists())


def test_sigterm_lets_a_running_upload_finish_and_refuses_new_ones(running):
    for options in ((), ("--workers", "2")):
        bridge = running(*options)
        account = registered(bridge)
        slow = HalfUpload(account, account.bucket(), b"x" * 1_000_000, left=500_000)
        bridge.signal(signal.SIGTERM)
        eventually(lambda: not _accepts(bridge.url))

        assert slow.finish().status_code == 200


def test_sigterm_lets_a_data_channel_finish(running):
    bridge = running()
    account = registered(bridge)
    bucket = account.bucket()
    pointer = account.pointers(bucket, account.upload(bucket, b"x" * SHARD)).json()[0]
    channel = websocket.create_connection(pointer["channel"], timeout=30, fire_cont_frame=True)
    channel.send(json.dumps({"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL"}))
    _, first = channel.recv_data_frame()

    bridge.signal(signal.SIGTERM)
    eventually(lambda: not _accepts(bridge.url))
    frames = [first]
    while frames[-1].opcode != websocket.ABNF.OPCODE_CLOSE:
        frames.append(channel.recv_data_frame(control_frame=True)[1])

    assert b"".join(frame.data for frame in frames) == b"x" * SHARD + b"\x03\xe8"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_its_processes_ends_a_bridge_in_silence(tmp_path, workers, number):
    bridge = subprocess.Popen(
        [sys.executable, "-m", "pymdc.bridge", "--port", "0", "--data-dir", tmp_path, "--workers", workers],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )
    url = bridge.stdout.readline().split()[-1]
    assert Wire(url).get("/health").status_code == 200

    os.killpg(bridge.pid, number)
    _, log = bridge.communicate(timeout=30)

    assert bridge.returncode == 0
    told = [line for line in map(json.loads, log.splitlines()) if line["logger"] != "pymdc.bridge.access"]
    assert [line["message"].split()[0] for line in told] == ["pymdc", "mails", "ended"]


def _accepts(url):
    try:
        Wire(url).get("/health")
    except requests.ConnectionError:
        return False
    return True


def _children(bridge):
    return [int(pid) for pid in Path(f"/proc/{bridge.pid}/task/{bridge.pid}/children").read_text().split()]
