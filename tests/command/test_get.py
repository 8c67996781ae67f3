"""Files on their way from the bucket."""

from __future__ import absolute_import, division, print_function

import errno
import io
import json
import os
import signal

import pytest

import pymdc
from pymdc._command.batch import Batch
from pymdc._command.failure import Failure, in_words
from pymdc._command.screen import Screen
from pymdc._command.target import Target, path_of
from pymdc.testing import Fault
from shells import finished
from waiting import eventually

TREE = {"photos/a.txt": b"a", "photos/b/c.txt": b"c" * 5000, "photos/b/d/e.txt": b"", u"photos/\u8c93 \xe9.txt": b"cat"}


@pytest.fixture
def stored(shell, user):
    """Some files in the bucket."""
    for name, content in TREE.items():
        shell.files(user).upload(io.BytesIO(content), filename=name)


def files_in(folder):
    """Return the content of each file below a folder, by its path from there."""
    found = {}
    for at, _, names in os.walk(str(folder).encode("utf-8")):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, str(folder).encode("utf-8")).decode("utf-8")] = file.read()
    return found


@pytest.mark.parametrize("options, path", [
    ([], "c.txt"), (["--as", "x.txt"], "x.txt"), (["--to", "new/folder"], "new/folder/c.txt"),
    (["--to", "new", "--as", "x.txt"], "new/x.txt"),
])
def test_a_file_is_written_by_its_name_or_another(shell, stored, options, path):
    said = shell("get", "photos/b/c.txt", *options)

    assert (said.out, said.err) == (path + "\n", "")
    assert files_in(shell.folder) == {path: TREE["photos/b/c.txt"]}


def test_a_file_is_written_to_standard_output(shell, user):
    content = bytes(bytearray(range(256))) * 10000
    shell.files(user).upload(io.BytesIO(content), filename="a.bin")
    process = shell.start("get", "a.bin", "--as", "-")

    out, err = process.communicate()

    assert (process.returncode, out, err) == (0, content, b"")
    assert files_in(shell.folder) == {}


@pytest.mark.parametrize("arguments, cut, put", [
    (["photos"], "", ""), (["photos/"], "", ""), (["/"], "", ""), (["photos/b"], "photos/", ""),
    (["/photos", "--to", "x"], "", "x/"), (["photos", "--as", "x"], "photos", "x"),
])
def test_a_folder_is_written_with_all_that_is_in_it(shell, stored, arguments, cut, put):
    shell("get", *arguments)

    begin = arguments[0].strip("/")
    assert files_in(shell.folder) == {
        put + name[len(cut):]: content for name, content in TREE.items() if name.startswith(begin)
    }


def test_a_folder_once_more_moves_only_what_is_new(shell, user, stored):
    shell("get", "photos")
    assert shell("get", "photos").out == ""

    shell.folder.join("photos", "a.txt").write("b")
    shell.folder.join("photos", "b", "c.txt").remove()
    assert shell("get", "photos").out == "photos/a.txt\nphotos/b/c.txt\n"

    assert files_in(shell.folder) == TREE


def test_a_name_that_is_a_file_and_a_folder_is_told_apart_by_a_slash(shell, user, stored):
    shell.files(user).upload(io.BytesIO(b"a file"), filename="photos")

    shell("get", "photos", "--as", "file")
    shell("get", "photos/", "--as", "folder")

    assert shell.folder.join("file").read() == "a file"
    assert shell.folder.join("folder", "a.txt").read() == "a"


def test_of_one_name_the_newest_is_taken(shell, user, stored):
    for content in b"1", b"3", b"2":
        shell.files(user).upload(io.BytesIO(content), filename="photos/a.txt")

    assert shell("get", "photos/a.txt", "--as", "-").out == "2"
    shell("get", "photos")
    assert shell.folder.join("photos", "a.txt").read() == "2"


def test_what_is_not_there_does_not_hold_up_the_others(shell, stored):
    said = shell("get", "missing", "photos/a", "photos/a.txt", code=1)

    assert said.err == ("missing: there is no missing in the bucket: ls tells what there is\n"
                        "photos/a: there is no photos/a in the bucket: ls tells what there is\n")
    assert files_in(shell.folder) == {"a.txt": b"a"}


@pytest.mark.parametrize("status, words", [(410, "The shard is lost"), (404, "File not found")])
def test_what_the_bridge_has_lost_does_not_hold_up_the_others(behind_wire, wire, status, words):
    files = behind_wire.files(behind_wire.user)
    lost = files.upload(io.BytesIO(b"lost"), filename="photos/a.txt")
    files.upload(io.BytesIO(b"b"), filename="photos/b.txt")
    wire.faults.append(Fault("answer", "GET", "/buckets/*/{0}/content".format(lost["hash"]), status=status,
                             body=json.dumps({"error": words}).encode("ascii")))

    said = behind_wire("get", "photos", code=1)

    assert (said.out, said.err) == ("photos/b.txt\n", "photos/a.txt: {0}\n".format(words))
    assert files_in(behind_wire.folder) == {"photos/b.txt": b"b"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_nothing_more_ends_it(number):
    """What the disk would say is said here, for who tests has no disk to fill."""
    with pytest.raises(EnvironmentError) as told:
        with Batch(Screen()).each(u"photos/a.txt"):
            raise EnvironmentError(number, os.strerror(number))

    assert told.value.errno == number
    assert in_words(told.value) == u"photos/a.txt: " + os.strerror(number)


@pytest.mark.parametrize("arguments, words", [
    (["photos", "--as", "-"], "a folder does not go to standard output"),
    (["a", "b", "--as", "c"], "--as is for one file or folder"),
    ([], "NAME"),
])
def test_what_means_nothing_is_wrong_use(shell, stored, arguments, words):
    assert words in shell("get", *arguments, code=2).err or not arguments


def test_two_files_do_not_become_one(shell, user):
    for name in ("a/x.txt", "b/x.txt"):
        shell.files(user).upload(io.BytesIO(name.encode("ascii")), filename=name)

    said = shell("get", "a/x.txt", "b/x.txt", code=1)

    assert said.err == "b/x.txt: left out: another file that came now has its name here\n"
    assert files_in(shell.folder) == {"x.txt": b"a/x.txt"}


@pytest.mark.parametrize("name, other, links", [
    (u"a.txt", u"A.TXT", 0), (u"\xe9.txt", u"E\u0301.TXT", 0), (u"a long name.txt", u"ALONGN~1.TXT", 0),
    (u"a.txt", u"A.TXT", 1), (u"\xe9.txt", u"E\u0301.TXT", 1),
])
def test_names_that_are_the_same_on_disk_do_not_become_one(tmpdir, name, other, links):
    """As where capitals do not count, for which the file gets its other name here."""
    target = Target(str(tmpdir))
    with target.place(u"folder/" + name) as path:
        tmpdir.join("file").write("content")
        for link in range(links):
            os.link(str(tmpdir.join("file")), str(tmpdir.join("link {0}".format(link))))
        os.rename(str(tmpdir.join("file")), path)
    os.rename(path, os.path.join(os.path.dirname(path), path_of(other)))

    with pytest.raises(Failure):
        with target.place(u"folder/" + other):
            pass


def test_two_names_of_one_file_on_disk_are_two_files(shell, stored, user):
    for name in ("twin/a.txt", "twin/b.txt", "twin/c/a.txt"):
        shell.files(user).upload(io.BytesIO(b"twin"), filename=name)
    shell("get", "twin/a.txt", "--to", "twin")
    shell.folder.mkdir("twin", "c")
    for name in ("b.txt", "c/a.txt"):
        os.link(str(shell.folder.join("twin", "a.txt")), str(shell.folder.join("twin", name)))

    said = shell("get", "twin")

    assert (said.out, said.err) == ("", "")


@pytest.mark.parametrize("name", [
    "../evil", "photos/../../evil", "/evil", "photos//evil", "photos/./evil", "..", ".", "photos/", "\\evil",
    "photos\\..\\..\\evil", "photos/..\\evil", "C:\\evil", "evil\0",
])
def test_no_name_leads_out_of_the_folder(behind_wire, wire, name):
    entries = [entry(name), entry("photos/good.txt")]
    answer = json.dumps(sorted(entries, key=lambda file: file["filename"])).encode("ascii")
    wire.faults.append(Fault("answer", "GET", "/buckets/*/files", nth=0, status=200, body=answer,
                             headers={"x-metadisk": "direct"}))
    wire.faults.append(Fault("answer", "GET", "/buckets/*/content", nth=0, status=200, body=b"x",
                             headers={"x-metadisk": "direct"}))

    said = behind_wire("get", "/", "--to", "target", code=1)

    assert "left out: such a name may lead elsewhere" in said.err
    assert files_in(behind_wire.folder) == {"target/photos/good.txt": b"x"}
    assert sorted(path.basename for path in behind_wire.home.listdir()) == ["config", "work"]
    assert not os.path.exists("/evil")


def entry(name):
    return {"filename": name, "hash": pymdc.content_hash(io.BytesIO(b"x")), "size": 1, "created": "2016"}


@pytest.mark.parametrize("part", [u"C:", u"a:b", u"con", u"NUL.txt", u"a.", u"a ", u"a*", u"CONIN$", u"conout$.txt",
                                  u"con .txt", u"aux .", u"lpt9", u"com\xb9", u"COM\xb2.txt", u"LPT\xb3", u"com0"])
def test_windows_gets_no_name_that_it_takes_for_another(part):
    with pytest.raises(Failure):
        path_of(part, windows=True)


@pytest.mark.parametrize("part", [
    u"a.b", u"console", u".hidden", u"a b", u"\u8c93", u"icon", u"icon.png", u"falcon", u"a.con", u"menu.aux.txt",
    u"com10", u"com", u"conin", u"con txt",
])
def test_windows_gets_its_other_names(part):
    assert path_of(part, windows=True)


@pytest.mark.parametrize("link", ["photos", "photos/b", "photos/b/c.txt"])
def test_no_link_is_followed_out_of_the_folder(shell, stored, link):
    elsewhere = shell.home.mkdir("elsewhere")
    elsewhere.join("c.txt").write("mine")
    path = shell.folder.join(*link.split("/"))
    path.dirpath().ensure(dir=True)
    path.mksymlinkto(elsewhere.join("c.txt") if link.endswith("txt") else elsewhere)

    said = shell("get", "photos", code=1)

    assert "left out: a link is in its place here" in said.err
    assert files_in(elsewhere) == {"c.txt": b"mine"}


def test_what_was_there_is_whole_when_it_is_interrupted_and_the_next_goes_on(behind_wire, wire):
    content = b"0123456789" * 300000
    behind_wire.files(behind_wire.user).upload(io.BytesIO(content), filename="a.bin")
    behind_wire.folder.join("a.bin").write("old")
    wire.faults.append(Fault("stall", "GET", "/buckets/*/content", received=1000000))
    process = behind_wire.start("get", "a.bin")
    eventually(lambda: any(path.endswith("/content") for _, path in wire.requests))

    os.kill(process.pid, signal.SIGINT)
    said = finished(process)

    assert (said.code, said.out, said.err) == (130, "", "interrupted\n")
    assert behind_wire.folder.join("a.bin").read() == "old"
    behind_wire("get", "a.bin")
    assert files_in(behind_wire.folder) == {"a.bin": content}


def test_two_runs_at_once_leave_the_whole_file(shell, user):
    content = os.urandom(3000000)
    shell.files(user).upload(io.BytesIO(content), filename="a.bin")
    processes = [shell.start("get", "a.bin") for _ in range(2)]

    codes = [finished(process).code for process in processes]

    assert 0 in codes and set(codes) <= {0, 1}
    assert files_in(shell.folder) == {"a.bin": content}
