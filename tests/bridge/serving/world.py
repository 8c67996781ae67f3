"""What a description cannot give valid requests, made on a real bridge."""

import base64
import collections
import hashlib
import re
import uuid

from schemathesis.core.parameters import ParameterLocation as Location
from schemathesis.transport.serialization import Binary

import pymdc
from mailed import ask_for_reset
from wire import Account, Wire, fresh_nonce, hash_of

PASSWORD = "ab" * 32
FORM = "multipart/form-data"
FRESH = "fresh"  # stands for a token or a signature, which are good once, until the very moment of the call
SIGNED_BY_QUERY = ("GET", "DELETE", "PUT")
_SIZE = r"[0-9]{1,15}(\.0*)?"
_KEY = "0[23][0-9a-fA-F]{64}|04[0-9a-fA-F]{128}"


class World:
    """
    An account on a bridge, in whose name requests are made.

    What a schema cannot say of a valid request is put into it here: a key that nobody has, the id of what exists, the
    size of the file, a token, a signature.  Some of the ids are left as they are.
    """

    def __init__(self, bridge):
        self._bridge = bridge
        self._nobody = Wire(bridge.url)
        self._turns = collections.Counter()
        self._account = Account(bridge.url, self._register_and_activate(), PASSWORD, pymdc.keypair.ECDSA())
        self._account.basic.post("/keys", {"key": self._account.key})
        self._basic = basic(self._account.email)
        self._bucket = self._account.bucket()
        self._file = self._account.upload(self._bucket, b"content")
        self._made = {}  # by the bridge, for requests: ids of buckets, and hashes of files with their bucket's id

    def identify(self, case):
        """Say who asks, in a way that the description names."""
        ways = {name for names in case.operation.definition.raw.get("security", []) for name in names}
        by_token, signable = ways & {"token", "shardToken"}, is_signed_by_query(case) or isinstance(case.body, dict)
        if by_token and (by_token == ways or case.method == "PUT" and is_form(case) or self._nth(3, "token", case)):
            case.headers["x-token"] = FRESH
        elif "signature" in ways and signable and not self._nth(3, "identify", case):  # a password takes long
            case.headers.update({"x-pubkey": self._account.key, "x-signature": FRESH})
        elif "basic" in ways:
            case.headers["Authorization"] = self._basic

    def complete(self, case, options):
        """Make a request real, just before it is sent."""
        if {"bucket", "hash"} & set(case.path_parameters):
            self._choose_ids(case)
        complete = {
            "createUser": self._make_user_new, "activate": self._choose_link, "lookAtReset": self._choose_reset,
            "useReset": self._choose_reset, "createKey": self._make_key_new,
            "changePassword": self._choose_account, "deleteUser": self._choose_account, "deleteKey": self._choose_key,
            "uploadFile": self._announce, "getContent": self._choose_range, "copyFile": self._choose_content,
            "createToken": self._choose_file, "revokeToken": self._choose_token,
            "showLink": self._choose_link_to_file, "showLinkHead": self._choose_link_to_file,
            "followLink": self._choose_link_by_body, "followTicket": self._choose_ticket,
            "followTicketHead": self._choose_ticket,
        }.get(name(case))
        if complete is not None:
            complete(case)
        if case.headers.get("x-token") == FRESH:
            case.headers["x-token"] = self._token(case)
        if case.headers.get("x-signature") == FRESH:
            (case.query if is_signed_by_query(case) else case.body)["__nonce"] = str(fresh_nonce())
            options["auth"] = self._sign

    def remember(self, case, response):
        """Note what exists now, so that it is not replaced when a link leads to it."""
        if response.status_code == 200 and name(case) in ("createBucket", "uploadFile"):
            made = response.json()
            self._made[made.get("hash", made.get("id"))] = made.get("bucket")

    def _nth(self, n, what, case):
        """Return whether it is the nth time, or the 2nth, and so on, that this is asked about an operation."""
        self._turns[what, name(case)] += 1
        return self._turns[what, name(case)] % n == 0

    def _choose_ids(self, case):
        ids = case.path_parameters
        if not is_valid(case, Location.PATH):
            return
        changes = case.method in ("PATCH", "DELETE")
        precious = changes and {self._bucket, self._file} & set(ids.values())  # to later requests
        if not precious and (set(ids.values()) & set(self._made) or self._nth(4, "choose", case)):
            return
        bucket, file = self._bucket, self._file
        if changes:
            bucket = self._account.bucket()
            file = self._account.upload(bucket, uuid.uuid4().bytes) if "hash" in ids else None
        ids.update({key: value for key, value in (("bucket", bucket), ("hash", file)) if key in ids})

    def _make_user_new(self, case):
        if isinstance(case.body, dict):
            _renew(case.body, "email", r".+@[^@]+", _new_email)
            _renew(case.body, "pubkey", _KEY, new_key)

    def _choose_link(self, case):
        if is_valid(case, Location.PATH):
            case.path_parameters["token"] = self._bridge.activation_token(self._register())

    def _choose_reset(self, case):
        if is_valid(case, Location.PATH):
            case.path_parameters["token"] = ask_for_reset(self._bridge, self._register_and_activate())[-64:]

    def _make_key_new(self, case):
        if isinstance(case.body, dict):
            _renew(case.body, "key", _KEY, new_key)

    def _choose_key(self, case):
        precious = case.path_parameters["key"] == self._account.key
        if is_valid(case, Location.PATH) and (precious or not self._nth(5, "key to delete", case)):
            case.path_parameters["key"] = new_key()
            self._account.signed.post("/keys", {"key": case.path_parameters["key"]})

    def _choose_file(self, case):
        if isinstance(case.body, dict) and case.path_parameters["bucket"] == self._bucket:
            _renew(case.body, "file", "[0-9a-fA-F]{40}", lambda old: self._file)

    def _choose_token(self, case):
        if is_valid(case, Location.PATH) and not self._nth(5, "token to revoke", case):
            token = self._ask_for_token(case.path_parameters["bucket"], "PULL")
            case.path_parameters["token"] = hashlib.sha256(token.encode()).hexdigest()[:32]

    def _choose_link_to_file(self, case):
        if is_valid(case, Location.PATH) and not self._nth(4, "choose", case):
            case.path_parameters["token"] = self._account.share(self._bucket, self._file)

    def _choose_link_by_body(self, case):
        if not is_valid(case, Location.PATH):
            return
        if case.media_type == FORM and isinstance(case.body, dict):
            case.path_parameters["token"] = self._ask_for_token(self._bucket, "PUSH")
        else:
            self._choose_link_to_file(case)

    def _choose_ticket(self, case):
        if is_valid(case, Location.PATH) and not self._nth(4, "choose", case):
            link = "/links/" + self._account.share(self._bucket, self._file)
            ticket = self._nobody.post(link).headers["Location"]
            case.path_parameters.update(token=ticket.split("/")[-2])
            if case.method == "GET":
                self._choose_range(case)

    def _announce(self, case):
        """Say what comes: a form, which heeds no query, or the file itself, which heeds no x-filesize."""
        if is_form(case):
            case.query.clear()
            self._measure(case)
            return
        if case.media_type == FORM:
            case.body, case.media_type = b"content", "application/octet-stream"
        case.query.setdefault("size", 1)
        content = case.body.data if isinstance(case.body, Binary) else case.body
        if isinstance(content, bytes):
            _renew(case.query, "size", "[0-9]+", lambda size: len(content))
            _renew(case.query, "name", r"\w{256,1000}", lambda name: name[:63])  # of at most 4 bytes each
            _renew(case.query, "hash", "[0-9a-fA-F]{40}", lambda old: hash_of(content))

    def _choose_content(self, case):
        if isinstance(case.body, dict):
            _renew(case.body, "hash", "[0-9a-fA-F]{40}", lambda old: self._file)
            _renew(case.body, "filename", r"\w{256,1000}", lambda name: name[:63])

    def _measure(self, case):
        case.headers.setdefault("x-filesize", "0")
        file = case.body.get("file") if isinstance(case.body, dict) else None
        if isinstance(file, Binary):
            _renew(case.headers, "x-filesize", _SIZE, lambda size: str(len(file.data)))

    def _choose_range(self, case):
        if self._nth(2, ("range", *sorted(case.headers)), case):
            case.headers["Range"] = "bytes=0-2"

    def _token(self, case):
        bucket = case.path_parameters.get("bucket")
        if bucket is None:
            file = case.path_parameters["hash"]  # of one shard, whose hash is the same
            token = self._ask_for_token(self._made.get(file) or self._bucket, "PULL")
            path = f"/buckets/{self._made.get(file) or self._bucket}/files/{file}"
            pointers = self._nobody.get(path, headers={"x-token": token})
            return pointers.json()[0]["token"] if pointers.status_code == 200 and pointers.json() else "00" * 20
        return self._ask_for_token(bucket, "PUSH" if case.method == "PUT" else "PULL")

    def _ask_for_token(self, bucket, operation):
        answer = self._account.signed.post(f"/buckets/{bucket}/tokens", {"operation": operation})
        return answer.json().get("token", "00" * 32)

    def _sign(self, request):
        path, _, query = request.path_url.partition("?")
        payload = query if request.method in SIGNED_BY_QUERY else request.body
        text = f"{request.method}\n{path}\n".encode() + (payload.encode() if isinstance(payload, str) else payload)
        request.headers["x-signature"] = self._account.key_pair.sign(text)
        return request

    def _choose_account(self, case):
        """Let one ask that nobody needs any more."""
        email = self._register_and_activate()
        if case.headers.get("Authorization") == self._basic:
            case.headers["Authorization"] = basic(email)
        if is_valid(case, Location.PATH):
            case.path_parameters["email"] = email

    def _register_and_activate(self):
        email = self._register()
        self._nobody.get("/activations/" + self._bridge.activation_token(email))
        return email

    def _register(self):
        email = uuid.uuid4().hex + "@example.com"
        assert self._nobody.post("/users", {"email": email, "password": PASSWORD}).status_code == 200
        return email


def basic(email):
    return "Basic " + base64.b64encode(f"{email}:{PASSWORD}".encode()).decode()


def new_key(old=None):
    return pymdc.keypair.ECDSA().get_public_key()


def _new_email(old):
    """Return one that is as valid as the old one, and as long where the length may be the point of it."""
    local, _, host = old.rpartition("@")
    unique = uuid.uuid4().hex
    if len(old) <= 222:
        return unique + old
    return f"{local}@{unique}{host[32:]}" if len(local) < 32 else f"{unique}{local[32:]}@{host}"


def _renew(fields, field, pattern, make):
    """Replace a field that is well-formed, so that what is wrong with an invalid request remains its only fault."""
    if isinstance(fields.get(field), (str, int)) and re.fullmatch(pattern, str(fields[field]), re.DOTALL):
        fields[field] = make(fields[field])


def name(case):
    return case.operation.definition.raw["operationId"]


def is_signed_by_query(case):
    return case.method in SIGNED_BY_QUERY


def is_form(case):
    """Return whether an upload shall be a form, so that what is wrong with it matters."""
    size = str(case.headers.get("x-filesize", "0"))
    return is_valid(case, Location.QUERY) and (case.media_type == FORM or not re.fullmatch(_SIZE, size))


def is_valid(case, location):
    return case.meta is None or not case.meta.is_negative_at(location)
