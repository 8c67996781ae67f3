"""What expires is good until then, and no longer."""

import json
import uuid

import pytest
import websocket

import pymdc
from pymdc.bridge.metadata import Asker, Room, Within
from pymdc.bridge.metadata.resets import LIFE
from pymdc.bridge.refusal import Refusal
from wire import Basic, multipart

pytestmark = pytest.mark.both_databases

ROOM = Room(account=10**9, at_once=64, disk=lambda: 10**9, written=dict)


def put(account, bucket, token):
    return account.nobody.put(f"/buckets/{bucket}/files", multipart(b"x"), token, 1).status_code


def follow(account, bucket, token):
    file_hash = account.signed.get(f"/buckets/{bucket}/files").json()[0]["hash"]
    return account.nobody.get(f"/buckets/{bucket}/files/{file_hash}", headers={"x-token": token}).status_code


@pytest.mark.parametrize("operation, use", [("PUSH", put), ("PULL", follow)])
@pytest.mark.parametrize("fields, life", [({}, 300), ({"expires_in": 3600}, 3600)])
def test_a_token_that_comes_late_is_refused(alice, later, operation, use, fields, life):
    bucket = alice.bucket()
    alice.upload(bucket, b"there")
    path, fields = f"/buckets/{bucket}/tokens", {"operation": operation, **fields}
    early, late = (alice.signed.post(path, fields).json()["token"] for _ in range(2))

    later(life - 30)
    assert use(alice, bucket, early) == 200
    later(life + 1)
    assert use(alice, bucket, late) == 401


def by_http(account, pointer):
    return account.nobody.get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]}).content


def by_websocket(account, pointer):
    channel = websocket.create_connection(pointer["channel"], timeout=30)
    try:
        channel.send(json.dumps({"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL"}))
        message = channel.recv()
        return message if isinstance(message, bytes) else message.encode()
    finally:
        channel.shutdown()


@pytest.mark.parametrize("fetch", [by_http, by_websocket])
def test_a_shard_token_that_comes_late_is_refused(alice, later, fetch):
    bucket = alice.bucket()
    pointer, = alice.pointers(bucket, alice.upload(bucket, b"shard")).json()

    later(86400 - 30)
    assert fetch(alice, pointer) == b"shard"
    later(86400 + 1)
    assert b"The supplied token is not accepted" in fetch(alice, pointer)


@pytest.mark.parametrize("age, status", [(7 * 86400 - 30, 200), (7 * 86400 + 1, 400)])
def test_an_activation_that_comes_late_is_refused(wire, local, later, age, status):
    email = f"{uuid.uuid4().hex}@example.com"
    assert wire.post("/users", {"email": email, "password": "ab" * 32}).status_code == 200
    path = "/activations/" + local.activation_token(email)

    later(age)
    assert wire.get(path).status_code == status
    assert Basic(wire.url, email, "ab" * 32).get("/keys").status_code == (200 if status == 200 else 401)


@pytest.mark.parametrize("age, status", [(7 * 86400 - 30, 400), (7 * 86400 + 1, 200)])
def test_a_key_that_waits_with_a_registration_is_free_again_when_its_time_is_over(wire, later, age, status):
    key = pymdc.keypair.ECDSA().get_public_key()

    def register():
        fields = {"email": f"{uuid.uuid4().hex}@example.com", "password": "ab" * 32, "pubkey": key}
        return wire.post("/users", fields).status_code

    assert register() == 200
    later(age)
    assert register() == status


def register(memory, token="t", email="kim@example.com", password="hash", point=None, created=0):
    memory.accounts.register({"email": email, "password": password, "created": created}, {
        "token": token, "password": password, "redirect": None, "point": point, "text": point, "created": created,
    })


@pytest.fixture
def bucket(memory):
    register(memory)
    fields = {"name": "b", "storage": 0.00001, "transfer": 1}  # 10 000 bytes
    return memory.buckets.add("kim@example.com", 0, fields, {}, Asker())["id"]


def begin(memory, bucket, upload_id, now):
    memory.uploads.begin({"id": upload_id, "bucket": bucket, "size": 6000, "expires": now + 100}, ROOM, now, Asker())


def finish(memory, bucket, upload_id, now):
    file = {"bucket": bucket, "hash": "0" * 40, "filename": "f", "mimetype": "text/plain", "size": 0, "created": now}
    memory.uploads.finish(upload_id, file, [], now)


def test_an_upload_that_has_expired_is_not_entered(memory, bucket):
    begin(memory, bucket, "late", now=0)
    with pytest.raises(Refusal, match="given up"):
        finish(memory, bucket, "late", now=100)

    begin(memory, bucket, "in time", now=200)
    finish(memory, bucket, "in time", now=299)
    assert len(memory.names.page(bucket, Within(), None, None)[0]) == 1


def test_an_upload_holds_its_room_until_it_expires_or_is_renewed(memory, bucket):
    begin(memory, bucket, "first", now=0)
    memory.uploads.renew("first", 200)
    with pytest.raises(Refusal, match="storage exceeded"):
        begin(memory, bucket, "second", now=199)

    begin(memory, bucket, "second", now=200)


def test_only_an_upload_that_has_expired_is_buried(memory, bucket):
    begin(memory, bucket, "upload", now=0)

    memory.uploads.bury("upload", [], 99)
    assert memory.uploads.dead(99) == set()

    assert memory.uploads.dead(100) == {"upload"}
    memory.uploads.bury("upload", [], 100)
    assert not memory.uploads.give_up("upload")


def test_a_second_activation_link_does_not_replace_the_password_of_an_active_account(memory):
    register(memory, "first", password="one")
    register(memory, "second", password="another")
    memory.accounts.activate("first", 0)

    with pytest.raises(Refusal, match="Invalid activation token"):
        memory.accounts.activate("second", 0)
    with pytest.raises(Refusal, match="already registered"):
        register(memory, "third", password="another")

    assert memory.accounts.find("kim@example.com")["password"] == "one"


def test_a_link_to_another_password_that_nobody_uses_is_forgotten_after_an_hour(memory):
    register(memory)
    for token, created in (("older", 1), ("newer", 2)):
        memory.resets.add("kim@example.com", token, created)

    memory.resets.forget_old(1 + LIFE)

    with pytest.raises(Refusal, match="Invalid reset token"):
        memory.resets.find("older", now=1)
    assert memory.resets.find("newer", now=1)["email"] == "kim@example.com"
