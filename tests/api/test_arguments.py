"""Bad input to the public face: an error that names the fault, before anything goes over the wire."""

from __future__ import absolute_import, division, print_function

import pytest

import pymdc
from pymdc.errors import APIError, InvalidKey, as_answer

ID = "6b02f2f51a05ce7722153a94"
SAID = {"error": "Email is already registered"}


@pytest.fixture
def nowhere():
    return pymdc.Client("http://127.0.0.1:1", retries=0)


@pytest.mark.parametrize("email, password, fault", [
    ("", "password", "e-mail"), (None, "password", "e-mail"), (5, "password", "e-mail"),
    (b"\xff", "password", "e-mail"), (SAID, "password", "already registered"),
    ("a@example.com", "", "password"), ("a@example.com", None, "password"), ("a@example.com", 12345, "password"),
])
def test_an_account_needs_an_address_and_a_password(email, password, fault):
    with pytest.raises(ValueError, match=fault):
        pymdc.api.Users(email, password)


@pytest.mark.parametrize("token", [
    "", None, 5, [], SAID, "../buckets", "http://127.0.0.1/activations/", "a b", u"\u732b", {},
])
def test_an_activation_needs_a_token_or_its_link(nowhere, token):
    with pytest.raises(ValueError, match="activation token"):
        pymdc.api.Users("a@example.com", "password", client=nowhere).activate(token)


@pytest.mark.parametrize("bucket_id", [
    "", None, 5, [], SAID, {}, "..", "a/b", "a?b", u"\u732b", b"\xff", ID + "\n", " ",
])
def test_a_bucket_needs_an_id(bucket_id):
    for kind in (pymdc.api.Bucket, pymdc.api.Files):
        with pytest.raises(ValueError, match="bucket id"):
            kind(bucket_id, pymdc.keypair.ECDSA())


@pytest.mark.parametrize("auth", ["a key", 5, object(), {}, SAID, ("alice", "password")])
def test_who_asks_must_be_a_key_pair_or_an_account(auth):
    for make in (pymdc.api.Keys, pymdc.api.Buckets, lambda auth: pymdc.api.Bucket(ID, auth)):
        with pytest.raises(ValueError, match="key pair or a user"):
            make(auth)


@pytest.mark.parametrize("hand_on", [
    lambda said: pymdc.api.Bucket(said), lambda said: pymdc.api.Files(said), lambda said: pymdc.api.Keys(said),
    lambda said: pymdc.api.Users(said, "password"), lambda said: pymdc.api.Users("a@example.com", "x").activate(said),
    lambda said: pymdc.api.Files(ID).upload(__file__, said), lambda said: pymdc.api.Files(ID).download(said, "x", "0"),
    lambda said: pymdc.api.Files(ID).download("0" * 40, "x", said), lambda said: pymdc.api.Files(ID).delete(said),
    lambda said: pymdc.api.Keys(pymdc.keypair.ECDSA()).create(said),
    lambda said: pymdc.api.Keys(pymdc.keypair.ECDSA()).delete(said),
    lambda said: pymdc.api.Buckets(pymdc.keypair.ECDSA()).create("name", 1, 1, said),
    lambda said: pymdc.api.Bucket(ID, pymdc.keypair.ECDSA()).update(key_pairs=[said]),
])
def test_a_refusal_that_is_handed_on_is_an_error_with_its_words_and_its_hint(hand_on):
    refused = APIError(401, {"error": "Public key not registered"}, "POST", "/buckets")

    with pytest.raises(ValueError, match="needed, but the bridge had said: \"Public key not registered\"; register"):
        hand_on(as_answer(refused))


def test_keys_and_buckets_are_somebodys():
    for make in (pymdc.api.Keys, pymdc.api.Buckets):
        with pytest.raises(ValueError, match="key pair or a user"):
            make(None)


def test_a_client_must_be_one():
    with pytest.raises(ValueError, match="pymdc.Client"):
        pymdc.api.Users("a@example.com", "password", client="http://127.0.0.1:1")


@pytest.mark.parametrize("fields, fault", [
    ({"name": None}, "name"), ({"name": 5}, "name"), ({"name": ["x"]}, "name"), ({"name": b"\xff"}, "name"),
    ({"storage": "10"}, "storage"), ({"storage": -1}, "storage"), ({"storage": float("nan")}, "storage"),
    ({"storage": None}, "storage"), ({"storage": True}, "storage"),
    ({"transfer": float("inf")}, "transfer"), ({"transfer": []}, "transfer"), ({"transfer": None}, "transfer"),
    ({"key_pairs": "02" * 33}, "key_pairs"), ({"key_pairs": pymdc.keypair.ECDSA()}, "key_pairs"),
    ({"key_pairs": [5]}, "public key"), ({"key_pairs": ["nothex"]}, "public key"), ({"key_pairs": [SAID]}, "already"),
])
def test_a_bad_field_of_a_bucket_is_named(nowhere, fields, fault):
    good = {"name": "photos", "storage": 10, "transfer": 30}

    with pytest.raises(ValueError, match=fault):
        pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=nowhere).create(**dict(good, **fields))


@pytest.mark.parametrize("fields", [{"name": 5}, {"storage": "x"}, {"transfer": -1}, {"key_pairs": "x"}])
def test_a_bad_field_of_an_update_is_named(nowhere, fields):
    with pytest.raises(ValueError, match=list(fields)[0]):
        pymdc.api.Bucket(ID, pymdc.keypair.ECDSA(), client=nowhere).update(**fields)


@pytest.mark.parametrize("key", ["", None, 5, "nothex", SAID, "02" + "ff" * 32])
def test_only_a_key_is_registered(nowhere, key):
    user = pymdc.api.Users("a@example.com", "password", client=nowhere)

    with pytest.raises(ValueError, match="public key|already"):
        pymdc.api.Keys(user).create(key)


@pytest.mark.parametrize("operation", ["push", "", None, 5, "FETCH", ["PUSH"]])
def test_a_token_is_for_push_or_pull(nowhere, operation):
    with pytest.raises(ValueError, match="PUSH"):
        pymdc.api.Files(ID, pymdc.keypair.ECDSA(), client=nowhere).token(operation)


@pytest.mark.parametrize("concurrency", [0, -1, "4", None, True, 1.5])
def test_concurrency_is_a_whole_number(nowhere, concurrency, tmpdir):
    with pytest.raises(ValueError, match="concurrency"):
        pymdc.api.Files(ID, client=nowhere).download("0" * 40, str(tmpdir.join("x")), "0" * 64, concurrency=concurrency)


@pytest.mark.parametrize("change", ["0x{0}", "{0}\n", "{0} ", "{0}!"])
def test_a_private_key_that_was_handed_in_for_something_else_is_not_repeated(nowhere, change):
    secret = change.format(pymdc.keypair.ECDSA().get_private_key())
    keys = pymdc.api.Keys(pymdc.api.Users("a@example.com", "password", client=nowhere))
    files = pymdc.api.Files(ID, client=nowhere)

    for call in (lambda: keys.create(secret), lambda: keys.delete(secret), lambda: pymdc.api.Bucket(secret),
                 lambda: files.delete(secret), lambda: files.upload(__file__, secret + u"\u732b")):
        with pytest.raises(ValueError) as refused:
            call()
        assert secret.strip() not in str(refused.value)


def test_progress_must_be_callable(nowhere, tmpdir):
    files = pymdc.api.Files(ID, client=nowhere)

    for call in (lambda: files.upload(__file__, "0" * 64, progress=5),
                 lambda: files.download("0" * 40, str(tmpdir.join("x")), "0" * 64, progress="yes")):
        with pytest.raises(ValueError, match="progress"):
            call()


def test_a_public_key_pair_says_that_it_cannot_sign(nowhere):
    public = pymdc.keypair.ECDSA(pymdc.keypair.ECDSA().get_public_key())

    with pytest.raises(InvalidKey, match="cannot sign"):
        pymdc.api.Buckets(public, client=nowhere).list()
