"""
A stand-in for the Metadisk servers of 2016, each with its farmer, down to the faults that a client notices.

Made from docs/protocol and from the recorded messages (vectors/README.md), not from the servers' code.
"""

from __future__ import absolute_import, division, print_function

import base64
import binascii
import collections
import hashlib
import io
import itertools
import json
import numbers
import os
import re
import socket
import threading
import time

import ecdsa

from pymdc._digest import ripemd160
from scripted_farmer import BINARY, CLOSE, TEXT, read_frame, send_frame, shake_hands

try:
    from http.server import BaseHTTPRequestHandler
    from urllib.parse import parse_qs
except ImportError:  # Python 2
    from BaseHTTPServer import BaseHTTPRequestHandler
    from urlparse import parse_qs

# docs/protocol, section 10, and exchanges.json.
Version = collections.namedtuple("Version", [
    "refused",  # the status of refused authentication
    "mistakes",  # the status of a user's other mistakes; None where it is one that fits
    "email_taken",
    "reading_nonces",  # whether the nonce of a GET or DELETE is checked
    "nonce_needed",  # whether a POST has to have one
    "guests",  # whether keys listed in the bucket get tokens
    "key_at_registration",
    "inactive_may_sign",
    "bucket_deleted",
    "file_deleted",  # None where there is no such route
    "dialect",
    "verdict",  # what the farmer says at the end of a shard
    "channel_error",  # what the farmer does after an error
    "capitals",  # whether a file whose type has capital letters is ever answered
])
VERSIONS = {
    "0.2.2": Version(500, 500, 400, False, False, False, False, True, 200, None, "binaryjs", None, "map", True),
    "0.2.4": Version(401, None, 500, True, True, True, True, True, 204, 204, "binaryjs", None, "map", True),
    "0.3.0": Version(401, None, 500, True, True, True, True, True, 204, 204, "plain", None, "drop", True),
    "0.5.1": Version(401, None, 500, True, True, True, True, True, 204, 204, "plain", None, "drop", True),
    "0.6.6": Version(401, None, 500, True, True, True, True, False, 204, 204, "plain", b'{"code":200}', "silence",
                     False),
}

_SHARD = 8 * 1024 * 1024
_BLOCK = 65536  # bytes of a message on the data channel
_WRITE = 61000  # bytes of an upload that are written at once
_PATIENCE = 30  # seconds
_CREATED = "2016-03-21T12:00:00.000Z"
_TOKEN_LIFE = 300  # seconds
_NONCE = "Invalid nonce supplied"
_UNKNOWN_KEY = "Public key not registered"
_MALFORMED = "Invalid signature or public key supplied"
_KEY_TAKEN = "Public key is already registered"
_NUMBER = re.compile(r"[+-]?(\d+[.]?\d*|[.]\d+)([eE][+-]?\d+)?\Z")
_HEX = re.compile(r"[0-9a-fA-F]+\Z")
_KEY = re.compile(r"(0[23][0-9a-fA-F]{64}|04[0-9a-fA-F]{128})\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+[.][^@\s]+\Z")


class Refusal(Exception):
    """What the server answers in place of doing something."""

    def __init__(self, status, text):
        super(Refusal, self).__init__(status, text)
        self.status = status
        self.text = text


class NoAnswer(Exception):
    """The server has forgotten about the request."""


class Door(object):
    """
    A port that can be shut, with all connections cut, and opened again.

    :param converse: is given each connection, on a thread of its own.
    """

    def __init__(self, converse):
        self.crashes = 0
        self._converse = converse
        self._connections = set()
        self._lock = threading.Lock()
        self._timer = None
        self._closed = False
        self.port = 0
        self._open()

    def crash(self, seconds=0):
        """Cut all connections, and let nobody in for so long."""
        with self._lock:
            self.crashes += 1
            self._shut()
            if not self._closed and seconds < _PATIENCE:
                self._timer = threading.Timer(seconds, self.open_again)
                self._timer.start()

    def close(self):
        with self._lock:
            self._closed = True
            timer = self._timer
            self._shut()
        if timer is not None:
            timer.cancel()
            timer.join()

    def open_again(self):
        with self._lock:
            if self._is_shut and not self._closed:
                self._open()

    def _open(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        self._is_shut = False
        thread = threading.Thread(target=self._serve, args=(self._listener,))
        thread.daemon = True
        thread.start()

    def _shut(self):
        for connection in [self._listener] + list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except EnvironmentError:
                pass  # it is shut already
        self._listener.close()
        self._connections.clear()
        self._is_shut = True

    def _serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except EnvironmentError:
                return
            connection.settimeout(_PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            thread = threading.Thread(target=self._meet, args=(connection,))
            thread.daemon = True
            thread.start()

    def _meet(self, connection):
        try:
            self._converse(connection)
        except EnvironmentError:
            pass  # the client has left, or was cut off
        finally:
            with self._lock:
                self._connections.discard(connection)
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except EnvironmentError:
                pass
            connection.close()


class Server(object):
    """
    One server and its farmer.

    :param str version: one of ``VERSIONS``.
    :ivar list requests: ``(method, path, status)`` of each request; status None when no answer was given.
    :ivar str early: what it does with the body of an upload that it refused: ``"drain"`` or ``"stop"`` reading.
    :ivar bool keep_alive: whether connections are kept.
    :ivar int lost_contracts: how many times more the shard contracts fail to load.
    :ivar list stored: the hash of each upload, in their order.
    :ivar list crashes: ``(method, pattern of the path, seconds)`` of requests in whose middle it goes down, once each;
        a function may follow, which does what was asked for all the same.
    :ivar storing: while this event is not set, nothing is stored.
    """

    def __init__(self, version):
        self.name, self.version = version, VERSIONS[version]
        self.requests = []
        self.early, self.keep_alive, self.lost_contracts, self.crashes = "drain", True, 0, []
        self.storing, self.ended = threading.Event(), threading.Event()
        self.storing.set()
        self.users, self.activations, self.keys, self.buckets = {}, {}, {}, {}
        self.files, self.tokens, self.under_way = {}, {}, set()
        self.stored, self.shards = [], {}
        self.lock = threading.RLock()
        self.farmer = Farmer(self.version)
        self._ids = itertools.count(1)
        self._door = Door(self._converse)
        self.url = "http://127.0.0.1:{0}".format(self._door.port)

    def activation_token(self, email):
        """Return what stands in the mail."""
        return next(token for token, invited in self.activations.items() if invited == email)

    def crash(self, seconds=0):
        """Go down, as after another client's malformed upload, and come back after so many seconds."""
        self._door.crash(seconds)

    def come_back(self):
        """Be there again, both server and farmer, before the time."""
        self._door.open_again()
        self.farmer.come_back()

    def close(self):
        self.ended.set()
        self.storing.set()
        self._door.close()
        self.farmer.close()

    def new_id(self):
        return "{0:024x}".format(0x56F0000000000000 + next(self._ids))

    def _converse(self, connection):
        Conversation(connection, ("127.0.0.1", 0), self)


class Conversation(BaseHTTPRequestHandler, object):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Metadisk", ""
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def do(self):
        self.path, _, self.query = self.path.partition("?")
        self.location = None
        self.source, self.left = self.rfile, int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = read_chunks(self.rfile)
            self.source, self.left = io.BytesIO(body), len(body)
        if self._goes_down():
            return
        try:
            status, answer = self._answer()
        except Refusal as refusal:
            status, answer = refusal.status, {"error": refusal.text}
        except NoAnswer:
            self._note(None)
            self.server.ended.wait(_PATIENCE)
            self.close_connection = True
            return
        self._note(status)
        self._send(status, answer)
        self._see_to_the_rest()

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = do

    def _note(self, status):
        self.server.requests.append((self.command, self.path, status))

    def _goes_down(self):
        for crash in self.server.crashes:
            method, pattern, seconds = crash[:3]
            if method == self.command and re.match(pattern + r"\Z", self.path):
                self.server.crashes.remove(crash)
                self._note(None)
                self.read(self.left // 2)
                for do_it in crash[3:]:
                    do_it()
                self.server.crash(seconds)
                self.close_connection = True
                return True
        return False

    def _answer(self):
        asked = "GET" if self.command == "HEAD" else self.command
        for method, pattern, handle in ROUTES:
            found = re.match(pattern + r"/?\Z", self.path)
            missing = handle is delete_file and not self.version.file_deleted
            if found and method == asked and not missing:
                self.body = b"" if handle is upload else self.read(self.left)
                return handle(self, *found.groups())
        self.read(self.left)
        return 404, "Cannot {0} {1}\n".format(self.command, self.path)

    def _send(self, status, answer):
        is_text = not isinstance(answer, (dict, list))
        data = (answer or "").encode("utf-8") if is_text else json.dumps(answer, separators=(",", ":")).encode("ascii")
        etag = 'W/"{0:x}-{1}"'.format(len(data), hashlib.md5(data).hexdigest()[:22])
        if self.command == "GET" and status == 200 and self.headers.get("If-None-Match") == etag:
            status, data = 304, b""
        self.send_response(status)
        if "Origin" in self.headers:
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
        if self.location:
            self.send_header("Location", self.location)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        if data:
            self.send_header("Content-Type", ("text/html" if is_text else "application/json") + "; charset=utf-8")
        if self.command == "GET" and status in (200, 304):
            self.send_header("ETag", etag)
        if not self.server.keep_alive:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)
        self.wfile.flush()

    def _see_to_the_rest(self):
        if self.left and self.server.early == "stop":
            self.server.ended.wait(_PATIENCE)
            self.close_connection = True
        while self.left:
            self.read(min(self.left, _BLOCK))

    def read(self, size):
        data = self.source.read(size)
        if len(data) < size:
            raise IOError("the client has left")
        self.left -= size
        return data

    @property
    def version(self):
        return self.server.version

    @property
    def is_of_0_2_2(self):
        return self.version is VERSIONS["0.2.2"]

    @property
    def json(self):
        try:
            fields = json.loads(self.body.decode("utf-8"))
        except ValueError:
            return {}
        return fields if isinstance(fields, dict) else {}

    def mistake(self, status, text):
        return Refusal(self.version.mistakes or status, text)

    def refusal(self, text):
        return Refusal(self.version.refused, text)


def read_chunks(stream):
    """Return a body that comes in chunks."""
    body, size = b"", None
    while size != 0:
        line = stream.readline()
        if not line:
            raise IOError("the client has left")
        size = int(line.partition(b";")[0], 16)
        body += stream.read(size)
        stream.readline()
    return body


def describe(request):
    title = "Storj Bridge" if request.server.name == "0.6.6" else "MetaDisk API"
    return 200, {"swagger": "2.0", "info": {"title": title, "version": request.server.name}, "paths": {}}


def allow(request):
    return 204, ""


# Who is asking.

def asking(request):
    """Return the user who asks."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    email, _, password = base64.b64decode(credentials).decode("utf-8").partition(":")
    if scheme == "Basic" and password:
        return by_password(request, email.lower(), password)
    key = signing_key(request)
    user = request.server.users.get(request.server.keys.get(key))
    if user is None:
        raise request.refusal(_UNKNOWN_KEY)
    if not user["activated"] and not request.version.inactive_may_sign:
        raise request.refusal("User account has not been activated")
    spend_nonce(request, user)
    return user


def by_password(request, email, password):
    user = request.server.users.get(email)
    if user is None or user["password"] != password:
        raise Refusal(500, "Invalid email or password")
    if not user["activated"]:
        raise request.refusal("User account has not been activated")
    return user


def signing_key(request):
    """Return the public key by which the request is signed, after its signature was verified."""
    key, signature = request.headers.get("x-pubkey"), request.headers.get("x-signature")
    if not key or not signature:
        raise request.refusal(_MALFORMED if request.is_of_0_2_2 else "No authentication strategy detected")
    payload = request.query.encode("ascii") if request.command in ("GET", "DELETE") else request.body
    message = "{0}\n{1}\n".format(request.command, request.path).encode("utf-8") + payload
    try:
        known = ecdsa.VerifyingKey.from_string(binascii.unhexlify(key), curve=ecdsa.SECP256k1)
        signed = binascii.unhexlify(signature)
    except (ecdsa.errors.MalformedPointError, ValueError, TypeError):
        raise request.refusal(_MALFORMED if request.is_of_0_2_2 else "Invalid signature")
    try:
        ecdsa.util.sigdecode_der(signed, ecdsa.SECP256k1.order)
    except (ecdsa.der.UnexpectedDER, ValueError, IndexError):
        raise Refusal(500, "Signature without r or s")
    try:
        known.verify(signed, message, hashlib.sha256, ecdsa.util.sigdecode_der)
    except ecdsa.BadSignatureError:
        raise request.refusal("Invalid signature")
    return key


def spend_nonce(request, user):
    """Take the nonce, which all keys of the user share; an equal one passes, a smaller one does not."""
    reading = request.command in ("GET", "DELETE")
    if reading and not request.version.reading_nonces:
        return
    nonce = parse_qs(request.query).get("__nonce", [None])[0] if reading else request.json.get("__nonce")
    if not request.version.nonce_needed and (nonce is None or nonce is True):
        return
    if nonce is None:
        raise request.refusal(_NONCE)
    number = number_of(nonce)
    if number is None:
        raise Refusal(500, "User validation failed")  # what is no number is not smaller, but cannot be kept
    with request.server.lock:
        if not number >= user["nonce"]:
            raise request.refusal(_NONCE)
        user["nonce"] = number


def number_of(value):
    """Return a value, or the number that is written in it, or None."""
    if isinstance(value, numbers.Real):
        return float(value)
    return float(value) if isinstance(value, (str, type(u""))) and _NUMBER.match(value) else None


# Users and keys.

def register(request):
    if request.body.strip() == b"null":
        raise Refusal(500, "Cannot read property 'email' of null")
    server, (email, password) = request.server, account(request.json)
    pubkey = request.json.get("pubkey") if request.version.key_at_registration else None
    redirect = None if request.is_of_0_2_2 else request.json.get("redirect")
    with server.lock:
        if email in server.users:
            raise Refusal(request.version.email_taken, "Email is already registered")
        if pubkey in server.keys:
            raise Refusal(400, _KEY_TAKEN)
        server.users[email] = {"password": password, "activated": False, "nonce": 0.0, "redirect": redirect}
        server.activations[random_hex(32)] = email
        if pubkey:
            server.keys[pubkey] = email
    return 200, dict(user_answer(server, email), **({"pubkey": pubkey} if pubkey else {}))


def account(fields):
    """Return e-mail and password of somebody new."""
    email, password = fields.get("email"), fields.get("password")
    if not isinstance(password, type(u"")):
        raise Refusal(500, "Not a string or buffer")
    if len(password) % 2:
        raise Refusal(500, "Invalid hex string")
    if len(password) != 64 or not _HEX.match(password):
        raise Refusal(500, "Password must be hex encoded SHA-256 hash")
    if not isinstance(email, type(u"")) or not _EMAIL.match(email):
        raise Refusal(500, "User validation failed")
    return email.lower(), password


def activate(request, token):
    with request.server.lock:
        if token not in request.server.activations:
            raise request.mistake(400, "Invalid activation token")
        email = request.server.activations.pop(token)
        request.server.users[email]["activated"] = True
    request.location = request.server.users[email]["redirect"]
    if request.location:
        return 302, "Found. Redirecting to " + request.location
    return 200, user_answer(request.server, email)


def user_answer(server, email):
    return {"activated": server.users[email]["activated"], "created": _CREATED, "email": email, "id": email}


def list_keys(request):
    email = email_of(request, asking(request))
    return 200, [key_answer(email, key) for key, owner in request.server.keys.items() if owner == email]


def create_key(request):
    email, key = email_of(request, asking(request)), request.json.get("key")
    complaint = complaint_about(key, request.is_of_0_2_2)
    if complaint:
        raise request.mistake(400, complaint)
    with request.server.lock:
        if key in request.server.keys:
            raise request.mistake(400, _KEY_TAKEN)
        request.server.keys[key] = email
    return 200, key_answer(email, key)


def complaint_about(key, by_0_2_2):
    """Return what is wrong with a new key, of all that might be."""
    text = key if isinstance(key, type(u"")) else None
    if text == "" or (text is None and by_0_2_2):
        return "PublicKey validation failed"
    if text is None:
        return "Invalid public key supplied: Cannot read property 'length' of undefined"
    if ":" in text and not by_0_2_2:
        return 'Invalid public key supplied: Must not contain non-hexidecimal characters like ":"'
    digits = text.replace(":", "")
    if not _KEY.match(digits) and (by_0_2_2 or _HEX.match(digits)):
        return "Invalid public key supplied: Unknown point format"
    return None


def delete_key(request, key):
    email = email_of(request, asking(request))
    with request.server.lock:
        if request.server.keys.get(key) != email:
            raise request.mistake(404, "Public key was not found")
        del request.server.keys[key]
    return 200, ""


def key_answer(email, key):
    return {"user": email, "key": key, "id": key}


def email_of(request, user):
    return next(email for email, known in request.server.users.items() if known is user)


# Buckets and tokens.

def list_buckets(request):
    email = email_of(request, asking(request))
    return 200, [bucket for bucket in request.server.buckets.values() if bucket["user"] == email]


def create_bucket(request):
    email = email_of(request, asking(request))
    bucket = {"user": email, "created": _CREATED, "name": "New Bucket", "pubkeys": [], "status": "Active",
              "transfer": 30, "storage": 10, "id": request.server.new_id()}
    change(bucket, request.json)
    key = request.headers.get("x-pubkey")
    if key and key not in bucket["pubkeys"]:
        bucket["pubkeys"].append(key)
    with request.server.lock:
        request.server.buckets[bucket["id"]] = bucket
        request.server.files[bucket["id"]] = collections.OrderedDict()
    return 200, bucket


def get_bucket(request, bucket_id):
    return 200, own_bucket(request, bucket_id)


def update_bucket(request, bucket_id):
    bucket, pubkeys = own_bucket(request, bucket_id), request.json.get("pubkeys")
    pubkeys = [pubkeys] if isinstance(pubkeys, type(u"")) else pubkeys
    if isinstance(pubkeys, list) and not request.is_of_0_2_2 and not all(map(_HEX.match, pubkeys)):
        raise Refusal(400, "Invalid public key supplied")
    change(bucket, dict(request.json, pubkeys=pubkeys))
    return 200, bucket


def delete_bucket(request, bucket_id):
    own_bucket(request, bucket_id)
    with request.server.lock:
        del request.server.buckets[bucket_id]
    return request.version.bucket_deleted, ""


def change(bucket, fields):
    changes = {name: amount(fields[name]) for name in ("storage", "transfer") if name in fields}
    if "name" in fields:
        changes["name"] = name_of(fields["name"])
    if isinstance(fields.get("pubkeys"), list):
        changes["pubkeys"] = fields["pubkeys"]
    bucket.update(changes)


def amount(value):
    if value is not None and number_of(value) is None:
        raise Refusal(500, "Bucket validation failed")
    return value if value is None or isinstance(value, numbers.Real) else number_of(value)


def name_of(value):
    if isinstance(value, (dict, list)):
        raise Refusal(500, "Bucket validation failed")
    return value if value is None else u"{0}".format(value)


def own_bucket(request, bucket_id):
    email = email_of(request, asking(request))
    bucket = any_bucket(request, bucket_id)
    if bucket["user"] != email:
        raise request.mistake(404, "Bucket not found")
    return bucket


def any_bucket(request, bucket_id):
    if not re.match(r"[0-9a-f]{24}\Z", bucket_id):
        raise Refusal(500, 'Cast to ObjectId failed for value "{0}" at path "_id"'.format(bucket_id))
    if bucket_id not in request.server.buckets:
        raise request.mistake(404, "Bucket not found")
    return request.server.buckets[bucket_id]


def create_token(request, bucket_id):
    try:
        own_bucket(request, bucket_id)
    except Refusal as refusal:
        if not request.version.guests or refusal.text not in (_NONCE, _UNKNOWN_KEY):
            raise
        # Who is no owner by his key and nonce may still be a guest; so a refused nonce is not called by its name.
        if signing_key(request) not in any_bucket(request, bucket_id)["pubkeys"]:
            raise request.mistake(404, "Bucket not found")
    operation = request.json.get("operation")
    if operation not in ("PUSH", "PULL"):
        raise Refusal(500, "Token validation failed")
    token = random_hex(32)
    with request.server.lock:
        request.server.tokens[token] = (bucket_id, operation)
    expires = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + _TOKEN_LIFE))
    return 200, {"bucket": bucket_id, "operation": operation, "expires": expires, "token": token, "id": token}


def spend_token(request):
    with request.server.lock:
        granted = request.server.tokens.pop(request.headers.get("x-token"), None)
    if granted is None:
        raise Refusal(500, "Invalid or expired token")
    return granted


# Files.

def upload(request, bucket_id):
    granted = spend_token(request)
    declared = number_of(request.headers.get("x-filesize", "none") or "0")
    if declared is None:
        raise request.mistake(400, "Missing or invalid x-filesize header sent")
    any_bucket(request, bucket_id)
    if granted != (bucket_id, "PUSH"):
        raise request.refusal("Not authorized to store in bucket")
    body, writes = read_in_blocks(request)
    head, start, end = file_part(body, request.headers.get("Content-Type"))
    if end - start > declared:
        raise request.mistake(400, "File size exceeds declared size")
    if end - start < declared:
        raise request.mistake(400, "File does not match the declared size")
    return 200, store(request, bucket_id, head, [body[begin:stop] for begin, stop in cut(start, end, writes)])


def read_in_blocks(request):
    """Return the body, and where each write of it ended."""
    body, writes = bytearray(), []
    while request.left:
        body += request.read(min(request.left, _WRITE))
        writes.append(len(body))
    return bytes(body), writes


def file_part(body, content_type):
    """Return the head of the first part with a file name, and where its content begins and ends."""
    kind, _, boundary = (content_type or "").partition("boundary=")
    if not boundary or not kind.lower().startswith("multipart/form-data"):
        raise NoAnswer()
    boundary = b"\r\n--" + boundary.strip('"').encode("ascii")
    start = body.find(boundary[2:])
    while start >= 0:
        head, _, _ = body[start:start + 4096].partition(b"\r\n\r\n")
        begin = start + len(head) + 4
        end = body.find(boundary, begin)
        if end < 0:
            raise Refusal(500, "Unexpected end of multipart data")
        if b"filename=" in head or b"application/octet-stream" in head:
            return head.decode("utf-8"), begin, end
        start = end if not body.startswith(boundary + b"--", end) else -1
    raise NoAnswer()


def cut(start, end, writes):
    """Cut where the first write ends that brings a shard to 8 MiB, or the file does."""
    shards = []
    for stop in [write for write in writes if start < write < end] + [end]:
        if stop - start >= _SHARD or (stop == end and stop > start):
            shards.append((start, stop))
            start = stop
    return shards


def store(request, bucket_id, head, shards):
    server = request.server
    name, kind = base_name(head), re.search(u"(?i)content-type: *([^\r\n;]+)", head)
    if kind and kind.group(1) != kind.group(1).lower() and not request.version.capitals:
        raise NoAnswer()
    file_hash = hash_of(b"".join(shards))
    with server.lock:
        twice = (bucket_id, file_hash) in server.under_way
        server.under_way.add((bucket_id, file_hash))
    if twice:
        raise NoAnswer()
    server.storing.wait(_PATIENCE)
    entry = {"bucket": bucket_id, "mimetype": kind.group(1).lower() if kind else "text/plain",
             "filename": name or file_hash, "size": sum(len(shard) for shard in shards), "hash": file_hash}
    with server.lock:
        server.files[bucket_id][file_hash] = entry
        server.shards.setdefault(file_hash, []).append([server.farmer.keep(shard) for shard in shards])
        server.stored.append(file_hash)
        server.under_way.discard((bucket_id, file_hash))
    return entry


def base_name(head):
    """Return the file name in the head of a part without its folders: a backslash before a quote is none of theirs."""
    name = re.search(u'filename="((?:[^"\\\\]|\\\\.)*)"', head)
    return re.split(u'/|\\\\(?!")', name.group(1))[-1].replace(u'\\"', u'"') if name else u""


def list_files(request, bucket_id):
    own_bucket(request, bucket_id)
    return 200, list(request.server.files[bucket_id].values())


def point(request, bucket_id, file_hash):
    granted = spend_token(request)
    any_bucket(request, bucket_id)
    if granted != (bucket_id, "PULL"):
        raise request.refusal("Not authorized to retrieve from bucket")
    if file_hash not in request.server.files[bucket_id]:
        raise request.mistake(404, "The requested file was not found")
    if request.server.lost_contracts:
        request.server.lost_contracts -= 1
        raise Refusal(500, "Failed to load the shard contracts")
    return 200, [request.server.farmer.pointer(shard_hash) for shard_hash in shards_of(request.server, file_hash)]


def shards_of(server, file_hash):
    """Return the shards of all uploads of a content, in any bucket: the first of each, the second, and so on."""
    uploads = server.shards[file_hash]
    longest = max(map(len, uploads))
    return [shards[index] for index in range(longest) for shards in uploads if index < len(shards)]


def delete_file(request, bucket_id, file_hash):
    own_bucket(request, bucket_id)
    if request.server.files[bucket_id].pop(file_hash, None) is None:
        raise request.mistake(404, "File not found")
    return request.version.file_deleted, ""


def hash_of(data):
    return ripemd160(hashlib.sha256(data).hexdigest().encode("ascii"))


def random_hex(size):
    return binascii.hexlify(os.urandom(size)).decode("ascii")


ROUTES = [
    ("GET", "", describe),
    ("OPTIONS", ".*", allow),
    ("POST", "/users", register),
    ("GET", "/activations/([^/]+)", activate),
    ("GET", "/keys", list_keys),
    ("POST", "/keys", create_key),
    ("DELETE", "/keys/([^/]+)", delete_key),
    ("GET", "/buckets", list_buckets),
    ("POST", "/buckets", create_bucket),
    ("GET", "/buckets/([^/]+)", get_bucket),
    ("PATCH", "/buckets/([^/]+)", update_bucket),
    ("DELETE", "/buckets/([^/]+)", delete_bucket),
    ("POST", "/buckets/([^/]+)/tokens", create_token),
    ("PUT", "/buckets/([^/]+)/files", upload),
    ("GET", "/buckets/([^/]+)/files", list_files),
    ("GET", "/buckets/([^/]+)/files/([^/]+)", point),
    ("DELETE", "/buckets/([^/]+)/files/([^/]+)", delete_file),
]


class Farmer(object):
    """
    Keeps shards, and gives them out by tokens that are good once.

    :ivar away: seconds that it is away each time an error brings it down.
    :ivar list restarts: seconds that it is away each time it goes down in the middle of a shard.
    :ivar list questions: opcode of the first message of each connection.
    """

    def __init__(self, version):
        self.version = version
        self.away = 0
        self.restarts = []
        self.questions = []
        self._shards, self._tokens = {}, {}
        self._ended = threading.Event()
        self._door = Door(self._converse)

    @property
    def crashes(self):
        return self._door.crashes

    def keep(self, shard):
        self._shards[hash_of(shard)] = shard
        return hash_of(shard)

    def pointer(self, shard_hash):
        token = random_hex(20)
        self._tokens[token] = shard_hash
        return {"hash": shard_hash, "token": token, "operation": "PULL",
                "channel": "ws://127.0.0.1:{0}".format(self._door.port)}

    def come_back(self):
        self._door.open_again()

    def sizes(self):
        return sorted(len(shard) for shard in self._shards.values())

    def close(self):
        self._ended.set()
        self._door.close()

    def _converse(self, connection):
        stream = connection.makefile("rwb")
        shake_hands(stream)
        opcode, question = read_frame(stream)
        self.questions.append(opcode)
        if self.version.dialect == "binaryjs":
            self._speak_binaryjs(stream, opcode, question)
        else:
            self._speak_plainly(stream, opcode, question)

    def _speak_plainly(self, stream, opcode, question):
        if opcode != TEXT:
            self._door.crash(self.away)
            return
        asked = _fields(question)
        shard, complaint = None, "Failed to parse message"
        if asked is not None:
            shard, complaint = self._shard_for(asked.get("token"), asked.get("hash"))
        if complaint:
            self._complain(stream, complaint)
        elif asked.get("operation") == "PULL":
            self._send_plainly(stream, shard)
        elif asked.get("operation") == "PUSH" and self.version.verdict:
            send_frame(stream, TEXT, b'{"code":200,"message":"Consignment completed successfully"}')
            self._hang_up(stream)
        else:
            self._complain(stream, None)

    def _complain(self, stream, text):
        """Fall silent after an error, or go down: an operation that it does not know brings it down without a word."""
        if self.version.channel_error == "silence":
            self._ended.wait(_PATIENCE)
            return
        if text:
            send_frame(stream, TEXT, json.dumps({"code": 400, "message": text}).encode("ascii"))
        self._door.crash(self.away)

    def _send_plainly(self, stream, shard):
        if self._send_blocks(stream, shard, lambda block: block):
            if self.version.verdict:
                send_frame(stream, TEXT, self.version.verdict)
            self._hang_up(stream)

    def _speak_binaryjs(self, stream, opcode, question):
        asked = re.match(
            br"\x93\x01\x83\xb5token\xd8\x00\x28(.{40})\xb4hash\xd8\x00\x28(.{40})\xb9operation\xb4PULL\x00\Z",
            question,
        )
        if opcode != BINARY:
            self._hang_up(stream)
            return
        if not asked:
            self._door.crash(self.away)
            return
        shard, complaint = self._shard_for(*[text.decode("ascii") for text in asked.groups()])
        if complaint:
            text = b"\xd8" + bytes(bytearray([0, len(complaint)])) + complaint.encode("ascii")
            send_frame(stream, BINARY, b"\x93\x02\x82\xb7message" + text + b"\xb5error\xc3\x00")
            self._hang_up(stream)
        elif self._send_blocks(stream, shard, _as_data):
            send_frame(stream, BINARY, b"\x93\x05\xc0\x00")
            read_frame(stream)  # it waits for the client to close

    def _shard_for(self, token, shard_hash):
        if token is None:
            return None, "You did not supply a token"
        if token not in self._tokens:
            return None, "The supplied token is not accepted"
        if shard_hash is None:
            return None, "You did not supply the data hash"
        if self._tokens[token] != shard_hash:
            return None, "Token not valid for hash"
        return self._shards[self._tokens.pop(token)], None

    def _send_blocks(self, stream, shard, message):
        """Send a shard, unless this is where the farmer goes down; return whether all was sent."""
        size = len(shard) // 2 if self.restarts else len(shard)
        for start in range(0, size, _BLOCK):
            send_frame(stream, BINARY, message(shard[start:min(start + _BLOCK, size)]))
        if not self.restarts:
            return True
        self._tokens.clear()
        self._door.crash(self.restarts.pop())
        return False

    @staticmethod
    def _hang_up(stream):
        send_frame(stream, CLOSE, b"\x03\xe8")
        read_frame(stream)


def _fields(question):
    """Return the object that a message is, or None."""
    try:
        fields = json.loads(question.decode("utf-8"))
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _as_data(block):
    size = len(block)
    if size < 16:
        head = [0xA0 + size]
    elif size < 65536:
        head = [0xDA, size >> 8, size & 0xFF]
    else:
        head = [0xDB, size >> 24, size >> 16 & 0xFF, size >> 8 & 0xFF, size & 0xFF]
    return b"\x93\x02" + bytes(bytearray(head)) + block + b"\x00"
