"""A file that somebody has by a link, once."""

import errno
import os
import socket
import types
import uuid

import pytest
import requests

from links import (
    BROWSER, GONE, ONCE, OTHER, SHARD, command_for, fetch, follow, retried, revoke, run, send, share, store, ticket,
    waiting,
)
from needed import is_missing
from pymdc.bridge.handlers.attachment import disposition
from pymdc.bridge.metadata.files import Part
from used_bridge import UsedBridge, flip_a_byte
from wire import hash_of, multipart, put, race

pytestmark = pytest.mark.both_databases


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
