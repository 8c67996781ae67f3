"""What the servers of 2016 refused, our bridge refuses, in the same words and with the status that fits."""

import binascii
import json
import urllib.parse
import uuid

import ecdsa
import pytest

import pymdc
from recordings import vectors
from wire import Basic, Signed, fresh_nonce, multipart, part, stranger

RECORDED = {exchange["case"]: exchange for exchange in vectors("exchanges.json")["exchanges"]}
BAD_ID = "ffffffffffffffffffffffff"
NO_HASH = "0" * 40
CONTENT = b"Hello Metadisk!\n"
PASSWORD = "4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631"


class World:
    """Alice with a bucket and a file in it, Bob, and a stranger."""

    def __init__(self, local, wire, alice, bob):
        self.local, self.nobody, self.alice, self.bob = local, wire, alice, bob
        self.stranger = stranger(wire.url)
        self.bucket = "/buckets/" + alice.bucket()
        self.bucket_id = self.bucket.rsplit("/", 1)[1]
        self.other = "/buckets/" + alice.bucket()

    def register(self, **fields):
        email = f"{uuid.uuid4().hex}@example.com"
        return self.nobody.post("/users", {"email": email, "password": PASSWORD, **fields})

    def put(self, size=len(CONTENT), token=None, bucket=None, body=None, **headers):
        token = self.alice.token(self.bucket_id) if token is None else token
        path = (bucket or self.bucket) + "/files"
        return self.nobody.put(path, body or multipart(CONTENT), token, size, headers=headers)

    def pull(self, file_hash=NO_HASH, token=None, bucket=None):
        token = self.alice.token(self.bucket_id, "PULL") if token is None else token
        headers = {"x-token": token} if token else {}
        return self.nobody.get(f"{bucket or self.bucket}/files/{file_hash}", headers=headers)

    def inactive(self, key=None):
        """Register somebody who does not follow the link."""
        email = self.register(**({"pubkey": key} if key else {})).json()["email"]
        return Basic(self.nobody.url, email, PASSWORD)

    def used_link(self):
        email = self.register().json()["email"]
        path = "/activations/" + self.local.activation_token(email)
        self.nobody.get(path)
        return path

    def spent(self, operation="PUSH"):
        token = self.alice.token(self.bucket_id, operation)
        self.put(token=token) if operation == "PUSH" else self.pull(token=token)
        return token

    def signed_as(self, change):
        """Send a request of Alice's with her signature changed."""
        query = f"__nonce={fresh_nonce()}"
        signature = self.alice.key_pair.sign("GET\n/keys\n" + query)
        return self.alice.nobody.get("/keys?" + query, headers={
            "x-pubkey": self.alice.key, "x-signature": change(signature),
        })

    def uncompressed(self):
        """Bob registers an uncompressed key; he who signs with it as compressed is somebody else."""
        pair = pymdc.keypair.ECDSA()
        long = pair._verifying_key.to_string("uncompressed").hex()
        assert self.bob.basic.post("/keys", {"key": long}).status_code == 200
        return Signed(self.nobody.url, pair)

    def listed(self, key):
        self.alice.signed.patch(self.bucket, {"pubkeys": [key]})
        return Signed(self.nobody.url, self.bob.key_pair)

    def nonce_after(self, nonce):
        """Send a nonce that is too far below the one that came before."""
        self.alice.signed.get("/buckets")
        return self.alice.signed.get("/buckets", nonce=nonce)

    def deleted_bucket(self):
        bucket_id = self.alice.bucket()
        token = self.alice.token(bucket_id)
        self.alice.signed.delete("/buckets/" + bucket_id)
        return "/buckets/" + bucket_id, token

    def put_into_deleted_bucket(self):
        bucket, token = self.deleted_bucket()
        return self.put(bucket=bucket, token=token)

    def inactive_signature(self):
        pair = pymdc.keypair.ECDSA()
        self.inactive(pair.get_public_key())
        return Signed(self.nobody.url, pair).get("/buckets")


def raw(signature):
    order = ecdsa.SECP256k1.order
    return ecdsa.util.sigencode_string(*ecdsa.util.sigdecode_der(binascii.unhexlify(signature), order), order).hex()


# The case, as recorded; our status; the request.
CASES = [
    ("user create duplicate", 400, lambda w: w.register(email=w.alice.email)),
    ("user create password not sha256 hex", 400, lambda w: w.register(password="secret")),
    ("user create bad email", 400, lambda w: w.register(email="not-an-email")),
    ("user create missing email", 400, lambda w: w.nobody.post("/users", {"password": PASSWORD})),
    ("user create with pubkey already registered", 400, lambda w: w.register(pubkey=w.alice.key)),
    ("inactive user basic auth", 401, lambda w: w.inactive().get("/keys")),
    ("inactive user, key registered at signup", 401, lambda w: w.inactive_signature()),
    ("activation bad token", 400, lambda w: w.nobody.get("/activations/" + "0" * 64)),
    ("activation short token", 400, lambda w: w.nobody.get("/activations/test")),
    ("activation same token again", 400, lambda w: w.nobody.get(w.used_link())),
    ("activation as pymdc sends (query nonce)", 400, lambda w: w.nobody.get("/activations/test?__nonce=1458599821.24")),
    ("basic wrong password", 401, lambda w: Basic(w.nobody.url, w.alice.email, "0" * 64).get("/keys")),
    ("basic plaintext password", 401, lambda w: Basic(w.nobody.url, w.alice.email, "secret").get("/keys")),
    ("basic unknown user", 401, lambda w: Basic(w.nobody.url, "nobody@example.com", PASSWORD).get("/keys")),
    ("no auth", 401, lambda w: w.nobody.get("/keys")),
    ("no auth buckets", 401, lambda w: w.nobody.get("/buckets")),
    ("keys add duplicate", 400, lambda w: w.alice.basic.post("/keys", {"key": w.alice.key})),
    ("keys add key of another user", 400, lambda w: w.alice.basic.post("/keys", {"key": w.bob.key})),
    ("keys delete unknown", 404, lambda w: w.alice.basic.delete("/keys/02" + "1" * 64)),
    ("keys delete again", 404, lambda w: [w.alice.basic.delete("/keys/" + w.alice.key) for _ in "12"][1]),
    ("keys delete other user", 404, lambda w: w.alice.basic.delete("/keys/" + w.bob.key)),
    ("keys POST no auth", 401, lambda w: w.nobody.post("/keys", {"key": "x"})),
    ("sig no nonce (GET, empty query)", 401, lambda w: w.alice.signed.get("/keys", nonce=None)),
    ("sig GET, no query, signed as METHOD\\nPATH\\nnull", 401,
     lambda w: w.alice.signed.get("/keys", nonce=None, message=b"GET\n/keys\nnull")),
    ("nonce zero", 401, lambda w: w.nonce_after(0)),
    ("nonce negative", 401, lambda w: w.nonce_after(-5)),
    ("nonce seconds after milliseconds", 401, lambda w: w.nonce_after(1795355380)),
    ("nonce true body", 401, lambda w: w.alice.signed.post("/buckets", nonce=True)),
    ("sig with compressed form of key registered uncompressed", 401, lambda w: w.uncompressed().get("/keys")),
    ("unregistered key", 401, lambda w: w.stranger.get("/keys")),
    ("bad signature (other key)", 401,
     lambda w: w.alice.signed.get("/keys", **{"x-signature": w.bob.key_pair.sign("GET\n/keys\n")})),
    ("bad signature (not hex)", 401, lambda w: w.signed_as(lambda signature: "zz")),
    ("bad signature (odd hex)", 401, lambda w: w.signed_as(lambda signature: signature[:-1])),
    ("bad pubkey header (garbage)", 401, lambda w: w.alice.signed.get("/keys", **{"x-pubkey": "zz"})),
    ("only x-pubkey", 401, lambda w: w.nobody.get("/keys", headers={"x-pubkey": w.alice.key})),
    ("pubkey header uppercase", 401, lambda w: w.alice.signed.get("/keys", **{"x-pubkey": w.alice.key.upper()})),
    ("query signed sorted but sent unsorted", 401,
     lambda w: w.alice.signed.get("/keys?b=2&a=1", nonce=None, message=b"GET\n/keys\na=1&b=2")),
    ("query with leading ? signed", 401,
     lambda w: w.alice.signed.get("/keys?__nonce=1", nonce=None, message=b"GET\n/keys\n?__nonce=1")),
    ("GET signed with JSON body, nonce in body", 401,
     lambda w: w.alice.signed.get("/keys", nonce=None, body=b'{"__nonce":1}', message=b'GET\n/keys\n{"__nonce":1}')),
    ("POST no nonce", 401, lambda w: w.alice.signed.post("/buckets", {"name": "x"}, nonce=None)),
    ("basic wrong + valid ecdsa", 401, lambda w: w.alice.signed.get("/keys", auth=(w.alice.email, "0" * 64))),
    ("bucket create bad storage", 400, lambda w: w.alice.signed.post("/buckets", {"storage": "lots"})),
    ("bucket create name object", 400, lambda w: w.alice.signed.post("/buckets", {"name": {"a": 1}})),
    ("bucket get not found", 404, lambda w: w.alice.signed.get("/buckets/" + BAD_ID)),
    ("bucket get other user", 404, lambda w: w.bob.signed.get(w.bucket)),
    ("bucket PATCH pubkeys invalid", 400, lambda w: w.alice.signed.patch(w.bucket, {"pubkeys": ["zzz"]})),
    ("bucket PATCH bad storage", 400, lambda w: w.alice.signed.patch(w.bucket, {"storage": "lots"})),
    ("bucket PATCH not found", 404, lambda w: w.alice.signed.patch("/buckets/" + BAD_ID, {"name": "x"})),
    ("bucket delete again", 404, lambda w: w.alice.signed.delete(w.deleted_bucket()[0])),
    ("bucket delete other user", 404, lambda w: w.bob.signed.delete(w.bucket)),
    ("token bad operation", 400, lambda w: w.alice.signed.post(w.bucket + "/tokens", {"operation": "FETCH"})),
    ("token lower-case operation", 400, lambda w: w.alice.signed.post(w.bucket + "/tokens", {"operation": "push"})),
    ("token missing operation", 400, lambda w: w.alice.signed.post(w.bucket + "/tokens")),
    ("token no auth", 401, lambda w: w.nobody.post(w.bucket + "/tokens", {"operation": "PULL"})),
    ("token unregistered key not listed", 404, lambda w: w.stranger.post(w.bucket + "/tokens", {"operation": "PULL"})),
    ("token other registered user (bob), not listed", 404,
     lambda w: w.bob.signed.post(w.bucket + "/tokens", {"operation": "PULL"})),
    ("token bad signature", 401,
     lambda w: w.alice.signed.post(w.bucket + "/tokens", {"operation": "PULL"}, message=b"else")),
    ("token bucket not found", 404, lambda w: w.alice.signed.post(f"/buckets/{BAD_ID}/tokens", {"operation": "PULL"})),
    ("missing x-filesize", 400, lambda w: w.put(size=None)),
    ("x-filesize not number", 400, lambda w: w.put(size="many")),
    ("x-filesize too small", 400, lambda w: w.put(size=3)),
    ("x-filesize too large", 400, lambda w: w.put(size=1000)),
    ("x-filesize 0 for non-empty", 400, lambda w: w.put(size=0)),
    ("missing token", 401, lambda w: w.nobody.put(w.bucket + "/files", multipart(CONTENT), size=len(CONTENT))),
    ("garbage token", 401, lambda w: w.put(token="0" * 64)),
    ("token second use", 401, lambda w: w.put(token=w.spent())),
    ("PULL token for PUT", 401, lambda w: w.put(token=w.alice.token(w.bucket_id, "PULL"))),
    ("token of other bucket", 401, lambda w: w.put(bucket=w.other)),
    ("bucket not found", 404, lambda w: w.put(bucket="/buckets/" + BAD_ID)),
    ("files list bucket not found", 404, lambda w: w.alice.signed.get(f"/buckets/{BAD_ID}/files")),
    ("files list other user", 404, lambda w: w.bob.signed.get(w.bucket + "/files")),
    ("pointers unknown hash", 404, lambda w: w.pull()),
    ("pointers file of other bucket", 404,
     lambda w: w.pull(w.alice.upload(w.other.rsplit("/", 1)[1], CONTENT))),
    ("pointers no token", 401, lambda w: w.pull(token="")),
    ("pointers garbage token", 401, lambda w: w.pull(token="0" * 64)),
    ("pointers PUSH token", 401, lambda w: w.pull(token=w.alice.token(w.bucket_id))),
    ("pointers token of other bucket", 401, lambda w: w.pull(bucket=w.other)),
    ("pointers token again", 401, lambda w: w.pull(token=w.spent("PULL"))),
    ("pointers with upper-case hash", 404, lambda w: w.pull(w.alice.upload(w.bucket_id, CONTENT).upper())),
    ("file delete unknown", 404, lambda w: w.alice.signed.delete(f"{w.bucket}/files/{NO_HASH}")),
    ("file delete other user", 404, lambda w: w.bob.signed.delete(f"{w.bucket}/files/{NO_HASH}")),
    ("files list of deleted bucket", 404, lambda w: w.alice.signed.get(w.deleted_bucket()[0] + "/files")),
    ("upload with token of deleted bucket", 404, lambda w: w.put_into_deleted_bucket()),
    ("use deleted key", 401, lambda w: (w.alice.basic.delete("/keys/" + w.alice.key), w.alice.signed.get("/keys"))[1]),
    ("body ends without closing boundary", 400, lambda w: w.put(body=part(CONTENT, filename="t.txt"))),
]

# Where ours says something else, since the old servers' words or silence made no sense.
OURS = [
    ("unknown route", 404, "Not found", lambda w: w.nobody.get("/nope")),
    ("user create password 63 hex", 400, "Password must be hex", lambda w: w.register(password=PASSWORD[:63])),
    ("user create missing password", 400, "Password must be hex", lambda w: w.register(password=None)),
    ("user create empty body", 400, "email", lambda w: w.nobody.send("POST", "/users", body=b"")),
    ("user create no body no CL", 400, "email", lambda w: w.nobody.send("POST", "/users")),
    ("user create invalid JSON", 400, "Body is not valid JSON",
     lambda w: w.nobody.send("POST", "/users", body=b"{not")),
    ("user create JSON null", 400, "not a JSON object", lambda w: w.nobody.send("POST", "/users", body=b"null")),
    ("user create with invalid pubkey", 400, "Invalid public key supplied", lambda w: w.register(pubkey="zz")),
    ("keys add invalid hex zz", 400, "Invalid public key supplied",
     lambda w: w.alice.basic.post("/keys", {"key": "zz"})),
    ("keys add not on curve", 400, "Invalid public key",
     lambda w: w.alice.basic.post("/keys", {"key": "02" + "f" * 64})),
    ("keys add short", 400, "Invalid public key", lambda w: w.alice.basic.post("/keys", {"key": "02abcd"})),
    ("keys add empty", 400, "Invalid public key", lambda w: w.alice.basic.post("/keys", {"key": ""})),
    ("keys add missing", 400, "Invalid public key", lambda w: w.alice.basic.post("/keys")),
    ("keys add same key compressed", 400, "Public key is already registered", lambda w: w.alice.basic.post(
        "/keys", {"key": w.alice.key_pair._verifying_key.to_string("uncompressed").hex()})),
    ("nonce UUID in query", 401, "Invalid nonce supplied",
     lambda w: w.alice.signed.get("/keys", nonce="7f0c0a3e-1d7c")),
    ("nonce non-numeric string body", 401, "Invalid nonce", lambda w: w.alice.signed.post("/buckets", nonce="abc")),
    ("bad signature (garbage hex)", 401, "Invalid signature", lambda w: w.signed_as(lambda signature: "deadbeef")),
    ("signature raw r||s (64 bytes)", 401, "Invalid signature", lambda w: w.signed_as(raw)),
    ("bucket get malformed id", 404, "Bucket not found", lambda w: w.alice.signed.get("/buckets/notanid")),
    ("bucket PATCH malformed", 404, "Bucket not found", lambda w: w.alice.signed.patch("/buckets/zzz", {"name": "x"})),
    ("bucket delete malformed", 404, "Bucket not found", lambda w: w.alice.signed.delete("/buckets/zzz")),
    ("bucket create negative storage", 400, "storage", lambda w: w.alice.signed.post("/buckets", {"storage": -5})),
    ("bucket create bad pubkeys", 400, "Invalid public key",
     lambda w: w.alice.signed.post("/buckets", {"pubkeys": ["x"]})),
    ("bucket create pubkeys string", 400, "pubkeys must be a list",
     lambda w: w.alice.signed.post("/buckets", {"pubkeys": "abc"})),
    ("bucket PATCH pubkeys string", 400, "pubkeys must be a list",
     lambda w: w.alice.signed.patch(w.bucket, {"pubkeys": w.stranger.key_pair.get_public_key()})),
    ("token owner key but not listed, stale nonce", 401, "Invalid nonce supplied",
     lambda w: w.alice.signed.post(w.bucket + "/tokens", {"operation": "PULL"}, nonce=5)),
    ("token unregistered key listed, no nonce", 401, "Invalid nonce supplied",
     lambda w: w.listed(w.bob.key).post(w.bucket + "/tokens", {"operation": "PULL"}, nonce=None)),
    ("token malformed bucket", 404, "Bucket not found",
     lambda w: w.alice.signed.post("/buckets/zzz/tokens", {"operation": "PULL"})),
    ("filename absent", 400, "No file in the request",
     lambda w: w.put(body=multipart(CONTENT, filename=None, mimetype=None))),
    ("filename very long", 400, "longer than 255 characters",
     lambda w: w.put(body=multipart(CONTENT, filename="n" * 256))),
    ("no file part", 400, "No file in the request", lambda w: w.put(body=multipart(b"x", "id", None, None))),
    ("x-filesize empty", 400, "Missing or invalid x-filesize", lambda w: w.put(size="")),
    ("x-filesize negative", 400, "Missing or invalid x-filesize", lambda w: w.put(size=-1)),
    ("bucket malformed", 404, "Bucket not found", lambda w: w.put(bucket="/buckets/zzz")),
    ("files list malformed", 404, "Bucket not found", lambda w: w.alice.signed.get("/buckets/zzz/files")),
    ("file delete bucket malformed", 404, "Bucket not found",
     lambda w: w.alice.signed.delete(f"/buckets/zzz/files/{NO_HASH}")),
    ("not multipart (application/json)", 400, "multipart/form-data",
     lambda w: w.put(**{"Content-Type": "application/json"})),
    ("multipart without boundary", 400, "boundary", lambda w: w.put(**{"Content-Type": "multipart/form-data"})),
    ("no content-type", 400, "multipart/form-data", lambda w: w.put(**{"Content-Type": None})),
]

# What they accepted, so does ours.
GOOD = [
    ("basic e-mail other case", lambda w: Basic(w.nobody.url, w.alice.email.upper(), w.alice.password).get("/keys")),
    ("user create password uppercase hex", lambda w: w.register(password=PASSWORD.upper())),
    ("user create no content-type", lambda w: w.register()),
    ("sig keys list", lambda w: w.alice.signed.get("/keys")),
    ("nonce float text in query", lambda w: w.alice.signed.get("/keys", nonce=f"{fresh_nonce()}.25")),
    ("nonce float in JSON body", lambda w: w.alice.signed.post("/buckets", nonce=fresh_nonce() + 0.5)),
    ("nonce numeric string in JSON body", lambda w: w.alice.signed.post("/buckets", nonce=str(fresh_nonce()))),
    ("signature uppercase hex", lambda w: w.signed_as(lambda signature: signature.upper())),
    ("query with %20: signed raw", lambda w: w.alice.signed.get("/keys?x=a%20b")),
    ("POST trailing slash, signed with it", lambda w: w.alice.signed.post("/buckets/", {"name": "slash"})),
    ("POST with query string: path only signed", lambda w: w.alice.signed.post("/buckets?x=1", {"name": "q"})),
    ("both basic and ecdsa (basic wins)",
     lambda w: w.alice.signed.get("/keys", nonce=None, auth=(w.alice.email, w.alice.password))),
    ("basic with empty password + valid ecdsa", lambda w: w.alice.signed.get("/keys", auth=(w.alice.email, ""))),
    ("bucket create name number", lambda w: w.alice.signed.post("/buckets", {"name": 123})),
    ("bucket create status Inactive (ignored?)", lambda w: w.alice.signed.post("/buckets", {"status": "Inactive"})),
    ("token with id param as pymdc", lambda w: w.alice.signed.post(
        w.bucket + "/tokens", {"id": w.bucket_id, "operation": "PUSH"})),
    ("token unregistered key listed in bucket", lambda w: (
        w.alice.signed.patch(w.bucket, {"pubkeys": [w.stranger.key_pair.get_public_key()]}),
        w.stranger.post(w.bucket + "/tokens", {"operation": "PULL"}))[1]),
    ("x-filesize float", lambda w: w.put(size="16.0")),
]


@pytest.fixture
def world(local, wire, alice, bob):
    return World(local, wire, alice, bob)


@pytest.mark.parametrize("case, status, request_of", CASES, ids=[case for case, _, _ in CASES])
def test_a_refusal_is_in_the_words_of_2016(world, case, status, request_of):
    recorded = list(RECORDED[case]["answers"].values())[-1]

    answer = request_of(world)

    assert answer.status_code == status
    assert answer.json()["error"].startswith(json.loads(recorded["body"])["error"])


@pytest.mark.parametrize("case, status, text, request_of", OURS, ids=[case for case, _, _, _ in OURS])
def test_what_made_no_sense_is_refused_in_our_words(world, case, status, text, request_of):
    answer = request_of(world)

    assert case in RECORDED
    assert answer.status_code == status
    assert text in answer.json()["error"]


@pytest.mark.parametrize("case, request_of", GOOD, ids=[case for case, _ in GOOD])
def test_what_was_accepted_is_accepted(world, case, request_of):
    answer = request_of(world)

    assert case in RECORDED
    assert answer.status_code == 200, answer.text


def test_options_is_answered_for_every_origin(wire):
    answer = wire.send("OPTIONS", "/buckets", headers={"Origin": "https://app.example"})

    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("vector", vectors("signatures.json")["vectors"], ids=lambda vector: vector["case"])
def test_the_signatures_of_2016_are_judged_as_the_servers_judged(wire, vector):
    path, headers = vector["path"], {"x-pubkey": vector["public_key"], "x-signature": vector["signature"]}
    if vector["method"] in ("GET", "DELETE"):
        answer = wire.send(vector["method"], path + "?" + vector["payload"], headers=headers)
    else:
        answer = wire.send(vector["method"], path, body=vector["payload"].encode(), headers=headers)

    accepted = answer.json()["error"] != "Invalid signature"
    assert accepted is (vector["signature_verdict"] == "accepted")
    assert urllib.parse.urlsplit(wire.last.url).path == path
