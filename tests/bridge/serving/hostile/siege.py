"""A bridge in a process of its own, and two accounts; what it was asked, and all that it keeps."""

import base64
import contextlib
import json
import os
import sqlite3
import uuid

import pytest

import pymdc
import raw
from wire import BOUNDARY, Account, fresh_nonce, multipart

NO_BUCKET, NO_HASH, NO_KEY = "f" * 24, "0" * 40, "02" + "1" * 64
PASSWORD = "5" * 64
CONTENT = b"Hello Metadisk!\n"
FILE = multipart(CONTENT)
FORM = "multipart/form-data; boundary=" + BOUNDARY
SPENT = ("tokens", "seen", "windows", "uploads")  # what a request uses up, or holds while it lasts, if refused too
LEASES = ("rates",)  # with no rates, those alone; whoever tidies up takes one now and then


def cases(names, table):
    """Parametrize over a table: what the case is called, and its values."""
    return pytest.mark.parametrize(names, list(table.values()), ids=list(table))


class Party:
    """One account, and its requests as bytes."""

    def __init__(self, bridge, pair=None):
        self.pair = pair or pymdc.keypair.ECDSA()
        account = Account(bridge.url, f"{uuid.uuid4().hex}@example.com", uuid.uuid4().hex * 2, self.pair)
        account.nobody.post("/users", {"email": account.email, "password": account.password})
        account.nobody.get("/activations/" + bridge.activation_link(account.email).rsplit("/", 1)[1])
        assert account.basic.post("/keys", {"key": account.key}).status_code == 200
        self.account, self.email, self.password, self.key = account, account.email, account.password, account.key
        self.bucket = account.bucket()
        self.file = account.upload(self.bucket, b"one of " + account.email.encode())

    def basic(self, method, target, body=b""):
        pair = base64.b64encode(f"{self.email}:{self.password}".encode()).decode()
        return raw.request(method, target, {"Authorization": "Basic " + pair}, body)

    def signed(self, method, target, body=None, nonce=None, **headers):
        """Return a signed request; of bytes as they are, else with a nonce in the query or in the JSON object."""
        target = target if isinstance(target, bytes) else target.encode()
        nonce = fresh_nonce() if nonce is None else nonce
        if method in ("GET", "DELETE"):
            target += (b"&" if b"?" in target else b"?") + f"__nonce={nonce}".encode()
        elif not isinstance(body, bytes):
            body = json.dumps({**(body or {}), "__nonce": nonce}).encode()
        return raw.request(method, target, {**self.signature(method, target, body), **headers}, body or b"")

    def signature(self, method, target, body):
        path, _, query = target.partition(b"?")
        payload = query if method in ("GET", "DELETE") else body or b""
        text = method.encode() + b"\n" + path + b"\n" + payload
        return {"x-pubkey": self.key, "x-signature": self.pair.sign(text)}

    def token(self, operation="PUSH"):
        return self.account.token(self.bucket, operation)


class World:
    """A bridge in a process of its own, with two accounts that have a bucket and a file each."""

    def __init__(self, bridge, errors):
        if not os.path.isdir("/proc/self/fd") and "CI" not in os.environ:
            pytest.skip("needs /proc")
        self.bridge, self.url, self.errors = bridge, bridge.url, errors
        self.folder = os.path.dirname(bridge.outbox)
        self.alice, self.bob = Party(bridge), Party(bridge)
        self.statuses, self.known = [], self.state()

    def ask(self, data, answers=1):
        """Send bytes and return all answers."""
        read = raw.talk(self.url, data, answers)
        self.statuses += [answer.status for answer in read]
        return read

    def put(self, body=FILE, size=len(CONTENT), token=None, content_type=FORM, headers=(), bucket=None):
        token = self.alice.token() if token is None else token
        given = [("x-token", token)] if token else []
        given += [("x-filesize", size)] if size is not None else []
        given += [("Content-Type", content_type)] if content_type is not None else []
        path = f"/buckets/{bucket or self.alice.bucket}/files"
        return raw.request("PUT", path, [*given, *(headers.items() if isinstance(headers, dict) else headers)], body)

    def state(self, besides=SPENT + LEASES):
        """Return all that the bridge keeps: each row, each shard, each mail."""
        names = [name for name, in self._query("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: self.rows(name) for name in names if name not in besides}
        files = sorted(os.path.join(folder, name) for part in ("outbox", "shards")
                       for folder, _, names in os.walk(os.path.join(self.folder, part)) for name in names)
        return {**rows, "files": files}

    def rows(self, table):
        return sorted(map(repr, self._query(f'SELECT * FROM "{table}"')))

    def _query(self, statement):
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/bridge.sqlite?mode=ro", uri=True)) as db:
            return db.execute(statement).fetchall()

    def serves(self):
        answer, = raw.talk(self.url, raw.request("GET", "/health"))
        return answer.status == 200

    def descriptors(self):
        """Return what the process has open, but for the connections to the database, which are kept."""
        folder, opened = f"/proc/{self.bridge.pid}/fd", []
        for number in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                opened.append(os.readlink(os.path.join(folder, number)).split(":")[0])
        return sorted(name for name in opened if "bridge.sqlite" not in name)

    def memory(self):
        with open(f"/proc/{self.bridge.pid}/status") as status:
            return 1024 * int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def assert_refused(answer, *statuses):
    assert 400 <= answer.status < 500, answer
    assert not statuses or answer.status in statuses, answer
    assert answer.headers["content-type"] == "application/json; charset=utf-8", answer
    assert set(answer.json()) == {"error"} and len(answer.json()["error"]) > 8, answer
