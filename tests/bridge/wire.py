"""Requests as they go over the wire, without the library's own idea of them."""

import base64
import concurrent.futures
import hashlib
import json
import threading
import time
import urllib.parse

import requests

import pymdc
import raw
from pymdc._digest import content_hash

BOUNDARY = "----boundary7f3a"


class _Nonces:
    """By the clock, and each above the last, in whatever threads they are asked for."""

    def __init__(self):
        self._lock, self._last = threading.Lock(), 0

    def fresh(self):
        with self._lock:
            self._last = max(self._last + 1, int(time.time() * 1000))
            return self._last


fresh_nonce = _Nonces().fresh


class Wire:
    """
    Sends requests in one way of saying who asks; here, nobody.

    :ivar last: the newest request, prepared, so that it can be sent again as it was.
    """

    def __init__(self, url):
        self.url = url
        self.last = None

    def get(self, path, **options):
        return self.send("GET", path, **options)

    def delete(self, path, **options):
        return self.send("DELETE", path, **options)

    def post(self, path, fields=None, **options):
        return self.send("POST", path, body=json.dumps(fields or {}).encode(), **options)

    def patch(self, path, fields=None, **options):
        return self.send("PATCH", path, body=json.dumps(fields or {}).encode(), **options)

    def put(self, path, content, token=None, size=None, **options):
        headers = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY}
        headers.update({"x-token": token} if token is not None else {})
        headers.update({"x-filesize": str(size)} if size is not None else {})
        headers.update(options.pop("headers", {}))
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.send("PUT", path, body=content, headers=headers, **options)

    def send(self, method, path, body=None, headers=None, auth=None):
        request = requests.Request(method, self.url + path, data=body, headers=headers, auth=auth or (lambda r: r))
        self.last = prepared = request.prepare()
        return self.deliver(prepared)

    def send_again(self):
        return self.deliver(self.last)

    def deliver(self, prepared):
        with requests.Session() as session:
            return session.send(prepared, allow_redirects=False, timeout=60)


class Basic(Wire):
    def __init__(self, url, email, password):
        super().__init__(url)
        self._auth = (email, password)

    def send(self, method, path, body=None, headers=None, auth=None):
        return super().send(method, path, body, headers, auth or self._auth)

    def send_as_written(self, method, path, body=b""):
        """Send a path that a client of HTTP would write otherwise, and return the :class:`raw.Answer`."""
        credentials = base64.b64encode(":".join(self._auth).encode()).decode()
        return raw.talk(self.url, raw.request(method, path, {"Authorization": f"Basic {credentials}"}, body))[0]


class Signed(Wire):
    """Signs each request with a nonce of its own, unless the path or the body has one."""

    def __init__(self, url, key_pair):
        super().__init__(url)
        self.key_pair = key_pair

    def send(self, method, path, body=None, headers=None, auth=None, nonce=fresh_nonce, message=None, **signature):
        value = nonce() if callable(nonce) else nonce
        over_query = method in ("GET", "DELETE", "PUT")
        if over_query:
            if value is not None:
                path += ("&" if "?" in path else "?") + f"__nonce={value}"
        elif value is not None:
            body = json.dumps({**json.loads(body or b"{}"), "__nonce": value}).encode()
        bare, _, query = path.partition("?")
        payload = query.encode() if over_query else body or b""
        text = f"{method}\n{bare}\n".encode() + payload if message is None else message
        signed = {"x-pubkey": self.key_pair.get_public_key(), "x-signature": self.key_pair.sign(text)}
        return super().send(method, path, body, {**(headers or {}), **signed, **signature}, auth)


class Account:
    """An account, with each way of asking for it."""

    def __init__(self, url, email, password, key_pair):
        self.email = email
        self.password = password
        self.key_pair = key_pair
        self.key = key_pair.get_public_key()
        self.basic = Basic(url, email, password)
        self.signed = Signed(url, key_pair)
        self.nobody = Wire(url)

    def register(self, bridge):
        """Register it with its key at a bridge that this machine runs, and follow the link; return it."""
        self.nobody.post("/users", {"email": self.email, "password": self.password, "pubkey": self.key})
        assert self.nobody.get("/activations/" + bridge.activation_token(self.email)).status_code == 200
        return self

    def bucket(self, **fields):
        """Make a bucket and return its id."""
        return self.signed.post("/buckets", fields).json()["id"]

    def token(self, bucket_id, operation="PUSH"):
        return self.signed.post(f"/buckets/{bucket_id}/tokens", {"operation": operation}).json()["token"]

    def share(self, bucket_id, file_hash, **fields):
        """Ask for a token for one file, and return it."""
        fields = {"operation": "PULL", "file": file_hash, **fields}
        return self.signed.post(f"/buckets/{bucket_id}/tokens", fields).json()["token"]

    def upload(self, bucket_id, content, filename="file.bin"):
        """Store a file and return its hash."""
        body = multipart(content, filename=filename)
        answer = self.nobody.put(f"/buckets/{bucket_id}/files", body, self.token(bucket_id), len(content))
        assert answer.status_code == 200, answer.text
        return answer.json()["hash"]

    def pointers(self, bucket_id, file_hash):
        token = self.token(bucket_id, "PULL")
        return self.nobody.get(f"/buckets/{bucket_id}/files/{file_hash}", headers={"x-token": token})


def registered(bridge, email="ann@example.com", password="ab" * 32):
    """Return an account that is new at a bridge of this machine, and active."""
    return Account(bridge.url, email, password, pymdc.keypair.ECDSA()).register(bridge)


def put(asker, bucket_id, content, headers=None, size=None, **query):
    """Store a file by one request, as who asks by *asker*."""
    query = {"size": len(content) if size is None else size, **query}
    path = f"/buckets/{bucket_id}/files?" + urllib.parse.urlencode(query, doseq=True)
    headers = {"Content-Type": "text/plain", **(headers or {})}
    return asker.send("PUT", path, body=content, headers={name: value for name, value in headers.items() if value})


def get(asker, bucket_id, file_hash, **headers):
    """Read a file by one request; ``_`` in the name of a header stands for ``-``."""
    names = {name: name.replace("_", "-") for name in headers}
    return asker.get(f"/buckets/{bucket_id}/files/{file_hash}/content",
                     headers={names[name]: value for name, value in headers.items()})


def part(content, name="data", filename=None, mimetype=None):
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    head += "" if filename is None else f'; filename="{filename}"'
    head += "" if mimetype is None else f"\r\nContent-Type: {mimetype}"
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def multipart(content, name="data", filename="file.bin", mimetype="application/octet-stream"):
    return part(content, name, filename, mimetype) + ending()


def ending():
    return f"--{BOUNDARY}--\r\n".encode()


def hash_of(content):
    return content_hash(hashlib.sha256(content))


def stranger(url):
    """Somebody whose key nobody has registered."""
    return Signed(url, pymdc.keypair.ECDSA())


def race(count, function):
    """Call a function from so many threads at once, and return its results, or raise what one of them has raised."""
    start = threading.Barrier(count)

    def run(number):
        start.wait(timeout=30)
        return function(number)

    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))
