"""Accounts, keys, buckets and tokens with each server of 2016."""

from __future__ import absolute_import, division, print_function

import io
import json
import threading

import pytest

import pymdc
from pymdc.errors import APIError
from member_of_2016 import NEWER, Member, statuses
from recordings import vectors

RECORDED = {exchange["case"]: exchange["answers"] for exchange in vectors("exchanges.json")["exchanges"]}


def test_the_walk_from_registration_to_the_end(server, version, member):
    keys, spare = pymdc.api.Keys(member.user), pymdc.keypair.ECDSA()
    created = member.bucket.list()

    assert keys.create(spare)["key"] == spare.get_public_key()
    assert keys.delete(spare) == {}
    assert [key["key"] for key in keys.list()] == [member.key_pair.get_public_key()]
    assert member.buckets.list() == [created]
    assert member.bucket.update(name=u"f\xeates", storage=3) == dict(created, name=u"f\xeates", storage=3)
    assert member.bucket.files.list() == []
    assert member.bucket.delete() == {}
    assert member.buckets.list() == []


def test_a_key_is_rotated(server, version, member):
    new, files = pymdc.keypair.ECDSA(), member.bucket.files
    files.upload(io.BytesIO(b"content"))

    pymdc.api.Keys(member.user).rotate(member.key_pair, new)

    assert [key["key"] for key in pymdc.api.Keys(member.user).list()] == [new.get_public_key()]
    assert pymdc.api.Bucket(files._ids["bucket_id"], new, member.client).list()["pubkeys"] == [new.get_public_key()]


def test_callbacks_that_overtake_each_other_all_succeed(server, version, member):
    results, done = [], threading.Semaphore(0)

    def called(answer):
        results.append(answer)
        done.release()

    calls = [member.buckets.list, member.bucket.list, lambda callback: member.bucket.files.token("PULL", callback),
             lambda callback: member.bucket.update(name="x", callback=callback)]
    futures = [call(callback=called) for call in calls * 8]
    answers = [future.result() for future in futures]
    for _ in answers:
        done.acquire()

    assert [answer for answer in answers + results if "error" in answer] == []
    assert len(results) == 32


def test_sixteen_threads_share_one_key_pair(server, version, member):
    failures = []

    def work(number):
        try:
            bucket = member.buckets.create("bucket", 1, 1)
            files = pymdc.api.Files(bucket, member.key_pair, client=member.client)
            stored = files.upload(io.BytesIO(b"%d" % number * 100))
            files.download(stored, io.BytesIO())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(member.buckets.list()) == 17


@pytest.mark.parametrize("version", NEWER)
def test_a_refused_nonce_makes_the_signed_calls_take_turns(server, version, member):
    server.users[member.email]["nonce"] += 200  # as if another had just called, whose clock is ahead

    assert len(member.buckets.list()) == 1
    assert 401 in statuses(server, "GET")
    del server.requests[:]
    futures = [member.buckets.list(callback=lambda answer: None) for _ in range(24)]
    assert all("error" not in future.result() for future in futures)

    assert statuses(server, "GET") == [200] * 24


@pytest.mark.parametrize("version", NEWER)
def test_a_refused_nonce_that_is_called_bucket_not_found_is_found_out(server, version, member):
    unlisted = pymdc.api.Buckets(member.user).create("unlisted", 1, 1)
    files = pymdc.api.Files(unlisted, member.key_pair, client=member.client)
    server.users[member.email]["nonce"] += 200

    futures = [files.token("PULL", callback=lambda answer: None) for _ in range(16)]
    operations = [future.result().get("operation") for future in futures]

    assert operations == ["PULL"] * 16
    assert 404 in statuses(server, "POST", "/tokens")


def test_a_bucket_that_is_not_there_is_looked_for_and_then_not_found(server, version, member):
    gone = pymdc.api.Bucket("f" * 24, member.key_pair, client=member.client)
    del server.requests[:]

    with pytest.raises(APIError, match="Bucket not found"):
        gone.files.token("PULL")
    assert [method for method, _, _ in server.requests] == (["POST"] if version == "0.2.2" else ["POST", "GET", "POST"])
    assert not member.client._turns.begun


@pytest.mark.parametrize("registered", [True, False])
def test_a_guests_key_gets_tokens_where_the_server_allows_it(server, version, member, registered):
    guest = Member(server).key_pair if registered else pymdc.keypair.ECDSA()
    member.bucket.update(key_pairs=[member.key_pair, guest])
    files = pymdc.api.Files(member.bucket.list(), guest, client=member.client)

    if version == "0.2.2":
        with pytest.raises(APIError, match="Bucket not found" if registered else "Public key not registered"):
            files.token("PUSH")
    else:
        stored = files.upload(io.BytesIO(b"from a guest"))
        assert files.download(stored, io.BytesIO())["size"] == 12


def test_a_key_that_nobody_knows_is_told_so_by_every_call(server, member, tmpdir):
    files = pymdc.api.Files(member.bucket.list(), pymdc.keypair.ECDSA(), client=member.client)

    for call in (files.list, lambda: files.token("PULL"), lambda: files.upload(io.BytesIO(b"content")),
                 lambda: files.download("0" * 40, str(tmpdir.join("copy")))):
        with pytest.raises(APIError, match="Public key not registered"):
            call()


def test_a_token_that_was_handed_over_is_enough(server, version, member):
    anybody = pymdc.api.Bucket(member.bucket.list(), client=member.client)

    stored = anybody.files.upload(io.BytesIO(b"content"), member.bucket.files.token("PUSH"))
    anybody.files.download(stored, io.BytesIO(), member.bucket.files.token("PULL"))

    with pytest.raises(APIError, match="Invalid or expired token"):
        anybody.files.upload(io.BytesIO(b"content"), "0" * 64)


def other(member, password):
    return pymdc.api.Users(member.email, password, client=member.client)


MISTAKES = {
    "basic wrong password": lambda m: pymdc.api.Keys(other(m, "wrong")).list(),
    "unregistered key": lambda m: pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=m.client).list(),
    "user create duplicate": lambda m: m.user.register(),
    "activation bad token": lambda m: m.user.activate("0" * 64),
    "keys add duplicate": lambda m: pymdc.api.Keys(m.user).create(m.key_pair),
    "keys delete unknown": lambda m: pymdc.api.Keys(m.user).delete(pymdc.keypair.ECDSA()),
    "bucket get not found": lambda m: pymdc.api.Bucket("f" * 24, m.key_pair, client=m.client).list(),
    "bucket get malformed id": lambda m: pymdc.api.Bucket("notanid", m.key_pair, client=m.client).list(),
    "bucket PATCH not found": lambda m: pymdc.api.Bucket("f" * 24, m.key_pair, client=m.client).update(name="x"),
    "bucket delete again": lambda m: pymdc.api.Bucket("f" * 24, m.key_pair, client=m.client).delete(),
    "garbage token": lambda m: m.bucket.files.upload(io.BytesIO(b"x"), "0" * 64),
    "PULL token for PUT": lambda m: m.bucket.files.upload(io.BytesIO(b"x"), m.bucket.files.token("PULL")),
    "pointers unknown hash": lambda m: m.bucket.files.download("0" * 40, io.BytesIO()),
    "pointers garbage token": lambda m: m.bucket.files.download("0" * 40, io.BytesIO(), "0" * 64),
}


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_mistake_is_answered_as_recorded_and_not_repeated(server, version, member, mistake):
    known = RECORDED[mistake]
    recorded = known.get(version, known["0.2.4"])
    del server.requests[:]

    with pytest.raises(APIError) as refused:
        MISTAKES[mistake](member)

    assert refused.value.status == recorded["status"]
    assert refused.value.body == json.loads(recorded["body"])
    assert [status for _, _, status in server.requests if status != 200] == [recorded["status"]]
