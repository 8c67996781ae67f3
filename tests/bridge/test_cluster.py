"""Several processes serve one Metadisk on PostgreSQL."""

import collections
import os
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from postgresql import PASSWORD
from pymdc.bridge import LocalBridge
from pymdc.keypair import ECDSA
from running_bridge import RunningBridge
from used_bridge import command
from wire import Account, Wire, multipart, race, registered


@pytest.fixture
def url(postgresql):
    return postgresql.new_database()


@pytest.fixture
def start(url):
    """A function that starts a bridge of several processes, with these options."""
    bridges = []

    def start(*options):
        bridges.append(RunningBridge("--database-url", url, *options))
        return bridges[-1]

    yield start
    for bridge in bridges:
        bridge.close()


AHEAD = """
import sys, time
real = time.time
time.time = lambda: real() + 3600
from pymdc.bridge.commands import main
main(sys.argv[1:])
"""


@pytest.fixture
def ahead(url, tmp_path):
    """The URL of a bridge on the same database, on a machine whose clock is an hour ahead."""
    command = [sys.executable, "-c", AHEAD, "--port", "0", "--database-url", url, "--data-dir", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[-1]
        process.terminate()


def test_once_means_once_across_two_bridges_with_workers_that_share_a_data_folder(start):
    first = start("--workers", "2")
    second = start("--workers", "2", "--data-dir", first.data_dir)
    account = registered(first)
    bucket, urls = account.bucket(), [first.url, second.url]
    token = account.token(bucket)
    account.signed.deliver = lambda request: None
    account.signed.post("/buckets", {"name": "once"})
    del account.signed.deliver
    prepared = account.signed.last.copy()

    def again(number):
        wire = Wire(urls[number % 2])
        wire.last = prepared.copy()
        wire.last.url = prepared.url.replace(first.url, wire.url)
        return wire.send_again().status_code

    def upload(number):
        path = f"/buckets/{bucket}/files"
        return Wire(urls[number % 2]).put(path, multipart(b"once"), token, 4).status_code

    assert collections.Counter(race(20, again)) == {200: 1, 401: 19}
    assert collections.Counter(race(20, upload)) == {200: 1, 401: 19}


def test_what_came_in_at_one_goes_out_at_the_other(start):
    first = start()
    second = start("--data-dir", first.data_dir)
    account = registered(first)
    bucket, contents = account.bucket(), [os.urandom(1000), os.urandom(100_000)]

    hashes = [account.upload(bucket, content) for content in contents]

    for file_hash, content in zip(hashes, contents):
        token = account.token(bucket, "PULL")
        path = f"/buckets/{bucket}/files/{file_hash}"
        pointer, = Wire(second.url).get(path, headers={"x-token": token}).json()
        shard = Wire(second.url).get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})
        assert shard.content == content


def test_a_bridge_that_starts_ends_no_upload_of_another(start, url):
    first = start()
    account = registered(first)
    bucket = account.bucket()
    body, token = multipart(b"slow" * 10_000), account.token(bucket)

    def parts():
        yield body[:20_000]
        start("--data-dir", first.data_dir)
        yield body[20_000:]

    assert account.nobody.put(f"/buckets/{bucket}/files", parts(), token, 40_000).status_code == 200


def test_the_password_is_in_no_list_of_processes_when_it_comes_from_the_environment(postgresql, url, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    bridge = RunningBridge("--database-url", url.replace(f":{PASSWORD}@", "@"), "--workers", "2")
    try:
        workers = Path(f"/proc/{bridge.pid}/task/{bridge.pid}/children").read_text().split()
        told = [Path(f"/proc/{process}/cmdline").read_bytes() for process in (bridge.pid, *workers)]
        assert len(told) >= 3 and all(b"pymdc.bridge" in each and PASSWORD.encode() not in each for each in told)
    finally:
        bridge.close()


def test_clocks_that_are_an_hour_apart_are_no_matter(start, ahead):
    right = start()
    account = registered(right)
    bucket = account.bucket()
    there = Account(ahead, account.email, account.password, account.key_pair)

    early, late = account.token(bucket), there.token(bucket)

    for wire, token in ((there.nobody, early), (account.nobody, late)):
        assert wire.put(f"/buckets/{bucket}/files", multipart(b"x"), token, 1).status_code == 200
    issued = there.signed.post(f"/buckets/{bucket}/tokens", {"operation": "PUSH"}).json()["expires"]
    assert abs(datetime.fromisoformat(issued.replace("Z", "+00:00")).timestamp() - time.time() - 300) < 60
    assert there.signed.get("/keys", nonce=time.time() * 1000 + 86_400_000 + 1_800_000).status_code == 401


@pytest.fixture
def without_home(tmp_path):
    """Where a folder cannot be made by default, whoever runs this."""
    home = tmp_path / "home"
    home.write_bytes(b"")
    return {**{name: value for name, value in os.environ.items() if name != "XDG_DATA_HOME"}, "HOME": str(home)}


def test_a_bridge_whose_data_and_mails_are_elsewhere_needs_no_folder(url, s3, mail_server, without_home):
    command = [sys.executable, "-m", "pymdc.bridge", "--port", "0", "--workers", "2", "--database-url", url,
               "--store-url", s3.new_store_url(), "--smtp-url", mail_server.url()]
    told = {"env": without_home, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **told) as process:
        account = Account(process.stdout.readline().split()[-1], "ann@example.com", "ab" * 32, ECDSA())
        account.nobody.post("/users", {"email": account.email, "password": account.password, "pubkey": account.key})
        mail = mail_server.taken.get(timeout=30).content.decode()
        account.nobody.get(re.search("/activations/[0-9a-f]{64}", mail)[0])
        bucket, contents = account.bucket(), [os.urandom(1000), os.urandom(100_000)]
        hashes = [account.upload(bucket, content) for content in contents]
        answers = [account.signed.get(f"/buckets/{bucket}/files/{file_hash}/content") for file_hash in hashes]
        health = account.nobody.get("/health").json()["status"]
        process.terminate()
        _, said = process.communicate(timeout=60)
        scrubbed = subprocess.run([*command[:3], "scrub", *command[7:11]], **told)

    assert [answer.content for answer in answers] == contents and health == "ok"
    assert process.returncode == 0 and "from no data folder" in said
    assert scrubbed.returncode == 0 and scrubbed.stdout.startswith("2 shards"), scrubbed.stderr


def test_a_bridge_without_a_folder_and_a_server_for_its_mails_says_what_is_missing(url, s3, without_home):
    command = [sys.executable, "-m", "pymdc.bridge", "--port", "0", "--database-url", url, "--store-url",
               s3.new_store_url()]

    ended = subprocess.run(command, env=without_home, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "say with --smtp-url who sends the mails, or with --data-dir where they shall be" in ended.stderr


def test_upkeep_is_done_by_one_bridge_at_a_time(url, later):
    with LocalBridge(database_url=url) as one, LocalBridge(database_url=url) as other:
        services = [bridge._server.services for bridge in (one, other)]

        assert sorted(race(8, lambda number: services[number % 2].tidy())) == [False] * 7 + [True]
        later(60)
        assert sorted(race(8, lambda number: services[number % 2].tidy())) == [False] * 7 + [True]


def test_what_pg_restore_has_made_takes_no_request_from_before(postgresql, url, tmp_path):
    """What has come since the dump was made, which is a copy of the database here."""
    with LocalBridge(tmp_path, database_url=url) as bridge:
        account = registered(bridge)
        bucket = account.bucket()
        token = account.token(bucket)
    dump = copy_of(postgresql, url)
    with LocalBridge(tmp_path, database_url=url) as bridge:
        account = Account(bridge.url, account.email, account.password, account.key_pair)
        account.signed.post("/buckets", {"name": "since"})
        spent = account.signed.last.copy()

    said = command("restored", "--database-url", dump)

    assert (said.returncode, said.stderr) == (0, "")
    with LocalBridge(tmp_path, database_url=dump) as bridge:
        again = Account(bridge.url, account.email, account.password, account.key_pair)
        again.nobody.last = spent
        spent.url = spent.url.replace(account.nobody.url, bridge.url)
        assert again.nobody.send_again().status_code == 401
        assert again.nobody.put(f"/buckets/{bucket}/files", multipart(b"x"), token, 1).status_code == 401
        assert len(again.signed.get("/buckets", nonce=time.time() * 1000 + 90_000).json()) == 1


def copy_of(postgresql, url):
    """Return the URL of a copy of a database that nobody uses now."""
    there, _, name = url.rpartition("/")
    with postgresql.connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
    return f"{there}/{name}_copy"
