# -*- coding: utf-8 -*-
"""Where a download goes: what is replaced, what is followed, what is left alone, what is left behind."""

from __future__ import absolute_import, division, print_function

import errno
import io
import json
import os
import stat
import threading

import pytest

from pymdc._transfer import target
from pymdc.errors import IntegrityError

SHARDS = [b"first" * 200, b"second" * 200, b"last"]
CONTENT = b"".join(SHARDS)


@pytest.fixture
def umask():
    """A function that sets the umask until the test ends."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode_of(path):
    return stat.S_IMODE(os.lstat(str(path)).st_mode)


# Links.

@pytest.mark.parametrize("links", [
    {"link": "file"}, {"link": "other", "other": "file"}, {"link": "here/file", "here": "."},
    {"link": "{0}/file"}, {"link": "/proc/self/fd/{1}"},
])
@pytest.mark.parametrize("to_path", [str, lambda path: str(path).encode("ascii")])
def test_a_link_is_followed_and_stays(stored, tmpdir, links, to_path):
    file = tmpdir.join("file")
    file.write_binary(b"old content")
    with io.open(str(file), "rb") as redirected:
        for name, leads_to in links.items():
            tmpdir.join(name).mksymlinkto(leads_to.format(tmpdir, redirected.fileno()), absolute=True)

        stored.download(to_path(tmpdir.join("link")))

    assert file.read_binary() == CONTENT
    assert sorted(entry.basename for entry in tmpdir.listdir() if entry.islink()) == sorted(links)
    assert len(tmpdir.listdir()) == len(links) + 1


@pytest.mark.parametrize("leads_to", ["file", "/proc/self/fd/{0}"])
def test_what_a_link_leads_to_keeps_its_content_when_the_download_fails(stored, tmpdir, leads_to):
    file = tmpdir.join("file")
    file.write_binary(b"old content")
    stored.served[1] = b"wrong!" * 200
    with io.open(str(file), "rb") as redirected:
        tmpdir.join("link").mksymlinkto(leads_to.format(redirected.fileno()), absolute=True)

        with pytest.raises(IntegrityError):
            stored.download(str(tmpdir.join("link")))

        assert file.read_binary() == redirected.read() == b"old content"


@pytest.mark.parametrize("name, code", [
    ("", errno.EISDIR), ("new/", errno.EISDIR), ("new/.", errno.EISDIR), ("new/..", errno.EISDIR),
    ("folder", errno.EISDIR), ("folder/", errno.EISDIR), ("folder/.", errno.EISDIR), ("to folder", errno.EISDIR),
    ("to folder/", errno.EISDIR), ("dangling", errno.ENOENT), ("to dangling", errno.ENOENT), ("loop", errno.ELOOP),
    ("missing/copy", errno.ENOENT), ("missing/../copy", errno.ENOENT), ("file/copy", errno.ENOTDIR),
    ("file/", errno.ENOTDIR), ("n" * 256, errno.ENAMETOOLONG),
])
@pytest.mark.parametrize("to_path", [str, lambda path: path.encode("ascii")])
def test_a_target_that_is_no_file_is_an_error_in_words_and_nothing_is_asked_for(stored, tmpdir, name, code, to_path):
    tmpdir.mkdir("folder")
    tmpdir.join("file").write_binary(b"old content")
    links = {"to folder": "folder", "dangling": "gone", "to dangling": "dangling", "loop": "loop"}
    for link, leads_to in links.items():
        tmpdir.join(link).mksymlinkto(leads_to)
    before = sorted(tmpdir.visit())

    with pytest.raises(EnvironmentError) as refused:
        stored.download(to_path(os.path.join(str(tmpdir), name)))

    assert refused.value.errno == code
    assert refused.value.strerror and refused.value.filename == to_path(os.path.join(str(tmpdir), name))
    assert stored.requests == []
    assert sorted(tmpdir.visit()) == before


def test_a_relative_path_is_that_of_the_current_folder(stored, tmpdir):
    with tmpdir.as_cwd():
        stored.download("copy")
        stored.download(b"again")

    assert tmpdir.join("copy").read_binary() == tmpdir.join("again").read_binary() == CONTENT


# What can only be written in order.

@pytest.fixture
def fifo(tmpdir):
    """A FIFO, and a function that waits for all that comes out of it."""
    os.mkfifo(str(tmpdir.join("fifo")))
    came = []

    def read():
        with io.open(str(tmpdir.join("fifo")), "rb") as reading:
            came.append(reading.read())

    reader = threading.Thread(target=read)
    reader.daemon = True
    reader.start()

    def all_that_came():
        reader.join(30)
        return came[0]

    return tmpdir.join("fifo"), all_that_came


@pytest.mark.parametrize("by_link", [False, True])
def test_a_fifo_is_written_and_stays(stored, tmpdir, fifo, by_link):
    path, all_that_came = fifo
    tmpdir.join("link").mksymlinkto("fifo")

    answer = stored.download(str(tmpdir.join("link") if by_link else path))

    assert all_that_came() == CONTENT
    assert answer["size"] == len(CONTENT)
    assert stat.S_ISFIFO(os.stat(str(path)).st_mode)
    assert len(tmpdir.listdir()) == 2


def test_to_a_fifo_no_shard_goes_that_is_not_verified(stored, fifo):
    path, all_that_came = fifo
    stored.served[1] = b"wrong!" * 200

    with pytest.raises(IntegrityError):
        stored.download(str(path))

    assert all_that_came() == SHARDS[0]


def test_a_device_is_written_and_stays(stored, tmpdir):
    master, slave = os.openpty()
    tmpdir.join("tty").mksymlinkto(os.ttyname(slave), absolute=True)

    stored.download(str(tmpdir.join("tty")))

    came = b""
    while len(came) < len(CONTENT):
        came += os.read(master, 65536)
    assert came == CONTENT
    assert tmpdir.listdir() == [tmpdir.join("tty")] and tmpdir.join("tty").islink()
    os.close(master)
    os.close(slave)


def test_a_file_that_has_no_name_any_more_is_written(stored, tmpdir):
    with io.open(str(tmpdir.join("file")), "w+b") as nameless:
        nameless.write(b"old content" * 1000)
        nameless.flush()
        tmpdir.join("file").remove()

        stored.download("/proc/self/fd/{0}".format(nameless.fileno()))

        nameless.seek(0)
        assert nameless.read() == CONTENT
    assert tmpdir.listdir() == []


# Names.

@pytest.mark.parametrize("name", [
    "movie.mkv", ".hidden", "a" * 240, "a" * 241, "a" * 242, "a" * 255, u"\xe9" * 120 + u"a", u"\xe9" * 121,
    u"\xe9" * 127, u"\u20ac" * 85, u"a" + u"\u20ac" * 84, u"\U0001f408" * 63,
])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_every_name_can_be_downloaded_to_and_its_part_tells_what_it_is_of(stored, tmpdir, name, as_bytes):
    raw = name.encode("utf-8")
    folder, parts = str(tmpdir).encode("ascii"), []
    path = os.path.join(folder, raw) if as_bytes else os.path.join(folder.decode("ascii"), raw.decode("utf-8"))

    stored.download(path, progress=lambda done, total: parts.append(os.listdir(folder)))

    tail = ".{0}.part".format(stored.hash[:8]).encode("ascii")
    begin = raw[:255 - len(tail)] if as_bytes else raw[:255 - len(tail)].decode("utf-8", "ignore").encode("utf-8")
    assert parts == [[begin + tail]] * len(SHARDS)
    assert os.listdir(folder) == [raw]
    with io.open(os.path.join(folder, raw), "rb") as copy:
        assert copy.read() == CONTENT


@pytest.mark.parametrize("length", [4095, 4090, 4081, 4080])
def test_every_path_can_be_downloaded_to(stored, tmpdir, length):
    folder = str(tmpdir)
    while len(folder) < 3900:
        folder = os.path.join(folder, "d" * min(200, 3900 - len(folder)))
    os.makedirs(folder)
    path = os.path.join(folder, "f" * (length - len(folder) - 1))

    stored.download(path)

    with io.open(path, "rb") as copy:
        assert copy.read() == CONTENT


def test_a_file_system_with_shorter_names_is_asked_how_long_they_may_be(stored, tmpdir, monkeypatch):
    monkeypatch.setattr(os, "pathconf", lambda path, name: {"PC_NAME_MAX": 143, "PC_PATH_MAX": 4096}[name])
    names = []

    stored.download(str(tmpdir.join("a" * 143)), progress=lambda done, total: names.append(os.listdir(str(tmpdir))[0]))

    assert set(map(len, names)) == {143}


# Modes and owners.

@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755, 0o666])
def test_a_file_that_is_replaced_keeps_its_mode(stored, tmpdir, umask, mode):
    path, modes = tmpdir.join("copy"), []
    path.write_binary(b"old content")
    path.chmod(mode)

    stored.download(str(path), progress=lambda done, total: modes.append(mode_of(stored.part_of(path))))

    assert path.read_binary() == CONTENT
    assert mode_of(path) == mode
    assert set(modes) == {0o600}


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o077, 0o600), (0o027, 0o640), (0, 0o666)])
def test_a_new_file_gets_the_mode_of_the_umask_once_it_is_whole(stored, tmpdir, umask, mask, mode):
    path, modes = tmpdir.join("copy"), []
    umask(mask)

    stored.download(str(path), progress=lambda done, total: modes.append(mode_of(stored.part_of(path))))

    assert mode_of(path) == mode
    assert set(modes) == {0o600}
    assert tmpdir.listdir() == [path]


def test_a_file_that_root_replaces_keeps_its_owner(stored, tmpdir):
    path = tmpdir.join("copy")
    path.write_binary(b"old content")
    owner = (12345, 23456) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(str(path), *owner)
    path.chmod(0o4750)

    stored.download(str(path))

    assert (path.stat().uid, path.stat().gid, mode_of(path)) == owner + (0o4750,)


def test_where_the_owner_cannot_be_kept_nobody_gets_the_rights_of_the_new_one(stored, tmpdir, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EPERM, "Operation not permitted")

    path = tmpdir.join("copy")
    path.write_binary(b"old content")
    old = os.stat(str(path))
    monkeypatch.setattr(os, "fchown", refuse)
    monkeypatch.setattr(os, "stat", lambda *arguments, **options: os.stat_result(
        (old.st_mode | stat.S_ISUID | stat.S_ISGID,) + tuple(old)[1:4] + (12345, 23456) + tuple(old)[6:]))

    part = target.PartFile(str(path), stored.hash)
    with part:
        part.file.write(b"new content")
        part.finish(11)

    assert path.read_binary() == b"new content"
    assert mode_of(path) == stat.S_IMODE(old.st_mode)


# The end.

@pytest.mark.parametrize("as_on_windows", [False, True])
def test_a_rename_that_is_refused_is_the_error_and_the_part_is_taken_up_again(
        stored, tmpdir, monkeypatch, as_on_windows):
    def refuse(old, new):
        raise OSError(errno.EACCES, "the file is open in another program", new)

    path = tmpdir.join("copy")
    path.write_binary(b"old content")
    if as_on_windows:
        monkeypatch.setattr(target, "fcntl", None)
    with monkeypatch.context() as refusing:
        refusing.setattr(target, "replace", refuse)
        with pytest.raises(EnvironmentError, match="open in another program"):
            stored.download(str(path))
    assert path.read_binary() == b"old content"

    stored.download(str(path))

    assert path.read_binary() == CONTENT
    assert stored.fetched == len(SHARDS)
    assert tmpdir.listdir() == [path]


def test_a_target_that_becomes_a_folder_meanwhile_is_the_file_systems_error(stored, tmpdir):
    with pytest.raises(EnvironmentError) as refused:
        stored.download(str(tmpdir.join("copy")), progress=lambda done, total: tmpdir.ensure("copy", dir=True))

    assert refused.value.errno == errno.EISDIR


@pytest.mark.parametrize("refused", [errno.EACCES, errno.EINVAL])
def test_a_folder_that_cannot_be_opened_or_synced_is_no_error(stored, tmpdir, monkeypatch, refused):
    real_open, real_sync = os.open, os.fsync

    def refuse(*arguments):
        raise OSError(refused, os.strerror(refused))

    def fsync(descriptor):
        return refuse() if stat.S_ISDIR(os.fstat(descriptor).st_mode) else real_sync(descriptor)

    def open_(name, *arguments):
        return refuse() if refused == errno.EACCES and os.path.isdir(name) else real_open(name, *arguments)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "open", open_)

    stored.download(str(tmpdir.join("copy")))

    assert tmpdir.join("copy").read_binary() == CONTENT


# The answer.

class PathLike(object):
    """As pathlib's, which Python 2 lacks."""

    def __init__(self, path):
        self._path = path

    def __fspath__(self):
        return self._path


@pytest.mark.parametrize("wrap", [lambda path: path, PathLike])
@pytest.mark.parametrize("name", [b"copy", u"copy", u"na\xefve", u"na\xefve".encode("utf-8"), b"latin-\xef"])
def test_the_answer_is_json_whatever_kind_of_path_it_was(stored, tmpdir, wrap, name):
    folder = str(tmpdir).encode("ascii") if isinstance(name, bytes) else u"{0}".format(tmpdir)

    answer = stored.download(wrap(os.path.join(folder, name)))

    told = json.loads(json.dumps(answer))
    assert told == answer
    assert isinstance(answer["path"], type(u"")) and answer["path"].startswith(str(tmpdir))
    if not isinstance(name, bytes):
        assert os.path.basename(answer["path"]) == name
    elif name != b"latin-\xef" or str is not bytes:
        assert os.path.samefile(answer["path"], os.path.join(folder, name))


def test_the_answer_is_json_whatever_kind_of_file_object_it_was(stored, tmpdir):
    path, raw = str(tmpdir.join("copy")), os.open(str(tmpdir.join("raw")), os.O_WRONLY | os.O_CREAT)
    nameless, odd = io.BytesIO(), io.BytesIO()
    odd.name = "<stdout>"
    with io.open(path, "wb") as text, io.open(path.encode("ascii"), "wb") as named, io.open(raw, "wb") as number:
        answers = [stored.download(file) for file in (text, named, number, nameless, odd)]

    assert json.loads(json.dumps(answers)) == answers
    assert [answer["path"] for answer in answers] == [path, path, None, None, None]


def test_a_part_is_written_in_pieces_for_which_no_long_run_of_free_pages_is_looked_for(tmpdir, monkeypatch):
    really_write, sizes = target.write_all, []
    content = os.urandom(200 * 1024 + 1)

    def write_all(file, data):
        sizes.append(len(data))
        really_write(file, data)

    monkeypatch.setattr(target, "write_all", write_all)
    with target.PartFile(str(tmpdir.join("copy")), "0" * 40) as part:
        part.write_all(part.file, content)
        part.finish(len(content))

    assert sizes == [64 * 1024, 64 * 1024, 64 * 1024, 8 * 1024 + 1]
    assert tmpdir.join("copy").read_binary() == content
