"""File objects of every kind: whatever reading does, the whole content is stored, or the object is refused in words."""

from __future__ import absolute_import, division, print_function

import codecs
import errno
import hashlib
import io
import os
import tarfile
import tempfile
import zipfile

import pytest

from pymdc._digest import content_hash
from pymdc._transfer.handed import Handed
from pymdc._transfer.upload import Source

CONTENT = bytes(bytearray(range(256))) * 3000


def hash_of(content):
    return content_hash(hashlib.sha256(content))


class Readable(object):
    """A file object with a read of its own; it is never asked for nothing."""

    def __init__(self, content):
        self._data = io.BytesIO(content)

    def read(self, size):
        assert size > 0
        return self._next(size)

    def _next(self, size):
        return self._data.read(size)


class Lines(Readable):
    def _next(self, size):
        return self._data.read(100003)  # whatever was asked for


class Whole(Readable):
    def _next(self, size):
        return self._data.read()


class Little(Readable):
    def _next(self, size):
        return self._data.read(min(size, 9973))


class NothingForNow(Readable):
    _late = False

    def _next(self, size):
        self._late = not self._late
        return None if self._late else self._data.read(size)


class NotNow(Readable):
    _late = False

    def _next(self, size):
        self._late = not self._late
        if self._late:
            raise IOError(errno.EAGAIN, "not now")
        return self._data.read(size)


class Seekable(Lines):
    def seek(self, *where):
        return self._data.seek(*where)

    def tell(self):
        return self._data.tell()


class SeeksInVain(Seekable):
    def seek(self, *where):
        pass


class SeeksOnlyToAPlace(Seekable):
    def seek(self, where):
        self._data.seek(where)


class Broken(Readable):
    def tell(self):
        raise NotImplementedError()

    seek = tell


def pipe(content):
    reading, writing = os.pipe()
    os.write(writing, content)  # as much as fits at once
    os.close(writing)
    return os.fdopen(reading, "rb")


def tar_member(content):
    archive, info = io.BytesIO(), tarfile.TarInfo("member")
    info.size = len(content)
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(info, io.BytesIO(content))
    stream = tarfile.open(fileobj=io.BytesIO(archive.getvalue()), mode="r|")
    return stream.extractfile(stream.next())


def zip_member(content):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("member", content)
    return zipfile.ZipFile(archive).open("member")


@pytest.mark.parametrize("make", [
    Readable, Lines, Whole, Little, NothingForNow, NotNow, Seekable, SeeksInVain, SeeksOnlyToAPlace, Broken, pipe,
    tar_member, zip_member, io.BytesIO,
])
@pytest.mark.parametrize("size", [0, 1, 60000, 700000])
def test_whatever_reading_does_the_whole_content_is_stored(bucket, make, size):
    if make is pipe and size > 60000:
        size = 65536
    content = CONTENT[:size]

    uploaded = bucket.files.upload(make(content))

    assert (uploaded["size"], uploaded["hash"]) == (size, hash_of(content))


@pytest.mark.parametrize("make", [Readable, Seekable, Whole, SeeksInVain, zip_member, io.BytesIO])
def test_each_attempt_sends_the_whole_content(make):
    with Source(Handed(make(CONTENT), "read"), u"unknown") as source:
        begun(source.form()).read()
        interrupted = begun(source.form())
        interrupted.read(), interrupted.read()

        sent = b"".join(begun(source.form()))
        as_it_is = b"".join(begun(source.content()))

    assert sent.partition(b"\r\n\r\n")[2].startswith(CONTENT + b"\r\n--")
    assert as_it_is == CONTENT


def begun(attempt):
    query, headers, body = attempt
    return body


def text_on_disk(tmpdir):
    tmpdir.join("text").write_binary(b"text")
    return str(tmpdir.join("text"))


class TextAfterAll(object):
    def read(self, size=-1):
        return u"text"


@pytest.mark.parametrize("make", [
    lambda tmpdir: io.StringIO(u"text"),
    lambda tmpdir: io.open(text_on_disk(tmpdir), "r+"),
    lambda tmpdir: codecs.open(text_on_disk(tmpdir), "r+", "utf-8"),
    lambda tmpdir: codecs.getreader("utf-8")(io.BytesIO(b"text")),
    lambda tmpdir: codecs.getreader("utf-8")(io.BytesIO(b"")),
    lambda tmpdir: TextAfterAll(),
])
def test_a_file_object_for_text_is_refused_in_words(bucket, tmpdir, make):
    with pytest.raises(ValueError, match="binary mode"):
        bucket.files.upload(make(tmpdir))
    assert bucket.files.list() == []


@pytest.mark.parametrize("make", [
    lambda tmpdir: io.StringIO(),
    lambda tmpdir: io.open(text_on_disk(tmpdir), "w"),
    lambda tmpdir: codecs.open(text_on_disk(tmpdir), "w", "utf-8"),
    lambda tmpdir: codecs.getwriter("utf-8")(io.BytesIO()),
])
def test_a_target_for_text_is_refused_in_words_and_costs_no_token(bucket, tmpdir, make):
    stored, token = bucket.files.upload(io.BytesIO(b"content")), bucket.files.token("PULL")

    with pytest.raises(ValueError, match="binary mode"):
        bucket.files.download(stored, make(tmpdir), token)

    assert bucket.files.download(stored, io.BytesIO(), token)["size"] == 7


@pytest.mark.parametrize("transfer", [
    lambda files, file, stored: files.upload(file),
    lambda files, file, stored: files.download(stored, file),
])
def test_a_closed_file_object_is_refused_in_words(bucket, transfer):
    file, stored = io.BytesIO(b""), bucket.files.upload(io.BytesIO(b"content"))
    file.close()

    with pytest.raises(ValueError, match="closed"):
        transfer(bucket.files, file, stored)


def test_the_command_line_of_a_pipe_is_no_file_name(bucket):
    class Pipe(object):
        name = "mysqldump --password=secret"

        def __init__(self):
            self._file = pipe(b"dump")
            self.read, self.fileno = self._file.read, self._file.fileno

    assert bucket.files.upload(Pipe())["filename"] == hash_of(b"dump")


def test_a_temporary_file_for_text_is_refused_where_it_decodes(bucket):
    with tempfile.NamedTemporaryFile("w+") as file:
        if isinstance(getattr(file.file, "encoding", None), str):
            with pytest.raises(ValueError, match="binary mode"):
                bucket.files.upload(file)
        else:
            assert bucket.files.upload(file)["size"] == 0
