"""Tokens that are good for one thing only, the list of those that wait, and how one is revoked."""

import datetime
import hashlib
import uuid

import pytest

import pymdc
from wire import Signed, Wire, get, multipart, put, race

pytestmark = pytest.mark.both_databases


def ask(account, bucket, operation="PULL", **fields):
    return account.signed.post(f"/buckets/{bucket}/tokens", {"operation": operation, **fields})


def listed(account, bucket):
    return account.basic.get(f"/buckets/{bucket}/tokens").json()


def id_of(token):
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def revoke(account, bucket, token):
    return account.signed.delete(f"/buckets/{bucket}/tokens/{id_of(token)}")


def by_pointers(account, bucket, file_hash, token):
    return account.nobody.get(f"/buckets/{bucket}/files/{file_hash}", headers={"x-token": token})


def by_content(account, bucket, file_hash, token):
    return get(account.nobody, bucket, file_hash, x_token=token)


def as_form(account, bucket, content, token):
    return account.nobody.put(f"/buckets/{bucket}/files", multipart(content), token, len(content))


def directly(account, bucket, content, token):
    return put(account.nobody, bucket, content, {"x-token": token})


# A token for one file

@pytest.mark.parametrize("fetch", [by_pointers, by_content])
def test_a_token_for_a_file_opens_that_file_and_is_spent_by_asking_for_another(alice, bucket, fetch):
    one, other = (alice.upload(bucket, uuid.uuid4().bytes) for _ in range(2))
    tokens = [ask(alice, bucket, file=one.upper()).json() for _ in range(2)]

    assert tokens[0]["file"] == one
    assert fetch(alice, bucket, one, tokens[0]["token"]).status_code == 200
    answer = fetch(alice, bucket, other, tokens[1]["token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "Token not valid for hash")
    assert fetch(alice, bucket, one, tokens[1]["token"]).status_code == 401


def test_a_token_for_a_file_ends_with_the_file_though_its_content_comes_again(alice, bucket):
    content = uuid.uuid4().bytes
    file_hash = alice.upload(bucket, content)
    token = alice.share(bucket, file_hash)

    alice.signed.delete(f"/buckets/{bucket}/files/{file_hash}")
    alice.upload(bucket, content)

    assert by_pointers(alice, bucket, file_hash, token).json() == {"error": "Invalid or expired token"}
    assert listed(alice, bucket) == []


@pytest.mark.parametrize("go", [
    lambda account, bucket, file_hash, name: account.signed.delete(
        f"/buckets/{bucket}/files/{file_hash}?filename={name}"),
    lambda account, bucket, file_hash, name: put(account.signed, bucket, uuid.uuid4().bytes, name=name, replace=1),
])
def test_a_token_for_a_file_is_good_as_long_as_that_has_a_name(alice, bucket, go):
    content = uuid.uuid4().bytes
    file_hash = [put(alice.signed, bucket, content, name=name).json()["hash"] for name in ("one", "other")][0]
    first, second = alice.share(bucket, file_hash), alice.share(bucket, file_hash)

    assert go(alice, bucket, file_hash, "one").ok
    assert by_pointers(alice, bucket, file_hash, first).ok
    assert go(alice, bucket, file_hash, "other").ok

    assert by_pointers(alice, bucket, file_hash, second).json() == {"error": "Invalid or expired token"}


def test_there_is_no_token_for_a_file_that_is_not_there(alice, bucket):
    answer = ask(alice, bucket, file="0" * 40)

    assert (answer.status_code, answer.json()) == (404, {"error": "File not found"})


# A token for a file of a size

@pytest.mark.parametrize("upload", [as_form, directly])
@pytest.mark.parametrize("size", [100, 20_000])
def test_a_token_lets_no_larger_file_in_than_it_is_for(alice, bucket, upload, size):
    tokens = [ask(alice, bucket, "PUSH", max_size=size).json() for _ in range(2)]

    assert tokens[0]["max_size"] == size
    assert upload(alice, bucket, b"x" * size, tokens[0]["token"]).status_code == 200
    answer = upload(alice, bucket, b"y" * (size + 1), tokens[1]["token"])
    assert (answer.status_code, answer.json()["error"]) == (
        413, f"File is too large: it may have {size} bytes by this token, and not {size + 1}")
    assert len(alice.signed.get(f"/buckets/{bucket}/files").json()) == 1


@pytest.mark.parametrize("fields", [
    {"operation": "PULL", "file": "0" * 39}, {"operation": "PULL", "file": 7}, {"operation": "PUSH", "file": "0" * 40},
    {"operation": "PULL", "file": ["0" * 40]}, {"operation": "PULL", "max_size": 1},
    {"operation": "PUSH", "max_size": -1}, {"operation": "PUSH", "max_size": 1.5},
    {"operation": "PUSH", "max_size": True}, {"operation": "PUSH", "max_size": "1"},
    {"operation": "PUSH", "max_size": 10**15}, {"operation": "PULL", "filename": "a"},
    {"operation": "PUSH", "filename": "a"},
    *({"operation": "PULL", "file": "0" * 40, "filename": name}
      for name in (7, "", "..", "a/../b", "a\x85", "\u202egpj")),
])
def test_what_a_token_cannot_be_for_is_refused_by_name(alice, bucket, fields):
    answer = alice.signed.post(f"/buckets/{bucket}/tokens", fields)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(("Token validation failed: ", "The file name "))


@pytest.mark.parametrize("fields", [
    {"operation": "PULL", "file": "0" * 40}, {"operation": "PUSH", "max_size": 1},
    {"operation": "PULL", "expires_in": 60},
])
def test_only_the_owner_says_what_a_token_is_good_for(alice, bob, fields):
    bucket = alice.bucket(pubkeys=[alice.key, bob.key])

    answer = bob.signed.post(f"/buckets/{bucket}/tokens", fields)

    assert answer.status_code == 403
    assert answer.json()["error"].startswith("Only the owner of a bucket may say")


# Those that wait

def test_the_owner_sees_the_tokens_that_wait_but_not_the_tokens_themselves(alice, bob, local):
    bucket = alice.bucket(pubkeys=[alice.key, bob.key])
    file_hash = alice.upload(bucket, b"there")
    by_guest = ask(bob, bucket, "PUSH").json()
    by_owner = ask(alice, bucket, file=file_hash, filename="a/ü.txt", expires_in=3600).json()
    by_password = alice.basic.post(f"/buckets/{bucket}/tokens", {"operation": "PUSH", "max_size": 9}).json()
    spent = alice.token(bucket)
    as_form(alice, bucket, b"more", spent)

    found = {token.pop("id"): token for token in listed(alice, bucket)}

    unsaid = {"file": None, "filename": None, "max_size": None}
    keys = [hashlib.sha256(bytes.fromhex(asker.key)).hexdigest()[:16] for asker in (bob, alice)]
    for token in found.values():
        created, expires = (datetime.datetime.fromisoformat(token.pop(name)[:-1]) for name in ("created", "expires"))
        life = 3600 if token["file"] else 300
        assert (expires - created).total_seconds() == life
    assert found == {
        id_of(by_guest["token"]): {**unsaid, "operation": "PUSH", "key": keys[0]},
        id_of(by_owner["token"]): {
            **unsaid, "operation": "PULL", "file": file_hash, "filename": "a/ü.txt", "key": keys[1]},
        id_of(by_password["token"]): {**unsaid, "operation": "PUSH", "max_size": 9, "key": None},
    }


def test_an_expired_token_does_not_wait(alice, bucket, later):
    alice.token(bucket)

    later(301)

    assert listed(alice, bucket) == []


def test_the_list_of_tokens_is_whole_however_many_there_are(alice, bucket):
    tokens = {id_of(alice.token(bucket)) for _ in range(250)}

    assert {token["id"] for token in listed(alice, bucket)} == tokens


def test_only_the_owner_sees_and_revokes_tokens(alice, bob):
    bucket = alice.bucket(pubkeys=[alice.key, bob.key])
    token = alice.token(bucket)

    for answer in (bob.signed.get(f"/buckets/{bucket}/tokens"), revoke(bob, bucket, token)):
        assert (answer.status_code, answer.json()) == (404, {"error": "Bucket not found"})
    assert len(listed(alice, bucket)) == 1


# What is revoked

def test_a_revoked_token_is_good_for_nothing(alice, bucket):
    file_hash = alice.upload(bucket, b"there")
    push, pull, other = alice.token(bucket), alice.token(bucket, "PULL"), alice.token(bucket)

    assert [revoke(alice, bucket, token).status_code for token in (push, pull)] == [204, 204]

    assert as_form(alice, bucket, b"more", push).status_code == 401
    assert by_pointers(alice, bucket, file_hash, pull).status_code == 401
    assert as_form(alice, bucket, b"more", other).status_code == 200


def test_revoking_a_token_that_was_used_ends_its_pointers_and_no_others(alice, bucket):
    file_hash = alice.upload(bucket, b"there")
    tokens = [alice.token(bucket, "PULL") for _ in range(2)]
    pointers = [by_pointers(alice, bucket, file_hash, token).json()[0] for token in tokens]

    answer = revoke(alice, bucket, tokens[0])

    def fetch(pointer):
        return alice.nobody.get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]}).status_code
    assert answer.status_code == 204
    assert [fetch(pointer) for pointer in pointers] == [401, 200]


@pytest.mark.parametrize("token_id", ["0" * 32, "0", "zz", "%00", "'", "0" * 64])
def test_what_is_no_token_cannot_be_revoked(alice, bucket, token_id):
    alice.token(bucket)

    answer = alice.signed.delete(f"/buckets/{bucket}/tokens/{token_id}")

    assert (answer.status_code, answer.json()) == (404, {"error": "Token not found"})
    assert len(listed(alice, bucket)) == 1


def test_a_token_of_another_bucket_is_not_revoked(alice, bucket):
    token = alice.token(bucket)

    assert revoke(alice, alice.bucket(), token).status_code == 404
    assert revoke(alice, bucket, token).status_code == 204


def test_a_key_that_was_deleted_revokes_nothing(alice, bucket):
    token, key = alice.token(bucket), pymdc.keypair.ECDSA()
    alice.basic.post("/keys", {"key": key.get_public_key()})
    alice.basic.delete("/keys/" + key.get_public_key())

    answer = Signed(alice.nobody.url, key).delete(f"/buckets/{bucket}/tokens/{id_of(token)}")

    assert answer.status_code == 401


def test_of_a_token_that_is_revoked_while_it_is_used_nothing_is_left(alice, bucket):
    file_hash = alice.upload(bucket, b"there")

    for _ in range(10):
        token = alice.token(bucket, "PULL")
        answers = race(5, lambda number: revoke(alice, bucket, token) if number == 0
                       else by_pointers(alice, bucket, file_hash, token))
        revoked, used = ([answer for answer in answers if answer.request.method == method]
                         for method in ("DELETE", "GET"))
        pointers = [pointer for answer in used if answer.status_code == 200 for pointer in answer.json()]

        assert len(pointers) <= 1
        if revoked[0].status_code == 204:
            for pointer in pointers:
                answer = Wire(alice.nobody.url).get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})
                assert answer.status_code == 401, answer.text


def test_the_owner_says_when_a_token_expires(alice, bob, now):
    bucket = alice.bucket(pubkeys=[bob.key])

    def expiry(account, **fields):
        return account.signed.post(f"/buckets/{bucket}/tokens", {"operation": "PUSH", **fields})

    week = expiry(alice, expires_in=7 * 86400).json()["expires"]
    assert abs(datetime.datetime.fromisoformat(week[:-1] + "+00:00").timestamp() - now / 1000 - 7 * 86400) < 60
    assert expiry(bob).status_code == 200
    assert expiry(bob, expires_in=60).status_code == 403
    for nonsense in (0, -1, 7 * 86400 + 1, "60", True, [60]):
        answer = expiry(alice, expires_in=nonsense)
        assert (answer.status_code, answer.json()["error"][:40]) == (400, "Token validation failed: expires_in must")
