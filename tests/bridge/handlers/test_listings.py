"""Lists that are longer than a page."""

import json
import sqlite3

import coincurve
import pytest
import requests
import sqlalchemy.exc

from pymdc.bridge.metadata import pages
from pymdc.bridge.metadata.names import Names

pytestmark = pytest.mark.both_databases

COUNTS = [0, 2, 5]  # and pages of two


@pytest.fixture
def pages_of_two(monkeypatch):
    monkeypatch.setattr(pages, "PAGE", 2)


@pytest.fixture
def before_page(monkeypatch):
    """A function that says what happens before that page of files is read."""
    def before_page(number, function):
        page, read = Names.page, []

        def page_after_that(*arguments):
            read.append(arguments)
            if len(read) == number:
                function()
            return page(*arguments)
        monkeypatch.setattr(Names, "page", page_after_that)
    return before_page


def new_key():
    return coincurve.PrivateKey().public_key.format().hex()


def written(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def upload(account, bucket, count):
    for number in range(count):
        account.upload(bucket, f"{bucket} {number}".encode(), filename=f"\u732b {number}")


@pytest.mark.parametrize("count", COUNTS)
def test_files_are_listed_whole_and_in_their_order(alice, pages_of_two, count):
    bucket = alice.bucket()
    upload(alice, bucket, count)

    answer = alice.signed.get(f"/buckets/{bucket}/files")

    assert [file["filename"] for file in answer.json()] == [f"\u732b {number}" for number in range(count)]
    assert answer.content == written(answer.json())
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("count", COUNTS)
def test_buckets_are_listed_whole_and_in_their_order(alice, pages_of_two, count):
    made = [
        alice.signed.post("/buckets", {"name": "\u732b", "pubkeys": [new_key() for _ in range(number)]}).json()
        for number in range(count)
    ]

    assert alice.signed.get("/buckets").content == written(made)


@pytest.mark.parametrize("count", COUNTS)
def test_keys_are_listed_whole_and_in_their_order(alice, pages_of_two, count):
    made = [{"user": alice.email, "key": alice.key, "id": alice.key}]
    made += [alice.signed.post("/keys", {"key": new_key()}).json() for _ in range(count)]

    assert alice.signed.get("/keys").content == written(made)


def test_what_comes_and_goes_meanwhile_moves_nothing_else(alice, pages_of_two, before_page):
    bucket = alice.bucket()
    upload(alice, bucket, 7)
    path = f"/buckets/{bucket}/files"
    hashes = [file["hash"] for file in alice.signed.get(path).json()]

    def change():
        for number in (0, 3, 5):  # two that have been listed, and one that has not
            alice.signed.delete(f"{path}/{hashes[number]}")
        hashes.append(alice.upload(bucket, bucket.encode(), filename="\u732b 7"))
    before_page(3, change)

    listed = [file["hash"] for file in alice.signed.get(path).json()]

    assert listed == [hashes[number] for number in (0, 1, 2, 3, 4, 6, 7)]


def test_the_list_of_a_bucket_that_is_deleted_meanwhile_ends(alice, pages_of_two, before_page):
    bucket = alice.bucket()
    upload(alice, bucket, 7)
    before_page(3, lambda: alice.signed.delete(f"/buckets/{bucket}"))

    answer = alice.signed.get(f"/buckets/{bucket}/files")

    assert [file["filename"] for file in answer.json()] == [f"\u732b {number}" for number in range(4)]
    assert alice.signed.get(f"/buckets/{bucket}/files").status_code == 404


@pytest.mark.parametrize("error", [
    OSError("the disk is gone"),
    sqlalchemy.exc.OperationalError("SELECT", {}, sqlite3.OperationalError("disk I/O error")),
])
def test_a_list_that_cannot_be_read_on_breaks_off(alice, pages_of_two, before_page, error):
    bucket = alice.bucket()
    upload(alice, bucket, 7)

    def fail():
        raise error
    before_page(4, fail)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        alice.signed.get(f"/buckets/{bucket}/files")
    assert len(alice.signed.get(f"/buckets/{bucket}/files").json()) == 7
