"""Files that are listed and deleted by name, with servers of 2016, which know little of names."""

from __future__ import absolute_import, division, print_function

import io

import pytest

from pymdc.errors import APIError


def put(member, name, sent):
    return member.bucket.files.upload(io.BytesIO(sent), filename=name)


def test_files_are_found_by_their_names_as_at_a_bridge_that_looks_itself(server, version, member):
    last, first, between = put(member, u"\U0001f431", b"1"), put(member, "B", b"2"), put(member, u"b\uffff", b"3")
    files = member.bucket.files

    assert files.list() == [last, first, between]
    assert list(files.iterate()) == [first, between, last]
    assert files.list(prefix=u"b") == list(files.iterate(prefix="b", delimiter="/")) == [between]
    assert files.list(lambda answer: None, prefix=u"\U0001f431").result(60) == [last]
    assert files.list(prefix="%") == []


def test_folders_that_a_server_tells_of_become_items(server, version, member):
    """None of 2016 does by itself: names have been changed in its database."""
    names = ["b/d/f", "b/c", "a", "b/d/e", "b"]
    for name in names:
        put(member, "x", name.encode("ascii"))
    files, = server.files.values()
    for file, name in zip(files.values(), names):
        file["filename"] = name

    found = [item.get("filename") or item["prefix"] for item in member.bucket.files.iterate(delimiter="/")]
    below = member.bucket.files.list(prefix="b/", delimiter="/")

    assert found == ["a", "b", "b/"]
    assert below[0]["filename"] == "b/c" and below[1:] == [{"prefix": "b/d/"}]
    assert [file["filename"] for file in member.bucket.files.list(prefix="b/")] == ["b/c", "b/d/e", "b/d/f"]


def test_a_name_is_cut_to_its_last_part(server, version, member):
    assert put(member, "photos/2016\\cat.jpg", b"x")["filename"] == "cat.jpg"


def test_a_file_is_deleted_where_the_server_can(server, version, member):
    stored = member.bucket.files.upload(io.BytesIO(b"content"))

    if version == "0.2.2":
        with pytest.raises(APIError, match="404 Not Found: it has no such call"):
            member.bucket.files.delete(stored)
    else:
        assert member.bucket.files.delete(stored) == {}
        with pytest.raises(APIError, match="File not found"):
            member.bucket.files.delete(stored)


def test_a_deletion_that_the_server_cannot_do_never_looks_done(server, version, member):
    stored = member.bucket.files.upload(io.BytesIO(b"content"))
    server.crashes.append(("DELETE", "/buckets/[^/]+/files/[^/]+", 0))

    if version == "0.2.2":
        with pytest.raises(APIError, match="404 Not Found: it has no such call"):
            member.bucket.files.delete(stored)
        assert member.bucket.files.list() == [stored]
    else:
        assert member.bucket.files.delete(stored) == {}
        assert member.bucket.files.list() == []


def test_a_file_is_deleted_by_its_name_where_it_has_that_name(server, version, member):
    stored = put(member, "cat.jpg", b"x")

    with pytest.raises(APIError, match="File not found"):
        member.bucket.files.delete(stored, filename="dog.jpg")
    assert member.bucket.files.list() == [stored]
    if version == "0.2.2":
        with pytest.raises(APIError, match="it has no such call"):
            member.bucket.files.delete(stored, filename="cat.jpg")
    else:
        assert member.bucket.files.delete(stored, filename="cat.jpg") == {}
        assert member.bucket.files.list() == []


def test_what_no_server_of_2016_can_do_is_said_and_nothing_is_changed(server, version, member):
    stored = put(member, "cat.jpg", b"x")

    with pytest.raises(APIError, match="no way to give content another name"):
        member.bucket.files.copy(stored, "dog.jpg")
    with pytest.raises(APIError, match="no way to replace a file"):
        member.bucket.files.upload(io.BytesIO(b"y"), filename="cat.jpg", replace=True)
    with pytest.raises(APIError, match="no way to replace a file"):
        token = member.bucket.files.token("PUSH")
        member.bucket.files.upload(io.BytesIO(b"y"), token, filename="cat.jpg", replace=True)
    assert member.bucket.files.list() == [stored]
