"""An account that an operator has disabled: it is refused whichever way it comes, and loses nothing."""

import json

import pytest
import websocket

import pymdc
from mailed import ask_for_reset, links
from pymdc.bridge.metadata import Asker, Room, Within
from pymdc.bridge.refusal import Refusal
from wire import BOUNDARY, Basic, get, multipart, put, stranger

pytestmark = pytest.mark.both_databases

WORDS = "Account is disabled: whoever runs the bridge can enable it"
REFUSED = (403, {"error": WORDS})
CONTENT = b"content" * 5000
NEW = "cd" * 32
ROOM = Room(account=10**9, at_once=64, disk=lambda: 10**9, written=dict)


@pytest.fixture
def memory(local):
    return local._server.services.metadata


@pytest.fixture
def disable(memory):
    """A function that disables an account; it is enabled again by ``None``."""
    def disable(account, since=1):
        memory.accounts.change(account.email, disabled=since)
    return disable


class Things:
    """What an account has, and what leads to it."""

    def __init__(self, account, guest, bridge):
        self.account, self.guest, self.nobody = account, guest, account.nobody
        self.changed = Basic(account.nobody.url, account.email, NEW)
        self.bucket = account.bucket(pubkeys=[account.key, guest.key])
        self.file = account.upload(self.bucket, CONTENT)
        self.push, self.other_push, self.pull = (account.token(self.bucket, kind) for kind in ("PUSH", "PUSH", "PULL"))
        self.guest_s_token = guest.signed.post(f"/buckets/{self.bucket}/tokens", {"operation": "PULL"}).json()["token"]
        self.pointer, = account.pointers(self.bucket, self.file).json()
        self.link, followed = (account.share(self.bucket, self.file) for _ in range(2))
        self.ticket = self.nobody.send("POST", "/links/" + followed).headers["Location"]
        self.invitation = account.token(self.bucket)
        self.reset = ask_for_reset(bridge, account.email)
        self.path = f"/buckets/{self.bucket}"

    def by_token(self, token):
        return self.nobody.get(f"{self.path}/files/{self.file}", headers={"x-token": token})

    def send(self, headers=None):
        """Send a file by a link."""
        headers = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY, **(headers or {})}
        return self.nobody.send("POST", "/links/" + self.invitation, multipart(b"x"), headers)


#: What is asked for, in an order in which all of it succeeds.
ASKS = {
    "keys, by the password": lambda it: it.account.basic.get("/keys"),
    "keys, by a key": lambda it: it.account.signed.get("/keys"),
    "one key more": lambda it: it.account.signed.post("/keys", {"key": pymdc.keypair.ECDSA().get_public_key()}),
    "buckets": lambda it: it.account.signed.get("/buckets"),
    "one bucket more": lambda it: it.account.signed.post("/buckets", {}),
    "a bucket": lambda it: it.account.signed.get(it.path),
    "another name for a bucket": lambda it: it.account.signed.patch(it.path, {"name": "new"}),
    "files": lambda it: it.account.signed.get(it.path + "/files"),
    "tokens": lambda it: it.account.signed.get(it.path + "/tokens"),
    "a token, by a key": lambda it: it.account.signed.post(it.path + "/tokens", {"operation": "PUSH"}),
    "a token, by a guest": lambda it: it.guest.signed.post(it.path + "/tokens", {"operation": "PUSH"}),
    "pointers, by a key": lambda it: it.account.signed.get(f"{it.path}/files/{it.file}"),
    "pointers, by a token": lambda it: it.by_token(it.pull),
    "pointers, by a guest's token": lambda it: it.by_token(it.guest_s_token),
    "a file, by a key": lambda it: get(it.account.signed, it.bucket, it.file),
    "a file, by a guest": lambda it: get(it.guest.signed, it.bucket, it.file),
    "a shard": lambda it: it.nobody.get("/shards/" + it.pointer["hash"], headers={"x-token": it.pointer["token"]}),
    "an upload, by a key": lambda it: put(it.account.signed, it.bucket, b"x"),
    "a large upload, by a key": lambda it: put(it.account.signed, it.bucket, b"x" * 100_000),
    "an upload, by a token": lambda it: put(it.nobody, it.bucket, b"x", {"x-token": it.push}),
    "a large upload, by a token": lambda it: put(it.nobody, it.bucket, b"x" * 99_999, {"x-token": it.other_push}),
    "a look at a link": lambda it: it.nobody.get("/links/" + it.link, headers={"Accept": "application/json"}),
    "a ticket, by a link": lambda it: it.nobody.send("POST", "/links/" + it.link),
    "a file, by a ticket": lambda it: it.nobody.get(it.ticket),
    "an upload, by a link": lambda it: it.send(),
    "one more name": lambda it: it.account.signed.post(it.path + "/files", {"hash": it.file, "filename": "more"}),
    "the end of a file": lambda it: it.account.signed.delete(f"{it.path}/files/{it.file}"),
    "the end of a bucket": lambda it: it.account.signed.delete(it.path),
    "a look at a link to another password": lambda it: it.nobody.get(it.reset),
    "another password, by a link": lambda it: it.nobody.post(it.reset, {"password": it.account.password}),
    "another password": lambda it: it.account.basic.patch("/users/" + it.account.email, {"password": NEW}),
    "the end of the account": lambda it: it.changed.delete("/users/" + it.account.email),
}


LAST = "the end of the account"  # which is asked for by the password that was set before


def test_a_disabled_account_is_refused_in_words_whoever_asks_and_loses_nothing(alice, bob, local, disable):
    things = Things(alice, bob, local)

    disable(alice)
    refused = {name: (answer.status_code, answer.json()) for name, answer in asked(things, but=LAST)}
    disable(alice, None)
    passed = {name: answer.status_code for name, answer in asked(things)}

    assert refused == dict.fromkeys(refused, REFUSED) and len(refused) == len(ASKS) - 1
    assert set(passed.values()) <= {200, 204, 303}, passed


def asked(things, but=None):
    for name, ask in ASKS.items():
        if name != but:
            yield name, ask(things)


def test_nobody_is_told_who_may_ask_for_nothing_of_it(alice, bob, local, disable):
    bucket, file = alice.bucket(), "0" * 40
    path, elsewhere = f"/buckets/{bucket}", bob.bucket()
    asks = [ask for asker in (bob.signed, bob.basic, stranger(local.url)) for ask in (
        lambda asker=asker: asker.post(path + "/tokens", {"operation": "PUSH"}),
        lambda asker=asker: asker.get(f"{path}/files/{file}"),
        lambda asker=asker: asker.get(f"{path}/files/{file}/content"),
        lambda asker=asker: asker.post(path + "/files", {"hash": file, "filename": "a"}),
        lambda asker=asker: put(asker, bucket, b"x"),
        lambda asker=asker: asker.get(path),
        lambda asker=asker: asker.delete(path),
    )] + [
        lambda: put(bob.nobody, bucket, b"x", {"x-token": bob.token(elsewhere)}),
        lambda: bob.nobody.put(path + "/files", multipart(b"x"), bob.token(elsewhere), 1),
        lambda: bob.nobody.get(f"{path}/files/{file}", headers={"x-token": bob.token(elsewhere, "PULL")}),
    ]

    def told():
        return [(answer.status_code, answer.json()) for answer in (ask() for ask in asks)]

    before = told()
    disable(alice)

    assert told() == before
    assert {status for status, _ in before} <= {401, 404}


def test_it_is_not_deleted_by_its_password(alice, disable):
    disable(alice)

    answer = alice.basic.delete("/users/" + alice.email)

    assert (answer.status_code, answer.json()) == REFUSED
    disable(alice, None)
    assert alice.basic.get("/keys").status_code == 200


def test_the_data_channel_refuses_it_in_words_and_the_pointer_stays_good(alice, bob, local, disable):
    pointer = Things(alice, bob, local).pointer

    def asked():
        channel = websocket.create_connection(pointer["channel"], timeout=30)
        channel.send(json.dumps({"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL"}))
        return channel.recv()

    disable(alice)
    refused = json.loads(asked())
    disable(alice, None)

    assert refused == {"code": 400, "message": WORDS}
    assert asked() == CONTENT


@pytest.mark.parametrize("headers, words", [({}, WORDS), ({"Accept": "text/html"}, "<p>" + WORDS)])
def test_whoever_follows_a_link_to_it_is_told(alice, bob, local, disable, headers, words):
    things = Things(alice, bob, local)

    disable(alice)
    answers = [alice.nobody.get("/links/" + things.link, headers=headers),
               alice.nobody.send("POST", "/links/" + things.link, headers=headers),
               alice.nobody.get(things.ticket, headers=headers), things.send(headers)]
    heads = [alice.nobody.send("HEAD", path).status_code for path in ("/links/" + things.link, things.ticket)]

    assert all(answer.status_code == 403 and words in answer.text for answer in answers)
    assert heads == [403, 403]


def test_an_upload_under_way_is_not_entered(alice, disable, memory):
    bucket = alice.bucket()
    memory.uploads.begin({"id": "under way", "bucket": bucket, "size": 0, "expires": 10**15}, ROOM, 1, Asker())

    disable(alice)
    with pytest.raises(Refusal, match=WORDS):
        file = {"bucket": bucket, "hash": "0" * 40, "filename": "f", "mimetype": "text/plain", "size": 0, "created": 1}
        memory.uploads.finish("under way", file, [], 1)

    assert memory.uploads.give_up("under way")  # it is for its handler to take back what has come
    disable(alice, None)
    assert memory.names.page(bucket, Within(), None, None)[0] == []


def test_who_does_not_know_its_password_is_not_told(alice, disable):
    disable(alice)

    answer = Basic(alice.nobody.url, alice.email, "00" * 32).get("/keys")

    assert (answer.status_code, answer.json()) == (401, {"error": "Invalid email or password"})


def test_it_is_mailed_no_link_to_another_password_and_the_answer_does_not_tell(alice, local, disable):
    disable(alice)

    answer = alice.nobody.post("/resets", {"email": alice.email})

    assert (answer.status_code, answer.json()) == (200, {})
    assert not links(local, alice.email)


def test_a_browser_is_told_on_a_page_why_a_link_to_another_password_is_no_good(alice, local, disable):
    link = ask_for_reset(local, alice.email)

    disable(alice)
    page = alice.nobody.get(link, headers={"Accept": "text/html"})

    assert page.status_code == 403 and WORDS in page.text


def test_its_key_may_do_elsewhere_what_others_let_it_do(alice, bob, disable):
    bucket = bob.bucket(pubkeys=[bob.key, alice.key])

    disable(alice)

    assert put(alice.signed, bucket, b"x").status_code == 200


def test_its_address_and_its_keys_stay_taken(alice, bob, disable):
    disable(alice)

    answers = [alice.nobody.post("/users", {"email": alice.email, "password": NEW}),
               bob.basic.post("/keys", {"key": alice.key})]

    assert [answer.json()["error"] for answer in answers] == ["Email is already registered",
                                                              "Public key is already registered"]


def test_others_are_served_meanwhile(alice, bob, disable):
    disable(alice)

    assert bob.signed.get("/buckets").status_code == bob.basic.get("/keys").status_code == 200


def test_an_account_with_room_of_its_own_has_that_and_not_what_all_have(alice, memory):
    bucket = alice.bucket()

    memory.accounts.change(alice.email, storage=0.00001)  # 10 000 bytes
    answers = [put(alice.signed, bucket, bytes([number]) * size) for number, size in enumerate((9000, 2000))]
    memory.accounts.change(alice.email, storage=None)

    assert [answer.status_code for answer in answers] == [200, 413]
    assert answers[1].json() == {
        "error": "Account storage exceeded: 2000 bytes, counted as 4096, do not fit beside 9000 of 10000",
    }
    assert put(alice.signed, bucket, b"x" * 2000).status_code == 200
