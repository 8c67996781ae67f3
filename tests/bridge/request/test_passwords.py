"""How passwords are kept, and what comparing one costs."""

import sqlite3
import threading
import uuid

import pytest

from pymdc.bridge import LocalBridge
from pymdc.bridge.request import auth
from wire import Basic, Wire, stranger


class Hasher:
    """The real one, which counts, and waits for *go_on* where it compares."""

    def __init__(self, hasher):
        self._hasher = hasher
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
    hasher = Hasher(auth._hasher)
    monkeypatch.setattr(auth, "_hasher", hasher)
    yield hasher
    hasher.go_on.set()


def test_a_password_is_kept_as_argon2id_over_what_the_client_sends(tmp_path):
    with LocalBridge(tmp_path) as bridge:
        Wire(bridge.url).post("/users", {"email": "pat@example.com", "password": "AB" * 32})

        database = sqlite3.connect(tmp_path / "bridge.sqlite")
        (hashed,), = database.execute("SELECT password FROM accounts")
        database.close()

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert auth._hasher.verify(hashed, "ab" * 32)


def test_a_password_is_compared_for_unknown_users_too(alice, local, hasher):
    hasher.go_on.set()

    known = Basic(local.url, alice.email, "00" * 32).get("/keys")
    unknown = Basic(local.url, f"{uuid.uuid4().hex}@example.com", "00" * 32).get("/keys")

    assert hasher.compared == 2
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())


def test_two_passwords_are_compared_at_once_and_nobody_else_waits(alice, hasher):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(alice.basic.get("/keys"))) for _ in range(8)]
    for thread in threads:
        thread.start()

    assert alice.signed.get("/keys").status_code == 200
    hasher.go_on.set()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [200] * 8
    assert hasher.most <= 2


def test_a_key_of_a_stranger_leaves_nothing_behind(tmp_path):
    with LocalBridge(tmp_path) as bridge:
        nobody = stranger(bridge.url)

        answers = [nobody.get("/keys"), nobody.post("/buckets", {}), nobody.post("/buckets/" + "0" * 24 + "/tokens")]

        database = sqlite3.connect(tmp_path / "bridge.sqlite")
        left = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("windows", "seen")]
        database.close()

    assert [answer.status_code for answer in answers] == [401, 401, 404]
    assert left == [0, 0]
