"""Other people's things."""

import types

import pytest

import raw
from siege import NO_BUCKET, NO_HASH, NO_KEY, assert_refused

# What bob asks for, of an account's bucket, file and key.
NOBODY = types.SimpleNamespace(bucket=NO_BUCKET, file=NO_HASH, key=NO_KEY)
FOREIGN = {
    "read a bucket": lambda bob, it: bob.signed("GET", f"/buckets/{it.bucket}"),
    "change a bucket": lambda bob, it: bob.signed("PATCH", f"/buckets/{it.bucket}", {"name": "mine"}),
    "change its keys": lambda bob, it: bob.signed("PATCH", f"/buckets/{it.bucket}", {"pubkeys": [bob.key]}),
    "delete a bucket": lambda bob, it: bob.signed("DELETE", f"/buckets/{it.bucket}"),
    "ask for PUSH": lambda bob, it: bob.signed("POST", f"/buckets/{it.bucket}/tokens", {"operation": "PUSH"}),
    "ask for PULL": lambda bob, it: bob.signed("POST", f"/buckets/{it.bucket}/tokens", {"operation": "PULL"}),
    "ask for nonsense": lambda bob, it: bob.signed("POST", f"/buckets/{it.bucket}/tokens", {"operation": 5}),
    "ask by password": lambda bob, it: bob.basic(
        "POST", f"/buckets/{it.bucket}/tokens", b'{"operation": "PULL"}'),
    "list files": lambda bob, it: bob.signed("GET", f"/buckets/{it.bucket}/files"),
    "delete a file": lambda bob, it: bob.signed("DELETE", f"/buckets/{it.bucket}/files/{it.file}"),
    "delete no file": lambda bob, it: bob.signed("DELETE", f"/buckets/{it.bucket}/files/{NO_HASH}"),
    "delete a file in his own": lambda bob, it: bob.signed("DELETE", f"/buckets/{bob.bucket}/files/{it.file}"),
    "fetch a file": lambda bob, it: raw.request(
        "GET", f"/buckets/{it.bucket}/files/{it.file}", {"x-token": bob.token("PULL")}),
    "fetch a file from his own": lambda bob, it: raw.request(
        "GET", f"/buckets/{bob.bucket}/files/{it.file}", {"x-token": bob.token("PULL")}),
    "fetch a file with PUSH": lambda bob, it: raw.request(
        "GET", f"/buckets/{it.bucket}/files/{it.file}", {"x-token": bob.token("PUSH")}),
    "delete a key": lambda bob, it: bob.signed("DELETE", f"/keys/{it.key}"),
    "delete a key by password": lambda bob, it: bob.basic("DELETE", f"/keys/{it.key}"),
}


@pytest.mark.parametrize("make", list(FOREIGN.values()), ids=list(FOREIGN))
def test_another_account_s_things_are_as_good_as_none(world, make):
    alice, bob = world.alice, world.bob
    theirs, = world.ask(make(bob, alice))
    nobodys, = world.ask(make(bob, NOBODY))

    assert_refused(theirs, 401, 404)
    assert theirs.without("date", "x-request-id") == nobodys.without("date", "x-request-id")


def test_another_account_s_bucket_takes_no_upload(world):
    # Not as if there were none: the old servers look for the bucket before they look whose token it is.
    answer, = world.ask(world.put(token=world.bob.token()))

    assert_refused(answer, 401)


def test_a_shard_is_handed_out_only_for_its_own_token(world):
    def pointer(party):
        token = party.token("PULL")
        answer, = world.ask(raw.request("GET", f"/buckets/{party.bucket}/files/{party.file}", {"x-token": token}))
        return answer.json()[0]

    alices, bobs = pointer(world.alice), pointer(world.bob)
    for token in (bobs["token"], "", "x", "\u00ff", world.bob.token("PULL")):
        answer, = world.ask(raw.request("GET", f"/shards/{alices['hash']}", {"x-token": token}))
        assert_refused(answer, 401)
