"""A bridge that is killed at any moment has kept what it answered, and shows nothing that is half done."""

import io
import random
import sqlite3
import threading
from pathlib import Path

import pytest
import requests

import pymdc
from load import GONE, HELD, PATIENCE, UNSURE, Client, Gate, Manifest, content_of
from ports import lasting_port
from running_bridge import RunningBridge
from waiting import eventually
from wire import Account, Wire

CLIENTS = 8
LIBRARY_DOWNLOADS = 5
NO_FILE = "0" * 40
SAMPLE = 12  # of each kind, that is looked at after each kill


class Crashes:
    """A bridge under load that is killed again and again, and what was seen of it."""

    def __init__(self, seed, workers, store_url):
        self.seed = seed
        self.manifest = Manifest()
        self.complaints = []  # each restart's
        self.settled = []  # files that the last kill left in doubt and that turned out to be there
        self._random = random.Random(seed)
        self._gate = Gate()
        options = ["--store-url", store_url] if store_url else []
        self._bridge = RunningBridge("--port", str(lasting_port()), "--workers", str(workers), *options)
        self.url, self.data_dir = self._bridge.url, Path(self._bridge.data_dir)
        self._clients = [
            Client(self.url, self._bridge.activation_link, self._gate, self.manifest, self._random.random())
            for _ in range(CLIENTS)
        ]

    def run(self, kills):
        threads = [threading.Thread(target=client.run, daemon=True) for client in self._clients]
        for thread in threads:
            thread.start()
        try:
            self._gate.set(is_open=True)
            eventually(lambda: all(vars(self.manifest).values()) or self.failures)  # there is something to lose
            for number in range(kills):
                self._run_and_kill(number)
        except Exception as error:
            raise AssertionError(f"seed {self.seed}, kill {number + 1}") from error
        finally:
            self._gate.set(is_open=False, is_over=True)
            for thread in threads:
                thread.join(PATIENCE)

    def _run_and_kill(self, number):
        self._gate.set(is_open=True)
        threading.Event().wait(self._random.uniform(0.1, 2))
        self._gate.set(is_open=False)
        self._bridge.stop(kill=True)
        self._gate.wait_until_empty()
        if self._random.random() < 0.25:  # now and then once more, while it starts
            self._bridge.launch()
            threading.Event().wait(self._random.uniform(0, 0.8))
            self._bridge.stop(kill=True)
        self._bridge.start()
        for check in CHECKS:
            self.complaints += [f"after kill {number + 1}: {complaint}" for complaint in check(self, self._sample)]

    def _sample(self, things):
        """Choose the newest, which were closest to the kill, and some others."""
        things = list(things)
        return things[-SAMPLE:] + self._random.sample(things[:-SAMPLE], min(SAMPLE // 3, len(things[:-SAMPLE])))

    @property
    def failures(self):
        return [client.failure for client in self._clients if client.failure]

    def account(self, guest):
        """Return a guest of the load as an account that asks by itself."""
        return Account(self.url, guest.email, guest.password, guest.key_pair)

    def stored_in_folder(self):
        """Return the names of the objects in the store."""
        return {path.name for path in (self.data_dir / "shards").rglob("*") if path.is_file()}

    def restart(self):
        self._bridge.stop()
        self._bridge.start()

    def close(self):
        self._bridge.close()


# The checks yield complaints.  They look at what is chosen of all that was noted, and nothing else runs meanwhile.

def _listings(crashes, chosen):
    """Every upload that was answered is listed, no other but such as were sent; what was in doubt is settled here."""
    manifest = crashes.manifest
    in_doubt = [file for file in manifest.files.values() if file.state == UNSURE]
    for bucket in {file.bucket for file in in_doubt}.union(chosen(manifest.owners)):
        answer = crashes.account(manifest.owners[bucket]).signed.get(f"/buckets/{bucket}/files")
        listed = {entry["hash"]: entry["size"] for entry in answer.json()}
        for file in [file for file in manifest.files.values() if file.bucket == bucket]:
            size = listed.pop(file.hash, None)
            if file.state == UNSURE:
                file.state = GONE if size is None else HELD
            if size != (file.content.size if file.state == HELD else None):
                yield f"{file} is listed with a size of {size}"
        for file_hash in listed:
            yield f"{file_hash} in {bucket} was never sent"
    crashes.settled = [file for file in in_doubt if file.state == HELD]


def _downloads(crashes, chosen):
    for file in crashes.settled + chosen([file for file in crashes.manifest.files.values() if file.state == HELD]):
        try:
            content = content_of(file, crashes.account(crashes.manifest.owners[file.bucket]))
        except (AssertionError, requests.RequestException) as error:
            yield f"{file} does not download: {error}"
        else:
            if content != file.content.data():
                yield f"{file} has {len(content)} other bytes"


def _possessions(crashes, chosen):
    for guest in chosen(crashes.manifest.guests):
        signed = crashes.account(guest).signed
        keys = {key["key"] for key in signed.get("/keys").json()}
        buckets = {bucket["id"] for bucket in signed.get("/buckets").json()}
        if not keys.issuperset(guest.keys) or not buckets.issuperset(guest.buckets):
            yield f"{guest.email} has lost keys or buckets"


def _spent_tokens(crashes, chosen):
    wire = Wire(crashes.url)
    for bucket, token in chosen(crashes.manifest.tokens):
        answer = wire.get(f"/buckets/{bucket}/files/{NO_FILE}", headers={"x-token": token})
        yield from _unless_refused(answer, 401, "Invalid or expired token")


def _seen_requests(crashes, chosen):
    with requests.Session() as session:
        for request in chosen(crashes.manifest.signed):
            answer = session.send(request, allow_redirects=False, timeout=PATIENCE)
            yield from _unless_refused(answer, 401, "Invalid nonce supplied")


def _used_links(crashes, chosen):
    wire, links = Wire(crashes.url), crashes.manifest.links
    for link in chosen([link for link, state in links.items() if state == GONE]):
        yield from _unless_refused(wire.get(link), 400, "Invalid activation token")


def _unless_refused(answer, status, text):
    if (answer.status_code, answer.text) != (status, f'{{"error":"{text}"}}'):
        yield f"{answer.request.method} {answer.request.path_url} again: {answer.status_code} {answer.text}"


CHECKS = (_listings, _downloads, _possessions, _spent_tokens, _seen_requests, _used_links)


@pytest.fixture(scope="module", params=[(1, "folder"), (2, "folder"), (2, "s3")],
                ids=["one process", "two workers", "two workers and S3"])
def crashes(request, full):
    workers, kind = request.param
    s3 = request.getfixturevalue("s3") if kind == "s3" else None
    store_url = s3 and s3.new_store_url()
    crashes = Crashes(random.SystemRandom().getrandbits(32), workers, store_url)
    crashes.stored = (lambda: {each.name for each in s3.objects(store_url)}) if s3 else crashes.stored_in_folder
    try:
        crashes.run(kills=150 if full else 3)
        yield crashes
    finally:
        crashes.close()


def test_clients_get_the_answers_they_expect_while_the_bridge_is_up(crashes):
    assert not crashes.failures, "\n".join([f"seed {crashes.seed}", *crashes.failures])
    assert all(vars(crashes.manifest).values()), f"seed {crashes.seed}: there was something to note of each kind"


def test_each_restart_finds_what_was_answered(crashes):
    assert not crashes.complaints, "\n".join([f"seed {crashes.seed}", *crashes.complaints])


@pytest.mark.parametrize("check", CHECKS)
def test_after_the_last_restart_everything_is_as_it_was_answered(crashes, check):
    complaints = list(check(crashes, list))

    assert not complaints, "\n".join([f"seed {crashes.seed}", *complaints])


def test_a_registration_that_was_answered_is_activated_by_its_link(crashes):
    waiting = [link for link, state in crashes.manifest.links.items() if state == HELD]

    answers = [Wire(crashes.url).get(link) for link in waiting]

    assert [answer.status_code for answer in answers] == [200] * len(waiting), f"seed {crashes.seed}"


def test_the_library_downloads_what_outlived_the_kills(crashes):
    held = [file for file in crashes.manifest.files.values() if file.state == HELD]

    with pymdc.Client(crashes.url) as client:
        for file in [*held[-LIBRARY_DOWNLOADS:], max(held, key=lambda file: file.content.size)]:
            owner, target = crashes.manifest.owners[file.bucket], io.BytesIO()
            pymdc.api.Files(file.bucket, owner.key_pair, client=client).download(file.hash, target)
            assert target.getvalue() == file.content.data(), f"seed {crashes.seed}: {file}"


def test_after_a_graceful_restart_the_store_holds_what_the_database_names_and_nothing_else(crashes):
    crashes.restart()

    database = sqlite3.connect(f"file:{crashes.data_dir}/bridge.sqlite?mode=ro", uri=True)
    lost = database.execute("SELECT id FROM shards WHERE object LIKE 'inline-%' EXCEPT SELECT shard FROM contents")
    named = {name for name, in database.execute("SELECT object FROM shards WHERE object NOT LIKE 'inline-%'")}

    assert (crashes.stored(), lost.fetchall()) == (named, []), f"seed {crashes.seed}"
    database.close()
