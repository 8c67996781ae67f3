"""What is in the bucket, and what is no more."""

from __future__ import absolute_import, division, print_function

import io

import pytest

NAMES = ["a.txt", "photos", "photos.old/x", "photos/2016/a.jpg", "photos/2016/b.jpg", "photos/c.jpg", u"\u8c93.txt"]


@pytest.fixture
def stored(shell, user):
    for name in NAMES:
        shell.files(user).upload(io.BytesIO(name.encode("utf-8")), filename=name)


@pytest.mark.parametrize("arguments, lines", [
    ([], ["a.txt", "photos", "photos.old/", "photos/", u"\u8c93.txt"]),
    (["/"], ["a.txt", "photos", "photos.old/", "photos/", u"\u8c93.txt"]),
    (["photos/"], ["photos/2016/", "photos/c.jpg"]),
    (["photos"], ["photos", "photos/2016/", "photos/c.jpg"]),
    (["/photos/2016"], ["photos/2016/a.jpg", "photos/2016/b.jpg"]),
    (["photos\\2016\\"], ["photos/2016/a.jpg", "photos/2016/b.jpg"]),
    (["-r", "photos/"], NAMES[3:6]),
    (["-r"], NAMES),
    (["a.txt"], ["a.txt"]),
    ([u"\u8c93.txt"], [u"\u8c93.txt"]),
])
def test_a_level_is_listed_or_all(shell, stored, arguments, lines):
    said = shell("ls", *arguments)

    assert (said.out.splitlines(), said.err) == (lines, "")


def test_size_and_time_are_told_too(shell, user, stored):
    created = shell.files(user).list(prefix="photos/c")[0]["created"]

    assert shell("ls", "-l", "photos/").out.splitlines() == [
        " " * 42 + "photos/2016/", "            12  {0}  photos/c.jpg".format(created),
    ]


def test_an_empty_bucket_has_no_lines(shell):
    assert shell("ls").out == ""


@pytest.mark.parametrize("name", ["missing", "photos/2016/a", "photo", "a.txt/"])
def test_what_is_not_there_is_told(shell, stored, name):
    assert shell("ls", name, code=1).err == "there is no {0} in the bucket: ls tells what there is\n".format(
        name.rstrip("/"))


def test_files_are_removed_and_what_is_not_there_is_told(shell, user, stored):
    said = shell("rm", "a.txt", "missing", u"\u8c93.txt", code=1)

    assert (said.out, said.err) == ("", "missing: there is no missing in the bucket: ls tells what there is\n")
    assert shell.names(user) == NAMES[1:6]


def test_a_folder_is_removed_only_where_that_is_said(shell, user, stored):
    assert "-r removes all that is in it" in shell("rm", "photos/", code=1).err
    assert shell.names(user) == NAMES

    shell("rm", "-r", "photos/")
    assert shell.names(user) == ["a.txt", "photos", "photos.old/x", u"\u8c93.txt"]


def test_without_a_slash_it_is_the_file(shell, user, stored):
    shell("rm", "photos")

    assert shell.names(user) == [name for name in NAMES if name != "photos"]


def test_all_of_one_name_go_and_the_same_content_stays_under_another(shell, user, stored):
    files = shell.files(user)
    files.upload(io.BytesIO(b"other content"), filename="a.txt")
    files.upload(io.BytesIO(b"other content"), filename="b.txt")

    shell("rm", "a.txt")

    assert shell.names(user) == ["b.txt"] + NAMES[1:]


@pytest.mark.parametrize("command", [["rm", "-r", ""], ["get", ""], ["ls", ""]])
def test_nothing_does_not_stand_for_everything(shell, user, stored, command):
    assert "a name is needed: / is for all there is" in shell(*command, code=1).err

    assert shell.names(user) == NAMES
    assert shell.folder.listdir() == []


def test_everything_is_removed_where_that_is_said(shell, user, stored):
    shell("rm", "-r", "/")

    assert shell.names(user) == []
