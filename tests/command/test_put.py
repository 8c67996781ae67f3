"""Files on their way to the bucket."""

from __future__ import absolute_import, division, print_function

import io
import os
import signal

import pytest

from pymdc.testing import Fault
from shells import finished
from waiting import eventually

TREE = {"a.txt": b"a", "b/c.txt": b"c" * 5000, "b/d/e.txt": b"", u"b/\u8c93 \xe9.txt": b"cat"}


@pytest.fixture
def photos(write):
    """A folder with some files."""
    for name, content in TREE.items():
        write("photos/" + name, content)
    return ["photos/" + name for name in sorted(TREE)]


def content_of(files, name):
    copy = io.BytesIO()
    file, = files.list(prefix=name)
    files.download(file, copy)
    return copy.getvalue()


@pytest.mark.parametrize("options, name", [
    ([], "cat.jpg"),
    (["--as", "2016/tom.jpg"], "2016/tom.jpg"),
    (["--to", "2016"], "2016/cat.jpg"),
    (["--to", "/2016/", "--as", "tom.jpg"], "2016/tom.jpg"),
    (["--to", "2016\\summer"], "2016/summer/cat.jpg"),
    (["--as", u"\u8c93.jpg"], u"\u8c93.jpg"),
])
def test_a_file_is_stored_by_its_name_or_another(shell, user, write, options, name):
    write("here/cat.jpg", b"a cat")

    said = shell("put", "here/cat.jpg", *options)

    assert said.out == name + "\n"
    assert said.err == ""
    assert content_of(shell.files(user), name) == b"a cat"


def test_a_folder_is_stored_with_all_that_is_in_it(shell, user, photos):
    said = shell("put", "photos")

    assert sorted(said.out.splitlines()) == sorted(photos)
    assert shell.names(user) == photos
    assert content_of(shell.files(user), "photos/b/c.txt") == TREE["b/c.txt"]


@pytest.mark.parametrize("path, options, prefix", [
    (".", [], "photos/"), ("../photos/", [], "photos/"), (".", ["--as", "/"], ""), ("b/..", ["--to", "x"], "x/photos/"),
])
def test_a_folder_is_called_as_it_is_called_on_disk(shell, user, photos, path, options, prefix):
    shell.folder = shell.folder.join("photos")

    shell("put", path, *options)

    assert shell.names(user) == [prefix + name for name in sorted(TREE)]


def test_a_folder_once_more_moves_only_what_is_new(shell, user, photos, write):
    shell("put", "photos")
    assert shell("put", "photos").out == ""

    write("photos/a.txt", b"b")
    write("photos/new.txt")
    assert shell("put", "photos").out == "photos/a.txt\nphotos/new.txt\n"

    assert shell.names(user) == sorted(photos + ["photos/new.txt"])
    assert content_of(shell.files(user), "photos/a.txt") == b"b"
    assert shell("put", "photos/a.txt", "--to", "photos").out == ""


def test_what_is_compared_is_the_newest_of_a_name(shell, user, write):
    write("a.txt", b"old")
    shell("put", "a.txt")
    shell.files(user).upload(io.BytesIO(b"new"), filename="a.txt")

    assert shell("put", "a.txt").out == "a.txt\n"

    assert content_of(shell.files(user), "a.txt") == b"old"


def test_standard_input_is_stored_from_a_pipe_and_from_a_file(shell, user, write):
    shell("put", "-", "--as", "pipe.txt", stdin=b"from a pipe" * 100000)
    with open(write("file", b"from a file"), "rb") as file:
        assert finished(shell.start("put", "-", "--as", "file.txt", stdin=file), None).code == 0

    assert content_of(shell.files(user), "pipe.txt") == b"from a pipe" * 100000
    assert content_of(shell.files(user), "file.txt") == b"from a file"


def test_what_comes_by_a_pipe_is_compared_with_nothing(behind_wire, wire):
    for _ in range(2):
        assert behind_wire("put", "-", "--as", "pipe.txt", stdin=b"content").out == "pipe.txt\n"

    assert [method for method, _ in wire.requests] == ["HEAD", "PUT"] * 2


@pytest.mark.parametrize("arguments, words", [
    (["-"], "standard input has no name: say one with --as"),
    (["a", "b", "--as", "c"], "--as is for one file or folder"),
    ([], "PATH"),
])
def test_what_means_nothing_is_wrong_use(shell, arguments, words):
    said = shell("put", *arguments, code=2)

    assert said.err.startswith("usage: python -m pymdc put")
    assert arguments == [] or words in said.err


def test_one_that_cannot_be_had_does_not_hold_up_the_others(shell, user, write):
    write("a.txt")
    write("b.txt")

    said = shell("put", "a.txt", "missing.txt", "b.txt", code=1)

    assert said.err == "missing.txt: No such file or directory\n"
    assert shell.names(user) == ["a.txt", "b.txt"]


def test_odd_things_in_a_folder_are_left_out_and_told(shell, user, write):
    write("odd/a.txt")
    at = shell.folder.join("odd")
    os.mkfifo(str(at.join("fifo")))
    at.join("loop").mksymlinkto(at)
    at.join("itself").mksymlinkto("itself")
    at.join("dangling").mksymlinkto("nothing")
    at.join("link").mksymlinkto("a.txt")

    said = shell("put", "odd")

    assert shell.names(user) == ["odd/a.txt", "odd/link"]
    assert sorted(said.err.splitlines()) == [
        "odd/dangling: left out: a link to nothing",
        "odd/fifo: left out: no regular file",
        "odd/itself: left out: a link to nothing",
        "odd/loop: left out: a link to a folder",
    ]


def test_what_cannot_be_read_is_a_failure_and_the_others_go(shell, user, write):
    write("odd/a.txt")
    shell.folder.join("odd", "memory").mksymlinkto("/proc/self/mem")  # whose first page nobody may read

    said = shell("put", "odd", code=1)

    assert said.err.startswith("odd/memory: ")
    assert shell.names(user) == ["odd/a.txt"]


@pytest.mark.parametrize("name, words", [
    ("new\nline\x1b.txt", "odd/new\\nline\\x1b.txt: the file name holds a control character"),
    ("/".join(["a" * 250] * 4), "a: the file name is longer than 1000 bytes"),
])
def test_names_that_no_bridge_takes_are_failures_and_the_others_go(shell, user, write, name, words):
    write("odd/a.txt")
    write("odd/" + name)

    said = shell("put", "odd", code=1)

    assert words in said.err and "store it by itself, under another name: --as NAME" in said.err
    assert shell.names(user) == ["odd/a.txt"]


@pytest.mark.parametrize("names", [[b"\xff", b"\xfe"], [b"a\\b", b"a/b"]], ids=["not UTF-8", "backslash"])
def test_two_files_do_not_become_one(shell, user, names):
    at = str(shell.folder.mkdir("odd").mkdir("a").dirpath()).encode("ascii")
    for name in names:
        with open(os.path.join(at, name), "wb") as file:
            file.write(name)

    said = shell("put", "odd", code=1)

    assert "left out: another file that is stored now has its name there" in said.err
    assert len(shell.names(user)) == 1


def test_two_runs_at_once_store_each_name_once(shell, user, photos):
    processes = [shell.start("put", "photos") for _ in range(2)]

    assert [finished(process).code for process in processes] == [0, 0]
    assert shell.names(user) == photos


def test_a_full_bucket_ends_it_with_the_next_step(shell, user, bucket, write):
    bucket.update(storage=0.00001)
    write("a.bin", b"a" * 20000)
    write("b.txt", b"b")

    said = shell("put", "a.bin", "b.txt", code=1)

    assert "remove files, or give it more room: python -m pymdc login --storage GB" in said.err
    assert shell.names(user) == []


def test_a_bridge_that_is_away_ends_it(behind_wire, wire):
    behind_wire.folder.join("a.txt").write("a")
    wire.refuse()

    said = behind_wire("put", "a.txt", code=1)

    assert "no bridge at " + wire.url in said.err
    assert len(said.err.splitlines()) == 1


def test_interrupted_it_stores_nothing_half(behind_wire, wire):
    behind_wire.folder.join("a.bin").write(b"a" * 3000000, "wb")
    wire.faults.append(Fault("stall", "PUT", sent=100000))
    process = behind_wire.start("put", "a.bin")
    eventually(lambda: "PUT" in [method for method, _ in wire.requests])

    os.kill(process.pid, signal.SIGINT)
    said = finished(process)

    assert (said.code, said.out, said.err) == (130, "", "interrupted\n")
    assert behind_wire.names(behind_wire.user) == []
