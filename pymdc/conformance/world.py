"""Who asks: the accounts that the rules are tried with, and what is cleaned up after them."""

import base64
import contextlib
import email
import email.policy
import functools
import hashlib
import itertools
import json
import pathlib
import re
import time
import uuid

from pymdc._digest import content_hash
from pymdc.keypair import ECDSA

from .point import NotThere, NotTried, Otherwise, brief
from .wire import AWAY, BOUNDARY, PATIENCE, SHORT, Answer, Request, Wire, form, part

MAIL_PATIENCE = 10  # seconds
FRESH = object()  # a value of its own for each request
SIGNED_OVER_QUERY = ("GET", "DELETE", "PUT")  # any other is signed over its body
_count = itertools.count()


def fresh_nonce() -> int:
    """Return a nonce above all before: the servers of 2016 refuse any that is lower, whichever key signs."""
    return int(time.time() * 1000) + next(_count)


def fresh_content(size=32) -> bytes:
    """
    Return content that nobody has uploaded before.

    The servers of 2016 keep the shards of all uploads of one content, and hand out those of all of them.

    :param size: bytes, 16 or more, or it may not be new.
    """
    return (uuid.uuid4().hex.encode() * (size // 32 + 1))[:size]


def hash_of(content: bytes) -> str:
    return content_hash(hashlib.sha256(content))


class World:
    """
    A bridge, and who asks it.

    :param activation: a function that returns the token in the mail to an address, to register accounts; or None.
    :param account: e-mail and password of an account to use when there is no mail.
    :param short: seconds to wait for what servers of 2016 never sent.
    :param away: seconds to wait for a server that has crashed.
    :ivar alice: the account whose requests most rules look at.
    :ivar content: which no other point uploads, and no other run.
    :ivar lost_farmers: who did not come back after a crash.
    :ivar old: what was seen of the servers of 2016 in the point at hand.
    """

    def __init__(self, url, activation=None, account=None, short=SHORT, away=AWAY):
        self.wire = Wire(url, away)
        self.short, self.away = short, away
        self.old = []
        self.lost_farmers = set()
        self.activation = activation
        self._accounts = []
        self._bob = None
        self.alice = self.make_account() if account is None else self._use(*account)

    @property
    def bob(self):
        """Another account, which holds nothing of Alice's."""
        self._bob = self._bob or self.make_account()
        return self._bob

    @functools.cached_property
    def is_direct(self) -> bool:
        """Whether the bridge says that it takes and gives files in one request each."""
        answers = [self.nobody(method, "/") for method in ("HEAD", "GET")]
        return any("direct" in answer.headers.get("x-metadisk", "") for answer in answers)

    @property
    def last(self):
        return self.wire.last

    def begin(self):
        self.old.clear()
        self.content = fresh_content()
        self.wire.wait()

    def expect(self, came, wanted, *old):
        """Require that what came is what the protocol says, or what a server of 2016 sent in its place."""
        if wanted(came):
            return
        if not any(matches(came) for matches in (*old, *getattr(wanted, "old", ()))):
            raise Otherwise(brief(came))
        self.old.append(brief(came))

    def expect_if_there(self, came, wanted, without):
        """Require that what came is what the protocol says, or else what comes *without* what nobody has to have."""
        if not wanted(came) and without(came):
            raise NotThere(brief(came))
        self.expect(came, wanted)

    def nobody(self, method, target, fields=None, **options) -> Answer:
        """Ask without saying who asks."""
        return self.wire.ask(method, target, _body(fields), **options)

    # Accounts

    def register(self, **fields) -> Answer:
        """Register somebody new, or whom the fields name."""
        if self.activation is None:
            raise NotTried("needs --outbox, to register accounts")
        account = {"email": f"{uuid.uuid4().hex}@example.com", "password": "5" * 64}
        return self.nobody("POST", "/users", {**account, **fields})

    def make_account(self, **fields):
        """Register and activate an account; its key is registered too."""
        address, password = f"{uuid.uuid4().hex}@example.com", uuid.uuid4().hex * 2
        succeed(self.register(email=address, password=password, **fields))
        succeed(self.nobody("GET", "/activations/" + self.activation(address)))
        return self._use(address, password)

    def _use(self, address, password):
        account = Account(self.wire, address, password)
        account.remember()
        self._accounts.append(account)
        succeed(account.basic("POST", "/keys", {"key": account.key}))
        return account

    def clean_up(self):
        """Delete the buckets and keys that were made, if the bridge lets it be done.  The accounts stay."""
        self.wire.wait()
        for account in self._accounts:
            with contextlib.suppress(Otherwise):
                account.forget()


class Account:
    """
    An account, which asks by HTTP Basic or signs.

    :param password: the hex SHA-256, as it is sent.
    """

    def __init__(self, wire, address, password):
        self.wire, self.email, self.password = wire, address, password
        self.pair = ECDSA()
        self.key = self.pair.get_public_key()
        self._before = None

    def basic(self, method, target, fields=None, password=None, address=None) -> Answer:
        return self.wire.ask(method, target, _body(fields), self.authorization(password, address))

    def authorization(self, password=None, address=None) -> dict:
        pair = (address or self.email) + ":" + (self.password if password is None else password)
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def signed(self, method, target, fields=None, **odd) -> Answer:
        return self.wire.send(self.sign(method, target, fields, **odd))

    def sign(self, method, target, fields=None, pair=None, **odd) -> Request:
        return sign(pair or self.pair, method, target, fields, **odd)

    # What most rules need before they can look

    def bucket(self, **fields) -> str:
        """Make a bucket and return its path."""
        return "/buckets/" + succeed(self.signed("POST", "/buckets", fields))["id"]

    def token(self, bucket, operation="PUSH") -> str:
        return succeed(self.signed("POST", bucket + "/tokens", {"operation": operation}))["token"]

    def put(self, bucket, content=FRESH, body=None, patience=PATIENCE, **odd) -> Answer:
        return self.wire.send(self.upload(bucket, content, body, **odd), patience)

    def upload(self, bucket, content=FRESH, body=None, size=FRESH, token=None) -> Request:
        """
        Return the request that uploads *content*, unless *body* is a form to send in its place.

        :param size: to declare, None to declare none; *token*: to present, empty to present none.
        """
        headers = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY}
        content = fresh_content() if content is FRESH else content
        token = self.token(bucket) if token is None else token
        size = len(content) if size is FRESH else size
        headers.update({"x-token": token} if token else {})
        headers.update({"x-filesize": str(size)} if size is not None else {})
        body = form(part(content, filename="file.bin", mimetype="application/octet-stream")) if body is None else body
        return Request("PUT", bucket + "/files", body, headers)

    def store(self, bucket, content=FRESH, **options) -> str:
        """Upload a file and return its hash."""
        return succeed(self.put(bucket, content, **options))["hash"]

    def ask_pointers(self, bucket, file_hash, token=None) -> Answer:
        token = self.token(bucket, "PULL") if token is None else token
        return self.wire.ask("GET", f"{bucket}/files/{file_hash}", headers={"x-token": token} if token else {})

    def pointers(self, bucket, file_hash) -> list:
        return listed(self.ask_pointers(bucket, file_hash))

    def files(self, bucket) -> list:
        return listed(self.signed("GET", bucket + "/files"))

    # Cleaning up

    def remember(self):
        """Keep in mind what is there already."""
        self._before = self._paths()

    def forget(self):
        for path in self._paths() - self._before:
            self.basic("DELETE", path)

    def _paths(self):
        return {f"{list_of}/{one.get('id')}" for list_of in ("/buckets", "/keys")
                for one in listed(self.basic("GET", list_of))}


def sign(pair, method, target, fields=None, body=None, nonce=FRESH, text=None, key=None, written=str, headers=None):
    """
    Return a signed request.

    :param nonce: put into the query where that is signed, else into the JSON fields; None to leave it out.
    :param body: what to send instead of the fields, as it is.
    :param text: what to sign instead of what should be signed.
    :param key: what to name as the key; *written* changes the signature.
    """
    nonce = fresh_nonce() if nonce is FRESH else nonce
    payload = b"" if body is None else body
    over_query = method in SIGNED_OVER_QUERY
    if over_query:
        if nonce is not None:
            target += ("&" if "?" in target else "?") + f"__nonce={nonce}"
    elif body is None:
        payload = _body({**(fields or {}), **({} if nonce is None else {"__nonce": nonce})})
    path, _, query = target.partition("?")
    signed = query.encode() if over_query else payload
    text = f"{method}\n{path}\n".encode() + signed if text is None else text
    signature = {"x-pubkey": key or pair.get_public_key(), "x-signature": written(pair.sign(text))}
    return Request(method, target, payload, {"Content-Type": "application/json", **signature, **(headers or {})})


def mailed_token(folder, address) -> str:
    """Return the token of the link in the newest of the mails in a folder that is to an address."""
    deadline = time.monotonic() + MAIL_PATIENCE
    while time.monotonic() < deadline:
        for path in sorted(pathlib.Path(folder).glob("*.eml"), reverse=True):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            found = re.search("/activations/([0-9a-f]{64})", mail.get_body().get_content())
            if found and address in str(mail["To"]):
                return found[1]
        time.sleep(0.1)
    raise Otherwise(f"no mail with a link in {folder}")


def succeed(answer: Answer) -> Answer:
    """Require of what a rule only needs that it was done."""
    if answer.status not in (200, 204, 302):
        raise Otherwise(brief(answer))
    return answer


def listed(answer: Answer) -> list:
    """Require of what a rule only needs that it is a list of objects, and return it."""
    entries = succeed(answer).json
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Otherwise(brief(answer))
    return entries


def long_form(pair) -> str:
    """Return the uncompressed text of a key, whose point is on the curve y^2 = x^3 + 7."""
    prime, key = 2**256 - 2**32 - 977, pair.get_public_key()
    x, odd = int(key[2:], 16), int(key[:2]) - 2
    y = pow(x**3 + 7, (prime + 1) // 4, prime)
    return f"04{x:064x}{y if y % 2 == odd else prime - y:064x}"


def _body(fields):
    return b"" if fields is None else json.dumps(fields).encode()
