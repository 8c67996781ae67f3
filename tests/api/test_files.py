# -*- coding: utf-8 -*-
"""Upload and download: what goes in, what is stored, what is left when something fails."""

from __future__ import absolute_import, division, print_function

import fcntl
import hashlib
import io
import json
import os
import subprocess
import sys

try:
    from http.client import HTTPException
except ImportError:
    from httplib import HTTPException

import pytest
import requests

import pymdc
from canned_server import CannedServer
from pymdc._digest import content_hash
from pymdc.errors import APIError, IntegrityError, TransportError


def hash_of(content):
    return content_hash(hashlib.sha256(content))


@pytest.fixture
def file(tmpdir):
    file = tmpdir.join("file.bin")
    file.write_binary(b"0123456789" * 100000)
    return file


def test_a_file_object_is_read_from_where_it_stands_and_stays_open(bucket):
    stream = io.BytesIO(b"skipped, and stored")
    stream.seek(9)

    uploaded = bucket.files.upload(stream)

    assert uploaded["size"] == 10
    assert uploaded["hash"] == uploaded["filename"] == hash_of(b"and stored")
    assert not stream.closed


def test_a_stream_that_cannot_seek_is_uploaded_too(bucket):
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)

    with os.fdopen(reading, "rb") as stream:
        uploaded = bucket.files.upload(stream, filename="pipe.bin")

    assert (uploaded["hash"], uploaded["filename"]) == (hash_of(b"from a pipe"), "pipe.bin")


def test_a_file_on_disk_gives_its_name_by_its_object_too(bucket, file):
    with io.open(str(file), "rb") as stream:
        assert bucket.files.upload(stream)["filename"] == "file.bin"


PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0" * 17


@pytest.mark.parametrize("name, content, mimetype", [
    ("style.css", b".header { color: #333; }\n.title { font-weight: bold; }\n.text { margin: 0 }\n", "text/css"),
    ("README.md", b"# Title\n\n```js\nconst fs = require('node:fs');\nfunction run() { return 1; }\n", "text/markdown"),
    ("photo.txt", PNG, "text/plain"),
    ("PHOTO.JPG", b"", "image/jpeg"),
    ("empty.png", b"", "image/png"),
    ("lib.jar", b"PK\x03\x04" + b"\0" * 30, "application/java-archive"),
    ("photo", PNG, "image/png"),
    ("photo.unheard-of", PNG, "image/png"),
    (".css", PNG, "image/png"),  # a name without an ending
    ("data:text.css,x", PNG, "image/png"),  # and no address
    ("note", b"just some text\n", "text/plain"),
])
def test_the_type_is_what_the_ending_stands_for_or_else_what_the_content_looks_like(bucket, name, content, mimetype):
    assert bucket.files.upload(io.BytesIO(content), filename=name)["mimetype"] == mimetype


@pytest.mark.parametrize("name", ["backup.tar.gz", "backup.tgz", "BACKUP.TGZ", "drawing.svgz", "backup.gz"])
def test_an_ending_that_names_an_encoding_does_not_decide(bucket, name):
    content = b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\x03\0" + b"\0" * 8

    assert bucket.files.upload(io.BytesIO(content), filename=name)["mimetype"] in (
        "application/gzip", "application/x-gzip"  # the versions of libmagic call it one or the other
    )


def test_without_libmagic_the_name_decides(bucket, monkeypatch):
    monkeypatch.setitem(sys.modules, "magic", None)

    assert bucket.files.upload(io.BytesIO(b"x"), filename="a.jpg")["mimetype"] == "image/jpeg"
    assert bucket.files.upload(io.BytesIO(b"y"), filename="a")["mimetype"] == "application/octet-stream"


def test_libmagic_is_not_asked_where_the_ending_decides(bucket, monkeypatch):
    class Magic(object):
        asked = 0

        def from_buffer(self, sample, mime):
            self.asked += 1
            return "image/x-asked"

    magic = Magic()
    monkeypatch.setitem(sys.modules, "magic", magic)

    assert bucket.files.upload(io.BytesIO(b"x"), filename="a.jpg")["mimetype"] == "image/jpeg"
    assert magic.asked == 0
    assert bucket.files.upload(io.BytesIO(b"y"), filename="a")["mimetype"] == "image/x-asked"


def test_name_and_type_can_be_given(bucket):
    uploaded = bucket.files.upload(io.BytesIO(b"x"), filename="alice/b.txt", mimetype="Text/Markdown")

    assert (uploaded["filename"], uploaded["mimetype"]) == ("alice/b.txt", "text/markdown")


@pytest.mark.parametrize("options, complaint", [
    ({"mimetype": "text"}, "mimetype"),
    ({"mimetype": "text/plain\r\nx-evil: 1"}, "mimetype"),
    ({"filename": "a\r\nx-evil: 1"}, "control character"),
    ({"filename": u"a\ud800"}, "half a character"),
    ({"filename": u"\udc00\ud800"}, "half a character"),
    ({"filename": 5}, "filename"),
    ({"token": ""}, "token"),
    ({"token": u"\u732b"}, "token"),
    ({"token": {"error": "Bucket not found"}}, "Bucket not found"),
    ({"path": 5}, "path"),
    ({"path": io.StringIO(u"text")}, "binary"),
    ({"path": None}, "path"),
    ({"path": "a\0b"}, None),
])
def test_a_bad_argument_of_an_upload_is_named_and_nothing_is_stored(bucket, options, complaint):
    arguments = dict({"path": io.BytesIO(b"content")}, **options)

    with pytest.raises((ValueError, TypeError), match=complaint):
        bucket.files.upload(**arguments)
    assert bucket.files.list() == []


@pytest.mark.parametrize("path", ["/no/such/file", os.path.dirname(__file__)])
def test_a_file_that_cannot_be_read_is_the_file_systems_error(bucket, path):
    with pytest.raises(EnvironmentError):
        bucket.files.upload(path)


def test_progress_counts_bytes_up_to_all_of_them(bucket, file, tmpdir):
    steps = []
    uploaded = bucket.files.upload(str(file), progress=lambda done, total: steps.append((done, total)))
    assert steps == sorted(steps) and steps[-1] == (1000000, 1000000)

    del steps[:]
    bucket.files.download(uploaded, str(tmpdir.join("copy")), progress=lambda done, total: steps.append((done, total)))
    assert steps == sorted(steps) and steps[-1] == (1000000, 1000000)


@pytest.mark.parametrize("target", [lambda tmpdir: str(tmpdir.join("copy")), lambda tmpdir: io.BytesIO()])
def test_progress_tells_of_every_block_of_a_megabyte_at_most(bucket, target, tmpdir):
    sent, received = [0], [0]
    content = io.BytesIO(bytes(bytearray(9000000)))

    uploaded = bucket.files.upload(content, progress=lambda done, total: sent.append(done))
    bucket.files.download(uploaded, target(tmpdir), progress=lambda done, total: received.append(done))

    for steps in (sent, received):
        assert steps[-1] == 9000000
        assert all(0 < after - before <= 1024 * 1024 for before, after in zip(steps, steps[1:]))


class Stop(Exception):
    pass


class BrokenPipe(EnvironmentError):
    """What the network raises too: it must not be taken for that."""


ERRORS = [
    Stop("x"), BrokenPipe(32, "of the program itself"), StopIteration("x"), GeneratorExit("x"), SystemExit("x"),
    TransportError("of another bridge"), APIError(503, {"error": "of another bridge"}, "GET", "/"),
    HTTPException("x"), requests.ConnectionError("x"), ValueError("x"), MemoryError("x"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("target", [lambda tmpdir: str(tmpdir.join("copy")), lambda tmpdir: io.BytesIO()])
def test_what_progress_raises_ends_the_transfer_at_once_and_is_raised(bucket, tmpdir, error, target):
    content, calls = os.urandom(600000), []

    def stop(done, total):
        calls.append(done)
        raise error

    with pytest.raises(type(error)) as raised:
        bucket.files.upload(io.BytesIO(content), progress=stop)
    assert raised.value is error and len(calls) == 1
    assert bucket.files.list() == []

    uploaded = bucket.files.upload(io.BytesIO(content))
    with pytest.raises(type(error)) as raised:
        bucket.files.download(uploaded, target(tmpdir), progress=stop)
    assert raised.value is error and len(calls) == 2
    assert not tmpdir.join("copy").exists()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_progress_raises_in_the_background_is_what_the_future_raises(bridge, bucket, error):
    client = pymdc.Client(bridge.url, raise_errors=True)
    files = pymdc.api.Files(bucket.list(), bucket._auth, client=client)

    def stop(done, total):
        raise error

    future = files.upload(io.BytesIO(b"content"), callback=lambda answer: None, progress=stop)

    assert future.exception(60) is error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_a_file_object_raises_ends_the_upload_and_is_raised(bucket, error):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 300000:
                raise error
            return io.BytesIO.read(self, size)

    with pytest.raises(type(error)) as raised:
        bucket.files.upload(Failing(bytes(bytearray(600000))))
    assert raised.value is error
    assert bucket.files.list() == []


@pytest.mark.parametrize("mode, change", [("ab", b"more"), ("r+b", b"other"), ("wb", b"less")])
def test_a_file_that_changes_while_it_is_read_is_not_stored(bucket, file, mode, change):
    def disturb(done, total):
        with io.open(str(file), mode) as other:
            other.write(change)
        os.utime(str(file), (1, 1))

    with pytest.raises(IntegrityError, match="while it was read"):
        bucket.files.upload(str(file), progress=disturb)
    assert bucket.files.list() == []


def test_no_file_is_in_memory_whole(bridge, user, bucket, tmpdir):
    size = 300 * 1000 * 1000
    with io.open(str(tmpdir.join("sparse")), "wb") as sparse:
        sparse.truncate(size)
    script = (
        "import resource, sys, pymdc\n"
        "bucket = pymdc.api.Bucket(sys.argv[1], pymdc.keypair.ECDSA(private_key=sys.argv[2]))\n"
        "bucket.list()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "uploaded = bucket.files.upload('sparse')\n"
        "bucket.files.download(uploaded, 'copy')\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "sys.stdout.write('{0} {1}'.format(uploaded['size'], grown))\n"
    )
    command = [sys.executable, "-c", script, bucket.list()["id"], bucket._auth.get_private_key()]

    output = subprocess.check_output(command, cwd=str(tmpdir), env=dict(os.environ, PYMDC_API_URL=bridge.url))

    stored, grown = [int(word) for word in output.decode("ascii").split()]
    assert stored == size == tmpdir.join("copy").size()
    assert grown < 100 * 1024  # KiB


@pytest.fixture
def crooked(request):
    """A function that makes a bucket whose bridge answers as told."""
    servers = []

    def make(body):
        body = body if isinstance(body, bytes) else json.dumps(body).encode("ascii")
        head = "HTTP/1.1 200 OK\r\nContent-Length: {0}\r\n\r\n".format(len(body)).encode("ascii")
        servers.append(CannedServer(head + body))
        return servers[-1].url

    yield make
    for server in servers:
        server.close()


def bucket_at(url):
    return pymdc.api.Bucket("6b02f2f51a05ce7722153a94", client=pymdc.Client(url, retries=0))


@pytest.mark.parametrize("answer", [{"hash": "0" * 40}, {}, [], {"hash": None}])
def test_an_upload_that_was_stored_as_something_else_is_an_error(crooked, answer):
    with pytest.raises(IntegrityError, match="was sent"):
        bucket_at(crooked(answer)).files.upload(io.BytesIO(b"content"), "0" * 64)


def pointer(origin, content, **fields):
    return dict({"hash": hash_of(content), "token": "0" * 40, "operation": "PULL", "url": origin + "/shard"}, **fields)


GOOD = b"the right bytes"


@pytest.mark.parametrize("served, fields", [
    (b"the wrong bytes", {}),
    (GOOD[:-1], {"size": len(GOOD)}),
    (GOOD + b"!", {"size": len(GOOD)}),
    (GOOD, {"size": 3}),
    (GOOD, {"hash": hash_of(b"other")}),
])
def test_wrong_bytes_never_reach_the_path(crooked, tmpdir, served, fields):
    path = tmpdir.join("copy")
    path.write_binary(b"old content")
    bucket = bucket_at(crooked([pointer(crooked(served), GOOD, **fields)]))

    with pytest.raises(IntegrityError):
        bucket.files.download(hash_of(GOOD), str(path), "0" * 64)

    assert path.read_binary() == b"old content"


def test_a_pointer_list_that_lacks_a_shard_never_reaches_the_path(crooked, tmpdir):
    bucket = bucket_at(crooked([pointer(crooked(b"half"), b"half")]))

    with pytest.raises(IntegrityError):
        bucket.files.download(hash_of(b"halfhalf"), str(tmpdir.join("copy")), "0" * 64)

    assert not tmpdir.join("copy").exists()


@pytest.mark.parametrize("pointers", [
    {}, [5], [{}], [{"hash": "x"}], [pointer("http://127.0.0.1:1", b"", size=-1)],
    [pointer("http://127.0.0.1:1", b"", size=10 ** 12)], [pointer("http://127.0.0.1:1", b"", size="1")],
    [pointer("http://127.0.0.1:1", b"", size=True)], [pointer("file:///etc", b"")], [pointer("", b"")],
    [pointer("http://127.0.0.1:1", b"", channel=5, url=5)],
])
def test_an_answer_that_is_no_list_of_pointers_is_a_transport_error(crooked, tmpdir, pointers):
    with pytest.raises(TransportError):
        bucket_at(crooked(pointers)).files.download("0" * 40, str(tmpdir.join("copy")), "0" * 64)
    assert not tmpdir.join("copy").exists()


@pytest.mark.parametrize("file_hash", [
    "", "0" * 39, "0" * 41, "g" * 40, 5, None, {"error": "gone"}, b"\xff" * 40, "0" * 39 + "\n",
])
def test_a_bad_hash_is_named(bucket, tmpdir, file_hash):
    copy = str(tmpdir.join("copy"))

    for call in (lambda: bucket.files.download(file_hash, copy), lambda: bucket.files.delete(file_hash)):
        with pytest.raises(ValueError, match="hash|gone"):
            call()


def test_a_download_goes_to_a_file_object_too(bucket, photo):
    uploaded, stream = bucket.files.upload(photo), io.BytesIO(b"")

    downloaded = bucket.files.download(uploaded["hash"].upper(), stream)

    assert downloaded["size"] == uploaded["size"] == len(stream.getvalue())
    assert hash_of(stream.getvalue()) == uploaded["hash"]


def test_a_target_that_takes_nothing_for_now_gets_the_whole_file(bucket):
    content = os.urandom(300000)
    uploaded = bucket.files.upload(io.BytesIO(content))
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETFL, fcntl.fcntl(writing, fcntl.F_GETFL) | os.O_NONBLOCK)

    with io.open(reading, "rb") as source:
        with io.open(writing, "wb", buffering=0) as target:
            future = bucket.files.download(uploaded, target, callback=lambda answer: None)
            arrived = source.read(len(content))
            future.result()

    assert arrived == content


@pytest.mark.parametrize("path", ["no/such/folder/copy", "."])
def test_a_target_that_cannot_be_written_is_the_file_systems_error_and_costs_no_token(bucket, photo, tmpdir, path):
    uploaded, token = bucket.files.upload(photo), bucket.files.token("PULL")

    with pytest.raises(EnvironmentError):
        bucket.files.download(uploaded, str(tmpdir.join(path)), token)

    assert bucket.files.download(uploaded, str(tmpdir.join("copy")), token)["hash"] == uploaded["hash"]
    assert tmpdir.listdir() == [tmpdir.join("copy")]


def test_a_download_replaces_what_was_there(bucket, photo, tmpdir):
    path = tmpdir.join("copy")
    path.write_binary(b"old content")

    bucket.files.download(bucket.files.upload(photo), str(path))

    assert path.read_binary() == open(photo, "rb").read()


def test_without_key_pair_and_token_nothing_can_be_transferred(client, tmpdir):
    bucket = pymdc.api.Bucket("6b02f2f51a05ce7722153a94", client=client)

    copy = str(tmpdir.join("copy"))

    for call in (lambda: bucket.files.upload(__file__), lambda: bucket.files.download("0" * 40, copy)):
        with pytest.raises(ValueError, match="key pair"):
            call()
