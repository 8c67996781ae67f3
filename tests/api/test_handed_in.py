# -*- coding: utf-8 -*-
"""Paths and file objects that are handed in: what they are when the call is made is what is transferred."""

from __future__ import absolute_import, division, print_function

import hashlib
import io
import os
import threading

import pytest

import pymdc
from pymdc._background import Background
from pymdc._digest import content_hash
from pymdc.errors import IntegrityError

CONTENT = bytes(bytearray(range(256))) * 3000
LONG = b"two shards" * 900000


def hash_of(content):
    return content_hash(hashlib.sha256(content))


def ignore(answer):
    pass


class Path(object):
    def __init__(self, name):
        self._name = name

    def __fspath__(self):
        return self._name


@pytest.fixture
def busy(client):
    """A client whose only worker does nothing until it is told to go on, by a call of this."""
    event = threading.Event()
    client._background = Background(workers=1)
    client.run(event.wait, ignore)
    yield event.set
    event.set()


@pytest.fixture
def at_home():
    here = os.getcwd()
    yield
    os.chdir(here)


@pytest.mark.parametrize("form", [str, lambda name: name.encode("ascii"), lambda name: u"" + name, Path])
def test_a_relative_path_is_of_the_folder_in_which_the_call_was_made(bucket, busy, at_home, tmpdir, form):
    here, there = tmpdir.mkdir("here"), tmpdir.mkdir("there")
    here.join("sent").write_binary(b"from here")
    there.join("sent").write_binary(b"from there")
    stored = bucket.files.upload(io.BytesIO(b"to here"))

    os.chdir(str(here))
    upload = bucket.files.upload(form("sent"), callback=ignore)
    download = bucket.files.download(stored, form("got"), callback=ignore)
    os.chdir(str(there))
    busy()

    assert (upload.result(60)["hash"], upload.result()["filename"]) == (hash_of(b"from here"), "sent")
    assert download.result(60) == {"hash": stored["hash"], "size": 7, "path": "got"}
    assert here.join("got").read_binary() == b"to here" and not there.join("got").exists()


def test_an_upload_begins_where_the_file_object_stood_when_the_call_was_made(bucket, busy):
    source = io.BytesIO(b"skipped, and stored")
    source.seek(9)

    future = bucket.files.upload(source, callback=ignore)
    source.seek(0, os.SEEK_END)
    busy()

    assert future.result(60)["hash"] == hash_of(b"and stored")


def test_a_download_begins_where_the_file_object_stood_when_the_call_was_made(bucket, busy):
    stored, target = bucket.files.upload(io.BytesIO(b"tail")), io.BytesIO(b"head, ")
    target.seek(6)

    future = bucket.files.download(stored, target, callback=ignore)
    target.seek(0)
    busy()

    assert future.result(60)["size"] == 4
    assert target.getvalue() == b"head, tail"


def test_arguments_are_what_they_were_when_the_call_was_made(bucket, busy, tmpdir):
    stored, other = bucket.files.upload(io.BytesIO(b"one")), bucket.files.upload(io.BytesIO(b"other"))
    file, token = dict(stored), bucket.files.token("PULL")

    future = bucket.files.download(file, str(tmpdir.join("copy")), token, callback=ignore)
    file.update(other)
    token.clear()
    busy()

    assert future.result(60)["hash"] == stored["hash"]


@pytest.mark.parametrize("first", ["upload", "download"])
@pytest.mark.parametrize("second", ["upload", "download"])
def test_a_file_object_is_in_one_transfer_at_a_time(bridge, bucket, busy, first, second):
    file, stored = io.BytesIO(CONTENT), bucket.files.upload(io.BytesIO(b"stored"))
    elsewhere = pymdc.api.Files(bucket.list(), bucket._auth, client=pymdc.Client(bridge.url))

    def start(files, kind, **options):
        return files.upload(file, **options) if kind == "upload" else files.download(stored, file, **options)

    under_way = start(bucket.files, first, callback=ignore)
    with pytest.raises(ValueError, match="in another transfer"):
        start(elsewhere, second)
    refused = start(elsewhere, second, callback=ignore).result(60)
    busy()

    assert "in another transfer" in refused.get("error")
    assert under_way.result(60)["hash"] == (hash_of(CONTENT) if first == "upload" else stored["hash"])


def raw_of(file):
    return file.raw


def twin_of(file):
    return io.open(os.dup(file.fileno()), "rb", buffering=0)


@pytest.mark.parametrize("other_of", [raw_of, twin_of])
@pytest.mark.parametrize("move", [lambda file: file.seek(0), lambda file: file.read(100)], ids=["moved", "read"])
def test_a_file_that_somebody_else_moves_meanwhile_is_never_stored_as_a_success(bucket, tmpdir, other_of, move):
    tmpdir.join("file").write_binary(LONG)

    with io.open(str(tmpdir.join("file")), "rb") as file, other_of(file) as other:
        with pytest.raises(IntegrityError, match="moved while it was read"):
            bucket.files.upload(file, progress=lambda done, total: move(other))

    assert bucket.files.list() == []


@pytest.mark.parametrize("other_of", [raw_of, twin_of])
@pytest.mark.parametrize("move", [lambda file: file.seek(0), lambda file: file.seek(0, os.SEEK_END)])
def test_a_file_that_somebody_else_moves_meanwhile_is_never_fetched_as_a_success(bucket, tmpdir, other_of, move):
    stored = bucket.files.upload(io.BytesIO(LONG))
    tmpdir.join("file").write_binary(b"x" * 2 * len(LONG))

    with io.open(str(tmpdir.join("file")), "r+b") as file, other_of(file) as other:
        with pytest.raises(IntegrityError, match="moved while it was written"):
            bucket.files.download(stored, file, progress=lambda done, total: move(other))


class Elsewhere(io.BytesIO):
    """Stands somewhere else with each byte, as what compresses or encrypts does."""

    def tell(self):
        return -3 * super(Elsewhere, self).tell()


def test_how_far_a_write_moves_a_file_is_its_own_affair(bucket, tmpdir):
    stored = bucket.files.upload(io.BytesIO(LONG))
    tmpdir.join("file").write_binary(b"head, ")

    with io.open(str(tmpdir.join("file")), "a+b") as appended, io.open(os.devnull, "wb") as device:
        appended.seek(0)
        for target in (appended, device, Elsewhere()):
            assert bucket.files.download(stored, target)["size"] == len(LONG)

    assert tmpdir.join("file").read_binary() == b"head, " + LONG


@pytest.mark.parametrize("other_of", [raw_of, twin_of])
@pytest.mark.parametrize("move", [lambda file: file.seek(0), lambda file: file.read(100)], ids=["moved", "read"])
def test_what_fits_the_memory_is_read_before_somebody_else_can_move_it(bucket, tmpdir, other_of, move):
    tmpdir.join("file").write_binary(CONTENT)

    with io.open(str(tmpdir.join("file")), "rb") as file, other_of(file) as other:
        stored = bucket.files.upload(file, progress=lambda done, total: move(other))

    assert stored["hash"] == hash_of(CONTENT)


def test_file_objects_are_told_apart_by_what_they_are_not_by_what_they_equal(bucket, busy):
    class Equal(io.BytesIO):
        __hash__ = None

        def __eq__(self, other):
            return True

    futures = [bucket.files.upload(Equal(content), callback=ignore) for content in (b"one", b"other")]
    busy()

    assert [future.result(60)["hash"] for future in futures] == [hash_of(b"one"), hash_of(b"other")]


def succeed(files, file):
    files.upload(file)


def fail(files, file):
    with pytest.raises(ZeroDivisionError):
        files.upload(file, progress=lambda done, total: 1 // 0)


def be_refused(files, file):
    assert "error" in files.upload(file, token="0" * 64)


def fail_in_the_background(files, file):
    files.upload(file, callback=ignore, progress=lambda done, total: 1 // 0).result(60)


def be_cancelled(files, file):
    release = threading.Event()
    files._client._background = Background(workers=1)
    files._client.run(release.wait, ignore)
    assert files.upload(file, callback=ignore).cancel()
    release.set()


def have_no_callback(files, file):
    with pytest.raises(ValueError):
        files.upload(file, callback=5)


@pytest.mark.parametrize("end", [succeed, fail, be_refused, fail_in_the_background, be_cancelled, have_no_callback])
def test_a_file_object_is_free_again_however_its_transfer_ends(bucket, end):
    file = io.BytesIO(CONTENT)
    end(bucket.files, file)
    file.seek(0)

    assert bucket.files.upload(file)["hash"] == hash_of(CONTENT)


def test_a_file_object_that_is_interrupted_while_it_tells_where_it_stands_is_free_again(bucket):
    class Interrupted(io.BytesIO):
        interrupts = [KeyboardInterrupt()]

        def tell(self):
            if self.interrupts:
                raise self.interrupts.pop()
            return io.BytesIO.tell(self)

    source = Interrupted(b"content")
    with pytest.raises(KeyboardInterrupt):
        bucket.files.upload(source)

    assert bucket.files.upload(source)["size"] == 7


def test_a_callback_can_hand_in_the_file_object_again(bucket):
    file, done, hashes = io.BytesIO(CONTENT), threading.Event(), []

    def again(answer):
        file.seek(256)
        hashes.append(bucket.files.upload(file)["hash"])
        done.set()

    bucket.files.upload(file, callback=again)

    assert done.wait(60)
    assert hashes == [hash_of(CONTENT[256:])]
