"""Tokens and links for others: how long they are good, which wait, and how one is revoked."""

from __future__ import absolute_import, division, print_function

import datetime
import hashlib
import io

import pytest
import requests

import pymdc
from pymdc.errors import APIError
from servers_of_2016 import Server
from waiting import eventually


def id_of(token):
    return hashlib.sha256(token["token"].encode("ascii")).hexdigest()[:32]


def life_of(waiting):
    created, expires = (
        datetime.datetime.strptime(waiting[name], "%Y-%m-%dT%H:%M:%S.%fZ") for name in ("created", "expires")
    )
    return (expires - created).total_seconds()


@pytest.fixture(params=["0.2.2", "0.6.6"])
def old_bucket(request):
    """A bucket at a bridge of 2016."""
    server = Server(request.param)
    client = pymdc.Client(server.url)
    user = pymdc.api.Users("olga@example.com", "password", client=client)
    user.register()
    user.activate(server.activation_token("olga@example.com"))
    yield pymdc.api.Bucket(pymdc.api.Buckets(user).create("old", 1, 1), user)
    server.close()


def test_a_token_lives_as_long_as_its_owner_says(bucket):
    token = bucket.files.token("PULL", expires_in=7200)

    waiting, = bucket.files.tokens()
    assert life_of(waiting) == 7200
    assert (waiting["id"], waiting["operation"], waiting["expires"]) == (id_of(token), "PULL", token["expires"])


@pytest.mark.parametrize("nonsense", [0, -1, True, "60", float("nan")])
def test_a_life_that_is_no_number_of_seconds_is_refused_at_once(bucket, nonsense):
    with pytest.raises(ValueError):
        bucket.files.token("PULL", expires_in=nonsense)


def test_a_token_lives_seven_days_at_most(bucket):
    assert bucket.files.token("PULL", expires_in=8 * 86400)["error"].startswith("Token validation failed: expires_in")


@pytest.mark.parametrize("given", [
    lambda token: token, lambda token: token["token"], lambda token: token["token"].encode("ascii"), id_of,
    lambda token: {"id": id_of(token)},
])
def test_a_token_is_revoked_by_itself_its_text_or_its_id(bucket, given):
    token, other = bucket.files.token("PUSH"), bucket.files.token("PUSH")

    assert bucket.files.revoke(given(token)) == {}

    assert [waiting["id"] for waiting in bucket.files.tokens()] == [id_of(other)]
    assert bucket.files.upload(io.BytesIO(b"late"), token)["error"] == "Invalid or expired token"


def test_what_is_no_token_is_not_revoked(bucket):
    for nonsense in ("", "zz", "0" * 63, 7, None, {}):
        with pytest.raises(ValueError):
            bucket.files.revoke(nonsense)
    assert bucket.files.revoke("0" * 32) == {"error": "Token not found"}


def test_tokens_and_revoke_take_a_callback(bucket):
    token, came = bucket.files.token("PUSH"), []

    waiting = bucket.files.tokens(came.append).result(30)
    eventually(lambda: came)
    bucket.files.revoke(waiting[0], came.append).result(30)
    eventually(lambda: came[1:])

    assert came == [waiting, {}]
    assert waiting[0]["id"] == id_of(token)


@pytest.mark.parametrize("call", [
    lambda files: files.token("PULL", expires_in=60), lambda files: files.tokens(),
    lambda files: files.revoke("0" * 32), lambda files: files.share("0" * 40), lambda files: files.invite(),
])
def test_a_bridge_of_2016_is_said_to_have_no_such_thing(old_bucket, call):
    refusal = call(old_bucket.files)

    assert refusal["error"].startswith("This bridge, as those of 2016, has no ")
    assert "python -m pymdc.bridge" in refusal.hint
    with pytest.raises(APIError):
        refusal["id"]


def test_who_has_only_a_token_is_told_what_is_needed(bucket):
    guest = pymdc.api.Bucket(bucket.list()["id"])

    for call in (guest.files.tokens, lambda: guest.files.revoke("0" * 32)):
        with pytest.raises(ValueError, match="a key pair or a user is needed"):
            call()


def fetch(link):
    return requests.post(link, timeout=30).content  # and to where that leads


def test_a_link_gives_anybody_a_file_once(bucket):
    photo = bucket.files.upload(io.BytesIO(b"photo"), filename="photo.jpg")

    shared = bucket.files.share(photo)

    assert shared["link"].endswith("/links/" + shared["token"])
    assert (shared["id"], shared["file"]) == (id_of(shared), photo["hash"])
    waiting, = bucket.files.tokens()
    assert (waiting["id"], life_of(waiting)) == (shared["id"], 300)
    assert fetch(shared["link"]) == b"photo"
    assert bucket.files.tokens() == []


def test_a_link_lives_as_long_and_offers_the_file_under_the_name_that_is_said(bucket):
    photo = bucket.files.upload(io.BytesIO(b"photo"), filename="photo.jpg")

    bucket.files.share(photo["hash"], 3600, filename="for you\\us.jpg")

    waiting, = bucket.files.tokens()
    assert (life_of(waiting), waiting["filename"]) == (3600, "for you/us.jpg")


def test_a_link_offers_a_file_under_the_name_in_the_dict_that_stands_for_it(bucket):
    for name in u"cat.jpg", u"newest.jpg", u"\u732b.jpg":
        bucket.files.upload(io.BytesIO(b"photo"), filename=name)
    first, _, last = bucket.files.list()

    shared = [bucket.files.share(file)["id"] for file in (
        first, dict(last, filename=last["filename"].encode("utf-8")), first["hash"]
    )]

    offered = {token["id"]: token["filename"] for token in bucket.files.tokens()}
    assert [offered[token] for token in shared] == [u"cat.jpg", u"\u732b.jpg", None]


def test_an_invitation_takes_one_file_of_a_size(bucket):
    invitation = bucket.files.invite(max_size=5)

    for content, status in ((b"too large", 413), (b"photo", 200), (b"again", 404)):
        answer = requests.post(invitation["link"], files={"file": ("photo.jpg", content)}, timeout=30)
        assert answer.status_code == status
    assert [file["filename"] for file in bucket.files.list()] == ["photo.jpg"]


def test_a_link_is_revoked_by_what_was_returned_for_it(bucket):
    links = [bucket.files.invite(), bucket.files.share(bucket.files.upload(io.BytesIO(b"photo")))]

    for link in links:
        bucket.files.revoke(link)

    assert [requests.get(link["link"], timeout=30).status_code for link in links] == [404, 404]


def test_links_take_a_callback(bucket):
    came = []

    invitation = bucket.files.invite(callback=came.append).result(30)
    eventually(lambda: came)
    shared = bucket.files.share("0" * 40, callback=came.append).result(30)
    eventually(lambda: came[1:])

    assert came == [invitation, shared]
    assert shared == {"error": "File not found"}


@pytest.mark.parametrize("call", [
    lambda files: files.share("0" * 39), lambda files: files.share({"error": "no"}),
    lambda files: files.share("0" * 40, expires_in="soon"), lambda files: files.share("0" * 40, filename=7),
    lambda files: files.share("0" * 40, filename="a/../b"),
    lambda files: files.invite(max_size=-1), lambda files: files.invite(max_size=1.5),
    lambda files: files.invite(expires_in=None),
])
def test_what_is_no_argument_for_a_link_is_refused_at_once(bucket, call):
    with pytest.raises(ValueError):
        call(bucket.files)
