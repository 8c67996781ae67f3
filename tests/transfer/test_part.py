"""The part of a download under way: what has its name already, and who else is at it."""

from __future__ import absolute_import, division, print_function

import errno
import fcntl
import os

import pytest

from pymdc.errors import IntegrityError

SHARDS = [b"first" * 200, b"second" * 200, b"last"]
CONTENT = b"".join(SHARDS)


def symlink(part, elsewhere):
    part.mksymlinkto(elsewhere)


def dangling(part, elsewhere):
    part.mksymlinkto("gone")


def hard_link(part, elsewhere):
    os.link(str(elsewhere), str(part))


def writable(mode):
    def make(part, elsewhere):
        part.write_binary(SHARDS[0])
        part.chmod(mode)
    return make


@pytest.mark.parametrize("make", [
    symlink, dangling, hard_link, writable(0o620), writable(0o602), writable(0o666),
    lambda part, elsewhere: part.mkdir(), lambda part, elsewhere: os.mkfifo(str(part)),
])
@pytest.mark.parametrize("fails", [False, True])
def test_what_has_the_name_of_the_part_and_is_not_ours_alone_is_left_alone(stored, tmpdir, make, fails):
    elsewhere, folder = tmpdir.join("elsewhere"), tmpdir.mkdir("folder")
    elsewhere.write_binary(b"precious")
    path = folder.join("copy")
    part = stored.part_of(path)
    make(part, elsewhere)
    before = os.lstat(str(part))
    if fails:
        stored.served[1] = b"wrong!" * 200
        with pytest.raises(IntegrityError):
            stored.download(str(path))
    else:
        stored.download(str(path))
        assert path.read_binary() == CONTENT

    after = os.lstat(str(part))
    assert (after.st_ino, after.st_mode, after.st_size, after.st_mtime) == (
        before.st_ino, before.st_mode, before.st_size, before.st_mtime)
    assert elsewhere.read_binary() == b"precious"
    assert len(folder.listdir()) == (1 if fails else 2)


def test_a_part_of_another_user_is_left_alone(stored, tmpdir, monkeypatch):
    path = tmpdir.join("copy")
    part = stored.part_of(path)
    part.write_binary(CONTENT)
    part.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda usual=os.geteuid(): usual + 1)

    stored.download(str(path))

    assert path.read_binary() == part.read_binary() == CONTENT
    assert stored.fetched == len(SHARDS)


def test_files_of_the_names_of_other_parts_are_left_alone(stored, tmpdir):
    names = ["copy.part", "copy.00000000.part", "copy." + stored.hash[:8]]
    for name in names:
        tmpdir.join(name).write_binary(b"precious")

    stored.download(str(tmpdir.join("copy")))

    assert [tmpdir.join(name).read_binary() for name in names] == [b"precious"] * 3


@pytest.fixture(params=[errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def unlockable(request, monkeypatch):
    """A file system that cannot lock."""
    def flock(file, how):
        raise IOError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_where_nothing_can_be_locked_a_download_works_and_leaves_nothing(stored, tmpdir, unlockable):
    path = tmpdir.join("copy")
    path.write_binary(b"old content")
    stored.served[1] = b"wrong!" * 200
    with pytest.raises(IntegrityError):
        stored.download(str(path))
    assert tmpdir.listdir() == [path] and path.read_binary() == b"old content"
    stored.served[1] = SHARDS[1]

    stored.download(str(path))

    assert tmpdir.listdir() == [path] and path.read_binary() == CONTENT


def test_where_nothing_can_be_locked_two_downloads_do_not_share_a_part(stored, tmpdir, unlockable):
    path, counts = tmpdir.join("copy"), []

    def interfere(done, total):
        if not counts:
            counts.append(0)
            stored.download(str(path), progress=lambda done, total: counts.append(len(tmpdir.listdir())))

    stored.download(str(path), progress=interfere)

    assert counts == [0] + [2] * len(SHARDS)
    assert tmpdir.listdir() == [path] and path.read_binary() == CONTENT


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EACCES])
def test_a_part_that_another_holds_is_an_error_in_words(stored, tmpdir, monkeypatch, code):
    def flock(file, how):
        raise IOError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)

    with pytest.raises(EnvironmentError, match="another download is under way"):
        stored.download(str(tmpdir.join("copy")))
    assert stored.requests == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_download_that_begins_as_another_ends_does_not_write_to_the_finished_file(stored, tmpdir, monkeypatch, fails):
    path = tmpdir.join("copy")
    part = stored.part_of(path)
    part.write_binary(b"what the other has finished")
    part.chmod(0o600)
    lock = fcntl.flock

    def finish_first(file, how):
        if part.exists() and part.size():
            part.rename(path)
        return lock(file, how)

    monkeypatch.setattr(fcntl, "flock", finish_first)
    if fails:
        stored.served[0] = b"wrong" * 200
        with pytest.raises(IntegrityError):
            stored.download(str(path))
    else:
        stored.download(str(path))

    assert path.read_binary() == (b"what the other has finished" if fails else CONTENT)
    assert tmpdir.listdir() == [path]


def test_a_part_that_is_exchanged_meanwhile_does_not_become_the_file(stored, tmpdir):
    path = tmpdir.join("copy")

    def exchange(done, total):
        if done == len(CONTENT):
            part = stored.part_of(path)
            part.remove()
            part.write_binary(b"x" * len(CONTENT))

    with pytest.raises(EnvironmentError, match="replaced"):
        stored.download(str(path), progress=exchange)

    assert not path.exists()
