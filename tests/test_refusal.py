# -*- coding: utf-8 -*-
"""What a call returns that did not succeed: a dict in every way, and no success."""

from __future__ import absolute_import, division, print_function

import copy
import io
import json
import os
import pickle
import pprint
import re

import pytest
import requests

import pymdc
from pymdc._compat import dicts_are_iterated
from pymdc.errors import _HINTS, APIError, Refusal, RefusedLookup, TransportError
from waiting import eventually

TEXT = {"error": u"Public key not registered"}


@pytest.fixture
def stranger(client):
    """The buckets of a key that nobody has registered."""
    return pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client)


@pytest.fixture
def refusal(stranger):
    return stranger.list()


DICT_LIKE = {
    "==": lambda each: each == TEXT and TEXT == each and not each != TEXT,
    "get": lambda each: (each.get("error"), each.get("id"), each.get(0, "other")),
    "in": lambda each: ("error" in each, "id" in each, 0 in each, "hint" in each),
    "len": len,
    "bool": bool,
    "dict": dict,
    "**": lambda each: dict(**each),
    "update": lambda each: dict({"error": "other", "besides": 1}, **each),
    "copy": lambda each: each.copy(),
    "items": lambda each: sorted(each.items()) + [sorted(each.keys()), list(each.values())],
    "format": lambda each: ("%(error)s" % each, "{0[error]}".format(each), "{error}".format(**each)),
    "isinstance": lambda each: isinstance(each, dict),
    "json": json.dumps,
    "json in a list": lambda each: json.dumps([each, {"of": each}]),
    "json, indented": lambda each: json.dumps([each], indent=2),
    "json, sorted": lambda each: json.dumps(each, sort_keys=True),
    "json in pure Python": lambda each: "".join(json.JSONEncoder().iterencode([each, {"of": each}])),
}


@pytest.mark.parametrize("use", sorted(DICT_LIKE))
def test_a_refusal_is_a_dict_in_every_way(refusal, use):
    assert DICT_LIKE[use](refusal) == DICT_LIKE[use](dict(TEXT))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy] + [
    lambda each, protocol=protocol: pickle.loads(pickle.dumps([each], protocol))[0]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
])
def test_a_copy_of_a_refusal_is_one_too(refusal, copied):
    other = copied(refusal)

    assert other == refusal and other is not refusal
    assert (other.hint, other.status) == (refusal.hint, 401)
    with pytest.raises(RefusedLookup, match="GET /buckets: 401"):
        other["id"]


@pytest.mark.parametrize("key", [0, -1, "id", "token", u"hash", slice(0, 3), slice(None), None, (1, 2)])
def test_looking_for_what_a_refusal_does_not_have_says_why(refusal, key):
    with pytest.raises(APIError) as looked:
        refusal[key]

    assert isinstance(looked.value, KeyError)
    assert str(looked.value).startswith('GET /buckets: 401 "Public key not registered"; register the key with')
    assert (looked.value.status, looked.value.body, looked.value.path) == (401, TEXT, "/buckets")


@pytest.mark.skipif(dicts_are_iterated, reason="json of Python 2, and ** of PyPy, iterate over a dict")
@pytest.mark.parametrize("iterate", [
    list, sorted, set, lambda each: [item for item in each], lambda each: next(iter(each)), lambda each: "".join(each),
    reversed,
])
def test_a_refusal_in_place_of_a_list_cannot_be_gone_through(refusal, iterate):
    with pytest.raises(APIError, match="Public key not registered"):
        iterate(refusal)


def test_a_refusal_in_place_of_a_dict_is_gone_through_like_one(client):
    bucket = pymdc.api.Bucket("0" * 24, pymdc.keypair.ECDSA(), client=client)

    assert list(bucket.list()) == ["error"]


@pytest.mark.skipif(dicts_are_iterated, reason="json of Python 2, and ** of PyPy, iterate over a dict")
@pytest.mark.parametrize("ask", [
    lambda key_pair, client: pymdc.api.Buckets(key_pair, client).list,
    lambda key_pair, client: pymdc.api.Files("0" * 24, key_pair, client).list,
    lambda key_pair, client: pymdc.api.Keys(pymdc.api.Users("nobody@example.com", "password", client)).list,
])
def test_no_list_can_be_taken_for_an_empty_or_a_full_one(client, ask):
    call = ask(pymdc.keypair.ECDSA(), client)

    for answer in (call(), call(callback=lambda answer: None).result(60)):
        with pytest.raises(APIError):
            for _ in answer:
                pass


def test_a_fault_that_a_callback_is_told_of_is_no_success_either():
    answers, client = [], pymdc.Client("http://127.0.0.1:1", retries=0)

    pymdc.api.Users("a@example.com", "password", client=client).register(callback=answers.append)
    eventually(lambda: answers)

    assert answers == [{"error": "no bridge at http://127.0.0.1:1: start one with python -m pymdc.bridge"}]
    with pytest.raises(RefusedLookup, match="start one with"):
        answers[0]["id"]


def test_a_hint_is_no_key_and_found_all_the_same(refusal):
    assert refusal == TEXT and "hint" not in refusal
    assert refusal["hint"] == refusal.hint
    assert repr(refusal) == "{0!r}  # {1}".format(dict(refusal), refusal.hint)
    assert pprint.pformat([refusal]).startswith("[" + repr(dict(refusal)))


def test_where_there_is_no_hint_none_is_made_up():
    refusal = Refusal({"error": u"?"}, ValueError("?"))

    assert refusal.hint is None
    assert repr(refusal) == repr({"error": u"?"})
    with pytest.raises(RefusedLookup):
        refusal["hint"]


def test_each_refusal_that_a_user_meets_has_a_hint(bridge, client, user, bucket, address, photo, tmpdir):
    waiting = pymdc.api.Users("waiting-" + address, "password", client=client)
    waiting.register()
    push, pull, spent = bucket.files.token("PUSH"), bucket.files.token("PULL"), bucket.files.token("PUSH")
    uploaded, copied = bucket.files.upload(photo, spent), str(tmpdir.join("copy"))
    stranger = pymdc.keypair.ECDSA()
    other = pymdc.keypair.ECDSA()
    pymdc.api.Keys(user).create(other)
    elsewhere = pymdc.api.Bucket("0" * 24, other, client=client)

    for answer, words in [
        (bucket.files.upload(photo, spent), "works once, within five minutes"),
        (bucket.files.download(uploaded, copied, "0" * 64), "works once, within five minutes"),
        (bucket.files.upload(photo, pull), "PUSH"),
        (bucket.files.download(uploaded, copied, push), "PULL"),
        (pymdc.api.Buckets(stranger, client=client).list(), "register the key"),
        (elsewhere.files.token("PUSH"), "key_pairs"),
        (elsewhere.list(), "another account"),
        (pymdc.api.Keys(waiting).list(), "link in the mail"),
        (user.activate("0" * 64), "works once"),
        (pymdc.api.Keys(pymdc.api.Users(address, "wrong", client=client)).list(), "check both"),
    ]:
        assert words in answer.hint and list(dict(answer)) == ["error"]


@pytest.mark.parametrize("registered", [False, True])
def test_each_call_by_a_key_of_no_use_yet_says_the_same(bridge, client, bucket, address, tmpdir, registered):
    key_pair = pymdc.keypair.ECDSA()
    if registered:  # with an account that waits for its activation
        fields = {"email": address + ".org", "password": "0" * 64, "pubkey": key_pair.get_public_key()}
        assert requests.post(bridge.url + "/users", json=fields).status_code == 200
    files = pymdc.api.Files(bucket.list(), key_pair, client=client)

    listing, token, uploaded = files.list(), files.token("PUSH"), files.upload(__file__)
    downloaded = files.download("0" * 40, str(tmpdir.join("copy")))

    said = "User account has not been activated" if registered else "Public key not registered"
    assert [listing, token, uploaded, downloaded] == [{"error": said}] * 4


def test_each_hint_is_in_the_docs():
    docs = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs", "errors.md")

    with io.open(docs, encoding="utf-8") as text:
        listed = re.findall(u"(?m)^`(.+)`\n: .+ \\*Hint: (.+)\\*$", text.read())

    assert {said.replace(u"\u2026", "Bucket", 1).partition(":")[0]: hint for said, hint in listed} == _HINTS


def test_a_raised_error_ends_with_its_hint(bridge):
    client = pymdc.Client(bridge.url, raise_errors=True)

    with pytest.raises(APIError) as refused:
        pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client).list()

    assert str(refused.value).endswith("; " + refused.value.hint)
    assert "register the key" in refused.value.hint


def test_an_error_that_is_no_answer_ends_with_its_hint_too():
    error = TransportError("the connection broke")
    assert str(error) == "the connection broke"

    error.hint = "plug it in"

    assert str(error) == "the connection broke; plug it in"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
