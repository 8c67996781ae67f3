"""How many of a thing an account may have."""

import pytest

import pymdc
from pymdc.bridge.metadata import buckets, keys


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
