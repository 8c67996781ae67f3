# -*- coding: utf-8 -*-
"""From registration to download, with files of every awkward size and name."""

from __future__ import absolute_import, division, print_function

import io
import os
import subprocess
import sys

import pytest

import pymdc

MIB = 1024 * 1024


def content(size):
    """Bytes that differ from shard to shard."""
    pattern = bytearray(range(251)) * (size // 251 + 1)
    return bytes(pattern[:size])


@pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20000000])
def test_a_file_comes_back_as_it_went(bucket, tmpdir, size):
    source, copy = tmpdir.join("source.bin"), tmpdir.join("copy.bin")
    source.write_binary(content(size))

    uploaded = bucket.files.upload(str(source))
    downloaded = bucket.files.download(uploaded["hash"], str(copy))

    assert downloaded == {"hash": uploaded["hash"], "size": size, "path": str(copy)}
    assert copy.read_binary() == content(size)
    assert tmpdir.listdir(sort=True) == [copy, source]


@pytest.mark.parametrize("name", [
    u"\xfcn\xef \u2013 \u732b.jpg", u'a "quoted" name.txt', u"it's; filename=x.txt", u"per%20cent.txt", u" spaces .txt",
    u"\U0001f600",
])
def test_a_file_keeps_its_name(bucket, tmpdir, name):
    path = tmpdir.strpath + u"/" + name
    with io.open(path, "wb") as file:
        file.write(b"content")

    uploaded = bucket.files.upload(path)

    assert uploaded["filename"] == name
    assert bucket.files.list()[0]["filename"] == name


WITHOUT_A_LOCALE = u"""# coding: utf-8
import os, sys, pymdc
bucket = pymdc.api.Bucket(sys.argv[1], pymdc.keypair.ECDSA(private_key=sys.argv[2]))
name = {name}
with open(name, "wb") as file:
    file.write(b"content")
for path in (name, name.decode("utf-8"), os.listdir(".")[0]):
    assert bucket.files.upload(path)["filename"] == name.decode("utf-8"), path
bucket.files.download(bucket.files.list()[0], name.decode("utf-8") + u".copy")
assert os.path.exists(name + b".copy")
"""


def test_names_are_utf_8_where_no_locale_is_set(bridge, bucket, tmpdir):
    literal = repr(u"\xfcn\xef \u732b.jpg".encode("utf-8"))
    script = WITHOUT_A_LOCALE.format(name=literal if literal.startswith("b") else "b" + literal)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    environment.update(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", PYMDC_API_URL=bridge.url)
    command = [sys.executable, "-c", script, bucket.list()["id"], bucket._auth.get_private_key()]

    assert subprocess.call(command, cwd=str(tmpdir), env=environment) == 0


def test_the_whole_life_of_a_bucket(buckets, key_pair, client):
    created = buckets.create("photos", 1, 2, [key_pair])
    bucket = pymdc.api.buckets.Bucket(bucket_id=created["id"], key_pair=key_pair, client=client)

    assert bucket.list() == created
    assert buckets.list() == [created]
    assert bucket.update(name="holidays", storage=3) == dict(created, name="holidays", storage=3)
    assert bucket.delete() == {}
    assert bucket.list() == {"error": "Bucket not found"}
    assert buckets.list() == []


def test_a_key_is_registered_and_forgotten(user, client):
    keys, key_pair = pymdc.api.Keys(user), pymdc.keypair.ECDSA()
    public_key = key_pair.get_public_key()

    created = keys.create(key_pair)

    assert created["key"] == created["id"] == public_key
    assert keys.list() == [created]
    assert keys.create(key_pair) == {"error": "Public key is already registered"}
    assert keys.delete(key_pair) == {}
    assert keys.delete(public_key) == {"error": "Public key was not found"}
    assert pymdc.api.Buckets(key_pair, client=client).list() == {"error": "Public key not registered"}


def test_a_public_key_alone_is_registered_and_granted(user, bucket, client):
    holder = pymdc.keypair.ECDSA()
    public = pymdc.keypair.ECDSA(holder.get_public_key())

    assert pymdc.api.Keys(user).create(public)["key"] == holder.get_public_key()
    bucket.update(key_pairs=[public])

    granted = pymdc.api.Bucket(bucket.list(), holder, client=client)
    assert granted.files.token("PULL")["operation"] == "PULL"


def test_a_key_that_nobody_registered_gets_tokens_of_the_bucket_that_lists_it(bucket, client, photo, tmpdir):
    guest = pymdc.keypair.ECDSA()
    bucket.update(key_pairs=[guest])
    files = pymdc.api.Files(bucket.list(), guest, client=client)

    uploaded = files.upload(photo)

    assert files.download(uploaded, str(tmpdir.join("copy")))["hash"] == uploaded["hash"]
    assert files.list() == {"error": "Public key not registered"}


def test_a_token_is_enough_to_transfer(bucket, client, photo, tmpdir):
    push, pull = bucket.files.token("PUSH"), bucket.files.token("PULL")
    anybody = pymdc.api.Bucket(bucket.list(), client=client)

    uploaded = anybody.files.upload(photo, push)
    downloaded = anybody.files.download(uploaded, str(tmpdir.join("copy")), pull["token"])

    assert downloaded["hash"] == uploaded["hash"]


def test_who_forgets_to_hand_in_a_key_is_told_so(bucket, client):
    answer = pymdc.api.Bucket(bucket.list(), client=client).files.list()

    assert answer == {"error": "No authentication strategy detected"}
    assert answer.hint == "hand in who asks, a key pair or a user: pymdc.api.Bucket(bucket_id, key_pair)"


def test_a_token_works_once(bucket, photo):
    token = bucket.files.token("PUSH")["token"]
    bucket.files.upload(photo, token)

    again = bucket.files.upload(photo, token)

    assert again == {"error": "Invalid or expired token"}


def test_an_account_works_in_place_of_a_key_pair(user, photo):
    buckets = pymdc.api.Buckets(user)
    bucket = pymdc.api.Bucket(buckets.create("by password", 1, 1), user)

    assert bucket.list()["pubkeys"] == []
    assert bucket.files.upload(photo) == bucket.files.list()[0]


def test_the_same_content_under_another_name_is_another_file(bucket):
    first = bucket.files.upload(io.BytesIO(b"x"), filename="first.txt")
    second = bucket.files.upload(io.BytesIO(b"x"), filename="second.txt", mimetype="text/markdown")
    again = bucket.files.upload(io.BytesIO(b"x"), filename="first.txt", mimetype="text/html")

    assert bucket.files.list() == [again, second]
    assert (first["hash"], again["mimetype"]) == (second["hash"], "text/html")


def test_a_deleted_file_is_gone(bucket, photo, tmpdir):
    uploaded = bucket.files.upload(photo)

    assert bucket.files.delete(uploaded) == {}
    assert bucket.files.list() == []
    assert bucket.files.delete(uploaded["hash"]) == {"error": "File not found"}
    assert bucket.files.download(uploaded, str(tmpdir.join("copy"))) == {"error": "The requested file was not found"}
    assert tmpdir.listdir() == []


def test_an_account_is_activated_by_the_whole_link_or_its_token(bridge, client, address):
    user = pymdc.api.Users(address, "password", client=client)
    assert user.register()["activated"] is False
    link = bridge.activation_link(address)

    assert user.activate(link.rsplit("/", 1)[1])["activated"] is True
    assert user.activate(link) == {"error": "Invalid activation token"}


@pytest.mark.parametrize("link", [
    "{0}", "{0}?redirect=https%3A%2F%2Fbridge.example%2F" + "f" * 64, " {0}\n", "<{0}>", "Click {0} to activate.",
    "https://" + "f" * 64 + ".example/activations/{1}",
])
def test_an_activation_link_is_found_in_what_stands_around_it(bridge, client, address, link):
    user = pymdc.api.Users(address, "password", client=client)
    user.register()
    mailed = bridge.activation_link(address)

    assert user.activate(link.format(mailed, mailed[-64:]))["activated"] is True
