"""How passwords are kept, and what comparing one costs."""

import sqlite3
import threading
import types
import uuid

import pytest

import pymdc
from pymdc.bridge import LocalBridge, passwords
from waiting import eventually
from wire import Account, Basic, Wire, stranger


class Hasher:
    """The real one, which counts, and waits for *go_on* where it compares."""

    def __init__(self, hasher):
        self._hasher = hasher
        self.hash = hasher.hash
        self.go_on = threading.Event()
        self.running = self.most = self.compared = 0

    def verify(self, hashed, password):
        self.running += 1
        self.compared += 1
        self.most = max(self.most, self.running)
        try:
            self.go_on.wait(30)
            return self._hasher.verify(hashed, password)
        finally:
            self.running -= 1


@pytest.fixture
def hasher(monkeypatch):
    hasher = Hasher(passwords._hasher)
    monkeypatch.setattr(passwords, "_hasher", hasher)
    yield hasher
    hasher.go_on.set()


def test_a_password_is_kept_as_argon2id_over_what_the_client_sends(tmp_path):
    with LocalBridge(tmp_path) as bridge:
        Wire(bridge.url).post("/users", {"email": "pat@example.com", "password": "AB" * 32})

        database = sqlite3.connect(tmp_path / "bridge.sqlite")
        (hashed,), = database.execute("SELECT password FROM accounts")
        database.close()

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords._hasher.verify(hashed, "ab" * 32)


def test_a_password_is_compared_for_unknown_users_too(alice, local, hasher):
    hasher.go_on.set()

    known = Basic(local.url, alice.email, "00" * 32).get("/keys")
    unknown = Basic(local.url, f"{uuid.uuid4().hex}@example.com", "00" * 32).get("/keys")

    assert hasher.compared == 2
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())


def test_of_guesses_at_once_no_more_are_compared_than_may_be_wrong(tmp_path, hasher):
    with LocalBridge(tmp_path, rates="on", wrong_passwords=1, passwords_at_once=1) as bridge:
        guess = Basic(bridge.url, "pat@example.com", "00" * 32)
        threads = [threading.Thread(target=guess.get, args=("/keys",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        eventually(lambda: hasher.running == 1)
        hasher.go_on.set()
        for thread in threads:
            thread.join()

    assert hasher.compared == 1


def test_two_passwords_are_compared_at_once_and_nobody_else_waits(alice, local, hasher):
    answers, guess = [], Basic(local.url, alice.email, "00" * 32)
    threads = [threading.Thread(target=lambda: answers.append(guess.get("/keys"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: hasher.running == 2)

    assert alice.signed.get("/keys").status_code == 200
    hasher.go_on.set()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [401] * 8
    assert hasher.most == 2


@pytest.fixture
def remembered(alice, hasher):
    """Alice, whose password was right a moment ago, and takes for ever to be compared again."""
    hasher.go_on.set()
    assert alice.basic.get("/keys").status_code == 200
    hasher.go_on.clear()
    return alice


@pytest.fixture
def crowd(local, hasher, monkeypatch):
    """As many guesses as may wait, and wait."""
    monkeypatch.setattr(local._server.services.passwords, "_room", threading.Semaphore(3))
    guess = Basic(local.url, "nobody@example.com", "00" * 32)
    threads = [threading.Thread(target=guess.get, args=("/keys",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: local._server.services.passwords._room._value == 0)
    yield
    hasher.go_on.set()
    for thread in threads:
        thread.join()


def test_a_password_that_was_right_does_not_wait_behind_guesses(remembered, crowd):
    assert remembered.basic.get("/keys").status_code == 200


def test_passwords_that_cannot_wait_any_more_are_503(bob, local, crowd):
    newcomer = {"email": "new@example.com", "password": "0" * 64}
    answers = [Basic(local.url, bob.email, "00" * 32).get("/keys"), bob.nobody.post("/users", newcomer)]

    for answer in answers:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["error"].startswith("Too many passwords are waiting")
    assert bob.signed.get("/keys").status_code == 200


def test_only_the_very_password_is_remembered(remembered, hasher):
    hasher.go_on.set()
    compared = hasher.compared

    assert Basic(remembered.basic.url, remembered.email, "00" * 32).get("/keys").status_code == 401
    assert hasher.compared == compared + 1  # or the time it takes would tell that somebody is at work


def test_a_password_is_remembered_for_a_minute(hasher, monkeypatch):
    moment = [1000.0]
    monkeypatch.setattr(passwords, "time", types.SimpleNamespace(monotonic=lambda: moment[0]))  # and no event loop's
    hasher.go_on.set()
    known = passwords.Passwords(1)
    hashed = known.hash("right")
    assert known.remembered(hashed, "right") is None

    assert known.compare(hashed, "right")

    moment[0] += 59
    assert known.remembered(hashed, "right") is True
    assert known.remembered(hashed, "wrong") is False
    moment[0] += 1
    assert known.remembered(hashed, "right") is None


def test_a_password_that_has_changed_is_not_remembered(hasher):
    hasher.go_on.set()
    known = passwords.Passwords(1)
    old, new = known.hash("old"), known.hash("new")
    known.compare(old, "old")

    assert known.remembered(new, "old") is None
    assert known.remembered(None, "old") is None


def test_a_few_passwords_are_remembered_and_none_as_it_is(hasher, monkeypatch):
    monkeypatch.setattr(passwords, "MAX_REMEMBERED", 2)
    hasher.go_on.set()
    known = passwords.Passwords(1)
    hashes = [known.hash("right") for _ in range(3)]

    for hashed in hashes:
        known.compare(hashed, "right")

    assert [known.remembered(hashed, "right") for hashed in hashes] == [None, True, True]
    assert "right" not in repr(known._right)


def test_guesses_at_a_remembered_password_are_counted_even_when_they_cannot_be_compared(tmp_path, monkeypatch):
    with LocalBridge(tmp_path, rates="on") as bridge:
        carol = Account(bridge.url, "carol@example.com", "ab" * 32, pymdc.keypair.ECDSA())
        carol.nobody.post("/users", {"email": carol.email, "password": carol.password})
        carol.nobody.get("/activations/" + bridge.activation_token(carol.email))
        assert carol.basic.get("/keys").status_code == 200
        monkeypatch.setattr(bridge._server.services.passwords, "_room", threading.Semaphore(0))

        answers = [Basic(bridge.url, carol.email, "00" * 32).get("/keys").status_code for _ in range(12)]

        assert answers == [503] * 10 + [429] * 2
        assert carol.basic.get("/keys").status_code == 429


def test_a_key_of_a_stranger_leaves_nothing_behind(tmp_path):
    with LocalBridge(tmp_path) as bridge:
        nobody = stranger(bridge.url)

        answers = [nobody.get("/keys"), nobody.post("/buckets", {}), nobody.post("/buckets/" + "0" * 24 + "/tokens")]

        database = sqlite3.connect(tmp_path / "bridge.sqlite")
        left = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("windows", "seen")]
        database.close()

    assert [answer.status_code for answer in answers] == [401, 401, 404]
    assert left == [0, 0]
