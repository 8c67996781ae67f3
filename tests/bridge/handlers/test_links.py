"""Links: once, for whoever has one, and what is sent by them."""

import errno
import hashlib
import html
import json
import logging
import os
import re
import socket
import subprocess
import types
import uuid

import pytest
import requests

from needed import is_missing
from pymdc.bridge import clock
from pymdc.bridge.handlers.attachment import disposition
from pymdc.bridge.metadata.files import Part
from pymdc.bridge.request import fields
from pymdc.bridge.request.call import Call
from used_bridge import UsedBridge, flip_a_byte
from wire import BOUNDARY, get, hash_of, multipart, put, race

pytestmark = pytest.mark.both_databases

SHARD = 8 * 1024 * 1024
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
GONE = {"error": "Link not found: it works once, and may have been used or revoked, or have expired"}
ONCE, OTHER = "0f" * 16, "1e" * 16
ID = 32  # digits


@pytest.fixture
def bucket(alice):
    return alice.bucket()


def store(account, bucket, content, name="photo.jpg"):
    return put(account.signed, bucket, content, name=name).json()["hash"]


def ask(account, bucket, operation, **fields):
    return account.signed.post(f"/buckets/{bucket}/tokens", {"operation": operation, **fields}).json()


def share(account, bucket, file_hash, **fields):
    return ask(account, bucket, "PULL", file=file_hash, **fields)["link"]


def invite(account, bucket, **fields):
    return ask(account, bucket, "PUSH", expires_in=300, **fields)["link"]


def token_of(link):
    return link.rpartition("/")[2]


def follow(link, once=None, **options):
    """Click, and return the answer to that alone."""
    return requests.post(link, {} if once is None else {"once": once}, allow_redirects=False, timeout=30, **options)


def ticket(link, once=None):
    """Click, and return where the file is."""
    answer = follow(link, once)
    assert answer.status_code == 303, answer.text
    return link.partition("/links/")[0] + answer.headers["Location"]


def fetch(url, asked=None, **headers):
    return requests.get(url, headers={**({"Range": asked} if asked else {}), **headers}, timeout=30)


def send(link, content, name="photo.jpg", **headers):
    return requests.post(link, files={"file": (name, content)}, headers=headers, timeout=60)


def waiting(account, bucket):
    return [token["id"] for token in account.basic.get(f"/buckets/{bucket}/tokens").json()]


def id_of(link):
    return hashlib.sha256(token_of(link).encode()).hexdigest()[:ID]


def revoke(account, bucket, link):
    return account.signed.delete(f"/buckets/{bucket}/tokens/{id_of(link)}").status_code


def files(account, bucket):
    return account.signed.get(f"/buckets/{bucket}/files").json()


# Looking

@pytest.mark.parametrize("look", [
    lambda link: requests.get(link, headers=BROWSER), requests.get, requests.head,
    lambda link: requests.get(link, headers={"Range": "bytes=0-99"}),
    lambda link: requests.get(link, headers={"Accept": "application/json"}),
    lambda link: requests.get(link + "/"), requests.options,
])
def test_looking_at_a_link_spends_nothing(alice, bucket, look):
    links = [share(alice, bucket, store(alice, bucket, b"photo")), invite(alice, bucket)]

    for link in links:
        for _ in range(3):
            assert look(link).ok

    assert set(waiting(alice, bucket)) == set(map(id_of, links))


def test_a_link_says_what_it_is_good_for(alice, bucket):
    download = share(alice, bucket, store(alice, bucket, b"photo", "2016/photo.jpg"))
    upload = invite(alice, bucket, max_size=7)

    def told(link):
        return requests.get(link, headers={"Accept": "application/json"}).json()
    expires = {token["operation"]: token["expires"] for token in alice.basic.get(f"/buckets/{bucket}/tokens").json()}
    assert told(download) == {
        "operation": "PULL", "filename": "photo.jpg", "size": 5, "expires": expires["PULL"]}
    assert told(upload) == {"operation": "PUSH", "max_size": 7, "expires": expires["PUSH"]}


@pytest.mark.parametrize("make", [
    lambda account, bucket: account.token(bucket, "PULL"), lambda account, bucket: "0" * 64,
    lambda account, bucket: "x", lambda account, bucket: "%00",
])
def test_what_is_no_link_leads_nowhere(local, alice, bucket, make):
    link = f"{local.url}/links/{make(alice, bucket)}"

    for answer in (requests.get(link, headers={"Accept": "application/json"}), follow(link), follow(link, ONCE),
                   send(link, b"photo"), requests.get(link + "/photo.jpg")):
        assert (answer.status_code, answer.json()) == (404, GONE)
    for answer in (requests.get(link, headers=BROWSER), requests.get(link), follow(link, headers=BROWSER)):
        assert answer.status_code == 404
        assert "This link leads nowhere" in answer.text


def test_links_and_tickets_are_for_no_other_origin(local, alice, bucket):
    link = share(alice, bucket, store(alice, bucket, b"photo"))
    from_elsewhere = {"Origin": "https://evil.example"}

    answers = [
        requests.get(link, headers={**from_elsewhere, "Accept": "application/json"}),
        requests.options(link, headers=from_elsewhere), follow(link, headers=from_elsewhere),
        fetch(link + "/x", **from_elsewhere),
    ]

    assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == [None] * 4
    assert requests.get(local.url, headers=from_elsewhere).headers["Access-Control-Allow-Origin"]


# A download

def test_a_link_gives_its_file_once(alice, bucket):
    content = os.urandom(20_000)
    link = share(alice, bucket, store(alice, bucket, content))

    got = fetch(ticket(link))

    assert (got.status_code, got.content) == (200, content)
    assert (follow(link).status_code, follow(link).json()) == (404, GONE)
    assert waiting(alice, bucket) == []


def test_a_double_click_is_one_click_for_ten_minutes(alice, bucket, later):
    link = share(alice, bucket, store(alice, bucket, b"photo"))

    first = follow(link, ONCE).headers["Location"]

    assert follow(link, ONCE).headers["Location"] == first
    assert [follow(link, other).status_code for other in (OTHER, None)] == [404, 404]
    later(599)
    assert follow(link, ONCE).headers["Location"] == first
    later(601)
    assert follow(link, ONCE).status_code == 404


def test_of_two_browsers_that_click_at_once_one_has_the_file(alice, bucket):
    for _ in range(5):
        link = share(alice, bucket, store(alice, bucket, uuid.uuid4().bytes))

        answers = race(6, lambda number: follow(link, f"{number % 3:032x}"))

        assert sorted(answer.status_code for answer in answers) == [303] * 2 + [404] * 4
        assert len({answer.headers.get("Location") for answer in answers}) == 2


@pytest.mark.parametrize("once", ["0f", "0F" * 16, "x" * 32, "0f" * 17])
def test_a_click_that_is_not_of_the_page_is_refused_and_spends_nothing(alice, bucket, once):
    link = share(alice, bucket, store(alice, bucket, b"photo"))

    assert follow(link, once).status_code == 400
    assert requests.post(link, b"x" * 5000, headers={"Content-Type": "text/plain"}).status_code == 413
    assert send(link, b"photo").status_code == 400
    assert fetch(ticket(link)).content == b"photo"


def test_a_part_of_a_file_is_given_over_shards(alice, bucket):
    content = os.urandom(SHARD + 5000)
    url = ticket(share(alice, bucket, store(alice, bucket, content)))

    for asked, start, end in [
        (f"bytes={SHARD - 10}-{SHARD + 9}", SHARD - 10, SHARD + 10), ("bytes=-3", len(content) - 3, len(content)),
    ]:
        got = fetch(url, asked)
        assert (got.status_code, got.content) == (206, content[start:end])
        assert got.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(content)}"


def test_a_download_that_broke_off_goes_on_and_one_that_is_another_begins_anew(alice, bucket):
    content = os.urandom(30_000)
    url = ticket(share(alice, bucket, store(alice, bucket, content)))
    begun = fetch(url, "bytes=0-9999")

    rest = fetch(url, "bytes=10000-", **{"If-Range": begun.headers["ETag"]})

    assert begun.content + rest.content == content
    assert fetch(url, "bytes=10000-", **{"If-Range": '"another"'}).status_code == 200


def test_a_file_can_be_had_three_times_by_shards_within_a_day(alice, bucket, later):
    content = os.urandom(SHARD + 1)
    url = ticket(share(alice, bucket, store(alice, bucket, content)))

    statuses = [fetch(url, asked).status_code for asked in (
        None, "bytes=0-0", "bytes=-1", "bytes=-1", "bytes=-2", "bytes=-1", "bytes=-1",
    )]

    assert statuses == [200, 206, 206, 206, 403, 206, 403]  # of six shards one is left, then none
    other = ticket(share(alice, bucket, hash_of(content)))
    later(86_399)
    assert fetch(other, "bytes=0-0").status_code == 206
    later(86_401)
    assert fetch(other, "bytes=0-0").status_code == 404


def break_off(url, start=0):
    """Ask for a file from there on, and go away after the first bytes of the answer."""
    host, _, path = url.partition("//")[2].partition("/")
    with socket.socket() as connection:
        connection.settimeout(30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # or shards that nobody has read have gone
        connection.connect((host.split(":")[0], int(host.split(":")[1])))
        connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nRange: bytes={start}-\r\n\r\n".encode())
        stream = connection.makefile("rb")
        status = int(stream.readline().split()[1])
        while stream.readline() != b"\r\n":
            pass
        return types.SimpleNamespace(status_code=status, content=stream.read(50_000) if status < 300 else b"")


def test_a_download_goes_on_however_often_it_breaks_off(alice, bucket):
    content = os.urandom(3 * SHARD)
    url = ticket(share(alice, bucket, store(alice, bucket, content)))
    got = b""

    for _ in range(5):
        got += retried(lambda: break_off(url, len(got)), 403).content
    rest = retried(lambda: fetch(url, f"bytes={len(got)}-"), 403)

    assert (len(got), rest.status_code) == (250_000, 206)
    assert got + rest.content == content


def test_a_store_that_is_away_uses_nothing_of_a_link_up(alice, bucket, local, monkeypatch):
    content = os.urandom(20_000)
    url = ticket(share(alice, bucket, store(alice, bucket, content)))

    def away(*where):
        raise OSError(errno.EHOSTUNREACH, "the store is away")
    with monkeypatch.context() as patch:
        patch.setattr(local._server.services, "open", away)
        statuses = [fetch(url).status_code for _ in range(4)]

    assert statuses == [503] * 4
    assert fetch(url).content == content


@pytest.mark.parametrize("start, end, unsent, count", [
    (0, 30, 0, 0), (0, 30, 9, 0), (0, 30, 10, 1), (0, 30, 19, 1), (0, 30, 29, 2), (0, 30, 30, 3),
    (5, 25, 4, 0), (5, 25, 5, 1), (5, 25, 15, 2), (5, 25, 19, 2), (5, 25, 20, 3), (12, 13, 1, 1), (0, 0, 0, 0),
])
def test_what_was_not_sent_is_given_back_by_whole_shards(start, end, unsent, count):
    part = Part(30, start, end, [{"size": 10}] * 3)

    assert part.within_last(unsent) == count


def test_an_empty_file_goes_by_a_link(alice, bucket):
    url = ticket(share(alice, bucket, store(alice, bucket, b"")))

    assert [(answer.status_code, answer.content) for answer in (fetch(url), fetch(url))] == [(200, b"")] * 2


def test_HEAD_of_a_ticket_tells_of_the_file_and_counts_for_nothing(alice, bucket):
    url = ticket(share(alice, bucket, store(alice, bucket, b"x" * 5000)))

    for _ in range(5):
        head = requests.head(url)
        assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "5000", b"")
    got = fetch(url)
    assert {name: got.headers[name] for name in ("ETag", "Content-Disposition", "Accept-Ranges")} == {
        name: head.headers[name] for name in ("ETag", "Content-Disposition", "Accept-Ranges")}


def test_what_is_sent_counts_as_transfer_and_what_does_not_fit_leaves_the_link_good(alice):
    bucket = alice.bucket(transfer=15_000 / 10**9)
    link = share(alice, bucket, store(alice, bucket, b"x" * 10_000))
    other = share(alice, bucket, store(alice, bucket, b"y" * 10_000))

    assert fetch(ticket(link)).status_code == 200
    refused = follow(other)

    assert (refused.status_code, refused.json()["error"].partition(":")[0]) == (403, "Bucket transfer exceeded")
    alice.signed.patch(f"/buckets/{bucket}", {"transfer": 1})
    assert fetch(ticket(other)).content == b"y" * 10_000


def test_the_file_is_an_attachment_that_is_never_shown(alice, bucket):
    page = b"<script>alert(1)</script>"
    url = ticket(share(alice, bucket, put(alice.signed, bucket, page, {"Content-Type": "text/html"},
                                          name="x/page.html").json()["hash"]))

    headers = fetch(url).headers

    assert url.endswith("/page.html")
    assert headers["Content-Disposition"] == "attachment; filename=\"page.html\"; filename*=UTF-8''page.html"
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("name, ascii_name", [
    ("Übung.txt", "Ubung.txt"), ('a"b\\c.txt', "a_b_c.txt"), ("日本.txt", "__.txt"), ("日本", "download"),
    ("100%41.txt", "100_41.txt"), ("‥", "download"), ("a／b", "a_b"), ("℀.txt", "a_c.txt"), ("x" * 255, "x" * 200),
    ("x" * 250 + ".txt", "x" * 196 + ".txt"), ("x" * 100 + "." + "y" * 150, "x" * 100 + "." + "y" * 99),
    ("a;b'c*", "a;b'c_"), ("مرحبا.pdf", "_____.pdf"), ("\U0001f600", "download"),
])
def test_a_name_is_told_in_ascii_as_no_path_and_exactly(name, ascii_name):
    told = disposition("folder/" + name)

    assert f'filename="{ascii_name}"' in told
    assert requests.utils.unquote(told.partition("filename*=UTF-8''")[2]) == name
    assert told.isascii() and "\n" not in told


def test_no_hidden_file_is_offered():
    assert disposition("folder/.bashrc") == "attachment; filename=\"_bashrc\"; filename*=UTF-8''_bashrc"


def test_a_name_is_not_told_turned_round(alice, bucket):
    alice.nobody.put(f"/buckets/{bucket}/files", multipart(b"photo", filename="a\u202egpj.exe"), alice.token(bucket), 5)
    link = share(alice, bucket, hash_of(b"photo"))

    page, url = requests.get(link, headers=BROWSER).text, ticket(link)

    assert "<title>a_gpj.exe</title>" in page and "<bdi>a_gpj.exe</bdi>" in page
    assert url.endswith("/a_gpj.exe")
    assert fetch(url).headers["Content-Disposition"].endswith("filename*=UTF-8''a_gpj.exe")


def test_a_link_offers_the_file_under_the_name_that_its_owner_says(alice, bucket):
    link = share(alice, bucket, store(alice, bucket, b"photo"), filename="for you/cat.jpg")

    url = ticket(link)

    assert url.endswith("/cat.jpg")
    assert 'filename="cat.jpg"' in fetch(url).headers["Content-Disposition"]


@pytest.mark.parametrize("end", [
    lambda account, bucket, file_hash, link: revoke(account, bucket, link),
    lambda account, bucket, file_hash, link: account.signed.delete(f"/buckets/{bucket}/files/{file_hash}").status_code,
    lambda account, bucket, file_hash, link: account.signed.delete(f"/buckets/{bucket}").status_code,
    lambda account, bucket, file_hash, link: account.basic.delete(f"/keys/{account.key}").status_code,
])
@pytest.mark.parametrize("opened", [False, True])
def test_a_link_and_its_ticket_end_with_the_token_the_file_the_bucket_and_the_key(alice, bucket, end, opened):
    file_hash = store(alice, bucket, b"photo")
    link = share(alice, bucket, file_hash)
    url = ticket(link, ONCE) if opened else link + "/photo.jpg"

    assert end(alice, bucket, file_hash, link) in (200, 204)

    assert (fetch(url).status_code, follow(link, ONCE).status_code) == (404, 404)
    assert requests.get(link).status_code == 404


# An upload

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


def retried(call, status):
    """Return the first answer that has another status than that which passes."""
    for _ in range(200):
        answer = call()
        if answer.status_code != status:
            break
    return answer


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


def test_a_browser_is_answered_with_pages(alice, bucket):
    link = invite(alice, bucket, max_size=10)

    large, empty, good, late = (send(link, content, name, **BROWSER) for content, name in (
        (b"x" * 11, "a"), (b"", ""), (b"x", "<b>&.txt"), (b"x", "b")))

    assert [answer.status_code for answer in (large, empty, good, late)] == [413, 400, 200, 404]
    assert all(answer.headers["Content-Type"] == "text/html; charset=utf-8" for answer in (large, empty, good, late))
    assert "<bdi>&lt;b&gt;&amp;.txt</bdi>, 1 byte" in good.text
    assert "File is too large" in large.text and "No file in the request" in empty.text


def command_for(program, link):
    """Return how the page of a link says to use it without a browser."""
    commands = re.findall("<pre.*?>(.*?)</pre>", requests.get(link, headers=BROWSER).text)
    return next(html.unescape(command) for command in commands if command.startswith(program))


def run(command, folder):
    return subprocess.run(command, cwd=folder, shell=True, capture_output=True, timeout=30, check=True).stdout


@pytest.mark.parametrize("program, name, saved", [
    pytest.param(*row, marks=pytest.mark.skipif(is_missing(row[0]), reason="needs " + row[0])) for row in [
        ("curl", "photo.jpg", "photo.jpg"), ("curl", "Übung “1”.txt", "Ubung _1_.txt"),
        ("curl", "%41&$(id).txt", "_41&$(id).txt"),
        ("wget", "photo.jpg", "photo.jpg"), ("wget", "Übung “1”.txt", "Übung “1”.txt"),
        ("wget", "%2e%2e%2f$(id).txt", "..%2F$(id).txt"),
    ]
])
def test_a_file_comes_as_the_page_says_without_a_browser(alice, bucket, tmp_path, program, name, saved):
    link = share(alice, bucket, store(alice, bucket, b"photo", name))

    run(command_for(program, link), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [saved]
    assert (tmp_path / saved).read_bytes() == b"photo"


@pytest.mark.skipif(is_missing("curl"), reason="needs curl")
@pytest.mark.parametrize("size", [5, 3_000_000])  # for the larger one curl expects "100 Continue"
def test_a_file_goes_as_the_page_says_without_a_browser(alice, bucket, tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "photo.jpg").write_bytes(content)

    told = json.loads(run(command_for("curl", invite(alice, bucket)), tmp_path))

    assert (told["filename"], told["hash"]) == ("photo.jpg", hash_of(content))


# What is sent, and what is told

@pytest.mark.parametrize("asked", [None, "bytes=0-9", f"bytes={SHARD}-{SHARD + 9}", "bytes=-5"])
def test_no_byte_is_sent_of_a_shard_that_is_damaged_anywhere(tmp_path, asked):
    with UsedBridge(tmp_path) as used:
        used.register()
        content = os.urandom(SHARD + SHARD // 2)
        account, bucket = used.account, used.bucket
        link = share(account, bucket, store(account, bucket, content))
        url = ticket(link)
        damaged = min(used.objects, key=lambda stored: len(stored.read_bytes()))
        flip_a_byte(damaged)

        try:
            answer = fetch(url, asked)
            status, came = answer.status_code, answer.content
        except requests.exceptions.RequestException as error:
            status, came = None, None
            assert "IncompleteRead" in str(error) or "Connection" in str(error)

        if asked == "bytes=0-9":
            assert (status, came) == (206, content[:10])
        elif asked is None:
            assert status is None
        else:
            assert status == 410
        assert fetch(url, "bytes=-1").status_code == 410
        store(account, bucket, content)
        assert fetch(ticket(share(account, bucket, hash_of(content)))).content == content


def test_no_link_is_in_what_python_shows_of_a_request():
    call = Call(None, "GET", b"/links/secret", b"", {"x-token": "secret"}, {"token": "secret"}, "::1", None, {})

    assert "secret" not in repr(call)


def test_no_link_and_no_ticket_reaches_the_log(alice, bucket, caplog):
    caplog.set_level(logging.DEBUG)
    link, back = share(alice, bucket, store(alice, bucket, b"photo")), invite(alice, bucket)
    url = ticket(link, ONCE)
    secrets = [token_of(link), token_of(back), url.split("/")[-2], ONCE]

    for call in (lambda: fetch(url), lambda: follow(link), lambda: requests.get(link), lambda: send(back, b"x"),
                 lambda: send(back, b"x"), lambda: fetch(url + "x", "bytes=9-")):
        call()

    ours = [record for record in caplog.records if record.name.startswith("pymdc.bridge")]
    told = "\n".join(str({**vars(record), "message": record.getMessage()}) for record in ours)
    assert "/links/{token}" in told and "/links/{token}/{name}" in told
    assert not [secret for secret in secrets if secret in told]
