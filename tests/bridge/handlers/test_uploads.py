"""Uploads over the wire: what is read, what is kept, what is left of what was refused."""

import json
import os

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

import pymdc
import raw
from pymdc.bridge import LocalBridge
from pymdc.bridge.request.multipart import FileReader
from pymdc.bridge.refusal import Refusal
from recordings import vectors
from wire import BOUNDARY, ending, hash_of, multipart, part, race

MIB = 1024 * 1024
LARGE = b"f" * 20_000  # for the store, and not for the database
RECORDED = {exchange["case"]: exchange for exchange in vectors("exchanges.json")["exchanges"]}


@pytest.fixture
def bucket(alice):
    return "/buckets/" + alice.bucket()


@pytest.fixture
def put(alice, bucket):
    def put(body, size, **options):
        return alice.nobody.put(bucket + "/files", body, alice.token(bucket[9:]), size, **options)
    return put


RECORDED_NAMES_AND_TYPES = [
    "mime inode/x-empty", "mime unknown foo/bar", "mime absent (no Content-Type in part)", "mime with charset",
    "mime empty string", "mime text/x-python", "mime application/x-gzip", "field name file", "field name empty",
    "filename empty", "filename with path", "filename windows path", "filename utf8", "filename with quotes escaped",
    "no filename but octet-stream content type", "two file parts (first wins?)",
    "text field before file (pymdc id field)", "text field after file", "upload empty file",
]


@pytest.mark.parametrize("case", RECORDED_NAMES_AND_TYPES)
def test_a_recorded_upload_is_stored_as_it_was(put, case):
    recorded = RECORDED[case]
    answer = json.loads(list(recorded["answers"].values())[-1]["body"])

    stored = put(recorded["request_body"].encode(), answer["size"])

    assert stored.status_code == 200, stored.text
    assert {**stored.json(), "bucket": None} == {**answer, "bucket": None, "created": stored.json()["created"]}


def test_a_name_as_rfc_5987_is_understood(put):
    body = part(b"x", filename=None).replace(b'name="data"', b"name=\"data\"; filename*=utf-8''h%C3%A9.txt") + ending()

    assert put(body, 1).json()["filename"] == "h\u00e9.txt"


def test_a_chunked_upload_is_stored(put):
    body = multipart(b"chunked")

    assert put(iter([body[:20], body[20:]]), 7).json()["hash"] == hash_of(b"chunked")


@pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 17 * MIB])
def test_a_file_is_cut_into_shards_of_8_mib(alice, size):
    bucket_id, content = alice.bucket(), os.urandom(size)

    file_hash = alice.upload(bucket_id, content)
    pointers = alice.pointers(bucket_id, file_hash).json()

    assert [pointer["size"] for pointer in pointers] == [
        min(8 * MIB, size - start) for start in range(0, size, 8 * MIB)
    ]
    assert b"".join(requests.get(pointer["url"], headers={"x-token": pointer["token"]}).content
                    for pointer in pointers) == content


@pytest.mark.parametrize("body, size, text", [
    (part(b"x" * 70000, "note") + multipart(LARGE), len(LARGE), "longer than 65536"),
    (b"".join(part(b"x", f"n{number}") for number in range(18)) + multipart(LARGE), len(LARGE), "More than 16 fields"),
    (multipart(LARGE, filename="x" * 256), len(LARGE), "longer than 255"),
    (multipart(LARGE, filename="a\x01b"), len(LARGE), "control character"),
    (multipart(LARGE).replace(b"file.bin", b"\xff\xfe"), len(LARGE), "not UTF-8"),
    (b"no multipart at all", 1, "not valid multipart"),
    (b"", 0, "Unexpected end"),
    (ending(), 0, "No file"),
    (multipart(LARGE)[:-8], len(LARGE), "Unexpected end"),
    (multipart(LARGE).replace(b"Content-Type", b"Content Type"), len(LARGE), "not valid multipart"),
    (part(b"", mimetype="x/" + "y" * 70000) + ending(), 0, "header size"),
])
def test_a_malformed_upload_is_refused_and_nothing_is_kept(alice, bucket, put, local, body, size, text):
    before = objects(local)

    answer = put(body, size)

    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert alice.signed.get(bucket + "/files").json() == []
    assert objects(local) == before


@pytest.mark.parametrize("declared, text", [
    (0, "File size exceeds declared size"),
    (8 * MIB, "File size exceeds declared size"),
    (9 * MIB - 1, "File size exceeds declared size"),
    (9 * MIB + 1, "File does not match the declared size"),
])
def test_a_wrong_size_leaves_no_shard_behind(put, local, declared, text):
    before = objects(local)

    answer = put(multipart(os.urandom(9 * MIB)), declared)

    assert (answer.status_code, answer.json()) == (400, {"error": text})
    assert objects(local) == before


def test_a_file_that_is_too_long_ends_at_the_declared_size_and_not_with_its_body(alice, bucket, local):
    head = raw.request("PUT", bucket + "/files", {
        "x-token": alice.token(bucket[9:]), "x-filesize": 5, "Content-Length": 10**9,
        "Content-Type": "multipart/form-data; boundary=" + BOUNDARY,
    })

    with raw.Connection(local.url) as connection:
        connection.send(head + multipart(b"x" * 2 * MIB)[:-20])
        answer = connection.answer()

    assert (answer.status, answer.json()) == (400, {"error": "File size exceeds declared size"})


def objects(local):
    return {path for path in (local.outbox.parent / "shards").glob("*/*")}


@pytest.mark.parametrize("end", [ending(), b"--" + BOUNDARY.encode() + b"--\r\n", b"\r\n" + ending()])
def test_what_follows_the_end_is_bounded(alice, bucket, end):
    body = end + b"x" * 3_000_000

    answer = alice.nobody.put(bucket + "/files", body, alice.token(bucket[9:]), 0)

    assert answer.status_code == 400


def test_a_boundary_in_the_content_is_content(alice):
    content = b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n-" + b"\r\n" * 70000
    bucket_id = alice.bucket()

    assert alice.upload(bucket_id, content) == hash_of(content)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=50), st.booleans())
def test_however_it_is_cut_the_same_file_is_read(content, cuts, with_field):
    body = (part(b"x", "note") if with_field else b"") + multipart(content)
    kept = Kept()
    reader = FileReader("multipart/form-data; boundary=" + BOUNDARY, kept)

    for cut in cuts:
        reader.feed(body[:cut])
        body = body[cut:]
    reader.feed(body)
    reader.finish()

    assert bytes(kept.content) == content


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(body):
    reader = FileReader("multipart/form-data; boundary=" + BOUNDARY, Kept())
    try:
        reader.feed(b"--" + BOUNDARY.encode() + b"\r\n" + body)
        reader.finish()
    except Refusal as refusal:
        assert refusal.status == 400


class Kept:
    def __init__(self):
        self.content = bytearray()

    def begin(self, filename, mimetype):
        self.name = filename, mimetype

    def write(self, data):
        self.content += data


def test_shared_shards_live_until_the_last_file_that_holds_them_is_deleted(alice, bob, local):
    content, before = os.urandom(9 * MIB), objects(local)
    first, second = alice.bucket(), bob.bucket()

    file_hash = alice.upload(first, content)
    shared = objects(local) - before
    assert bob.upload(second, content) == file_hash
    newest = objects(local) - before
    assert len(shared) == len(newest) == 2 and not shared & newest  # what has come last is what is kept

    assert alice.signed.delete(f"/buckets/{first}/files/{file_hash}").status_code == 204
    assert len(bob.pointers(second, file_hash).json()) == 2
    assert objects(local) - before == newest

    assert bob.signed.delete(f"/buckets/{second}").status_code == 204
    assert objects(local) == before


@pytest.mark.both_databases
def test_of_racing_requests_with_one_token_one_passes(alice, bucket):
    token = alice.token(bucket[9:])

    answers = race(50, lambda _: alice.nobody.put(bucket + "/files", multipart(b"x"), token, 1).status_code)

    assert sorted(answers) == [200] + [401] * 49


def test_storage_and_transfer_are_limits(alice):
    bucket_id = alice.bucket(storage=0.00001, transfer=0.00001)  # 10 000 bytes each

    file_hash = alice.upload(bucket_id, b"x" * 6000)
    refused = alice.nobody.put(f"/buckets/{bucket_id}/files", multipart(b"y" * 6000), alice.token(bucket_id), 6000)
    assert refused.status_code == 413
    assert refused.json()["error"] == "Bucket storage exceeded: 6000 bytes do not fit beside 6000 of 10000"

    pointer, = alice.pointers(bucket_id, file_hash).json()
    assert requests.get(pointer["url"], headers={"x-token": pointer["token"]}).status_code == 200
    refused = alice.pointers(bucket_id, file_hash)
    assert refused.status_code == 403
    assert refused.json()["error"] == "Bucket transfer exceeded: 6000 bytes do not fit beside 6000 of 10000"


def test_a_shard_token_opens_its_shard_three_times(alice):
    bucket_id = alice.bucket()
    pointer, = alice.pointers(bucket_id, alice.upload(bucket_id, b"shard")).json()
    headers = {"x-token": pointer["token"]}

    other = requests.get(pointer["url"].replace(pointer["hash"], "0" * 40), headers=headers)
    assert (other.status_code, other.json()) == (401, {"error": "Token not valid for hash"})
    assert [requests.get(pointer["url"], headers=headers).status_code for _ in range(4)] == [200, 200, 200, 401]


def test_a_bridge_that_is_restarted_knows_all_it_knew(tmp_path):
    with LocalBridge(tmp_path) as bridge:
        client = pymdc.Client(bridge.url)
        user = pymdc.api.Users("alice@example.com", "password", client=client)
        user.register()
        user.activate(bridge.activation_token("alice@example.com"))
        pair = pymdc.keypair.ECDSA()
        pymdc.api.Keys(user).create(pair)
        bucket = pymdc.api.Buckets(pair, client=client).create("photos", 1, 1, [pair])
        files = pymdc.api.Files(bucket, pair, client=client)
        token, spent = files.token("PUSH"), files.token("PUSH")
        uploaded = files.upload(__file__, spent)

    with LocalBridge(tmp_path) as bridge:
        client = pymdc.Client(bridge.url)
        files = pymdc.api.Files(bucket, pair, client=client)
        known = [{**bucket, "used": {"storage": max(4096, uploaded["size"]), "transfer": 0}}]
        assert pymdc.api.Buckets(pair, client=client).list() == known
        assert files.list() == [uploaded]
        assert files.download(uploaded, str(tmp_path / "copy"))["hash"] == uploaded["hash"]
        assert files.upload(__file__, spent) == {"error": "Invalid or expired token"}
        assert files.upload(__file__, token)["hash"] == uploaded["hash"]
