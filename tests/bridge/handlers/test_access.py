"""What a key may do, for whom it speaks, and what goes when it goes."""

import json
import threading

import pytest
from anyio.to_thread import run_sync

import pymdc
from pymdc.bridge.metadata.buckets import Buckets
from pymdc.bridge.request import auth
from pymdc.bridge.request.call import Call
from waiting import eventually
from wire import Signed, fresh_nonce, multipart

pytestmark = pytest.mark.both_databases

CONTENT = b"the same content"


def proof_of(pair, account):
    """Return body and headers of a request that registers a key for an account and is signed with it."""
    key = pair.get_public_key()
    body = json.dumps({"key": key, "account": account, "__nonce": fresh_nonce()}).encode()
    return {"body": body, "headers": {"x-pubkey": key, "x-signature": pair.sign(b"POST\n/keys\n" + body)}}


class Guest:
    """Somebody whose key one of Alice's buckets lists; he has a token of each kind and a pointer by now."""

    def __init__(self, alice, pair):
        self.alice = alice
        self.bucket = alice.bucket(pubkeys=[pair.get_public_key()])
        self.file_hash = alice.upload(self.bucket, CONTENT)
        self.signed = Signed(alice.nobody.url, pair)
        self.push, pull, self.pull = (self.ask(operation).json()["token"] for operation in ("PUSH", "PULL", "PULL"))
        self.pointer, = self.follow(pull).json()

    def ask(self, operation="PUSH"):
        return self.signed.post(f"/buckets/{self.bucket}/tokens", {"operation": operation})

    def follow(self, token):
        return self.alice.nobody.get(f"/buckets/{self.bucket}/files/{self.file_hash}", headers={"x-token": token})

    def put(self):
        return self.alice.nobody.put(f"/buckets/{self.bucket}/files", multipart(b"new"), self.push, 3)

    def fetch(self):
        return self.alice.nobody.get("/shards/" + self.pointer["hash"], headers={"x-token": self.pointer["token"]})

    def statuses(self):
        """Return the status of an upload, pointers and a shard by what he had, and of a new token."""
        return [answer.status_code for answer in (self.put(), self.follow(self.pull), self.fetch(), self.ask())]


@pytest.fixture
def pair():
    return pymdc.keypair.ECDSA()


@pytest.fixture
def guest(alice, pair):
    return Guest(alice, pair)


def test_a_deleted_key_has_no_power_left(alice):
    owner = Guest(alice, alice.key_pair)

    alice.basic.delete("/keys/" + alice.key)

    assert alice.basic.get("/buckets/" + owner.bucket).json()["pubkeys"] == []
    assert owner.statuses() == [401, 401, 401, 404]


def test_what_a_key_asked_for_as_its_owner_s_ends_with_it_where_no_bucket_lists_it(alice):
    owner = Guest(alice, alice.key_pair)
    alice.signed.patch("/buckets/" + owner.bucket, {"pubkeys": []})
    assert owner.fetch().status_code == 200  # it still is the owner's

    alice.basic.delete("/keys/" + alice.key)

    assert owner.statuses() == [401, 401, 401, 404]


def test_a_guest_who_is_struck_off_the_list_has_no_power_left(alice, guest):
    alice.signed.patch("/buckets/" + guest.bucket, {"pubkeys": [alice.key]})

    assert guest.statuses() == [401, 401, 401, 404]


def test_a_guest_who_stays_on_the_list_keeps_what_he_has(alice, bob, guest):
    keys = alice.signed.get("/buckets/" + guest.bucket).json()["pubkeys"]

    alice.signed.patch("/buckets/" + guest.bucket, {"pubkeys": [bob.key, *keys]})
    alice.signed.patch("/buckets/" + guest.bucket, {"name": "another"})

    assert guest.statuses() == [200] * 4


def test_a_guest_who_is_struck_off_one_list_keeps_what_he_has_of_another(alice, guest, pair):
    other = Guest(alice, pair)

    alice.signed.patch("/buckets/" + other.bucket, {"pubkeys": []})

    assert guest.statuses() == [200] * 4


@pytest.mark.parametrize("proved", [False, True])
def test_an_account_that_deletes_a_guest_s_key_takes_nothing_that_others_gave_him(bob, guest, pair, proved):
    """Anybody can register a key that is not his, and delete it again."""
    request = proof_of(pair, bob.email) if proved else {"body": json.dumps({"key": pair.get_public_key()})}
    assert bob.basic.send("POST", "/keys", **request).status_code == 200

    assert bob.basic.delete("/keys/" + pair.get_public_key()).status_code == 200

    assert guest.statuses() == [200] * 4


def test_a_pointer_ends_with_its_file_also_where_others_have_the_same_content(alice, bob, guest):
    bob.upload(bob.bucket(), CONTENT)

    alice.signed.delete(f"/buckets/{guest.bucket}/files/{guest.file_hash}")

    assert guest.fetch().json() == {"error": "The supplied token is not accepted"}
    assert guest.follow(guest.pull).json() == {"error": "The requested file was not found"}


def test_a_pointer_of_a_deleted_file_does_not_live_again_with_a_new_one(alice, guest):
    alice.signed.delete(f"/buckets/{guest.bucket}/files/{guest.file_hash}")

    alice.upload(guest.bucket, CONTENT)

    assert guest.fetch().status_code == 401


def test_a_pointer_ends_with_its_bucket_also_where_others_have_the_same_content(alice, bob, guest):
    bob.upload(bob.bucket(), CONTENT)

    alice.signed.delete("/buckets/" + guest.bucket)

    assert guest.fetch().json() == {"error": "The supplied token is not accepted"}


def test_a_token_of_a_bucket_that_is_gone_says_so(alice, guest):
    alice.signed.delete("/buckets/" + guest.bucket)

    assert guest.follow(guest.pull).json() == {"error": "Bucket not found"}


@pytest.fixture
def apart(monkeypatch):
    """Each step of a request is a transaction by itself, so that others come in between."""
    monkeypatch.setattr(Call, "together", lambda self, work, sync=True: work())
    monkeypatch.setattr(Call, "soon", lambda self, work, sync=True: run_sync(work))


def test_a_pointer_needs_a_key_that_still_has_its_power(alice, guest, pair, monkeypatch, apart):
    """The guest is struck off after his token was spent and before it has led to anything."""
    spend = auth.spend_token

    def spend_and_strike_off(call):
        row = spend(call)
        alice.signed.patch("/buckets/" + guest.bucket, {"pubkeys": []})
        return row

    monkeypatch.setattr(auth, "spend_token", spend_and_strike_off)

    assert guest.follow(guest.pull).status_code == 401


ACTS = {
    "make a bucket": lambda alice, bucket, file: alice.signed.post("/buckets", {}),
    "change a bucket": lambda alice, bucket, file: alice.signed.patch("/buckets/" + bucket, {"name": "changed"}),
    "list another key": lambda alice, bucket, file: alice.signed.patch("/buckets/" + bucket, {"pubkeys": [alice.key]}),
    "delete a bucket": lambda alice, bucket, file: alice.signed.delete("/buckets/" + bucket),
    "delete a file": lambda alice, bucket, file: alice.signed.delete(f"/buckets/{bucket}/files/{file}"),
    "register a key": lambda alice, bucket, file: alice.signed.post(
        "/keys", {"key": pymdc.keypair.ECDSA().get_public_key()}),
    "delete a key": lambda alice, bucket, file: alice.signed.delete(
        "/keys/" + [key["key"] for key in alice.basic.get("/keys").json() if key["key"] != alice.key][0]),
    "ask for a token": lambda alice, bucket, file: alice.signed.post(
        f"/buckets/{bucket}/tokens", {"operation": "PUSH"}),
    "store a file": lambda alice, bucket, file: alice.signed.send("PUT", f"/buckets/{bucket}/files?size=1", b"x"),
    "read a file": lambda alice, bucket, file: alice.signed.get(f"/buckets/{bucket}/files/{file}/content"),
    "ask for pointers": lambda alice, bucket, file: alice.signed.get(f"/buckets/{bucket}/files/{file}"),
}


@pytest.mark.parametrize("act", list(ACTS.values()), ids=list(ACTS))
def test_a_key_that_is_being_deleted_acts_no_more(alice, monkeypatch, apart, act):
    """It is deleted after it was found to be registered, and before it has done what it was to do."""
    alice.basic.post("/keys", {"key": pymdc.keypair.ECDSA().get_public_key()})
    bucket = alice.bucket()
    file_hash = alice.upload(bucket, CONTENT)

    def after(identify):
        def identify_and_delete(call, *arguments, **options):
            identity = identify(call, *arguments, **options)
            if identity.key == alice.key:
                alice.basic.delete("/keys/" + alice.key)
            return identity
        return identify_and_delete

    def possessions():
        return [alice.basic.get(path).json() for path in ("/keys", "/buckets", f"/buckets/{bucket}/files")]

    with monkeypatch.context() as patched:
        patched.setattr(auth, "identify", after(auth.identify))
        patched.setattr(auth, "identify_for_bucket", after(auth.identify_for_bucket))
        answer = act(alice, bucket, file_hash)

    keys, buckets, files = possessions()
    assert (answer.status_code, answer.json()) == (401, {"error": "Public key not registered"})
    assert len(keys) == 1 and [row["id"] for row in buckets] == [bucket] and len(files) == 1
    assert (buckets[0]["name"], buckets[0]["pubkeys"]) == ("New Bucket", [])


@pytest.mark.parametrize("act", list(ACTS.values()), ids=list(ACTS))
def test_nobody_comes_between_who_asks_and_what_is_done(alice, local_on_sqlite, monkeypatch, act):
    """A key is deleted when it was found to be registered: that waits until what it asked for is done."""
    alice.basic.post("/keys", {"key": pymdc.keypair.ECDSA().get_public_key()})
    bucket = alice.bucket()
    file_hash = alice.upload(bucket, CONTENT)
    deletion = threading.Thread(target=lambda: alice.basic.delete("/keys/" + alice.key))
    waiting = local_on_sqlite._server.services.metadata._database._kind.commits._waiting

    def meanwhile(identify):
        def identify_and_wait(call, *arguments, **options):
            identity = identify(call, *arguments, **options)
            if identity.key == alice.key and not deletion.ident:
                deletion.start()
                eventually(lambda: waiting)
            return identity
        return identify_and_wait

    with monkeypatch.context() as patched:
        patched.setattr(auth, "identify", meanwhile(auth.identify))
        patched.setattr(auth, "identify_for_bucket", meanwhile(auth.identify_for_bucket))
        answer = act(alice, bucket, file_hash)
    deletion.join(30)

    assert answer.status_code in (200, 204), answer.text
    assert alice.key not in [key["key"] for key in alice.basic.get("/keys").json()]


def test_a_refusal_spends_the_nonce_and_the_token_and_nothing_else(alice, guest):
    full = alice.bucket(storage=0.000001)
    refused = [
        lambda: alice.signed.delete(f"/buckets/{guest.bucket}/files/{'0' * 40}"),
        lambda: alice.signed.patch("/buckets/" + guest.bucket, {"pubkeys": ["02" + "5" * 64] * 2}),
        lambda: alice.signed.send("PUT", f"/buckets/{full}/files?size=5000", b"x" * 5000),
        lambda: alice.nobody.get(f"/buckets/{guest.bucket}/files/{'0' * 40}", headers={"x-token": guest.pull}),
    ]
    for ask in refused:
        first = ask()
        again = (alice.nobody if "x-token" in first.request.headers else alice.signed).send_again()
        assert 400 <= first.status_code < 500 and first.status_code != 401
        assert again.status_code == 401
        assert again.json()["error"] in ("Invalid nonce supplied", "Invalid or expired token")


def test_what_fails_spends_nothing(alice, monkeypatch):
    """So that the same request can be sent again."""
    with monkeypatch.context() as patched:
        patched.setattr(Buckets, "add", lambda *arguments: 1 / 0)
        assert alice.signed.post("/buckets", {}).status_code == 500

    assert alice.signed.send_again().status_code == 200


def test_an_account_can_prove_its_key_later(alice, bob, pair):
    assert alice.basic.post("/keys", {"key": pair.get_public_key()}).status_code == 200

    assert alice.basic.send("POST", "/keys", **proof_of(pair, alice.email)).status_code == 400
    assert bob.basic.send("POST", "/keys", **proof_of(pair, bob.email)).status_code == 400

    assert pair.get_public_key() in alice.basic.get("/keys").text


def test_a_proved_key_displaces_an_unproved_one(alice, bob, pair):
    key = pair.get_public_key()
    assert bob.basic.post("/keys", {"key": key}).status_code == 200

    assert alice.basic.send("POST", "/keys", **proof_of(pair, alice.email)).status_code == 200

    assert key in alice.basic.get("/keys").text
    left = bob.basic.get("/keys")
    assert left.status_code == 200 and bob.key in left.text and key not in left.text


def test_a_key_that_a_stranger_put_in_at_registration_is_won_back(alice, wire, local, pair):
    key, stranger = pair.get_public_key(), {"email": f"not-{alice.email}", "password": "5" * 64}
    wire.post("/users", {**stranger, "pubkey": key})
    wire.get("/activations/" + local.activation_token(stranger["email"]))
    assert key in wire.get("/keys", auth=tuple(stranger.values())).text

    assert alice.basic.send("POST", "/keys", **proof_of(pair, alice.email)).status_code == 200

    assert key in alice.basic.get("/keys").text
    assert wire.get("/keys", auth=tuple(stranger.values())).json() == []


def test_a_key_that_was_proved_meanwhile_is_no_stranger_s_who_waits_with_it(alice, wire, local, pair):
    key, stranger = pair.get_public_key(), {"email": f"not-{alice.email}", "password": "5" * 64}
    wire.post("/users", {**stranger, "pubkey": key})
    assert alice.basic.send("POST", "/keys", **proof_of(pair, alice.email)).status_code == 200

    wire.get("/activations/" + local.activation_token(stranger["email"]))

    assert key in alice.basic.get("/keys").text
    assert wire.get("/keys", auth=tuple(stranger.values())).json() == []


def test_what_a_displaced_key_asked_for_ends_where_no_bucket_lists_it(alice, bob, pair):
    bob.basic.post("/keys", {"key": pair.get_public_key()})
    listed, unlisted = Guest(bob, pair), Guest(bob, pair)
    bob.signed.patch("/buckets/" + unlisted.bucket, {"pubkeys": []})

    alice.basic.send("POST", "/keys", **proof_of(pair, alice.email))

    assert unlisted.statuses()[:3] == [401] * 3
    assert listed.statuses()[:3] == [200] * 3


@pytest.mark.parametrize("account", [None, "", 5, ["bob"], "somebody.else@example.com"])
def test_a_proof_is_none_for_an_account_that_it_does_not_name(alice, bob, pair, account):
    """It could have been made for another bridge, which passes it on as one of its owner's."""
    assert bob.basic.post("/keys", {"key": pair.get_public_key()}).status_code == 200

    answer = alice.basic.send("POST", "/keys", **proof_of(pair, account))

    assert (answer.status_code, answer.json()) == (400, {"error": "Public key is already registered"})
    assert pair.get_public_key() in bob.basic.get("/keys").text


def test_a_proof_that_names_another_account_registers_a_key_that_can_be_won_back(alice, bob, pair):
    assert alice.basic.send("POST", "/keys", **proof_of(pair, bob.email)).status_code == 200

    assert bob.basic.send("POST", "/keys", **proof_of(pair, bob.email)).status_code == 200

    left = alice.basic.get("/keys")
    assert left.status_code == 200 and alice.key in left.text and pair.get_public_key() not in left.text


def test_an_account_is_named_in_either_case(alice, bob, pair):
    bob.basic.post("/keys", {"key": pair.get_public_key()})

    assert alice.basic.send("POST", "/keys", **proof_of(pair, alice.email.upper())).status_code == 200

    assert pair.get_public_key() in alice.basic.get("/keys").text


def test_a_proof_works_once(alice, bob, pair):
    proof = proof_of(pair, alice.email)
    assert alice.basic.send("POST", "/keys", **proof).status_code == 200
    alice.basic.delete("/keys/" + pair.get_public_key())

    again = alice.basic.send("POST", "/keys", **proof)

    assert (again.status_code, again.json()) == (401, {"error": "Invalid nonce supplied"})
