"""How many of a thing an account may have."""

import contextlib
import sqlite3

import pytest
import sqlalchemy.dialects.sqlite

import pymdc
from pymdc.bridge import LocalBridge
from pymdc.bridge.metadata import buckets, keys, sqlite, tokens
from wire import registered

pytestmark = pytest.mark.both_databases


def new_key():
    return pymdc.keypair.ECDSA().get_public_key()


def test_an_account_has_so_many_buckets_at_most(alice, bob, monkeypatch):
    monkeypatch.setattr(buckets, "MAX_BUCKETS", 2)
    first, _ = alice.bucket(), alice.bucket()

    answer = alice.signed.post("/buckets", {})

    assert (answer.status_code, answer.json()) == (400, {"error": "Too many buckets: an account may have 2"})
    assert bob.signed.post("/buckets", {}).status_code == 200
    alice.signed.delete("/buckets/" + first)
    assert alice.signed.post("/buckets", {}).status_code == 200


def test_an_account_has_so_many_keys_at_most(alice, bob, monkeypatch):
    monkeypatch.setattr(keys, "MAX_KEYS", 2)
    assert alice.basic.post("/keys", {"key": new_key()}).status_code == 200

    answer = alice.basic.post("/keys", {"key": new_key()})

    assert (answer.status_code, answer.json()) == (400, {"error": "Too many public keys: an account may have 2"})
    assert bob.basic.post("/keys", {"key": new_key()}).status_code == 200


def test_a_bucket_lists_so_many_keys_at_most_with_the_one_that_makes_it(alice, monkeypatch):
    monkeypatch.setattr(buckets, "MAX_KEYS", 2)

    answer = alice.signed.post("/buckets", {"pubkeys": [new_key(), new_key()]})

    assert (answer.status_code, answer.json()) == (400, {"error": "Too many public keys: a bucket may list 2"})
    assert alice.basic.post("/buckets", {"pubkeys": [new_key(), new_key()]}).status_code == 200


@pytest.mark.parametrize("change", ["make another bucket", "change one"])
def test_the_buckets_of_an_account_list_so_many_keys_at_most_together(alice, bob, monkeypatch, change):
    monkeypatch.setattr(buckets, "MAX_ALL_KEYS", 3)
    one, _ = (alice.basic.post("/buckets", {"pubkeys": [new_key()]}).json()["id"] for _ in range(2))
    two, three = [new_key(), new_key()], [new_key(), new_key(), new_key()]

    if change == "change one":
        assert alice.basic.patch("/buckets/" + one, {"pubkeys": two}).status_code == 200
        answer = alice.basic.patch("/buckets/" + one, {"pubkeys": three})
    else:
        answer = alice.basic.post("/buckets", {"pubkeys": two})

    assert answer.status_code == 400
    assert answer.json()["error"].endswith("the buckets of an account may list 3 together")
    assert bob.basic.post("/buckets", {"pubkeys": two}).status_code == 200


# Tokens

@pytest.fixture
def make_few(tmp_path):
    """A function that makes an account on a bridge where each may have two live tokens, and two live pointers."""
    with LocalBridge(tmp_path, account_tokens=2) as bridge:
        yield lambda email: registered(bridge, email)


@pytest.fixture
def few(make_few):
    return make_few("few@example.com")


def ask(account, bucket, operation="PUSH", **fields):
    return account.signed.post(f"/buckets/{bucket}/tokens", {"operation": operation, **fields})


def test_an_account_has_so_many_live_tokens_at_most(few, make_few, later):
    first, second = few.bucket(), few.bucket()
    spent, _ = ask(few, first), ask(few, second, "PULL")

    answer = ask(few, second)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert answer.json() == {"error": "Too many tokens: an account may have 2 that have not expired"}
    other = make_few("other@example.com")
    assert ask(other, other.bucket()).status_code == 200
    few.nobody.put(f"/buckets/{first}/files", b"", spent.json()["token"], 1)
    assert [ask(few, first).status_code for _ in range(2)] == [200, 429]
    later(300 + 1)
    assert ask(few, first).status_code == 200


def test_an_account_has_so_many_live_pointers_at_most(few, make_few, later):
    first, second = few.bucket(), few.bucket()
    files = [(bucket, few.upload(bucket, b"content")) for bucket in (first, second)]
    assert [few.pointers(*file).status_code for file in files] == [200, 200]

    answer = few.pointers(*files[0])

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert answer.json() == {"error": "Too many pointers: an account may have 2 that have not expired"}
    other = make_few("other@example.com")
    bucket = other.bucket()
    assert other.pointers(bucket, other.upload(bucket, b"content")).status_code == 200
    few.signed.delete("/buckets/" + second)  # with its pointer
    assert [few.pointers(*files[0]).status_code for _ in range(2)] == [200, 429]
    later(86400 + 1)
    assert few.pointers(*files[0]).status_code == 200


def test_the_tokens_of_a_bucket_that_is_gone_last_five_minutes_at_most(few, later):
    bucket = few.bucket()
    early, late = (ask(few, bucket, expires_in=604800).json()["token"] for _ in range(2))

    few.signed.delete("/buckets/" + bucket)

    def put(token):
        return few.nobody.put(f"/buckets/{bucket}/files", b"", token, 1).json()

    assert put(early) == {"error": "Bucket not found"}
    later(300 + 1)
    assert put(late) == {"error": "Invalid or expired token"}


@pytest.mark.parametrize("count", [tokens.COUNT, tokens.COUNT_OF_SHARDS], ids=["tokens", "pointers"])
def test_tokens_are_counted_by_an_index_alone(tmp_path, count):
    """Among all the tokens of all accounts, and while nobody else can write."""
    with contextlib.closing(sqlite(tmp_path / "bridge.sqlite")):
        statement = str(count.compile(dialect=sqlalchemy.dialects.sqlite.dialect()))
        with contextlib.closing(sqlite3.connect(tmp_path / "bridge.sqlite")) as db:
            plan = [row[-1] for row in db.execute("EXPLAIN QUERY PLAN " + statement, ["few@example.com"])]

    assert any(step.startswith("SEARCH") and "COVERING INDEX" in step for step in plan)
    assert not any(step.startswith("SCAN") for step in plan)
