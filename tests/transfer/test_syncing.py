"""A download is put on disk while more of it comes."""

from __future__ import absolute_import, division, print_function

import errno
import io
import os
import stat
import threading

import pytest

from pymdc._transfer import syncing
from pymdc._transfer.target import PartFile
from pymdc.errors import IntegrityError
from waiting import eventually

STEP = 1000
SHARDS = [b"first" * 400, b"second" * 400, b"last"]
CONTENT = b"".join(SHARDS)


class Disk(object):
    """
    Stands in for os.fsync, as far as files go.

    :ivar threads: that have begun to sync, in order.
    :ivar ready: lets the first of them go on.
    :ivar failure: what the first is told, as the system tells it once.
    """

    def __init__(self, real):
        self.threads = []
        self.begun, self.ready = threading.Event(), threading.Event()
        self.ready.set()
        self.failure = None
        self._real = real

    def fsync(self, descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            self.threads.append(threading.current_thread().name)
            if len(self.threads) == 1:
                self._wait()
        self._real(descriptor)

    def _wait(self):
        self.begun.set()
        assert self.ready.wait(30)
        if self.failure:
            raise self.failure


@pytest.fixture
def disk(monkeypatch):
    disk = Disk(os.fsync)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    monkeypatch.setattr(syncing, "STEP", STEP)
    yield disk
    disk.ready.set()


@pytest.fixture
def file(tmpdir):
    with io.open(str(tmpdir.join("file")), "wb", buffering=0) as file:
        yield file


def idle():
    """Wait until nothing is synced."""
    eventually(lambda: not under_way())


def under_way():
    return [thread for thread in threading.enumerate() if thread.name == "pymdc-sync"]


def test_a_thread_syncs_what_has_come_and_the_end_the_rest(disk, file):
    syncs = syncing.Syncing(file)
    for _ in range(3):
        syncs.wrote(STEP - 1)
        syncs.wrote(1)
        idle()
    syncs.wrote(STEP - 1)
    syncs.finish()

    assert disk.threads == 3 * ["pymdc-sync"] + ["MainThread"]


def test_one_thread_syncs_at_a_time_and_nobody_waits_for_it(disk, file):
    disk.ready.clear()
    syncs = syncing.Syncing(file)
    syncs.wrote(STEP)
    assert disk.begun.wait(30)
    for _ in range(5):
        syncs.wrote(STEP)
    assert disk.threads == ["pymdc-sync"]

    disk.ready.set()
    idle()
    syncs.wrote(1)
    syncs.finish()

    assert disk.threads == 2 * ["pymdc-sync"] + ["MainThread"]


def test_two_that_write_at_once_begin_one(disk, file, monkeypatch):
    syncs = syncing.Syncing(file)
    other = threading.Thread(target=syncs.wrote, args=(STEP,))
    really_start, started = threading.Thread.start, []

    def start(thread):
        if thread.name == "pymdc-sync":
            started.append(thread)
            if len(started) == 1:
                really_start(other)
                other.join(0.1)
        really_start(thread)

    disk.ready.clear()
    monkeypatch.setattr(threading.Thread, "start", start)
    syncs.wrote(STEP)
    other.join(30)
    disk.ready.set()
    syncs.end()

    assert len(started) == 1


def test_none_begins_after_the_end(disk, file):
    syncs = syncing.Syncing(file)
    syncs.end()
    syncs.wrote(STEP)
    syncs.end()

    assert disk.threads == []


def test_a_thread_that_comes_too_late_finds_the_file_closed_and_is_silent(disk, file):
    syncs = syncing.Syncing(file)
    file.close()
    syncs.wrote(STEP)
    syncs.end()

    assert isinstance(syncs.failure, ValueError)


def test_the_end_waits_for_the_thread(disk, file):
    disk.ready.clear()
    syncs = syncing.Syncing(file)
    syncs.wrote(STEP)
    ended = threading.Event()
    ending = threading.Thread(target=lambda: (syncs.end(), ended.set()))
    ending.start()
    ending.join(0.1)
    assert not ended.is_set()

    disk.ready.set()
    ending.join(30)

    assert ended.is_set()


@pytest.mark.parametrize("error", [RuntimeError, threading.ThreadError])
def test_without_room_for_a_thread_the_end_syncs_all(disk, file, monkeypatch, error):
    def refuse(self):
        raise error("can't start new thread")

    syncs = syncing.Syncing(file)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        syncs.wrote(STEP)
        syncs.wrote(STEP)
    syncs.finish()

    assert disk.threads == ["MainThread"]


def test_what_cannot_be_put_on_disk_is_an_error_for_good(disk, file):
    disk.failure = EnvironmentError(errno.EIO, "Input/output error")
    syncs = syncing.Syncing(file)
    syncs.wrote(STEP)
    idle()

    for go_on in (lambda: syncs.wrote(1), syncs.finish, syncs.finish):
        with pytest.raises(EnvironmentError) as caught:
            go_on()
        assert caught.value.errno == errno.EIO


def test_the_end_hears_of_it_from_a_thread_that_is_slow(disk, file):
    disk.failure = EnvironmentError(errno.EIO, "Input/output error")
    disk.ready.clear()
    syncs = syncing.Syncing(file)
    syncs.wrote(STEP)
    assert disk.begun.wait(30)
    threading.Timer(0.1, disk.ready.set).start()

    with pytest.raises(EnvironmentError):
        syncs.finish()


def test_a_download_is_synced_before_all_of_it_has_come(disk, stored, tmpdir):
    def progress(done, total):
        assert disk.begun.wait(30)

    stored.download(str(tmpdir.join("copy")), progress=progress)

    assert tmpdir.join("copy").read_binary() == CONTENT
    assert (disk.threads[0], disk.threads[-1]) == ("pymdc-sync", "MainThread")


def test_so_is_one_in_one_request(disk, files, tmpdir):
    tmpdir.join("file").write_binary(CONTENT)
    stored = files.upload(str(tmpdir.join("file")))

    files.download(stored, str(tmpdir.join("copy")))

    assert tmpdir.join("copy").read_binary() == CONTENT
    assert (disk.threads[0], disk.threads[-1]) == ("pymdc-sync", "MainThread")


def test_a_short_one_is_synced_once(disk, stored, tmpdir, monkeypatch):
    monkeypatch.setattr(syncing, "STEP", len(CONTENT) + 1)

    stored.download(str(tmpdir.join("copy")))

    assert disk.threads == ["MainThread"]


@pytest.mark.parametrize("step", [STEP, len(CONTENT) + 1])
def test_of_a_download_that_cannot_be_put_on_disk_nothing_is_left(disk, stored, tmpdir, monkeypatch, step):
    monkeypatch.setattr(syncing, "STEP", step)
    path = tmpdir.join("copy")
    path.write_binary(b"old content")
    disk.failure = EnvironmentError(errno.EIO, "Input/output error")

    with pytest.raises(EnvironmentError) as caught:
        stored.download(str(path))

    assert caught.value.errno == errno.EIO
    assert path.read_binary() == b"old content"
    assert tmpdir.listdir() == [path]

    stored.download(str(path))
    assert path.read_binary() == CONTENT


def test_nor_does_a_thread_go_on_behind_one_that_breaks_off(disk, tmpdir):
    disk.ready.clear()

    with pytest.raises(IntegrityError):
        with PartFile(str(tmpdir.join("copy")), "0" * 40) as part:
            part.write_all(part.file, b"." * STEP)
            assert disk.begun.wait(30)
            threading.Timer(0.1, disk.ready.set).start()
            raise IntegrityError("it is something else")

    assert not under_way()
