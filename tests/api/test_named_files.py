# -*- coding: utf-8 -*-
"""Names of files: with folders, listed by prefix and by pages, several of one content, replaced, deleted one by one."""

from __future__ import absolute_import, division, print_function

import io
import itertools

import pytest

import pymdc
from pymdc._transfer.handed import Handed
from pymdc._transfer.upload import Source
from pymdc.errors import APIError, Refusal, TransportError
from pymdc.testing import Fault

#: In the order of their bytes, which is not that of UTF-16.
NAMES = [u"%", u"+ &", u"_", u"a", u"a/b", u"a/c/d", u"a/c/e", u"a0", u"h\u00e9", u"\uffff", u"\U0001f431/\u732b"]
LEVEL = [u"%", u"+ &", u"_", u"a", u"a/", u"a0", u"h\u00e9", u"\uffff", u"\U0001f431/"]


@pytest.fixture
def named(bucket):
    """A bucket with a file of each name."""
    for name in reversed(NAMES):
        bucket.files.upload(io.BytesIO(name.encode("utf-8")), filename=name)
    return bucket


def put(bucket, name, content=b"content", **options):
    return bucket.files.upload(io.BytesIO(content), filename=name, **options)


def names_of(items):
    return [item.get("filename") or item["prefix"] for item in items]


# Listing

@pytest.mark.parametrize("given, found", [
    ({}, NAMES),
    ({"prefix": u""}, NAMES),
    ({"prefix": "a"}, [name for name in NAMES if name.startswith("a")]),
    ({"prefix": u"h\u00e9".encode("utf-8")}, [u"h\u00e9"]),
    ({"prefix": u"%"}, [u"%"]),
    ({"prefix": u"+ &"}, [u"+ &"]),
    ({"prefix": u"\U0001f431"}, [u"\U0001f431/\u732b"]),
    ({"prefix": "a\\c"}, [u"a/c/d", u"a/c/e"]),
    ({"prefix": "nothing"}, []),
    ({"delimiter": "/"}, LEVEL),
    ({"prefix": "a/", "delimiter": u"/"}, [u"a/b", u"a/c/"]),
])
def test_files_are_listed_by_what_their_names_begin_with_and_by_folders(named, given, found):
    assert names_of(named.files.list(**given)) == found
    assert names_of(named.files.list(lambda answer: None, **given).result(60)) == found
    assert names_of(named.files.iterate(**given)) == found


def test_a_folder_is_an_item_of_its_own(named):
    assert named.files.list(prefix="a/c", delimiter="/") == [{"prefix": "a/c/"}]


def test_what_is_iterated_over_comes_page_by_page_when_it_is_needed(wire, wired_bucket):
    stored = [put(wired_bucket, "file {0}".format(number)) for number in range(5)]
    del wire.requests[:]

    items = wired_bucket.files.iterate(prefix="file", page=2)

    assert not listings(wire)
    assert [next(items), next(items)] == stored[:2] and len(listings(wire)) == 1
    assert next(items) == stored[2] and len(listings(wire)) == 2
    assert list(items) == stored[3:] and len(listings(wire)) == 3


def listings(wire):
    return [path for method, path in wire.requests if method == "GET" and "/files" in path]


@pytest.fixture
def wired_bucket(wire):
    """A bucket of somebody who speaks to the bridge over the wire."""
    client = pymdc.Client(wire.url, raise_errors=True, sleep=lambda seconds: None)
    account = pymdc.testing.account(wire.bridge)
    made = pymdc.api.Buckets(account.key_pair, client=client).create("wired", 1, 1)
    return pymdc.api.Bucket(made, account.key_pair, client=client)


def test_pages_go_on_behind_what_is_deleted_meanwhile(named):
    found = []

    for item in named.files.iterate(page=2):
        found.append(item["filename"])
        named.files.delete(item)

    assert found == NAMES
    assert named.files.list() == []


def test_a_page_that_is_lost_is_asked_for_again(wire, wired_bucket):
    stored = [put(wired_bucket, "{0}".format(number)) for number in range(4)]
    items = wired_bucket.files.iterate(page=2)
    found = [next(items), next(items)]
    wire.faults.append(Fault("reset", "GET"))

    assert found + list(items) == stored


def test_a_bridge_that_says_no_ends_an_iteration_with_an_error(bucket):
    bucket.delete()

    with pytest.raises(APIError, match="Bucket not found"):
        list(bucket.files.iterate())
    assert bucket.files.list(prefix="a") == {"error": "Bucket not found"}


@pytest.mark.parametrize("given, complaint", [
    ({"delimiter": ","}, "delimiter must be '/'"),
    ({"delimiter": ""}, "delimiter must be '/'"),
    ({"prefix": 5}, "prefix must be text"),
    ({"prefix": u"a\ud800"}, "half a character"),
])
def test_what_no_listing_can_mean_is_refused_at_once(bucket, given, complaint):
    for call in (bucket.files.list, bucket.files.iterate):
        with pytest.raises(ValueError, match=complaint):
            call(**given)
    answer = bucket.files.list(lambda answer: None, **given).result(60)
    assert isinstance(answer, Refusal) and complaint in answer["error"]


@pytest.mark.parametrize("page", [0, 1001, True, 2.0, "2", None])
def test_a_page_has_as_many_items_as_a_bridge_tells_at_once_or_fewer(bucket, page):
    with pytest.raises(ValueError, match="1 to 1000"):
        bucket.files.iterate(page=page)


@pytest.mark.parametrize("body, headers, complaint", [
    (b'{"files": []}', {}, "not a list of files"), (b'["text"]', {}, "not a list of files"),
    (b"[{}]", {"x-next": "same"}, "lead nowhere"),
])
def test_pages_that_are_none_or_do_not_end_are_an_error(wire, wired_bucket, body, headers, complaint):
    put(wired_bucket, "a")  # so that the bridge has been heard of
    headers = dict(headers, **{"x-metadisk": "direct"})
    wire.faults.append(Fault("answer", "GET", nth=0, status=200, headers=headers, body=body))

    with pytest.raises(TransportError, match=complaint):
        list(itertools.islice(wired_bucket.files.iterate(), 10))


# Names

def test_a_name_has_folders_and_its_content_may_have_others(bucket):
    first, second = put(bucket, "photos/2016/cat.jpg"), put(bucket, u"k\u00f6pien\\cat.jpg")

    assert (first["filename"], second["filename"]) == ("photos/2016/cat.jpg", u"k\u00f6pien/cat.jpg")
    assert bucket.files.list() == [second, first]
    assert first["hash"] == second["hash"]


@pytest.mark.parametrize("name, complaint", [
    ("/a", "empty part"), ("a/", "empty part"), ("a//b", "empty part"), ("../a", "empty part"),
    ("a\\..\\b", "empty part"),
    (u"a\x7fb", "control character"), (u"a\x85b", "control character"), (u"a\u202eb", "direction of text"),
    (u"a/\u2066b", "direction of text"), (u"a\ud83d", "half a character"),
    ("/".join(["a" * 250] * 4), "longer than 1000 bytes"), ("a" * 256, "a part of it than 255"),
    (u"a/" + u"\u732b" * 86, "a part of it than 255"),
])
def test_a_name_that_could_lead_elsewhere_or_mislead_is_refused_before_anything_is_sent(bucket, name, complaint):
    stored = put(bucket, "a")

    for call in (lambda: put(bucket, name), lambda: bucket.files.copy(stored, name)):
        with pytest.raises(ValueError, match=complaint):
            call()
    assert bucket.files.list() == [stored]


@pytest.mark.parametrize("name", [u"\u732b" * 85, "/".join(["a" * 249] * 4) + "b", "a" * 255 + "/b"])
def test_a_name_is_as_long_as_a_bridge_takes_it(bucket, name):
    assert put(bucket, name)["filename"] == name


def test_two_halves_of_a_character_are_that_or_refused(bucket):
    """On Python 3 they are no text that can be encoded, on Python 2 one character."""
    halves = u"\ud83d" + u"\ude00"

    try:
        assert put(bucket, halves)["filename"] == u"\U0001f600"
    except ValueError as refused:
        assert str(refused) == "filename holds half a character: pass another"
        assert bucket.files.list() == []


def test_a_form_has_the_last_part_of_a_name_alone():
    with Source(Handed(io.BytesIO(b"x"), "read"), "photos\\2016/cat.jpg") as source:
        _, _, body = source.form()
        sent = b"".join(body)

    assert b'filename="cat.jpg"' in sent and b"2016" not in sent


def test_the_name_of_a_path_has_none_of_its_folders(bucket, tmpdir):
    file = tmpdir.mkdir("sub").join("file.txt")
    file.write(b"x")

    assert bucket.files.upload(str(file))["filename"] == "file.txt"


def test_content_gets_one_more_name_and_moves_no_byte(wire, wired_bucket):
    stored = put(wired_bucket, "a.jpg", b"x" * 100000)
    del wire.requests[:]

    same, other = wired_bucket.files.copy(stored, "b/c.jpg"), wired_bucket.files.copy(
        stored["hash"], "d", lambda answer: None, mimetype="Text/HTML").result(60)

    assert (same["filename"], same["mimetype"], same["hash"]) == ("b/c.jpg", "image/jpeg", stored["hash"])
    assert (other["filename"], other["mimetype"]) == ("d", "text/html")
    assert [method for method, _ in wire.requests] == ["POST", "POST"]
    assert wired_bucket.files.list() == [stored, same, other]
    assert wired_bucket.list()["used"]["storage"] == 300000


def test_a_file_is_renamed_by_copying_and_deleting_it(bucket):
    stored = put(bucket, "old")

    bucket.files.copy(stored, "new")
    assert bucket.files.delete(stored, filename="old") == {}

    assert names_of(bucket.files.list()) == ["new"]
    assert bucket.files.download(stored, io.BytesIO())["size"] == 7


@pytest.mark.parametrize("options, complaint", [
    ({"filename": ""}, "filename must not be empty"), ({"filename": None}, "filename must be text"),
    ({"filename": "a/../b"}, "empty part"),
    ({"mimetype": "text"}, "mimetype must be like"), ({"file_hash": "5"}, "40 hex digits"),
])
def test_a_bad_argument_of_a_copy_is_named(bucket, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        bucket.files.copy(**dict({"file_hash": "0" * 40, "filename": "a"}, **options))


def test_a_lost_answer_to_a_copy_is_asked_for_again(wire, wired_bucket):
    stored = put(wired_bucket, "a")
    wire.faults.append(Fault("reset", "POST"))

    copied = wired_bucket.files.copy(stored, "b")

    assert wired_bucket.files.list() == [stored, copied]


# Replacement

def test_an_upload_takes_the_place_of_what_has_its_name_when_it_is_told_to(bucket):
    put(bucket, "a", b"1"), put(bucket, "a", b"2"), put(bucket, "b", b"1")

    new = put(bucket, "a", b"3", replace=True)

    assert [(file["filename"], file["hash"]) for file in bucket.files.list()][:1] == [("a", new["hash"])]
    assert names_of(bucket.files.list()) == ["a", "b"]


@pytest.mark.parametrize("size", [1, 300000, 9 * 1024 * 1024])
def test_a_replacement_whose_answer_is_lost_is_made_once(wire, wired_bucket, size):
    put(wired_bucket, "a", b"old")
    wire.faults.append(Fault("reset", "PUT"))

    new = put(wired_bucket, "a", b"x" * size, replace=True)

    assert wired_bucket.files.list() == [new]


@pytest.mark.parametrize("nonsense", ["no", 1, None])
def test_whether_to_replace_is_true_or_false(bucket, nonsense):
    old = put(bucket, "a", b"old")

    with pytest.raises(ValueError, match="replace must be True or False"):
        put(bucket, "a", b"new", replace=nonsense)
    assert bucket.files.list() == [old]


def test_a_token_replaces_nothing_and_is_not_spent(bucket):
    old, token = put(bucket, "a", b"old"), bucket.files.token("PUSH")

    answer = put(bucket, "a", b"new", token=token, replace=True)

    assert "A token stores a file and replaces none" in answer["error"]
    assert bucket.files.list() == [old]
    assert put(bucket, "b", token=token)["filename"] == "b"


# Deletion

def test_the_name_to_delete_must_not_be_empty(bucket):
    stored = put(bucket, "a")

    with pytest.raises(ValueError, match="filename must not be empty"):
        bucket.files.delete(stored, filename="")
    assert bucket.files.list() == [stored]


def test_one_name_is_deleted_or_all_of_the_content(bucket):
    stored = [put(bucket, name) for name in (u"a", u"b/c d&e=f", u"\u732b")]

    assert bucket.files.delete(stored[0], filename=u"b\\c d&e=f") == {}
    assert bucket.files.list() == [stored[0], stored[2]]
    assert bucket.files.delete(stored[0], filename="b") == {"error": "File not found"}
    assert bucket.files.delete(stored[0], lambda answer: None, filename=u"\u732b".encode("utf-8")).result(60) == {}
    assert bucket.files.list() == [stored[0]]
    put(bucket, "z")
    assert bucket.files.delete(stored[0]["hash"]) == {}
    assert bucket.files.list() == []


def test_what_the_bridge_has_told_of_a_file_deletes_this_one_alone(bucket):
    for name in ("kept/a", "temporary/a", "temporary/b"):
        put(bucket, name)

    for file in bucket.files.iterate(prefix="temporary/"):
        assert bucket.files.delete(file) == {}

    assert names_of(bucket.files.list()) == ["kept/a"]


@pytest.mark.parametrize("name", [u"a", u"\u732b/b"])
def test_a_dict_with_its_name_in_bytes_deletes_this_one_alone(bucket, name):
    stored = [put(bucket, each) for each in (u"a", u"\u732b/b")]
    file, = [file for file in stored if file["filename"] == name]

    assert bucket.files.delete(dict(file, filename=name.encode("utf-8"))) == {}

    assert bucket.files.list() == [other for other in stored if other != file]


def test_a_dict_whose_name_is_none_deletes_nothing(bucket):
    stored = put(bucket, "a")

    for nonsense in (7, [], ["a"], {}, False):
        with pytest.raises(ValueError, match="filename must be text"):
            bucket.files.delete(dict(stored, filename=nonsense))

    assert bucket.files.list() == [stored]


def test_a_lost_answer_to_a_deletion_by_name_is_no_error(wire, wired_bucket):
    stored = put(wired_bucket, "a")
    other = put(wired_bucket, "b")
    wire.faults.append(Fault("reset", "DELETE"))

    assert wired_bucket.files.delete(stored, filename="a") == {}
    assert wired_bucket.files.list() == [other]


def test_a_bridge_whose_proxy_hides_that_it_knows_names_deletes_no_others(bridge, bucket):
    files = pymdc.api.Files(bucket._ids["bucket_id"], bucket._auth, client=pymdc.Client(bridge.url))
    files._client.is_direct = lambda secret=True: False
    stored = [put(bucket, name) for name in ("a", "b")]

    for answer in files.delete(stored[0]), files.delete(stored[0]["hash"], filename="a"):
        assert answer == {"error": "This bridge, as those of 2016, has no way to delete one name of several"}
    assert bucket.files.list() == stored


def test_an_upload_that_does_not_fit_twice_is_found_under_its_own_name(wire, wired_bucket):
    content = b"x" * 5000
    put(wired_bucket, "a", content)
    lost = put(wired_bucket, "b/c", content)
    full = b'{"error": "Bucket storage exceeded: it is full"}'
    wire.faults.extend([Fault("reset", "PUT"), Fault("answer", "PUT", status=413, body=full)])

    assert put(wired_bucket, "b/c", content)["filename"] == lost["filename"]


def test_a_bucket_tells_what_of_it_is_used(buckets, bucket):
    put(bucket, "a", b"x" * 5000)
    bucket.files.download(put(bucket, "b", b"y" * 6000), io.BytesIO())

    assert bucket.list()["used"] == {"storage": 11000, "transfer": 6000}
    assert buckets.list() == [bucket.list()]
