"""Clients that use a bridge without pause while it is killed again and again, and what they note down meanwhile."""

import contextlib
import dataclasses
import functools
import hashlib
import random
import threading
import traceback
import uuid

import requests

import pymdc
from pymdc._digest import content_hash
from wire import Account, multipart

PATIENCE = 60  # seconds that anything may take
LIVE = 24  # files of one client, more or less
MIB = 1024 * 1024
HELD, GONE, UNSURE = "held", "gone", "unsure"


class Interrupted(Exception):
    """The bridge was killed before it answered."""


class Over(Exception):
    """Nothing more is to be sent."""


class Gate:
    """Lets requests through while the bridge is up, and knows how many are under way."""

    def __init__(self):
        self.is_open = self.is_over = False
        self._inside = 0
        self._changed = threading.Condition()

    def __enter__(self):
        with self._changed:
            if not self._changed.wait_for(lambda: self.is_open or self.is_over, PATIENCE):
                raise TimeoutError("the bridge did not come back")
            if self.is_over:
                raise Over
            self._inside += 1

    def __exit__(self, *exception):
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def set(self, is_open, is_over=False):
        with self._changed:
            self.is_open, self.is_over = is_open, is_over
            self._changed.notify_all()

    def wait_until_empty(self):
        with self._changed:
            if not self._changed.wait_for(lambda: not self._inside, PATIENCE):
                raise TimeoutError("a request did not end with the bridge")


@dataclasses.dataclass(frozen=True)
class Content:
    """The bytes of a file, which are made again from their seed whenever they are wanted."""

    seed: int
    size: int

    def data(self):
        return random.Random(self.seed).randbytes(self.size)


SHARED = [Content(seed, size) for seed, size in enumerate((0, 1, 5000, MIB, 8 * MIB + 1))]


@dataclasses.dataclass
class File:
    """A file in a bucket, as far as it is known to be there."""

    bucket: str
    hash: str
    content: Content
    state: str = GONE

    @property
    def path(self):
        return f"/buckets/{self.bucket}/files/{self.hash}"


class Manifest:
    """What the bridge has answered, and what it was sent."""

    def __init__(self):
        self.guests = []
        self.owners = {}  # of the buckets
        self.files = {}  # by bucket and hash
        self.tokens = []  # buckets and tokens of requests that were answered
        self.signed = []  # signed requests that were answered
        self.links = {}  # paths of activations: HELD while they can be followed, GONE once they were

    def file(self, bucket, digest, content):
        return self.files.setdefault((bucket, digest), File(bucket, digest, content))


class Guest(Account):
    """An account whose requests are sent by a client."""

    def __init__(self, client):
        super().__init__(client.url, f"{uuid.uuid4().hex}@example.com", uuid.uuid4().hex * 2, pymdc.keypair.ECDSA())
        self.keys = []  # the texts of those registered
        self.buckets = []
        for wire in (self.basic, self.signed, self.nobody):
            wire.deliver = functools.partial(client.deliver, wire)


class Client:
    """
    Does one thing after the other, at random.

    :param find_link: returns the activation link in the newest mail to an address.
    """

    def __init__(self, url, find_link, gate, manifest, seed):
        self.url = url
        self.failure = None
        self._find_link = find_link
        self._gate = gate
        self._manifest = manifest
        self._random = random.Random(seed)
        self._session = requests.Session()
        self._guests = []
        self._files = []
        self._file = self._before = None  # what the newest PUT or DELETE is about, and its state before that

    def run(self):
        try:
            while True:
                with contextlib.suppress(Interrupted):
                    self._step()
        except Over:
            pass
        except BaseException:
            self.failure = traceback.format_exc()
        finally:
            self._session.close()

    def deliver(self, wire, request):
        """Send a request of *wire* once, and note what it spends when it is answered."""
        wire.last = None  # which may be large
        with self._gate:
            if request.method in ("PUT", "DELETE"):
                self._doubt(request.method)
            try:
                answer = self._session.send(request, allow_redirects=False, timeout=PATIENCE)
            except requests.RequestException as error:
                if self._gate.is_open:
                    raise AssertionError("a request failed though nothing was killed") from error
                raise Interrupted from None
        if "x-signature" in request.headers:
            self._manifest.signed.append(request)
        if "x-token" in request.headers and "/buckets/" in request.url:
            self._manifest.tokens.append((request.path_url.split("/")[2], request.headers["x-token"]))
        allowed = (200, 204, 404) if request.method == "DELETE" else (200,)
        assert answer.status_code in allowed, (request.method, request.path_url, answer.status_code, answer.text)
        return answer

    def _doubt(self, method):
        """Note that it is not known any more whether the file is there.  Outside the gate doubts are settled."""
        self._before = self._file.state
        if method == "DELETE" or self._before == GONE:
            self._file.state = UNSURE

    def _step(self):
        steps = {
            self._register: 1, self._add_key: 2, self._add_bucket: 3, self._upload: 40, self._delete: 14,
            self._download: 8,
        }
        if not self._guests:
            self._register()
        elif len(self._live()) > LIVE:
            self._delete()
        else:
            self._random.choices(list(steps), steps.values())[0]()

    def _register(self):
        guest = Guest(self)
        fields = self._random.choice([{}, {"pubkey": guest.key}])
        guest.nobody.post("/users", {"email": guest.email, "password": guest.password, **fields})
        link = self._find_link(guest.email)[len(self.url):]
        self._manifest.links[link] = HELD
        if self._random.random() < 0.3:
            return  # this mail is not read
        self._activate(guest, link)
        if not fields:  # signed beside the password, which proves the key
            guest.signed.post("/keys", {"key": guest.key, "account": guest.email}, auth=(guest.email, guest.password))
        guest.keys.append(guest.key)
        self._guests.append(guest)
        self._manifest.guests.append(guest)

    def _activate(self, guest, link):
        self._manifest.links[link] = UNSURE
        guest.nobody.get(link)
        self._manifest.links[link] = GONE

    def _add_key(self):
        guest, key = self._random.choice(self._guests), pymdc.keypair.ECDSA().get_public_key()
        guest.signed.post("/keys", {"key": key})
        guest.keys.append(key)

    def _add_bucket(self):
        guest = self._random.choice(self._guests)
        guest.buckets.append(guest.bucket())
        self._manifest.owners[guest.buckets[-1]] = guest

    def _upload(self):
        guest = self._random.choice(self._guests)
        if not guest.buckets:
            return self._add_bucket()
        content = self._content()
        data = content.data()
        bucket, digest = self._random.choice(guest.buckets), content_hash(hashlib.sha256(data))
        file = self._file = self._manifest.file(bucket, digest, content)
        token = guest.token(bucket)
        if file not in self._files:
            self._files.append(file)
        answer = guest.nobody.put(f"/buckets/{bucket}/files", multipart(data), token, len(data))
        assert answer.json()["hash"] == digest
        file.state = HELD

    def _content(self):
        if self._random.random() < 0.4:
            return self._random.choice(SHARED)
        sizes = {0: 1, 1: 1, self._random.randrange(100_000): 10, MIB: 4, 8 * MIB: 1, 8 * MIB + 1: 1, 20 * MIB: 0.5}
        return Content(self._random.getrandbits(48), self._random.choices(list(sizes), sizes.values())[0])

    def _delete(self):
        files = self._live()
        if not files:
            return
        file = self._file = self._random.choice(files)
        answer = self._manifest.owners[file.bucket].signed.delete(file.path)
        assert answer.status_code == (404 if self._before == GONE else 204) or self._before == UNSURE, answer.text
        file.state = GONE

    def _download(self):
        files = [file for file in self._live() if file.state == HELD]
        if files:
            file = self._random.choice(files)
            assert content_of(file, self._manifest.owners[file.bucket]) == file.content.data()

    def _live(self):
        self._files = [file for file in self._files if file.state != GONE]
        return self._files


def content_of(file, account):
    """Return the bytes that the pointers of a file lead to."""
    answer = account.pointers(file.bucket, file.hash)
    assert answer.status_code == 200, answer.text
    shards = []
    for pointer in answer.json():
        assert pointer["url"].startswith(account.nobody.url)
        path = pointer["url"][len(account.nobody.url):]
        shards.append(account.nobody.get(path, headers={"x-token": pointer["token"]}))
        assert shards[-1].status_code == 200, shards[-1].text
    return b"".join(shard.content for shard in shards)
