"""What the clients of 2016 send, byte by byte, and the Node client of the time itself."""

import json
import os
import pathlib
import subprocess
import time
import uuid

import ecdsa
import pytest
import requests
import websocket

import npm
import raw
from wire import hash_of, multipart

HERE = pathlib.Path(__file__).parent
PHOTO = HERE.parent.parent / "docs" / "photo.jpg"
MIB = 1024 * 1024
CONTENT = b"Hello Metadisk!\n"

PYTHON = {
    "Connection": "close", "Accept-Encoding": "gzip, deflate", "Accept": "*/*", "User-Agent": "python-requests/2.9.1",
}
JSON = {"Content-Type": "application/json"}


def seconds(decimals):
    """Return a nonce as Python 2 wrote one: two decimals by str(), six by json.dumps()."""
    return f"{time.time():.{decimals}f}"


class Party:
    """An account whose requests are bytes.  Its key has signed nothing before: its nonces are to be seconds."""

    def __init__(self, account):
        self.account = account
        self.bucket = self.make_bucket()

    def make_bucket(self):
        return self.account.basic.post("/buckets").json()["id"]

    def signed(self, method, target, body=b"", headers=PYTHON, spelled=str, written=str, sign=None):
        """Return a signed request; *spelled* changes the headers' names, *written* the signature."""
        path, _, query = target.partition("?")
        text = f"{method}\n{path}\n".encode() + (body or query.encode())
        signature = (sign or self.account.key_pair.sign)(text)
        headers = {**headers, "x-pubkey": self.account.key, "x-signature": written(signature)}
        return raw.request(method, target, {spelled(name): value for name, value in headers.items()}, body)

    def upload(self, body, content_type, size=len(CONTENT), **headers):
        token = self.account.basic.post(f"/buckets/{self.bucket}/tokens", {"operation": "PUSH"}).json()["token"]
        given = {**PYTHON, "Content-Type": content_type, "x-token": token, "x-filesize": size}
        return raw.request("PUT", f"/buckets/{self.bucket}/files", {**given, **headers}, body)

    def sign_high(self, text):
        """Sign as half of the clients do, with an S above half of the order."""
        order, pair = ecdsa.SECP256k1.order, self.account.key_pair
        r, s = ecdsa.util.sigdecode_der(bytes.fromhex(pair.sign(text)), order)
        return ecdsa.util.sigencode_der(r, max(s, order - s), order).hex()


@pytest.fixture
def party(alice):
    return Party(alice)


@pytest.fixture
def ask(local):
    """Send one request and return its one answer."""
    def ask(data):
        answer, = raw.talk(local.url, data)
        return answer
    return ask


def test_calls_within_ten_milliseconds_share_a_nonce_in_seconds_and_both_pass(party, ask):
    nonce = seconds(2)

    answers = [ask(party.signed("GET", f"{path}?__nonce={nonce}")) for path in ("/keys", "/buckets")]

    assert [answer.status for answer in answers] == [200, 200]


def test_a_body_carries_a_nonce_in_seconds_with_six_decimals(party, ask):
    body = b'{"storage": 10, "transfer": 30, "name": "photos", "__nonce": %s}' % seconds(6).encode()

    answer = ask(party.signed("POST", "/buckets", body, {**PYTHON, **JSON}))

    assert (answer.status, answer.json()["name"]) == (200, "photos")


def test_a_get_in_seconds_may_come_after_a_post_whose_nonce_is_a_little_higher(party, ask):
    moment = int(time.time())

    later = ask(party.signed("POST", "/buckets", b'{"__nonce": %d.249999}' % moment, {**PYTHON, **JSON}))
    cut = ask(party.signed("GET", f"/buckets?__nonce={moment}.24"))

    assert (later.status, cut.status) == (200, 200)


@pytest.mark.parametrize("method, target, status", [("GET", "/buckets", 200), ("DELETE", "/buckets/{0}", 204)])
@pytest.mark.parametrize("headers", [
    {**PYTHON, **JSON},
    {**PYTHON, **JSON, "Content-Length": "0"},
    {"accept": "application/json", "connection": "close"},
    {"accept": "application/json", "content-type": "application/json", "connection": "keep-alive"},
    {"User-Agent": "curl/7.43.0", "Accept": "*/*"},
    {"Connection": "keep-alive", "Keep-Alive": "300", "Pragma": "no-cache", "Cookie": "session=of%20a%20browser"},
], ids=["python", "with length", "node", "node with type", "curl", "browser"])
def test_the_headers_of_the_time_do_not_matter(party, ask, method, target, status, headers):
    target = target.format(party.make_bucket())

    answer = ask(party.signed(method, f"{target}?__nonce={seconds(2)}", headers=headers))

    assert answer.status == status, answer


@pytest.mark.parametrize("spelled", [str.lower, str.upper, str.title], ids=["lower", "upper", "title"])
def test_a_header_is_known_in_any_case(party, ask, spelled):
    assert ask(party.signed("GET", f"/keys?__nonce={seconds(2)}", spelled=spelled)).status == 200


@pytest.mark.parametrize("method, target, body", [
    ("GET", "/keys?__nonce={0}", ""),
    ("POST", "/buckets", '{{"__nonce": {0}}}'),
    ("DELETE", "/keys/{1}?__nonce={0}", ""),
], ids=["GET", "POST", "DELETE"])
@pytest.mark.parametrize("written", [str.lower, str.upper], ids=["lower", "upper"])
@pytest.mark.parametrize("high", [False, True], ids=["low S", "high S"])
def test_a_signature_is_known_in_either_case_and_with_either_s(party, ask, method, target, body, written, high):
    target, body = (text.format(seconds(6), party.account.key) for text in (target, body))
    sign = party.sign_high if high else party.account.key_pair.sign

    answer = ask(party.signed(method, target, body.encode(), written=written, sign=sign))

    assert answer.status == 200, answer


def test_a_request_of_http_1_0_is_answered_and_the_connection_closed(party, local):
    request = party.signed("GET", f"/buckets?__nonce={seconds(2)}", headers={}).replace(b"HTTP/1.1", b"HTTP/1.0")

    with raw.Connection(local.url) as connection:
        connection.send(request)
        answers = connection.answers()

    assert [answer.status for answer in answers] == [200]


def form(boundary, fields, file, name="data", filename="hello.txt", end="\r\n"):
    """Return a multipart body: the fields, then the file."""
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
             for key, value in fields.items()]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    parts.append(head.encode() + b"Content-Type: text/plain\r\n\r\n" + file + b"\r\n")
    return b"".join(parts) + f"--{boundary}--{end}".encode()


def test_the_python_client_sends_nonce_and_id_before_the_file_and_its_whole_path(party, ask):
    boundary = "0bd4a5c1f35c4a0e9c5b8a1f6a3d7e29"
    fields = {"__nonce": seconds(2), "id": party.bucket}
    body = form(boundary, fields, CONTENT, filename="/home/alice/my photos/hello.txt")

    answer = ask(party.upload(body, f"multipart/form-data; boundary={boundary}"))

    assert answer.status == 200, answer
    assert answer.json() == {
        "bucket": party.bucket, "mimetype": "text/plain", "filename": "hello.txt", "size": len(CONTENT),
        "hash": hash_of(CONTENT), "created": answer.json()["created"],
    }


@pytest.mark.parametrize("boundary, content_type, end", [
    ("-" * 26 + "106127383837437463738492", "multipart/form-data; boundary={0}", ""),
    ("-" * 26 + "106127383837437463738492", "multipart/form-data; boundary={0}", "\r\n"),
    ("-" * 24 + "d74496d66958873e", "multipart/form-data; boundary={0}", "\r\n"),
    ("----WebKitFormBoundary7MA4YWxkTrZu0gW", "multipart/form-data; boundary={0}", "\r\n"),
    ("a quoted one", 'multipart/form-data; boundary="{0}"', "\r\n"),
    ("plain", "Multipart/Form-Data; charset=utf-8; Boundary={0}", "\r\n"),
], ids=["form-data of Node, no last line feed", "request of Node", "curl", "browser", "quoted", "odd case"])
@pytest.mark.parametrize("name", ["data", "file", "upload[]", "données"])
def test_a_form_is_read_however_its_client_writes_it(party, ask, boundary, content_type, end, name):
    answer = ask(party.upload(form(boundary, {}, CONTENT, name=name, end=end), content_type.format(boundary)))

    assert answer.status == 200, answer
    assert answer.json()["hash"] == hash_of(CONTENT)


def test_curl_is_told_to_go_on(party, local):
    request = party.upload(multipart(CONTENT), "multipart/form-data; boundary=----boundary7f3a", Expect="100-continue")
    head, _, body = request.partition(b"\r\n\r\n")

    with raw.Connection(local.url) as connection:
        connection.send(head + b"\r\n\r\n")
        assert connection.exactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(body)
        answer = connection.answer()

    assert (answer.status, answer.json()["hash"]) == (200, hash_of(CONTENT))


def test_curl_is_told_of_a_bad_token_instead(party, ask):
    request = party.upload(multipart(CONTENT), "multipart/form-data; boundary=----boundary7f3a", Expect="100-continue")
    again = request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    ask(request)

    answer = ask(again)

    assert (answer.status, answer.json()) == (401, {"error": "Invalid or expired token"})


def test_a_client_that_knows_only_the_data_channel_downloads_a_file_of_three_shards(alice):
    bucket_id, content = alice.bucket(), os.urandom(17 * MIB)

    pointers = alice.pointers(bucket_id, alice.upload(bucket_id, content)).json()
    shards = [fetch(pointer["channel"], pointer["token"], pointer["hash"]) for pointer in pointers]

    assert [hash_of(shard) for shard in shards] == [pointer["hash"] for pointer in pointers]
    assert [len(shard) for shard in shards] == [8 * MIB, 8 * MIB, MIB]
    assert b"".join(shards) == content


def fetch(channel, token, shard_hash):
    """Return one shard, as docs/protocol, "Data channel", has it."""
    connection = websocket.create_connection(channel, timeout=30)
    try:
        connection.send(json.dumps({"token": token, "hash": shard_hash, "operation": "PULL"}))
        shard = bytearray()
        while True:
            opcode, data = connection.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                assert data == b"\x03\xe8"
                return bytes(shard)
            assert opcode == websocket.ABNF.OPCODE_BINARY
            shard += data
    finally:
        connection.close()


@pytest.fixture(scope="module")
def node_client():
    """The Node client, a folder.  It is kept from run to run."""
    return npm.package("metadisk-client", "0.1.1")


@pytest.fixture(scope="module")
def given(node_client, local):
    """What each call of the Node client gave."""
    email = f"{uuid.uuid4().hex}@example.com"
    command = ["node", str(HERE / "client_of_2016.js"), str(node_client), local.url, email]
    registered = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60)
    requests.get(f"{local.url}/activations/{local.activation_token(email)}", timeout=30).raise_for_status()
    used = subprocess.run([*command, str(PHOTO)], stdout=subprocess.PIPE, check=True, timeout=60)
    return {"email": email, **json.loads(registered.stdout), **json.loads(used.stdout)}


def test_the_node_client_reads_the_description(given):
    assert given["info"]["info"]["title"] == "Metadisk Bridge"


def test_the_node_client_registers_an_account_and_a_key(given):
    key = {"user": given["email"], "key": given["key"], "id": given["key"]}

    assert (given["registered"]["email"], given["registered"]["activated"]) == (given["email"], False)
    assert given["added"] == key
    assert given["keys"] == [key]
    assert given["deleted key"] == "empty"
    assert given["keys afterwards"] == []


def test_the_node_client_makes_changes_and_deletes_buckets(given):
    bucket = given["bucket"]

    assert (bucket["name"], bucket["storage"], bucket["transfer"]) == ("made in 2016", 5, 7)
    assert bucket["pubkeys"] == [given["key"]]
    assert given["buckets"] == [given["bucket of a password"], bucket]
    assert given["updated"] == given["read"] == {**bucket, "name": "renamed"}
    assert given["deleted bucket"] == "empty"
    assert given["buckets afterwards"] == [given["bucket of a password"]]


def test_the_node_client_stores_a_file_and_gets_its_pointers(given):
    stored, file_hash = given["stored"], hash_of(PHOTO.read_bytes())

    assert (given["push"]["operation"], given["pull"]["operation"]) == ("PUSH", "PULL")
    assert (stored["filename"], stored["size"], stored["hash"]) == ("photo.jpg", PHOTO.stat().st_size, file_hash)
    assert given["files"] == [stored]
    assert [(pointer["hash"], pointer["operation"]) for pointer in given["pointers"]] == [(file_hash, "PULL")]
    assert given["spent"] == {"failed": "Invalid or expired token"}
