"""What is asked for by a password that is changed, or an account that is disabled, before it is done."""

import pytest

import pymdc
from mailed import ask_for_reset
from pymdc.bridge.request import auth
from wire import Basic, hash_of, put

pytestmark = pytest.mark.both_databases

CONTENT = b"content" * 5000
NEW = "cd" * 32
OLD_PASSWORD = (401, {"error": "Invalid email or password"})
DISABLED = (403, {"error": "Account is disabled: whoever runs the bridge can enable it"})


class Things:
    """What an account has; *spare* is a second key, and *token* the id of a token that a key has asked for."""

    def __init__(self, account):
        self.account, self.basic = account, account.basic
        self.spare = pymdc.keypair.ECDSA().get_public_key()
        self.basic.post("/keys", {"key": self.spare})
        self.bucket = account.bucket()
        self.path = f"/buckets/{self.bucket}"
        self.file = f"{self.path}/files/{account.upload(self.bucket, CONTENT)}"
        self.token = auth.id_of_token(auth.hash_token(account.token(self.bucket)))

    def all(self, asker):
        """Return all that can be listed, but for what is counted."""
        lists = ["/keys", "/buckets", self.path + "/files", self.path + "/tokens"]
        return [[{**row, "used": None} for row in asker.get(path).json()] for path in lists]


ACTS = {
    "make a bucket": lambda it: it.basic.post("/buckets", {}),
    "change a bucket": lambda it: it.basic.patch(it.path, {"name": "changed"}),
    "list a key": lambda it: it.basic.patch(it.path, {"pubkeys": [it.spare]}),
    "delete a bucket": lambda it: it.basic.delete(it.path),
    "delete a file": lambda it: it.basic.delete(it.file),
    "name content once more": lambda it: it.basic.post(
        it.path + "/files", {"hash": hash_of(CONTENT), "filename": "other"}),
    "register a key": lambda it: it.basic.post("/keys", {"key": pymdc.keypair.ECDSA().get_public_key()}),
    "delete a key": lambda it: it.basic.delete("/keys/" + it.spare),
    "ask for a token": lambda it: it.basic.post(it.path + "/tokens", {"operation": "PULL", "expires_in": 604800}),
    "revoke a token": lambda it: it.basic.delete(f"{it.path}/tokens/{it.token}"),
    "store a small file": lambda it: put(it.basic, it.bucket, b"x"),
    "store a file": lambda it: put(it.basic, it.bucket, b"x" * 20000),
    "read a file": lambda it: it.basic.get(it.file + "/content"),
    "ask for pointers": lambda it: it.basic.get(it.file),
    "change the password": lambda it: it.basic.patch("/users/" + it.account.email, {"password": "ef" * 32}),
    "delete the account": lambda it: it.basic.delete("/users/" + it.account.email),
}


@pytest.fixture
def after_comparing(monkeypatch):
    """A function that lets something be done after the next password was compared, and before what it is asked for."""
    compare = auth._check_password

    def wait_for_it(meanwhile):
        def compare_and_let(*arguments):
            account = compare(*arguments)
            monkeypatch.setattr(auth, "_check_password", compare)
            meanwhile()
            return account
        monkeypatch.setattr(auth, "_check_password", compare_and_let)
    return wait_for_it


@pytest.mark.parametrize("act", list(ACTS.values()), ids=list(ACTS))
def test_a_password_that_is_being_changed_is_good_for_nothing(alice, local, after_comparing, act):
    things, new = Things(alice), Basic(local.url, alice.email, NEW)
    before = things.all(alice.signed)
    after_comparing(lambda: alice.basic.patch("/users/" + alice.email, {"password": NEW}))

    answer = act(things)

    assert (answer.status_code, answer.json()) == OLD_PASSWORD
    assert things.all(new) == before


@pytest.mark.parametrize("act", list(ACTS.values()), ids=list(ACTS))
def test_an_account_that_is_being_disabled_does_nothing(alice, local, after_comparing, act):
    things, accounts = Things(alice), local._server.services.metadata.accounts
    before = things.all(alice.signed)
    after_comparing(lambda: accounts.change(alice.email, disabled=1))

    answer = act(things)

    accounts.change(alice.email, disabled=None)
    assert (answer.status_code, answer.json()) == DISABLED
    assert things.all(alice.basic) == before


@pytest.mark.parametrize("way", ["reset", "operator"])
def test_a_password_that_is_set_anew_leaves_the_old_one_no_token(alice, local, after_comparing, way):
    things, accounts = Things(alice), local._server.services.metadata.accounts
    link = ask_for_reset(local, alice.email)
    set_anew = {
        "reset": lambda: alice.nobody.post(link, {"password": NEW}),
        "operator": lambda: accounts.set_password(alice.email, "a hash"),
    }
    after_comparing(set_anew[way])

    answer = ACTS["ask for a token"](things)

    assert (answer.status_code, answer.json()) == OLD_PASSWORD
    assert [token["id"] for token in alice.signed.get(things.path + "/tokens").json()] == [things.token]
