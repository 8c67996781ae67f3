"""A file that somebody sends by a link, once."""

import json
import os
import socket

import pytest
import requests

from links import SHARD, command_for, files, id_of, invite, retried, revoke, run, send, token_of, waiting
from needed import is_missing
from pymdc.bridge import clock
from pymdc.bridge.request import fields
from wire import BOUNDARY, get, hash_of, multipart, put, race

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize("size", [0, 1, 5000, 16_384, 20_000, SHARD, 2 * SHARD, 2 * SHARD + 1])
def test_a_file_comes_in_by_a_link_once(alice, bucket, size):
    content, link = os.urandom(size), invite(alice, bucket)

    answer = send(link, content, "Ünter/photo.jpg")

    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["filename"], told["size"], told["hash"]) == ("photo.jpg", size, hash_of(content))
    assert get(alice.signed, bucket, told["hash"]).content == content
    assert (send(link, content).status_code, waiting(alice, bucket)) == (404, [])


def test_a_file_by_a_link_leaves_what_has_its_name_as_it_is(alice, bucket):
    put(alice.signed, bucket, b"contract", {"Content-Type": "application/pdf"}, name="contract.pdf")
    before = files(alice, bucket)

    def come(content):
        return send(invite(alice, bucket), content, "contract.pdf").json()
    same, other, again, another = come(b"contract"), come(b"other"), come(b"other"), come(b"another")

    assert same == before[0]
    assert [file["filename"] for file in (other, another)] == ["contract (2).pdf", "contract (3).pdf"]
    assert again == other
    assert [file for file in files(alice, bucket) if file["filename"] == "contract.pdf"] == before


def test_two_files_of_one_name_that_come_by_links_at_once_are_both_there(alice, bucket):
    links = [invite(alice, bucket) for _ in range(4)]

    race(len(links), lambda number: send(links[number], b"%d" % number, "photo.jpg"))

    assert sorted(file["filename"] for file in files(alice, bucket)) == [
        "photo (2).jpg", "photo (3).jpg", "photo (4).jpg", "photo.jpg",
    ]


@pytest.mark.parametrize("name, second", [
    ("costs.csv", "costs (2).csv"), ("costs", "costs (2)"), (".profile", ".profile (2)"), ("a.tar.gz", "a.tar (2).gz"),
    ("v1." + "x" * 30, "v1." + "x" * 30 + " (2)"), ("x" * 255, "x" * 251 + " (2)"),
    ("x" * 251 + ".csv", "x" * 247 + " (2).csv"), ("é" * 127, "é" * 125 + " (2)"),
])
def test_a_name_that_is_not_free_is_numbered_before_its_ending(name, second):
    names = list(fields.numbered(name))

    assert names[:2] == [name, second]
    assert len(names) == len(set(names)) == 100
    assert max(len(each.encode()) for each in names) <= 255


def test_a_guest_s_token_is_a_link_too(alice, bob, local):
    bucket = alice.bucket(pubkeys=[alice.key, bob.key])

    assert send(f"{local.url}/links/{bob.token(bucket)}", b"photo").status_code == 200
    assert [file["filename"] for file in files(alice, bucket)] == ["photo.jpg"]


@pytest.mark.parametrize("size", [100, 20_000])
def test_a_file_may_be_as_large_as_the_link_says_and_no_larger(alice, bucket, size):
    link = invite(alice, bucket, max_size=size)

    for much in (1, 10_000_000):
        answer = send(link, b"x" * (size + much))
        assert (answer.status_code, answer.json()["error"]) == (
            413, f"File is too large: it may have {size} bytes by this link")
    assert send(link, b"x" * size).status_code == 200


def body_without_file():
    return multipart(b"", filename=None, mimetype=None)


@pytest.mark.parametrize("body, headers, status, error", [
    (multipart(b"", filename=""), {}, 400, "No file in the request"),
    (body_without_file(), {}, 400, "No file in the request"),
    (b"", {}, 400, "Unexpected end of multipart data"),
    (multipart(b"x")[:-9], {}, 400, "Unexpected end of multipart data"),
    (b"no form", {}, 400, "Body is not valid multipart/form-data"),
    (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 400, "No file in the request: its Content-Type"),
    (multipart(b"x", filename=".."), {}, 400, "The file name is that of a folder"),
    (multipart(b"x", filename="n" * 256), {}, 400, "The file name is longer than"),
    (iter([multipart(b"x")]), {}, 411, "Content-Length is needed"),
])
def test_a_form_that_is_no_good_leaves_the_link_good_and_nothing_else(alice, bucket, body, headers, status, error):
    link = invite(alice, bucket)

    answer = requests.post(
        link, body, headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **headers}, timeout=30)

    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)
    assert files(alice, bucket) == []
    assert send(link, b"photo").status_code == 200


def begin_upload(link, size=1_000_000):
    """Begin to send a form, and return the connection."""
    host, _, path = link.partition("//")[2].partition("/")
    connection = socket.create_connection(host.split(":"), timeout=30)
    head = (f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nExpect: 100-continue\r\n\r\n")
    connection.sendall(head.encode())
    connection.recv(1000)  # 100 Continue, which comes when the body is asked for: it has been let in
    return connection


def test_a_link_is_held_by_an_upload_and_given_back_when_that_breaks(alice, bucket, local):
    link = invite(alice, bucket)

    with begin_upload(link) as connection:
        connection.sendall(multipart(b"x" * 100_000)[:50_000])
        meanwhile = send(link, b"photo"), alice.nobody.put(
            f"/buckets/{bucket}/files", multipart(b"x"), token_of(link), 1)
        assert requests.get(link).status_code == 200
        assert waiting(alice, bucket) == [id_of(link)]
    answer = retried(lambda: send(link, b"photo"), 409)

    assert [each.status_code for each in meanwhile] == [409, 401]
    assert meanwhile[0].json() == {"error": "The link is in use: a file is coming by it"}
    assert answer.status_code == 200
    assert len(files(alice, bucket)) == 1


@pytest.fixture
def ahead(monkeypatch):
    """A list of how many seconds the bridge's clock that nobody sets has gone on besides."""
    ahead = [0]
    for kind in (clock.HostClock, clock.ServerClock):
        steady = kind.steady
        passed = staticmethod if kind is clock.HostClock else lambda function: function
        monkeypatch.setattr(kind, "steady", passed(lambda *self, steady=steady: steady(*self) + ahead[0] * 1000))
    return ahead


def by_form(account, bucket, link):
    return send(link, b"photo")


def by_token(account, bucket, link):
    return account.nobody.put(f"/buckets/{bucket}/files", multipart(b"photo"), token_of(link), 5)


@pytest.mark.parametrize("use, in_use", [(by_form, 409), (by_token, 401)])
def test_an_upload_that_stalls_as_when_its_bridge_is_killed_holds_the_link_no_more(alice, bucket, ahead, use, in_use):
    link, body = invite(alice, bucket), multipart(b"x" * 100_000)

    with begin_upload(link, len(body)) as connection:
        ahead[0] = 110  # of two silences of 60
        early = use(alice, bucket, link)
        ahead[0] = 130
        late = use(alice, bucket, link)
        connection.sendall(body)
        stalled = connection.recv(10_000)

    assert (early.status_code, late.status_code) == (in_use, 200)
    assert b" 404 " in stalled.partition(b"\r\n")[0]
    assert [file["hash"] for file in files(alice, bucket)] == [hash_of(b"photo")]


def test_an_upload_that_began_in_time_may_end_later_and_its_token_outlives_it_not(alice, bucket, later):
    link = invite(alice, bucket)
    body = multipart(b"x" * 100_000)

    with begin_upload(link, len(body)) as connection:
        later(301)
        alice.token(bucket)  # which forgets what has expired
        connection.sendall(body)
        answer = connection.recv(10_000)

    assert b" 200 " in answer.partition(b"\r\n")[0]
    assert requests.get(link).status_code == 404


def test_an_upload_whose_link_is_revoked_meanwhile_enters_nothing(alice, bucket):
    link = invite(alice, bucket)
    body = multipart(b"x" * 100_000)

    with begin_upload(link, len(body)) as connection:
        assert revoke(alice, bucket, link) == 204
        connection.sendall(body)
        answer = connection.recv(10_000)

    assert b" 404 " in answer.partition(b"\r\n")[0]
    assert files(alice, bucket) == []


def test_what_does_not_fit_leaves_the_link_good(alice):
    bucket = alice.bucket(storage=20_000 / 10**9)
    link = invite(alice, bucket)

    answer = send(link, b"x" * 50_000)

    assert (answer.status_code, answer.json()["error"].partition(":")[0]) == (413, "Bucket storage exceeded")
    assert send(link, b"x" * 1000).status_code == 200


@pytest.mark.skipif(is_missing("curl"), reason="needs curl")
@pytest.mark.parametrize("size", [5, 3_000_000])  # for the larger one curl expects "100 Continue"
def test_a_file_goes_as_the_page_says_without_a_browser(alice, bucket, tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "photo.jpg").write_bytes(content)

    told = json.loads(run(command_for("curl", invite(alice, bucket)), tmp_path))

    assert (told["filename"], told["hash"]) == ("photo.jpg", hash_of(content))
