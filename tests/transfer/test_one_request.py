"""Transfers in one request each, with a bridge that takes them so; and with one that does not."""

from __future__ import absolute_import, division, print_function

import contextlib
import hashlib
import io
import json
import os

import pytest

import pymdc
from canned_server import CannedServer
from pymdc._digest import content_hash
from pymdc._transfer import beginning
from pymdc._transfer.beginning import Beginning
from pymdc._transfer.handed import Handed
from pymdc._transfer.upload import Source
from pymdc.errors import APIError, IntegrityError, TransportError
from pymdc.testing import Fault

MIB = 1024 * 1024
SHARD = 8 * MIB


def hash_of(content):
    return content_hash(hashlib.sha256(content))


def asked(wire):
    """What was asked for: the method, and the last part of the path."""
    return ["{0} {1}".format(method, path.rpartition("/")[2]) for method, path in wire.requests]


@pytest.mark.parametrize("size", [0, 1, 4096, 256 * 1024, 256 * 1024 + 1, SHARD, SHARD + 1])
def test_an_upload_is_one_request(wire, files, size):
    content = os.urandom(size)

    stored = files.upload(io.BytesIO(content), filename="sent.bin")

    assert asked(wire) == ["PUT files"]
    assert (stored["size"], stored["hash"], stored["filename"]) == (size, hash_of(content), "sent.bin")
    assert stored["mimetype"] == "application/octet-stream"


@pytest.mark.parametrize("size", [0, 1, 4096, SHARD])
@pytest.mark.parametrize("to_path", [True, False])
def test_a_download_of_one_shard_is_one_request(wire, files, tmpdir, size, to_path):
    content, told = os.urandom(size), []
    stored, path, copy = files.upload(io.BytesIO(content)), tmpdir.join("copy"), io.BytesIO()
    del wire.requests[:]

    answer = files.download(stored, str(path) if to_path else copy, progress=lambda *numbers: told.append(numbers))

    assert asked(wire) == ["GET content"]
    assert (path.read_binary() if to_path else copy.getvalue()) == content
    assert answer["size"] == size
    assert not size or told[-1] == (size, size)


def shards_asked(wire):
    """How many shards were asked for."""
    return len([path for _, path in wire.requests if path.startswith("/shards/")])


@pytest.fixture
def slow_line(monkeypatch):
    """Each answer counts as one that takes long."""
    monkeypatch.setattr(beginning, "SOON", -1)


@pytest.fixture
def quick_line(monkeypatch):
    """Each answer counts as one that comes soon."""
    monkeypatch.setattr(beginning, "SOON", 60)


@pytest.mark.parametrize("to_path", [True, False])
def test_a_longer_download_goes_on_by_pointers(wire, files, tmpdir, slow_line, to_path):
    content, told = os.urandom(2 * SHARD + 5), []
    stored, path, copy = files.upload(io.BytesIO(content)), tmpdir.join("copy"), io.BytesIO()
    del wire.requests[:]

    files.download(stored, str(path) if to_path else copy, progress=lambda done, total: told.append((done, total)))

    assert [kind for kind in asked(wire) if "GET content" in kind] == ["GET content"]
    assert shards_asked(wire) == 2
    assert len(wire.requests) == 4
    assert (path.read_binary() if to_path else copy.getvalue()) == content
    assert told == sorted(told) and told[-1] == (len(content), len(content))


def test_where_answers_come_soon_the_rest_is_one_request(wire, files, tmpdir, quick_line):
    content, told = os.urandom(2 * SHARD + 5), []
    stored, path = files.upload(io.BytesIO(content)), tmpdir.join("copy")
    del wire.requests[:]

    files.download(stored, str(path), progress=lambda done, total: told.append((done, total)))

    assert asked(wire) == ["GET content"] * 2
    assert path.read_binary() == content
    assert told == sorted(told) and told[-1] == (len(content), len(content))


@pytest.mark.parametrize("fault", [
    Fault("answer", path="*/content", nth=2, status=503),
    Fault("reset", path="*/content", nth=2, received=SHARD + 100000),
    Fault("truncate", path="*/content", nth=2, received=SHARD + 100000),
])
def test_where_the_rest_breaks_off_what_has_come_is_kept(wire, files, tmpdir, quick_line, fault):
    content = os.urandom(4 * SHARD)
    stored, path = files.upload(io.BytesIO(content)), tmpdir.join("copy")
    wire.faults = [fault]
    del wire.requests[:]

    files.download(stored, str(path))

    assert path.read_binary() == content
    assert shards_asked(wire) == 2 or fault.kind != "truncate"  # of what a reset has lost nobody knows


def test_a_rest_that_comes_wrong_is_mended(files, tmpdir, quick_line, monkeypatch):
    content, read = os.urandom(3 * SHARD), Beginning._read
    stored, path = files.upload(io.BytesIO(content)), tmpdir.join("copy")

    def spoiled(self, reply, end, size):
        read(self, reply, end, size)
        if end == size:
            with open(str(tmpdir.listdir()[0]), "r+b") as part:
                part.seek(SHARD + 5)
                part.write(b"spoiled")
            self.sha256.update(b"spoiled")

    monkeypatch.setattr(Beginning, "_read", spoiled)
    files.download(stored, str(path))

    assert path.read_binary() == content


def test_a_download_that_is_taken_up_does_not_begin_again(wire, files, tmpdir):
    content = os.urandom(SHARD + 5)
    stored, path = files.upload(io.BytesIO(content)), tmpdir.join("copy")
    tmpdir.join("copy.{0}.part".format(stored["hash"][:8])).write_binary(content[:SHARD])
    tmpdir.join("copy.{0}.part".format(stored["hash"][:8])).chmod(0o600)
    del wire.requests[:]

    files.download(stored, str(path))

    assert path.read_binary() == content
    assert shards_asked(wire) == 1
    assert "GET content" not in asked(wire)


def test_a_bridge_that_was_not_heard_of_is_asked_once_what_it_takes(wire, files):
    client = pymdc.Client(wire.url, raise_errors=True)
    fresh = pymdc.api.Files(files._ids["bucket_id"], files._auth, client=client)

    fresh.upload(io.BytesIO(b"first"))
    fresh.upload(io.BytesIO(b"second"))

    assert asked(wire) == ["HEAD ", "PUT files", "PUT files"]


def test_a_token_that_was_handed_in_lets_a_transfer_in(wire, files):
    push, pull = files.token("PUSH"), files.token("PULL")
    guest, copy = pymdc.api.Files(files._ids["bucket_id"], client=files._client), io.BytesIO()
    del wire.requests[:]

    stored = guest.upload(io.BytesIO(b"content"), push)
    guest.download(stored, copy, pull)

    assert copy.getvalue() == b"content"
    assert asked(wire) == ["PUT files", "GET " + stored["hash"], "GET " + stored["hash"]]


def test_a_token_that_was_handed_in_is_spent_on_pointers_whoever_has_it(wire, files):
    stored, copy = files.upload(io.BytesIO(b"content")), io.BytesIO()
    pull = files.token("PULL")
    del wire.requests[:]

    files.download(stored, copy, pull)

    assert copy.getvalue() == b"content"
    assert asked(wire) == ["GET " + stored["hash"]] * 2


def test_a_file_that_is_not_there_is_asked_for_once(wire, files, tmpdir):
    for target in (io.BytesIO(), str(tmpdir.join("copy"))):
        with pytest.raises(APIError, match="The requested file was not found"):
            files.download("0" * 40, target)

    assert asked(wire) == ["GET content"] * 2
    assert tmpdir.listdir() == []


@pytest.mark.parametrize("fault", [
    dict(kind="truncate"), dict(kind="answer", status=429), dict(kind="answer", status=502),
    dict(kind="answer", status=503), dict(kind="answer", status=504),
    dict(kind="answer", status=403), dict(kind="answer", status=405),
])
def test_a_bridge_that_does_not_say_whether_it_is_direct_is_asked_again_next_time(wire, files, fault):
    client = pymdc.Client(wire.url, retries=0)
    wire.faults = [Fault(method="HEAD", **fault)]

    said = [client.is_direct() for _ in range(3)]

    assert said == [False, True, True]
    assert asked(wire) == ["HEAD "] * 2


#: What no bridge of 2016 has.
NEWER = [
    lambda files, stored: files.copy(stored, "b"),
    lambda files, stored: files.tokens(),
    lambda files, stored: files.token("PULL", expires_in=60),
    lambda files, stored: files.share(stored),
    lambda files, stored: files.upload(io.BytesIO(b"y"), filename="a", replace=True),
]
NEVER = [dict(kind="reset"), dict(kind="truncate"), dict(kind="answer", status=503), dict(kind="answer", status=403),
         dict(kind="answer", status=405, body=b"")]


def not_heard_of(wire, files, **options):
    """Return the same files for a client that has not heard of the bridge."""
    client = pymdc.Client(wire.url, raise_errors=True, sleep=lambda seconds: None, **options)
    return pymdc.api.Files(files._ids["bucket_id"], files._auth, client=client)


@pytest.mark.parametrize("call", NEWER)
@pytest.mark.parametrize("fault", NEVER[:3])
def test_what_only_a_newer_bridge_has_is_not_missed_for_one_fault(wire, files, call, fault):
    stored = files.upload(io.BytesIO(b"x"), filename="a")
    wire.faults = [Fault(method="HEAD", **fault)]
    del wire.requests[:]

    call(not_heard_of(wire, files), stored)

    assert asked(wire)[:2] == ["HEAD "] * 2


@pytest.mark.parametrize("call", NEWER)
@pytest.mark.parametrize("fault", NEVER)
def test_a_bridge_that_cannot_be_asked_is_not_taken_for_one_of_2016(wire, files, call, fault):
    stored = files.upload(io.BytesIO(b"x"), filename="a")
    fresh = not_heard_of(wire, files)
    wire.faults = [Fault(method="HEAD", nth=0, **fault)]

    with pytest.raises((APIError, TransportError)) as refused:
        call(fresh, stored)
    wire.faults = []

    assert "of 2016" not in str(refused.value)
    assert fault["kind"] != "answer" or "HEAD / has to get through" in refused.value.hint
    assert files.list() == [stored]
    call(fresh, stored)


@pytest.mark.parametrize("fault", NEVER)
@pytest.mark.parametrize("options", [dict(filename="a/b"), dict(filename="a", replace=True)])
def test_nothing_is_stored_otherwise_than_asked_where_the_bridge_does_not_say_what_it_takes(
    wire, files, fault, options
):
    token, guest = files.token("PUSH"), not_heard_of(wire, files)
    wire.faults = [Fault(method="HEAD", nth=0, **fault)]

    with pytest.raises((APIError, TransportError)) as refused:
        guest.upload(io.BytesIO(b"x"), token, **options)
    wire.faults = []

    assert "token is spent" not in str(refused.value)
    assert files.list() == []
    assert guest.upload(io.BytesIO(b"x"), token, filename="a/b")["filename"] == "a/b"


def test_a_name_with_folders_needs_no_word_of_the_bridge_before_its_answer_to_a_call_for_a_token(wire, files):
    wire.faults = [Fault("reset", method="HEAD", nth=0)]

    assert not_heard_of(wire, files).upload(io.BytesIO(b"x"), filename="a/b")["filename"] == "a/b"


def test_a_file_that_is_to_replace_others_never_only_joins_them(files):
    stored = files.upload(io.BytesIO(b"x"), filename="a")
    files._client.is_direct = lambda secret=True: False  # as after an answer of who stands before the bridge

    with pytest.raises(APIError, match="A token stores a file and replaces none"):
        files.upload(io.BytesIO(b"y"), filename="a", replace=True)

    assert files.list() == [stored]


def test_an_unregistered_key_is_told_so(files):
    stranger = pymdc.api.Files(files._ids["bucket_id"], pymdc.keypair.ECDSA(), client=files._client)

    for transfer in (lambda: stranger.upload(io.BytesIO(b"x")), lambda: stranger.download("0" * 40, io.BytesIO())):
        with pytest.raises(APIError, match="Public key not registered"):
            transfer()


def test_a_file_that_changes_on_the_way_is_not_stored(files, tmpdir):
    path = tmpdir.join("large")
    path.write_binary(b"x" * (3 * MIB))

    def change(done, total):
        path.write_binary(b"y" * (3 * MIB))

    with pytest.raises(IntegrityError):
        files.upload(str(path), progress=change)
    assert files.list() == []


class Once(io.BytesIO):
    """A file object that gives its bytes once."""

    given = 0

    def read(self, size=-1):
        data = super(Once, self).read(size)
        self.given += len(data)
        assert self.given <= len(self.getvalue())
        return data


@pytest.mark.parametrize("size, bound", [
    (0, True), (1, True), (256 * 1024, True), (256 * 1024 + 1, True), (SHARD, True), (SHARD + 1, False),
])
@pytest.mark.parametrize("handed", ["path", "object"])
def test_content_that_fits_the_memory_is_bound_by_its_hash(tmpdir, size, bound, handed):
    content, path, told = os.urandom(size), tmpdir.join("file"), []
    path.write_binary(content)

    with Source(Handed(str(path) if handed == "path" else Once(content), "read")) as source:
        query, _, body = source.content(lambda done, total: told.append((done, total)))
        sent = b"".join(body) if hasattr(body, "read") else body

    assert sent == content
    assert query.get("hash") == (hash_of(content) if bound else None)
    assert told == sorted(set(told)) and told[-1:] == [(size, size)][:size]


def test_a_file_object_that_is_sent_again_is_not_read_again():
    content = os.urandom(MIB)

    with Source(Handed(Once(content), "read")) as source:
        bodies = [source.content() for _ in range(3)]
        query, _, body = bodies[-1]

        assert b"".join(body) == content
        assert query["hash"] == hash_of(content)


def answer(status, body, **headers):
    lines = ["HTTP/1.1 {0} Said".format(status), "x-metadisk: direct", "Content-Length: {0}".format(len(body))]
    lines += ["{0}: {1}".format(name.replace("_", "-"), value) for name, value in headers.items()]
    return "\r\n".join(lines + ["Connection: close", "", ""]).encode("ascii") + body


GOOD = b"the right bytes"


def downloaded(server, path=None, **options):
    """Return what comes of GOOD from a server that is direct, at a path or in a file object; then close the server."""
    client = pymdc.Client(server.url, raise_errors=True, sleep=lambda seconds: None, **options)
    client.is_direct = lambda: True
    files = pymdc.api.Files("6b02f2f51a05ce7722153a94", pymdc.keypair.ECDSA(), client=client)
    copy = io.BytesIO()
    with contextlib.closing(server):
        files.download(hash_of(GOOD), path or copy)
    if path is None:
        return copy.getvalue()
    with io.open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("wrong", [
    answer(200, b"the wrong bytes"),
    answer(206, b"the right", Content_Range="bytes 0-8/9"),
    answer(206, GOOD, Content_Range="bytes 0-14/99"),
    answer(206, GOOD, Content_Range="bytes 1-14/15"),
    answer(206, GOOD, Content_Range="bytes 1-15/15"),
    answer(206, GOOD, Content_Range="nonsense"),
    answer(206, GOOD),
])
@pytest.mark.parametrize("to_path", [True, False])
def test_what_comes_wrong_is_fetched_shard_by_shard(tmpdir, wrong, to_path):
    def respond(request):
        if b"/content" in request:
            return wrong
        if b"/shards/" in request:
            return answer(200, GOOD)
        pointer = {"hash": hash_of(GOOD), "token": "0" * 40, "operation": "PULL", "size": len(GOOD),
                   "url": server.url + "/shards/1"}
        return answer(200, json.dumps([pointer]).encode("ascii"))

    server = CannedServer(respond)

    assert downloaded(server, str(tmpdir.join("copy")) if to_path else None, retries=0) == GOOD
    assert len(server.requests) > 1


@pytest.mark.parametrize("to_path", [True, False])
def test_an_attempt_that_breaks_off_leaves_nothing_for_the_next(tmpdir, to_path):
    answers = [answer(200, GOOD)[:-5], answer(200, GOOD)]
    server = CannedServer(lambda request: answers.pop(0))

    assert downloaded(server, str(tmpdir.join("copy")) if to_path else None) == GOOD
    assert len(server.requests) == 2


class Reply(object):
    """A reply that was announced with one length and may come with another."""

    status = 206
    seconds = 0

    def __init__(self, told, *chunks):
        self.headers = {"Content-Range": told}
        self._chunks = chunks

    def chunks(self):
        for chunk in self._chunks:
            if chunk is None:
                raise TransportError("it broke")
            yield chunk


class Asked(object):
    """
    A beginning to which these replies come.

    :ivar taken: what has been written.
    """

    def __init__(self, *replies):
        self.taken, self.ranges = [], []
        self.beginning = Beginning(self._ask, lambda: self.taken.__delitem__(slice(None)), self.taken.append)
        self._replies = list(replies)

    def _ask(self, headers, take, again):
        self.ranges.append(headers["Range"])
        take(self._replies.pop(0))


def test_no_more_is_taken_than_was_told():
    asked = Asked(Reply("bytes 0-4/5", b"12345", b"6"))

    with pytest.raises(TransportError, match="more than the bytes up to 5"):
        asked.beginning.fetch()
    assert asked.taken == [b"12345"]


@pytest.mark.parametrize("told", ["bytes 0-5/5", "bytes 1-4/5", "bytes 0-8388608/9000000", "bytes 0-/5", ""])
def test_what_is_told_wrong_is_not_taken(told):
    asked = Asked(Reply(told, b"12345"))

    asked.beginning.fetch()

    assert (asked.beginning.size, asked.taken) == (None, [])


@pytest.mark.parametrize("told", ["bytes 5-7/9", "bytes 4-8/9", "bytes 5-8/10", "bytes 5-9/9", "bytes 0-8/9", ""])
def test_a_rest_that_is_told_wrong_is_not_taken(told):
    asked = Asked(Reply("bytes 0-4/9", b"12345"), Reply(told, b"6789"))

    asked.beginning.fetch_all()

    assert asked.ranges == ["bytes=0-8388607", "bytes=5-"]
    assert (asked.beginning.done, asked.taken) == (5, [b"12345"])


def test_of_a_rest_that_is_longer_than_was_told_nothing_more_is_taken():
    asked = Asked(Reply("bytes 0-4/9", b"12345"), Reply("bytes 5-8/9", b"6789", b"0"))

    asked.beginning.fetch_all()

    assert asked.taken == [b"12345", b"6789"]
    assert asked.beginning.is_whole(hash_of(b"123456789"))


def test_what_broke_off_is_no_beginning():
    asked = Asked(Reply("bytes 0-4/9", b"12345", None), Reply("bytes 3-4/9", b"45"))

    with pytest.raises(TransportError, match="it broke"):
        asked.beginning.fetch()
    asked.beginning.fetch()

    assert asked.beginning.size is None
    assert not asked.beginning.is_whole(hash_of(b"12345"))
