"""Accounts that change their password, or go: what ends with that, and what the mail says."""

import pytest

import pymdc
from mailed import mails
from pymdc.bridge import LocalBridge
from wire import Basic, Wire, get, put, race, registered

NEW = "cd" * 32


def change(account, password=NEW, asker=None):
    return (asker or account.basic).patch("/users/" + account.email, {"password": password})


def token_by_password(account, bucket, operation="PULL"):
    return account.basic.post(f"/buckets/{bucket}/tokens", {"operation": operation}).json()["token"]


@pytest.mark.both_databases
def test_a_changed_password_is_good_at_once_and_the_old_one_is_not(alice, local):
    alice.basic.get("/keys")

    answer = change(alice)

    assert answer.status_code == 200
    assert answer.json() == {**answer.json(), "activated": True, "email": alice.email, "id": alice.email}
    assert Basic(local.url, alice.email, NEW).get("/keys").json()[0]["key"] == alice.key
    assert alice.basic.get("/keys").status_code == 401
    assert alice.signed.get("/keys").status_code == 200


def test_a_password_that_was_remembered_elsewhere_is_forgotten_there_too(postgresql):
    url = postgresql.new_database()
    with LocalBridge(database_url=url) as one, LocalBridge(database_url=url) as other:
        account = registered(one)
        there = Basic(other.url, account.email, account.password)
        assert there.get("/keys").status_code == 200

        change(account)

        assert there.get("/keys").status_code == 401
        assert Basic(other.url, account.email, NEW).get("/keys").status_code == 200


@pytest.mark.both_databases
def test_what_the_old_password_has_asked_for_ends_and_what_a_key_has_asked_for_does_not(alice):
    bucket = alice.bucket()
    content = alice.upload(bucket, b"content" * 5000)
    by_password, by_key = token_by_password(alice, bucket), alice.token(bucket, "PULL")
    path = f"/buckets/{bucket}/files/{content}"
    pointers = [asker.get(path).json()[0] for asker in (alice.basic, alice.signed)]

    change(alice)

    statuses = [alice.nobody.get(path, headers={"x-token": token}).status_code for token in (by_password, by_key)]
    assert statuses == [401, 200]
    shards = [alice.nobody.get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]}).status_code
              for pointer in pointers]
    assert shards == [401, 200]


@pytest.mark.both_databases
def test_of_two_who_change_a_password_at_once_one_passes(alice, local):
    passwords = [f"{number:02x}" * 32 for number in range(8)]

    statuses = race(8, lambda number: (change(alice, passwords[number]).status_code, passwords[number]))

    (passed,) = [password for status, password in statuses if status == 200]
    assert sorted(status for status, _ in statuses) == [200] + [401] * 7
    assert Basic(local.url, alice.email, passed).get("/keys").status_code == 200


def test_the_same_password_again_changes_nothing(alice, local):
    bucket = alice.bucket()
    token = token_by_password(alice, bucket, "PUSH")

    answer = change(alice, alice.password.upper())

    assert answer.status_code == 200 and answer.json()["email"] == alice.email
    assert put(alice.nobody, bucket, b"x", {"x-token": token}).status_code == 200
    assert mails(local, alice.email)[0][0] == "Activate your Metadisk account"


def test_a_changed_password_is_told_by_a_mail(alice, local):
    change(alice)

    (subject, text), _ = mails(local, alice.email)
    assert subject == "The password of your Metadisk account was changed"
    assert alice.email in text and local.url in text and "If it was not you" in text
    assert NEW not in text and alice.password not in text


@pytest.mark.parametrize("password", [None, "", "secret", "cd" * 31, 5, ["cd" * 32]])
def test_a_password_that_is_no_hash_changes_nothing(alice, password):
    answer = change(alice, password)

    assert (answer.status_code, answer.json()) == (400, {"error": "Password must be hex encoded SHA-256 hash"})
    assert alice.basic.get("/keys").status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_key_can_neither_change_a_password_nor_delete_an_account(alice, method):
    answer = alice.signed.send(method, "/users/" + alice.email, b'{"password": "%s"}' % NEW.encode())
    nobody = alice.nobody.send(method, "/users/" + alice.email)

    assert (answer.status_code, nobody.status_code) == (401, 401)
    assert "The password of the account is needed" in answer.json()["error"]
    assert nobody.json()["error"] == "No authentication strategy detected"
    assert alice.basic.get("/keys").status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_nobody_changes_or_deletes_another_s_account(alice, bob, method):
    for address in (bob.email, "nobody@example.com", "%20", "a/b@example.com"):
        answer = alice.basic.send(method, "/users/" + address, b'{"password": "%s"}' % NEW.encode())

        assert (answer.status_code, answer.json()) == (404, {"error": "User not found"})
    assert bob.basic.get("/keys").status_code == 200


@pytest.mark.parametrize("address", ["a/b@example.com", "a%b@example.com", "a?b#c@example.com", "müller@example.com"])
def test_an_address_of_whatever_characters_can_change_and_go(local, address):
    user = pymdc.api.Users(address, "one", client=pymdc.Client(local.url))
    user.register()
    user.activate(local.activation_token(address))

    assert user.change_password("two")["email"] == address
    assert user.delete() == {}
    assert "error" in user.change_password("three")


def test_the_case_of_an_address_does_not_matter(alice):
    path = "/users/" + alice.email.upper()

    assert alice.basic.patch(path, {"password": NEW}).status_code == 200


@pytest.mark.both_databases
def test_an_account_goes_with_all_that_it_has(alice, bob, local):
    own, bobs = alice.bucket(), bob.bucket()
    shared, alone = b"shared" * 5000, alice.email.encode() * 1000
    kept = bob.upload(bobs, shared)
    gone = [alice.upload(own, content) for content in (shared, alone)]
    token = alice.token(own, "PULL")
    objects = local.outbox.parent / "shards"

    answer = alice.basic.delete("/users/" + alice.email)

    assert (answer.status_code, answer.content) == (204, b"")
    assert alice.basic.get("/keys").status_code == 401
    assert alice.signed.get("/keys").json() == {"error": "Public key not registered"}
    assert alice.nobody.get(f"/buckets/{own}/files/{gone[0]}", headers={"x-token": token}).status_code == 401
    assert get(bob.signed, bobs, kept).content == shared
    assert not list(objects.glob(f"*/{gone[1]}-*")) and list(objects.glob(f"*/{gone[0]}-*"))


def test_what_has_gone_can_be_registered_again_and_begins_with_nothing(alice, bob, local):
    alice.bucket()
    alice.basic.delete("/users/" + alice.email)

    again = alice.register(local)

    assert again.basic.get("/buckets").json() == []
    assert again.basic.get("/keys").json()[0]["key"] == alice.key


def test_a_guest_s_key_stays_with_the_bucket_that_lists_it(alice, bob):
    bucket = bob.bucket(pubkeys=[alice.key])

    alice.basic.delete("/users/" + alice.email)

    assert put(alice.signed, bucket, b"still a guest").status_code == 200


def test_a_deleted_account_is_told_by_a_mail(alice, local):
    alice.basic.delete("/users/" + alice.email)

    (subject, text), _ = mails(local, alice.email)
    assert subject == "Your Metadisk account was deleted"
    assert alice.email in text and local.url in text and "If it was not you" in text


@pytest.mark.both_databases
def test_of_two_who_delete_an_account_at_once_one_passes(alice, local):
    alice.upload(alice.bucket(), b"x" * 20_000)

    statuses = race(6, lambda number: alice.basic.delete("/users/" + alice.email).status_code)

    assert sorted(statuses) == [204] + [401] * 5
    assert [subject for subject, _ in mails(local, alice.email)].count("Your Metadisk account was deleted") == 1


def test_a_wrong_password_changes_and_deletes_nothing(alice, local):
    wrong = Basic(local.url, alice.email, "00" * 32)

    answers = [wrong.patch("/users/" + alice.email, {"password": NEW}), wrong.delete("/users/" + alice.email)]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert alice.basic.get("/keys").status_code == 200 and len(mails(local, alice.email)) == 1


def test_changes_of_a_password_are_slowed_and_no_other_mail_keeps_their_mail_back(tmp_path):
    with LocalBridge(tmp_path, rates="on") as bridge:
        account = registered(bridge)  # whose mail was sent just now

        first = change(account)
        account.basic = Basic(bridge.url, account.email, NEW)
        second = change(account, "ef" * 32)

        assert first.status_code == 200 and len(mails(bridge, account.email)) == 2
        assert second.status_code == 429 and "Too many mails to this address: wait" in second.json()["error"]
        assert account.basic.get("/keys").status_code == 200  # nothing was changed that no mail tells


def test_an_account_that_waits_for_its_activation_can_change_nothing(local):
    waiting = Basic(local.url, "waits@example.com", "ab" * 32)
    Wire(local.url).post("/users", {"email": "waits@example.com", "password": "ab" * 32})

    answers = [waiting.patch("/users/waits@example.com", {"password": NEW}), waiting.delete("/users/waits@example.com")]

    assert [answer.json()["error"] for answer in answers] == ["User account has not been activated"] * 2
