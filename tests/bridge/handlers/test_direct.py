"""Direct transfers over the wire: one request up, one request down."""

import os

import pytest
import requests

from pymdc.conformance.world import long_form
from raw import Connection, request, talk
from wire import Signed, Wire, fresh_nonce, get, hash_of, put, race, stranger

CONTENT = b"Hello Metadisk!\n"
MIB = 1024 * 1024
SHARD = 8 * MIB


@pytest.fixture
def guest(alice, bucket, local):
    """Somebody without an account, whose key the bucket lists."""
    guest = stranger(local.url)
    answer = alice.signed.patch("/buckets/" + bucket, {"pubkeys": [alice.key, guest.key_pair.get_public_key()]})
    assert answer.status_code == 200
    return guest


def test_every_answer_says_that_transfers_can_be_direct(wire, alice):
    answers = [wire.send("HEAD", "/"), wire.get("/nowhere"), wire.get("/keys"), alice.signed.get("/buckets")]

    assert [answer.headers.get("x-metadisk") for answer in answers] == ["direct"] * 4


def test_who_owns_a_bucket_or_is_listed_by_it_stores_and_reads_in_one_request_each(alice, bucket, guest):
    for number, asker in enumerate((alice.signed, alice.basic, guest)):
        content = CONTENT + bytes([number])

        stored = put(asker, bucket, content, name=f"{number}.txt")
        fetched = get(asker, bucket, hash_of(content))

        assert (stored.status_code, stored.json()) == (200, {
            "bucket": bucket, "filename": f"{number}.txt", "mimetype": "text/plain", "size": len(content),
            "hash": hash_of(content), "created": stored.json()["created"],
        })
        assert (fetched.status_code, fetched.content) == (200, content)
        assert fetched.headers["content-type"] == "application/octet-stream"
        assert fetched.headers["etag"] == f'"{hash_of(content)}"'


def test_nobody_else_does(alice, bob, bucket, wire):
    file_hash = put(alice.signed, bucket, CONTENT).json()["hash"]
    said = [(404, "Bucket not found"), (404, "Bucket not found"), (401, "Public key not registered")]

    for ask in (lambda asker: put(asker, bucket, CONTENT), lambda asker: get(asker, bucket, file_hash)):
        answers = [ask(asker) for asker in (bob.signed, bob.basic, stranger(wire.url))]
        assert [(answer.status_code, answer.json()["error"]) for answer in answers] == said
    assert [put(wire, bucket, CONTENT).status_code, get(wire, bucket, file_hash).status_code] == [401] * 2


def test_an_upload_is_a_direct_one_however_its_size_is_written(alice, bucket):
    def upload(query):
        return alice.basic.send_as_written("PUT", f"/buckets/{bucket}/files?{query}", b"content").json()

    assert upload("%73ize=7&name=a")["hash"] == hash_of(b"content")
    assert upload("size") == {"error": "Parameter size is not a whole number, of at most 15 digits"}


def test_a_signature_is_good_once(alice, bucket):
    file_hash = put(alice.signed, bucket, CONTENT).json()["hash"]
    uploads = [alice.signed.send_again().status_code for _ in range(2)]
    get(alice.signed, bucket, file_hash)

    assert uploads == [401, 401]
    assert alice.signed.send_again().status_code == 401


def test_a_signature_over_the_body_or_over_another_query_does_not_hold(alice, bucket):
    path = f"/buckets/{bucket}/files"
    over_the_body = f"PUT\n{path}\n".encode() + CONTENT
    over_another = f"PUT\n{path}\nsize={len(CONTENT)}&name=b".encode()

    for message in (over_the_body, over_another):
        answer = alice.signed.send("PUT", f"{path}?size={len(CONTENT)}&name=a", body=CONTENT, message=message)
        assert (answer.status_code, answer.json()) == (401, {"error": "Invalid signature"})


def test_a_token_does_what_it_always_does(alice, bucket, wire):
    push, wrong = alice.token(bucket), alice.token(bucket, "PULL")

    stored = put(wire, bucket, CONTENT, {"x-token": push})
    assert stored.status_code == 200
    assert put(wire, bucket, CONTENT, {"x-token": push}).status_code == 401
    assert put(wire, bucket, CONTENT, {"x-token": wrong}).json() == {"error": "Not authorized to store in bucket"}

    pull = alice.token(bucket, "PULL")
    assert get(wire, bucket, stored.json()["hash"], x_token=pull).content == CONTENT
    assert get(wire, bucket, stored.json()["hash"], x_token=pull).status_code == 401


def test_a_token_for_something_else_is_none(alice, bucket, wire):
    other = alice.bucket()
    file_hash = put(alice.signed, bucket, CONTENT).json()["hash"]

    for push in (alice.token(bucket, "PULL"), alice.token(other)):
        answer = put(wire, bucket, CONTENT, {"x-token": push})
        assert (answer.status_code, answer.json()) == (401, {"error": "Not authorized to store in bucket"})
    for pull in (alice.token(bucket), alice.token(other, "PULL")):
        answer = get(wire, bucket, file_hash, x_token=pull)
        assert (answer.status_code, answer.json()) == (401, {"error": "Not authorized to retrieve from bucket"})


def test_head_spends_no_token(alice, bucket, wire):
    file_hash, pull = put(alice.signed, bucket, CONTENT).json()["hash"], alice.token(bucket, "PULL")

    head = wire.send("HEAD", f"/buckets/{bucket}/files/{file_hash}/content", headers={"x-token": pull})

    assert head.status_code == 405
    assert get(wire, bucket, file_hash, x_token=pull).content == CONTENT


def test_a_key_is_known_only_as_it_was_registered(alice, bucket):
    put(alice.signed, bucket, CONTENT)
    path, written = f"/buckets/{bucket}/files", {"x-pubkey": long_form(alice.key_pair)}

    answers = [alice.signed.send("PUT", f"{path}?size={len(CONTENT)}", CONTENT, **written),
               alice.signed.send("GET", f"{path}/{hash_of(CONTENT)}/content", **written)]

    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [
        (401, "Public key not registered")] * 2


def test_a_file_of_another_bucket_is_not_found(alice, bucket):
    file_hash = put(alice.signed, alice.bucket(), CONTENT).json()["hash"]

    answer = get(alice.signed, bucket, file_hash)

    assert (answer.status_code, answer.json()) == (404, {"error": "The requested file was not found"})


@pytest.mark.parametrize("name", ["Range", "If-Range"])
def test_a_header_that_chooses_the_bytes_is_not_sent_twice(alice, bucket, name):
    headers = [("x-token", alice.token(bucket, "PULL")), (name, "bytes=0-1"), (name, "bytes=2-3")]

    answer, = talk(alice.signed.url, request("GET", f"/buckets/{bucket}/files/{'0' * 40}/content", headers))

    assert (answer.status, answer.json()) == (400, {"error": f"Header sent twice: {name.lower()}"})


def test_a_token_wins_over_a_signature(alice, bucket):
    answer = put(alice.signed, bucket, CONTENT, {"x-token": "0" * 40})

    assert (answer.status_code, answer.json()) == (401, {"error": "Invalid or expired token"})


def test_a_form_wants_a_token_whoever_signs(alice, bucket):
    answer = alice.signed.send("PUT", f"/buckets/{bucket}/files", body=CONTENT, headers={"x-filesize": "16"})

    assert (answer.status_code, answer.json()) == (401, {"error": "Invalid or expired token"})


@pytest.mark.both_databases
def test_a_token_races_for_one_transfer(alice, bucket, wire):
    push = alice.token(bucket)

    statuses = race(8, lambda number: put(Wire(wire.url), bucket, bytes([number]), {"x-token": push}).status_code)

    assert sorted(statuses) == [200] + [401] * 7
    assert len(alice.signed.get(f"/buckets/{bucket}/files").json()) == 1


@pytest.mark.both_databases
def test_one_signed_request_races_for_one_transfer(alice, bucket):
    put(alice.signed, bucket, CONTENT)
    file_hash = hash_of(CONTENT)
    prepared = _prepared(Signed(alice.signed.url, alice.key_pair), f"/buckets/{bucket}/files/{file_hash}/content")

    statuses = race(8, lambda number: requests.Session().send(prepared, timeout=60).status_code)

    assert sorted(statuses) == [200] + [401] * 7


def _prepared(signed, path):
    """Return a signed request that nobody has sent."""
    signed.deliver = lambda request: None
    signed.get(path)
    return signed.last


def test_content_is_bound_by_its_hash(alice, bucket):
    right = put(alice.signed, bucket, CONTENT, hash=hash_of(CONTENT).upper())
    wrong = put(alice.signed, bucket, b"something else!!", hash=hash_of(CONTENT))

    assert right.status_code == 200
    assert (wrong.status_code, wrong.json()) == (400, {"error": "Content does not match the hash"})
    assert [file["hash"] for file in alice.signed.get(f"/buckets/{bucket}/files").json()] == [hash_of(CONTENT)]


def test_content_that_is_not_as_bound_leaves_its_room_to_others(alice):
    bucket = alice.bucket(storage=0.00001)
    content = os.urandom(6000)

    assert put(alice.signed, bucket, content, hash="0" * 40).status_code == 400
    assert put(alice.signed, bucket, content, hash=hash_of(content)).status_code == 200


@pytest.mark.parametrize("given, kept", [
    (None, "application/octet-stream"), ("Text/HTML; charset=utf-8", "text/html"),
    ("multipart/form-data; boundary=x", "multipart/form-data"), ("no type", "text/plain"),
])
def test_the_type_is_kept_without_parameters(alice, bucket, given, kept):
    answer = put(alice.signed, bucket, CONTENT, {"Content-Type": given})

    assert (answer.status_code, answer.json()["mimetype"]) == (200, kept)


@pytest.mark.parametrize("query, words", [
    ({"size": "1e3"}, "Parameter size is not a whole number, of at most 15 digits"),
    ({"size": "-1"}, "Parameter size is not a whole number, of at most 15 digits"),
    ({"size": str(2 ** 63)}, "Parameter size is not a whole number, of at most 15 digits"),
    ({"size": "\u0661\u0666"}, "Parameter size is not a whole number, of at most 15 digits"),
    ({"size": ""}, "Parameter size is not a whole number, of at most 15 digits"),
    ({"size": ["16", "16"]}, "Parameter given twice: size"),
    ({"name": ["", ""]}, "Parameter given twice: name"),
    ({str(number): "" for number in range(100)}, "The query is not percent-encoded UTF-8, of at most 100 parameters"),
    ({"size": "15"}, "Content-Length and size differ: the body of a direct upload is the file itself"),
    ({"hash": "abc"}, "Parameter hash is not 40 hex digits"),
    ({"name": b"\xff"}, "The query is not percent-encoded UTF-8, of at most 100 parameters"),
    ({"name": "a//b"}, "The file name has an empty part, or one that is . or .."),
    ({"name": "/a"}, "The file name has an empty part, or one that is . or .."),
    ({"name": "a/../b"}, "The file name has an empty part, or one that is . or .."),
    ({"name": "a\x85b"}, "The file name holds a control character, or one that turns the direction of text"),
    ({"name": "a\u202eb"}, "The file name holds a control character, or one that turns the direction of text"),
    ({"name": "a" * 256}, "The file name is longer than 1000 bytes, or a part of it than 255"),
    ({"name": "/".join(["a" * 200] * 6)}, "The file name is longer than 1000 bytes, or a part of it than 255"),
])
def test_what_is_announced_badly_is_named_and_spends_no_token(alice, bucket, wire, query, words):
    token = alice.token(bucket)

    answer = put(wire, bucket, CONTENT, {"x-token": token}, **query)

    assert (answer.status_code, answer.json()) == (400, {"error": words})
    assert put(wire, bucket, CONTENT, {"x-token": token}).status_code == 200


def test_names_have_folders_spaces_and_any_script(alice, bucket):
    names = ["photos/2016/cat.jpg", "a b.txt", "1+1=2 & more.txt", "h\u00e9llo w\u00f6rld/\u65e5\u672c.txt"]

    for number, name in enumerate(names):
        assert put(alice.signed, bucket, bytes([number]), name=name).json()["filename"] == name


def test_a_file_without_a_name_is_named_by_its_hash(alice, bucket):
    assert put(alice.signed, bucket, CONTENT).json()["filename"] == hash_of(CONTENT)


def test_a_body_without_a_length_is_refused(alice, bucket):
    answer = put(alice.signed, bucket, iter([CONTENT]), size=len(CONTENT))

    assert answer.status_code == 400
    assert "Content-Length and size differ" in answer.json()["error"]


def test_room_is_checked_before_the_body_is_read(alice):
    bucket, key = alice.bucket(storage=0.001), alice.key_pair
    target = f"/buckets/{bucket}/files?size={2 * MIB}&__nonce={fresh_nonce()}"
    path, _, query = target.partition("?")
    signature = key.sign(f"PUT\n{path}\n{query}".encode())

    with Connection(alice.signed.url) as connection:
        connection.send(f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * MIB}\r\nx-pubkey: {alice.key}\r\n"
                        f"x-signature: {signature}\r\n\r\n".encode())
        answer = connection.answer()

    assert answer.status == 413


RANGES = [
    ("bytes=0-3", 206, b"Hell", "bytes 0-3/16"),
    ("bytes=6-", 206, b"Metadisk!\n", "bytes 6-15/16"),
    ("bytes=-2", 206, b"!\n", "bytes 14-15/16"),
    ("bytes=10-999", 206, b"disk!\n", "bytes 10-15/16"),
    ("BYTES=0-3", 206, b"Hell", "bytes 0-3/16"),
    ("bytes=6-18446744073709551615", 206, b"Metadisk!\n", "bytes 6-15/16"),
    ("bytes=6-" + 5000 * "9", 200, CONTENT, None),
    ("bytes=-999", 200, CONTENT, None),
    ("bytes=0-", 200, CONTENT, None),
    ("bytes=0-1,4-5", 200, CONTENT, None),
    ("bytes=5-2", 200, CONTENT, None),
    ("lines=1-2", 200, CONTENT, None),
    ("bytes=", 200, CONTENT, None),
]


@pytest.mark.parametrize("asked, status, content, told", RANGES)
def test_one_range_of_a_file_can_be_asked_for(alice, bucket, asked, status, content, told):
    file_hash = put(alice.signed, bucket, CONTENT).json()["hash"]

    answer = get(alice.signed, bucket, file_hash, Range=asked)

    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, told)
    assert (answer.headers["content-length"], answer.headers["accept-ranges"]) == (str(len(content)), "bytes")


@pytest.mark.parametrize("asked", ["bytes=16-", "bytes=99-100", "bytes=18446744073709551615-", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(alice, bucket, asked):
    file_hash = put(alice.signed, bucket, CONTENT).json()["hash"]

    answer = get(alice.signed, bucket, file_hash, Range=asked)

    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */16")


def test_a_range_of_another_content_is_the_whole(alice, bucket):
    file_hash = put(alice.signed, bucket, CONTENT).json()["hash"]

    same = get(alice.signed, bucket, file_hash, Range="bytes=0-3", If_Range=f'"{file_hash}"')
    other = get(alice.signed, bucket, file_hash, Range="bytes=0-3", If_Range='"something else"')

    assert (same.status_code, same.content) == (206, b"Hell")
    assert (other.status_code, other.content) == (200, CONTENT)


def test_an_empty_file_comes_whole_whatever_range_is_asked_for(alice, bucket):
    file_hash = put(alice.signed, bucket, b"").json()["hash"]

    answer = get(alice.signed, bucket, file_hash, Range="bytes=0-99")

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_range_reaches_over_shards(alice, bucket):
    content = os.urandom(SHARD + 3 * MIB)
    file_hash = put(alice.signed, bucket, content).json()["hash"]

    for start, end in ((SHARD - 10, SHARD + 10), (SHARD, SHARD + 5), (SHARD + 5, SHARD + 9), (MIB, SHARD + 2 * MIB),
                       (0, len(content))):
        answer = get(alice.signed, bucket, file_hash, Range=f"bytes={start}-{end - 1}")
        assert answer.content == content[start:end]


def test_what_is_sent_is_charged_and_what_does_not_fit_is_refused(alice):
    bucket = alice.bucket(transfer=0.00002)
    file_hash = put(alice.signed, bucket, os.urandom(15_000)).json()["hash"]

    statuses = [get(alice.signed, bucket, file_hash, Range=asked).status_code
                for asked in ("bytes=0-9999", "", "bytes=0-9999", "bytes=0-0")]

    assert statuses == [206, 403, 206, 403]


def test_a_range_that_is_longer_than_its_file_is_charged_as_the_file(alice):
    bucket = alice.bucket(transfer=0.00002)
    file_hash = put(alice.signed, bucket, os.urandom(15_000)).json()["hash"]

    statuses = [get(alice.signed, bucket, file_hash, Range=asked).status_code
                for asked in ("bytes=-99999", "bytes=10000-99999", "bytes=0-0")]

    assert statuses == [200, 206, 403]


def test_pointers_need_no_token_of_who_may_ask_for_one(alice, guest, bob, bucket):
    file_hash = put(alice.signed, bucket, CONTENT).json()["hash"]
    path = f"/buckets/{bucket}/files/{file_hash}"

    for asker in (alice.signed, alice.basic, guest):
        pointer, = asker.get(path).json()
        shard = Wire(alice.signed.url).get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})
        assert shard.content == CONTENT
    assert bob.signed.get(path).status_code == 404
