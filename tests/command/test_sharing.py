"""Links for somebody else."""

from __future__ import absolute_import, division, print_function

import datetime
import io

import pytest
import requests


@pytest.fixture
def waiting(shell, user):
    """A function that returns the only token that waits."""
    def waiting():
        token, = shell.files(user).tokens()
        return token
    return waiting


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_link_to_download_works_once(shell, user, waiting):
    shell.files(user).upload(io.BytesIO(b"a cat"), filename="2016/cat.txt")

    said = shell("share", "2016/cat.txt")

    assert said.err == "good for one download, until {0}\n".format(waiting()["expires"])
    answer = requests.post(said.out.strip(), timeout=30)
    assert answer.content == b"a cat"
    assert "cat.txt" in answer.headers["Content-Disposition"]
    assert requests.post(said.out.strip(), timeout=30).status_code == 404


def test_of_one_name_the_newest_is_shared(shell, user):
    for content in b"1", b"2":
        shell.files(user).upload(io.BytesIO(content), filename="a.txt")

    assert requests.post(shell("share", "a.txt").out.strip(), timeout=30).content == b"2"


def test_a_link_to_upload_works_once(shell, user):
    said = shell("invite")

    assert said.err.startswith("good for one upload, until ")
    for status in 200, 404:
        answer = requests.post(said.out.strip(), files={"file": ("cat.txt", b"a cat")}, timeout=30)
        assert answer.status_code == status
    assert shell.names(user) == ["cat.txt"]


def test_an_upload_is_as_large_as_was_said(shell, user):
    link = shell("invite", "--max-size", "1kB").out.strip()

    for size, status in (1001, 413), (1000, 200):
        answer = requests.post(link, files={"file": ("cat.txt", b"a" * size)}, timeout=30)
        assert answer.status_code == status


@pytest.mark.parametrize("asked, seconds", [([], 86400), (["--for", "30m"], 1800), (["--for", "7d"], 604800)])
def test_a_link_is_good_for_as_long_as_was_said(shell, waiting, asked, seconds):
    shell("invite", *asked)

    token = waiting()
    assert (moment(token["expires"]) - moment(token["created"])).total_seconds() == seconds


@pytest.mark.parametrize("arguments, words", [
    (["share", "a.txt", "--for", "soon"], "a time is like 30m, 12h or 7d"),
    (["share", "a.txt", "--for", "5"], "a time is like 30m, 12h or 7d"),
    (["invite", "--max-size", "large"], "a size is like 500kB, 100MB or 2GB"),
    (["share"], "NAME"),
])
def test_what_means_nothing_is_wrong_use(shell, arguments, words):
    said = shell(*arguments, code=2)

    assert words in said.err or arguments == ["share"]


@pytest.mark.parametrize("name, words", [("photos", "photos is a folder: a link is for one file"),
                                         ("missing", "there is no missing in the bucket")])
def test_only_a_file_can_be_shared(shell, user, name, words):
    shell.files(user).upload(io.BytesIO(b"a"), filename="photos/a.txt")

    assert words in shell("share", name, code=1).err


@pytest.mark.parametrize("life", ["8d", "0m"])
def test_a_link_is_not_good_for_ever_nor_for_nothing(shell, life):
    assert "a second at least, and for 7d at most" in shell("invite", "--for", life, code=2).err
