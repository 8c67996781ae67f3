"""Whatever is sent, the bridge answers with a refusal that helps or closes, changes nothing, and goes on serving."""

import base64
import contextlib
import json
import os
import resource
import sqlite3
import types
import uuid

import ecdsa
import pytest

import pymdc
import raw
from pymdc.bridge import LocalBridge
from running_bridge import RunningBridge
from waiting import eventually
from wire import BOUNDARY, Account, ending, fresh_nonce, multipart, part

if not os.path.isdir("/proc/self/fd") and "CI" not in os.environ:
    pytest.skip("needs /proc", allow_module_level=True)

MIB = 1024 * 1024
ORDER = ecdsa.SECP256k1.order
NO_BUCKET, NO_HASH, NO_KEY = "f" * 24, "0" * 40, "02" + "1" * 64
PASSWORD = "5" * 64
CONTENT = b"Hello Metadisk!\n"
FILE = multipart(CONTENT)
FORM = "multipart/form-data; boundary=" + BOUNDARY
SPENT = ("tokens", "seen", "windows", "uploads")  # what a request uses up, or holds while it lasts, if refused too
LEASES = ("rates",)  # with no rates, those alone; whoever tidies up takes one now and then
GROWTH = 96 * MIB  # bytes of memory, generously


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


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "errors"
    with open(path, "w") as errors:
        bridge = RunningBridge(stderr=errors)
    try:
        yield World(bridge, path)
    finally:
        bridge.close()


@pytest.fixture(scope="module")
def at_first(started):
    """What the bridge had open, and held in memory, before."""
    return started.descriptors(), started.memory()


@pytest.fixture
def world(started, at_first):
    """The bridge: it serves after each test, and what it has only refused has changed nothing."""
    started.statuses.clear()
    before = started.known
    yield started
    eventually(lambda: started.rows("uploads") == [])  # what the test has broken off is given up
    assert started.serves()
    started.known = started.state()
    if all(status >= 400 for status in started.statuses):
        assert started.known == before


def assert_refused(answer, *statuses):
    assert 400 <= answer.status < 500, answer
    assert not statuses or answer.status in statuses, answer
    assert answer.headers["content-type"] == "application/json; charset=utf-8", answer
    assert set(answer.json()) == {"error"} and len(answer.json()["error"]) > 8, answer


# Multipart

def disposed(disposition, content=CONTENT):
    """Return a form whose part has this Content-Disposition."""
    disposition = disposition if isinstance(disposition, bytes) else disposition.encode()
    return f"--{BOUNDARY}\r\nContent-Disposition: ".encode() + disposition + b"\r\n\r\n" + content + b"\r\n" + ending()


def headed(head, content=CONTENT):
    """Return a form whose part has these header lines."""
    return f"--{BOUNDARY}\r\n".encode() + head + b"\r\n\r\n" + content + b"\r\n" + ending()


DISPOSITION = b'Content-Disposition: form-data; name="a"; filename="b"'
BODIES = {
    "empty": b"",
    "only the ending": ending(),
    "ends in the boundary": FILE[:8],
    "ends after the boundary": FILE[:len(BOUNDARY) + 4],
    "ends in a header name": FILE[:len(BOUNDARY) + 12],
    "ends in a header value": FILE[:len(BOUNDARY) + 50],
    "ends after the headers": FILE[:FILE.index(b"\r\n\r\n") + 4],
    "ends in the content": FILE[:FILE.index(b"\r\n\r\n") + 9],
    "ends after the content": FILE[:-len(ending()) - 2],
    "ends in the last boundary": FILE[:-8],
    "ends in the last two hyphens": FILE[:-3],
    "no last boundary": part(CONTENT, filename="a"),
    "another boundary": FILE.replace(BOUNDARY.encode(), b"other"),
    "the last boundary is another": part(CONTENT, filename="a") + b"--other--\r\n",
    "the boundary without hyphens": FILE.replace(b"--" + BOUNDARY.encode(), BOUNDARY.encode()),
    "the boundary in capitals": FILE.replace(BOUNDARY.encode(), BOUNDARY.upper().encode()),
    "spaces in a boundary": FILE.replace(BOUNDARY.encode(), BOUNDARY.encode() + b" x", 1),
    "no end of the headers": headed(DISPOSITION).replace(b"\r\n\r\n", b"\r\n"),
    "bare LF": FILE.replace(b"\r\n", b"\n"),
    "bare CR": FILE.replace(b"\r\n", b"\r"),
    "LF behind the boundary": FILE.replace(BOUNDARY.encode() + b"\r\n", BOUNDARY.encode() + b"\n"),
    "NULs": b"\0" * 1000,
    "NUL in a header name": headed(b"Content\0-Disposition: form-data"),
    "NUL in a header value": disposed(b'form-data; name="a"; filename="a\0b"'),
    "header without a colon": headed(DISPOSITION + b"\r\nnonsense"),
    "header without a name": headed(DISPOSITION + b"\r\n: nonsense"),
    "header folded": headed(DISPOSITION.replace(b"; filename", b";\r\n filename")),
    "header of 70 000 bytes": headed(DISPOSITION + b"\r\nX: " + b"y" * 70000),
    "header name of 70 000 bytes": headed(DISPOSITION + b"\r\n" + b"y" * 70000 + b": x"),
    "10 000 headers": headed(DISPOSITION + b"\r\nX: y" * 10000),
    "no headers": headed(b""),
    "no Content-Disposition": headed(b"X: y"),
    "3 000 parts": b"".join(part(b"x", f"n{number}") for number in range(3000)) + FILE,
    "a field of 70 000 bytes": part(b"x" * 70000) + FILE,
    "nested": headed(b"Content-Type: multipart/mixed; boundary=inner",
                     b'--inner\r\nContent-Disposition: file; filename="a"\r\n\r\nx\r\n--inner--'),
    "JSON": b'{"file": "x"}',
    "gzip": b"\x1f\x8b\x08" + b"x" * 500,
    "preamble": b"garbage\r\n" + FILE,
}
EXPLAINED = ("multipart", "No file", "field", "file name", "Unexpected end", "declared size")


@cases("body", {name: [body] for name, body in BODIES.items()})
def test_a_form_that_is_none_is_refused(world, body):
    answer, = world.ask(world.put(*body))

    assert_refused(answer, 400)
    assert any(text in answer.json()["error"] for text in EXPLAINED)


@pytest.mark.parametrize("cut", range(0, len(FILE), 17))
def test_a_form_that_breaks_off_anywhere_is_refused(world, cut):
    answers = world.ask(world.put(FILE[:cut]))

    assert_refused(answers[0], 400)


@cases("content_type", {
    "none": [None], "empty": [""], "another": ["text/plain"], "mixed": [FORM.replace("form-data", "mixed")],
    "no boundary": ["multipart/form-data"], "empty boundary": ["multipart/form-data; boundary="],
    "quoted empty boundary": ['multipart/form-data; boundary=""'], "open quote": ['multipart/form-data; boundary="'],
    "boundary of spaces": ['multipart/form-data; boundary="   "'],
    "boundary of 10 000": ["multipart/form-data; boundary=" + "x" * 10000],
    "two boundaries": ["multipart/form-data; boundary=first; boundary=" + BOUNDARY + "x"],
    "boundary by RFC 2231": ["multipart/form-data; boundary*=utf-8''other"],
    "boundary in parts": ["multipart/form-data; boundary*0=oth; boundary*1=er"],
    "boundary in no charset": ["multipart/form-data; boundary*=nonsense''%ff%fe"],
    "boundary in broken UTF-8": ["multipart/form-data; boundary*=utf-8''%ff%fe"],
    "boundary in punycode": ["multipart/form-data; boundary*=idna''%ff.%fe"],
    "boundary in a codec of bytes": ["multipart/form-data; boundary*=hex''zz"],
    "not Latin": [b"multipart/form-data; boundary=\xff\xfe\xe2\x82"],
    "only semicolons": [";" * 5000], "only quotes": ["multipart/form-data; boundary=" + '\\"' * 5000],
    "RFC 2047": ["=?utf-8?q?multipart/form-data?=; boundary=x"],
})
def test_a_content_type_that_tells_no_boundary_is_refused(world, content_type):
    answer, = world.ask(world.put(content_type=content_type[0]))

    assert_refused(answer, 400)


@cases("disposition, name", {
    "up": ['form-data; name="a"; filename="../../etc/passwd"', "passwd"],
    "up, of Windows": [r'form-data; name="a"; filename="..\..\boot.ini"', "boot.ini"],
    "absolute": ['form-data; name="a"; filename="/etc/passwd"', "passwd"],
    "absolute, of Windows": [r'form-data; name="a"; filename="C:\autoexec.bat"', "autoexec.bat"],
    "a folder": ['form-data; name="a"; filename="folder/"', None],
    "percent-encoded stays": ['form-data; name="a"; filename="%2e%2e%2fx"', "%2e%2e%2fx"],
    "RFC 5987": ["form-data; name=a; filename*=utf-8''..%2F..%2Fh%C3%A9", "h\u00e9"],
    "RFC 5987 beside a plain one": ["form-data; name=a; filename=\"x\"; filename*=UTF-8'en'y", "y"],
    "RFC 2047 stays": ['form-data; name="a"; filename="=?utf-8?q?x?="', "=?utf-8?q?x?="],
    "no quotes": ["form-data; name=a; filename=plain", "plain"],
    "quotes of a browser": ['form-data; name="a"; filename="say %22hi%22.txt"', 'say "hi".txt'],
    "nothing but quotes is decoded": ['form-data; name="a"; filename="%41%0d%0A%25"', "%41%0d%0A%25"],
    "without quotes nothing is": ["form-data; name=a; filename=%22", "%22"],
    "a line feed, escaped": [r'form-data; name="a"; filename="a\nb"', "nb"],
    "255 characters": ['form-data; name="a"; filename="' + "\u732b" * 255 + '"', "\u732b" * 255],
    "name twice": ['form-data; name="a"; name="b"; filename="x"', "x"],
    "in capitals": ['FORM-DATA; NAME="a"; FILENAME="x"', "x"],
})
def test_a_file_name_is_cut_to_its_base_and_leads_nowhere(world, disposition, name):
    answer, = world.ask(world.put(disposed(disposition)))

    assert answer.status == 200, answer
    assert answer.json()["filename"] == (name or answer.json()["hash"])


@pytest.mark.parametrize("name", ["..", "."])
def test_a_file_name_that_means_a_folder_is_refused(world, name):
    answer, = world.ask(world.put(disposed(f'form-data; name="a"; filename="/x/{name}"')))

    assert_refused(answer, 400)


@cases("disposition", {
    "256 characters": ['form-data; name="a"; filename="' + "\u732b" * 256 + '"'],
    "4 000 characters": ['form-data; name="a"; filename="' + "x" * 4000 + '"'],
    "not UTF-8": [b'form-data; name="a"; filename="\xff\xfe"'],
    "half a surrogate pair": [b'form-data; name="a"; filename="\xed\xa0\x80"'],
    "overlong UTF-8": [b'form-data; name="a"; filename="\xc0\xaf"'],
    "RFC 5987, not UTF-8": ["form-data; name=a; filename*=utf-8''%ff"],
    "RFC 5987, Latin": ["form-data; name=a; filename*=iso-8859-1''%e9"],
    "RFC 5987, NUL": ["form-data; name=a; filename*=utf-8''a%00b"],
    "RFC 5987, line feed": ["form-data; name=a; filename*=utf-8''a%0d%0ab"],
    "tab": ['form-data; name="a"; filename="a\tb"'],
    "delete": ['form-data; name="a"; filename="a\x7fb"'],
})
def test_a_file_name_that_cannot_be_kept_is_refused(world, disposition):
    answer, = world.ask(world.put(disposed(*disposition)))

    assert_refused(answer, 400)


@cases("body", {
    "of two files the first counts": [part(CONTENT, filename="first") + multipart(b"second", filename="second")],
    "garbage behind the end": [FILE + b"garbage" * 1000],
    "another form behind the end": [FILE + multipart(b"second")],
    "fields around": [part(b"x", "id") + part(CONTENT, filename="a") + part(b"y", "z") + ending()],
    "a header twice": [headed(DISPOSITION + b"\r\nContent-Type: a/b\r\nContent-Type: c/d")],
})
def test_a_form_that_is_only_odd_is_stored(world, body):
    answer, = world.ask(world.put(*body))

    assert answer.status == 200, answer
    assert answer.json()["size"] == len(CONTENT)


# Lengths

@cases("size", {
    "missing": [None], "empty": [""], "negative": ["-1"], "plus": ["+16"], "minus nothing": ["-0"],
    "fraction": ["16.5"], "exponent": ["1.6e1"], "Arabic digits": ["\u0661\u0666"], "underscore": ["1_6"],
    "hex": ["0x10"], "a space within": ["1 6"], "comma": ["16,16"], "NaN": ["NaN"], "infinite": ["inf"],
    "10^15": ["1" + "0" * 15], "5 000 digits": ["9" * 5000], "true": ["true"], "full width": ["\uff11\uff16"],
    "too small": [15], "too large": [17], "nothing": [0], "not Latin": [b"16\xff"], "superscript": ["1\u2076"],
})
def test_a_declared_size_that_is_not_the_size_is_refused(world, size):
    answer, = world.ask(world.put(size=size[0]))

    assert_refused(answer, 400)


@cases("size, status", {
    "fraction of nothing": ["16.000", 200], "spaces around": ["   16  ", 200],
    "leading zeros": ["000000000000016", 200],
    "more than the bucket holds": ["999999999999999", 413],
})
def test_a_declared_size_is_a_whole_number(world, size, status):
    answer, = world.ask(world.put(size=size))

    assert answer.status == status, answer


@cases("length", {
    "negative": "-1", "plus": "+16", "hex": "0x10", "a space within": "1 6", "comma": "16, 16", "fraction": "16.0",
    "empty": "", "letters": "x", "2^64": str(2 ** 64), "5 000 digits": "9" * 5000, "underscore": "1_6",
    "Arabic digits": "\u0661\u0666", "exponent": "1e3", "quoted": '"16"', "vertical tab": b"16\x0b",
})
def test_a_content_length_that_is_none_is_refused(world, length):
    answer, = world.ask(world.put(headers={"Content-Length": length}))

    assert_refused(answer, 400)


@pytest.mark.parametrize("lengths", [(len(FILE), len(FILE)), (len(FILE), 5), (0, len(FILE))])
def test_two_content_lengths_are_refused(world, lengths):
    answer, = world.ask(world.put(headers=[("Content-Length", length) for length in lengths]))

    assert_refused(answer, 400)


def test_what_is_behind_the_content_length_is_no_part_of_the_body(world):
    answers = world.ask(world.put(headers={"Content-Length": len(FILE) - 4}))

    assert len(answers) <= 2
    for answer in answers:
        assert_refused(answer, 400)


def test_a_body_that_is_shorter_than_its_content_length_is_never_stored(world):
    assert world.ask(world.put(headers={"Content-Length": len(FILE) + 1}), answers=0) == []
    assert world.ask(raw.request("POST", "/users", {"Content-Length": 1000}, b"{}"), answers=0) == []


# Chunked bodies

def chunks(world, body, **options):
    options = {"headers": {"Transfer-Encoding": "chunked"}, **options}
    return world.put(body, **options)


@cases("body", {
    "as it should be": raw.chunked(FILE) + b"0\r\n\r\n",
    "byte by byte": raw.chunked(FILE, 1) + b"0\r\n\r\n",
    "zeros before a size": raw.chunked(FILE).replace(b"7\r\n", b"0007\r\n", 1) + b"000\r\n\r\n",
    "an extension": raw.chunked(FILE).replace(b"7\r\n", b"7;name=value\r\n", 1) + b"0\r\n\r\n",
    "trailers": raw.chunked(FILE) + b"0\r\nX-Checksum: 5\r\n\r\n",
})
def test_a_chunked_body_is_put_together(world, body):
    answer, = world.ask(chunks(world, body))

    assert answer.status == 200, answer
    assert answer.json()["size"] == len(CONTENT)


@cases("body", {
    "size is no number": b"x\r\n" + FILE,
    "size is negative": b"-7\r\n" + FILE,
    "size with a plus": b"+7\r\n1234567\r\n0\r\n\r\n",
    "size is hex with 0x": b"0x7\r\n1234567\r\n0\r\n\r\n",
    "size is empty": b"\r\n1234567\r\n0\r\n\r\n",
    "size beyond 2^64": b"f" * 17 + b"\r\n" + FILE,
    "size with an underscore": b"1_0\r\n" + FILE,
    "spaces before a size": b"   7\r\n1234567\r\n0\r\n\r\n",
    "data longer than its size": b"5\r\n1234567\r\n0\r\n\r\n",
    "data shorter than its size": b"9\r\n1234567\r\n0\r\n\r\n",
    "sizes end in LF": raw.chunked(FILE).replace(b"7\r\n", b"7\n", 1) + b"0\r\n\r\n",
    "data without an end": b"7\r\n12345670\r\n\r\n",
})
def test_a_chunk_that_is_none_is_refused(world, body):
    answers = world.ask(chunks(world, body))

    assert_refused(answers[0], 400)
    assert len(answers) == 1


def test_an_extension_of_a_chunk_that_never_ends_is_refused(world):
    answers = world.ask(chunks(world, b"7;" + b"x" * MIB + b"\r\n1234567\r\n0\r\n\r\n"))

    assert_refused(answers[0], 400, 413, 431)


def test_a_chunked_body_without_its_last_chunk_is_never_stored(world):
    assert world.ask(chunks(world, raw.chunked(FILE)), answers=0) == []


@cases("trailer, options", {
    "x-token": ["x-token: {token}", {"token": ""}],
    "x-filesize": ["x-filesize: 16", {"size": None}],
    "content-type": ["Content-Type: " + FORM, {"content_type": None}],
})
def test_a_trailer_is_no_header(world, trailer, options):
    trailer = trailer.format(token=world.alice.token()).encode()

    answers = world.ask(chunks(world, raw.chunked(FILE) + b"0\r\n" + trailer + b"\r\n\r\n", **options))

    assert_refused(answers[0], 400, 401)


# One request hidden in another

def hidden():
    """Return a request that needs nobody's permission, and is seen when it was obeyed."""
    fields = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    return raw.request("POST", "/users", body=json.dumps(fields).encode())


def carrier(*headers, target="/users", body=b""):
    """Return a refused request with these header lines, as they are."""
    return b"\r\n".join([f"POST {target} HTTP/1.1".encode(), b"Host: x", *headers]) + b"\r\n\r\n" + body


EMPTY = b"0\r\n\r\n"
TE, CL = b"Transfer-Encoding: chunked", b"Content-Length: "
# What is sent, with a hidden request put in for each {}, and the statuses of the answers.
SMUGGLING = {
    "CL.TE": [carrier(CL + b"6", TE, body=EMPTY + b"G{}"), [400]],
    "CL.TE, all of it announced": [carrier(CL + b"500", TE, body=EMPTY + b"{}"), [400]],
    "TE.CL": [carrier(TE, CL + b"4", body=b"5\r\nabcde\r\n0\r\n\r\n{}"), [400]],
    "TE.CL, no length": [carrier(TE, CL + b"0", body=EMPTY + b"{}"), [400]],
    "two lengths": [carrier(CL + b"0", CL + b"400", body=b"{}"), [400]],
    "two equal lengths": [carrier(CL + b"2", CL + b"2", body=b"[]{}"), [400]],
    "a list of lengths": [carrier(CL + b"0, 0", body=b"{}"), [400]],
    "TE.TE, second unknown": [carrier(TE, b"Transfer-Encoding: x", body=EMPTY + b"{}"), [400]],
    "TE.TE, first unknown": [carrier(b"Transfer-Encoding: x", CL + b"5", TE, body=EMPTY + b"{}"), [400]],
    "TE xchunked": [carrier(b"Transfer-Encoding: xchunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE identity": [carrier(b"Transfer-Encoding: identity", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE identity alone": [carrier(b"Transfer-Encoding: identity", body=EMPTY + b"{}"), [400]],
    "TE chunked, identity": [carrier(b"Transfer-Encoding: chunked, identity", body=EMPTY + b"{}"), [400]],
    "TE chunked, chunked": [carrier(b"Transfer-Encoding: chunked, chunked", body=EMPTY + b"{}"), [400]],
    "TE gzip": [carrier(b"Transfer-Encoding: gzip", body=EMPTY + b"{}"), [400]],
    "TE empty": [carrier(b"Transfer-Encoding:", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE quoted": [carrier(b'Transfer-Encoding: "chunked"', CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE with a vertical tab": [carrier(b"Transfer-Encoding: \x0bchunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE with a NUL": [carrier(b"Transfer-Encoding: chunked\0", CL + b"5", body=EMPTY + b"{}"), [400]],
    "TE with an underscore": [carrier(b"Transfer_Encoding: chunked", CL + b"5", body=EMPTY), [400]],
    "TE folded": [carrier(b"Transfer-Encoding:\r\n chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "space before the colon": [carrier(b"Transfer-Encoding : chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "space before the colon of a length": [carrier(b"Content-Length : 5", body=b"12345{}"), [400]],
    "space before a name": [carrier(b" Transfer-Encoding: chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "folded header": [carrier(b"X: y\r\n z", CL + b"0", body=b""), [400]],
    "a bare CR in a header": [carrier(b"X: y\rTransfer-Encoding: chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "a bare LF in a header": [carrier(b"X: y\nTransfer-Encoding: chunked", CL + b"5", body=EMPTY + b"{}"), [400]],
    "a bare CR behind the headers": [carrier(CL + b"0").replace(b"\r\n\r\n", b"\r\r") + b"{}", [400]],
    "only LF": [carrier(CL + b"0").replace(b"\r\n", b"\n"), [400]],
    "a header without a colon": [carrier(b"nonsense", CL + b"0", body=b"{}"), [400]],
    "a header without a name": [carrier(b": x", CL + b"0", body=b"{}"), [400]],
    "NUL in a name": [carrier(b"X\0Y: z", CL + b"0", body=b"{}"), [400]],
    "in a body": [carrier(CL + b"%d", body=b"{}"), [400]],
    "in a chunk": [carrier(TE, body=b"%x\r\n{}\r\n0\r\n\r\n"), [400]],
    "behind a chunk's CR": [carrier(TE, body=b"1;\r{}\r\na\r\n0\r\n\r\n"), [400]],
    "behind the body of a GET": [
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{}", [200]],
    "behind an upgrade with a body": [
        b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n\r\n{}", [400]],
    "behind an upgrade to h2c": [
        b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n{}", [200]],
    "behind CONNECT": [b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n{}", [400]],
    "behind a close": [b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n{}", [200]],
    "behind HTTP/1.0": [b"GET /health HTTP/1.0\r\n\r\n{}", [200]],
    "behind HTTP/0.9": [b"GET /health\r\n\r\n{}", [200]],
    "in the target": [b"GET /health?\r\n{} HTTP/1.1\r\n\r\n", [400]],
    "an absolute target": [b"GET http://x/health HTTP/1.1\r\nHost: x\r\n\r\n", [200]],
    "an absolute target without a path": [b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "a target of another server": [b"GET ftp://x/nope HTTP/1.1\r\nHost: x\r\n\r\n", [404]],
    "an authority as target": [b"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "an asterisk as target": [b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", [404]],
    "a target without a slash": [b"GET health HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "a fragment": [b"GET /health#x HTTP/1.1\r\nHost: x\r\n\r\n", [200]],
    "a target of spaces": [b"GET   HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "a version that is none": [b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n", [400]],
    "another protocol": [b"GET /health RTSP/1.0\r\nHost: x\r\n\r\n", [200]],
    "HTTP/2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", [400]],
    "TLS": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, [400]],
    "SSH": [b"SSH-2.0-OpenSSH_9.0\r\n", [400]],
    "NULs": [b"\0" * 1000, [400]],
    "an unknown method": [b"HACK / HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "a method in small letters": [b"get /health HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
    "an overlong method": [b"G" * 100000, [400]],
    "two requests": [b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /keys HTTP/1.1\r\nHost: x\r\n\r\n", [200, 401]],
    "two requests with an empty line between": [
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n\r\n\r\nGET /keys HTTP/1.1\r\nHost: x\r\n\r\n", [200, 401]],
    "100 requests": [b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n" * 100, [404] * 100],
    "garbage behind a request": [b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n\0\1\2 {}", [200]],
}


@cases("data, statuses", SMUGGLING)
def test_no_request_is_hidden_in_another(world, data, statuses):
    second, before = hidden(), world.state(besides=LEASES)
    data = data.replace(b"%d", b"%d" % len(second)).replace(b"%x", b"%x" % len(second)).replace(b"{}", second)

    answers = world.ask(data, len(statuses))

    assert [answer.status for answer in answers] == statuses
    for answer in answers:
        if answer.status >= 400:
            assert_refused(answer)
    assert world.state(besides=LEASES) == before


def test_a_request_that_was_obeyed_is_answered_whatever_follows(world):
    before = len(world.state()["accounts"])
    with raw.Connection(world.url) as connection:
        connection.send(hidden() + b"\0garbage\r\n\r\n")  # at once, so that the request is not answered before
        answers = connection.answers()
    world.statuses += [200]

    assert [answer.status for answer in answers] == [200]
    assert len(world.state()["accounts"]) == before + 1


def test_a_token_hidden_in_a_body_is_not_spent(world):
    target, token = f"/buckets/{world.alice.bucket}/files/{world.alice.file}", world.alice.token("PULL")
    spending = raw.request("GET", target, {"x-token": token})

    for headers in ([CL + b"5", TE], [b"Transfer-Encoding : chunked", CL + b"5"], [CL + b"%d" % len(EMPTY + spending)]):
        answer, = world.ask(carrier(*headers, body=EMPTY + spending))
        assert_refused(answer, 400)

    answer, = world.ask(spending)
    assert answer.status == 200


# Headers

@cases("given", {
    "authorization": ["Authorization", "Basic eDp5", lambda party: party.basic("GET", "/keys")],
    "x-pubkey": ["x-pubkey", NO_KEY, lambda party: party.signed("GET", "/keys")],
    "x-signature": ["x-signature", "30", lambda party: party.signed("GET", "/keys")],
})
@pytest.mark.parametrize("first", [True, False])
def test_who_asks_in_two_ways_at_once_is_refused(world, given, first):
    name, value, make = given
    line, request = f"{name}: {value}\r\n".encode(), make(world.alice)
    head = request.index(b"\r\n") + 2 if first else request.index(b"\r\n\r\n") + 2

    answer, = world.ask(request[:head] + line + request[head:])

    assert_refused(answer, 400, 401)


@cases("name, value", {
    "x-token": ["x-token", "0" * 64], "x-filesize": ["x-filesize", "17"],
    "content-type": ["Content-Type", "text/plain"],
    "host": ["Host", "y"],
})
@pytest.mark.parametrize("first", [True, False])
def test_an_upload_that_says_a_thing_in_two_ways_is_refused(world, name, value, first):
    line, request = f"{name}: {value}\r\n".encode(), world.put()
    head = request.index(b"\r\n") + 2 if first else request.index(b"\r\n\r\n") + 2

    answer, = world.ask(request[:head] + line + request[head:])

    assert_refused(answer, 400, 401)


@pytest.mark.parametrize("name", ["Authorization", "x-pubkey", "x-signature", "x-token", "Origin", "Cookie", "Expect"])
def test_bytes_that_are_no_text_in_a_header_are_refused(world, name):
    headers = {"x-pubkey": world.alice.key, "x-signature": "00", name: b"\xff\xfe\xe2\x82 \x80"}
    answer, = world.ask(raw.request("GET", f"/buckets/{NO_BUCKET}/files/{NO_HASH}", headers))

    assert_refused(answer, 401)


@pytest.mark.parametrize("value", [b"a\x7fb", b"a\x01b", b"a\0b", b"a\rb", b"a\r\n b"])
def test_what_is_echoed_splits_no_answer(world, value):
    answer, = world.ask(raw.request("GET", "/nope", {"Origin": value}))

    assert_refused(answer, 400)


@cases("headers", {
    "one of 70 000 bytes": [("X", "y" * 70000)],
    "one name of 70 000 bytes": [("X" * 70000, "y")],
    "1 000 of 100 bytes": [(f"X-{number}", "y" * 100) for number in range(1000)],
    "a megabyte": [("X", "y" * MIB)],
    "100 000 without a value": [("X", "")] * 100000,
})
def test_more_than_64_kib_of_headers_are_refused(world, headers):
    with raw.Connection(world.url) as connection:
        connection.send(raw.request("GET", "/health", headers)[:70_000])  # more could be lost with the answer
        answer, = connection.answers()

    assert_refused(answer, 431)


def test_a_request_line_of_70_000_bytes_is_refused(world):
    answer, = world.ask(raw.request("GET", "/health?" + "x" * 70000))

    assert_refused(answer, 400, 414, 431)


def test_1000_short_headers_are_no_harm(world):
    answer, = world.ask(raw.request("GET", "/health", [(f"X-{number}", "y") for number in range(1000)]))

    assert answer.status in (200, 400, 431)


@pytest.mark.parametrize("value", ["100-continue, x", "nonsense", "200-ok"])
def test_an_expectation_is_no_harm(world, value):
    answer, = world.ask(raw.request("POST", "/users", {"Expect": value}, b"[]"))

    assert_refused(answer, 400, 417)


# Paths

ROUTES = [
    ("GET", "/buckets/{}"), ("PATCH", "/buckets/{}"), ("DELETE", "/buckets/{}"), ("POST", "/buckets/{}/tokens"),
    ("GET", "/buckets/{}/files"), ("PUT", "/buckets/{}/files"), ("DELETE", "/keys/{}"), ("GET", "/activations/{}"),
    ("PATCH", "/users/{}"), ("DELETE", "/users/{}"),
    ("GET", "/buckets/BUCKET/files/{}"), ("DELETE", "/buckets/BUCKET/files/{}"), ("GET", "/shards/{}"),
]
IDS = {
    "up": "..", "here": ".", "up, encoded": "%2e%2e", "up and on, encoded": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "up, encoded twice": "%252e%252e%252f", "backslashes": "..%5c..%5c", "NUL": "%00", "NUL behind": "a%00b",
    "not UTF-8": "%ff%fe", "half a surrogate pair": "%ed%a0%80", "parameters": "x;y=z", "double slash": "/x",
    "an encoded slash": "x%2fy", "a broken escape": "%zz", "half an escape": "%", "encoded digits": "%66" * 24,
    "6 000 characters": "f" * 6000, "Unicode, encoded": "%E7%8C%AB", "a line feed": "a%0d%0ab",
    "quotes": "'%20OR%201=1--",
    "wildcards": "%25", "a format": "%7B0%7D", "a space": "%20", "Arabic digits": "%D9%A1" * 24, "minus": "-1",
}


@pytest.mark.parametrize("text", list(IDS.values()), ids=list(IDS))
def test_an_id_that_is_none_leads_nowhere(world, text):
    for method, route in ROUTES:
        target = route.replace("BUCKET", world.alice.bucket).format(text)
        body = {"name": "changed", "operation": "PUSH"} if method in ("POST", "PATCH") else None
        request = world.put(token="x") if method == "PUT" else world.alice.signed(method, target, body)
        if method == "PUT":
            request = request.replace(f"/buckets/{world.alice.bucket}/files".encode(), target.encode(), 1)

        answer, = world.ask(request)

        assert_refused(answer, 400, 401, 404, 405)


@pytest.mark.parametrize("text", [b"\xe7\x8c\xab", b"\xff", b"a b", b"a\0b", b"a\x7fb", b"a\tb"])
def test_raw_bytes_in_a_path_are_refused(world, text):
    for method, route in ROUTES:
        target = route.replace("BUCKET", world.alice.bucket).encode().replace(b"{}", text)
        answers = world.ask(world.alice.signed(method, target, b""))

        assert_refused(answers[0], 400)


def test_a_path_of_70_000_bytes_is_refused(world):
    answer, = world.ask(world.alice.signed("GET", "/buckets/" + "f" * 70000))

    assert_refused(answer, 400, 404, 414, 431)


# JSON

JSON_ROUTES = [
    ("POST", "/users"), ("POST", "/keys"), ("POST", "/buckets"), ("PATCH", "/buckets/BUCKET"),
    ("POST", "/buckets/BUCKET/tokens"),
]
NO_OBJECTS = {
    "over 1 MiB": b'{"name": "' + b"x" * MIB + b'"}',
    "100 000 deep": b"[" * 100000,
    "objects 100 000 deep": b'{"name":' * 100000,
    "a field 100 000 deep": b'{"name": ' + b"[" * 100000 + b"]" * 100000 + b"}",
    "NaN": b'{"name": "x", "storage": NaN}',
    "Infinity": b'{"name": "x", "storage": Infinity}',
    "-Infinity": b'{"__nonce": -Infinity}',
    "5 000 digits": b'{"storage": ' + b"9" * 5000 + b"}",
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "half a surrogate pair as bytes": b'{"name": "\xed\xa0\x80"}',
    "BOM": b'\xef\xbb\xbf{"name": "x"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "UTF-32": '{"name": "x"}'.encode("utf-32-le"),
    "list": b'[{"name": "x"}]', "text": b'"name"', "number": b"5", "null": b"null", "true": b"true",
    "two objects": b'{"name": "x"}{"name": "y"}', "a comma too many": b'{"name": "x",}',
    "single quotes": b"{'name': 'x'}",
    "form": b"name=x&storage=5", "NUL": b"\0", "spaces": b"   ", "half": b'{"name": "x"', "comment": b'{"name": "x"}//',
    "a control character": b'{"name": "a\x01b"}', "a leading zero": b'{"storage": 010}', "hex": b'{"storage": 0x10}',
}


@pytest.mark.parametrize("body", list(NO_OBJECTS.values()), ids=list(NO_OBJECTS))
def test_a_body_that_is_no_object_is_refused(world, body):
    for method, route in JSON_ROUTES:
        target = route.replace("BUCKET", world.alice.bucket).encode()
        answer, = world.ask(world.alice.signed(method, target, body))

        assert_refused(answer, 400, 413)


MISFITS = [
    True, False, -1, 10 ** 400, 1e300, "\ud800", "a\0b", "x" * 5000, [], {}, [None], [[]], [{}], {"a": []}, ["x"],
]
FIELDS = {  # what each field takes all the same
    ("POST", "/users", "email"): [], ("POST", "/users", "password"): [], ("POST", "/users", "pubkey"): [],
    ("POST", "/users", "redirect"): [], ("POST", "/keys", "key"): [],
    ("POST", "/buckets/BUCKET/tokens", "operation"): [],
    ("POST", "/buckets", "name"): [-1, 1e300], ("POST", "/buckets", "storage"): [],
    ("POST", "/buckets", "transfer"): [],
    ("POST", "/buckets", "pubkeys"): [[]], ("PATCH", "/buckets/BUCKET", "name"): [-1, 1e300],
    ("PATCH", "/buckets/BUCKET", "storage"): [], ("PATCH", "/buckets/BUCKET", "transfer"): [],
    ("PATCH", "/buckets/BUCKET", "pubkeys"): [[]],
}


@pytest.mark.parametrize("route", FIELDS, ids=" ".join)
def test_a_field_of_a_wrong_type_is_refused(world, route):
    method, target, field = route
    target = target.replace("BUCKET", world.alice.bucket)
    for value in MISFITS:
        if any(value is fit or value == fit and type(value) is type(fit) for fit in FIELDS[route]):
            continue
        fields = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, field: value}

        answer, = world.ask(world.alice.signed(method, target, fields if target == "/users" else {field: value}))

        assert_refused(answer, 400)


@cases("body, name", {
    "a field twice": [b'{"name": "a", "name": "b", "__nonce": %d}', "b"],
    "a nonce twice": [b'{"name": "x", "__nonce": 1, "__nonce": %d}', "x"],
    "unknown fields": [b'{"name": "x", "id": "y", "user": "z", "__proto__": {}, "__nonce": %d}', "x"],
    "a pair of surrogates": [b'{"name": "\\ud83d\\ude00", "__nonce": %d}', "\U0001f600"],
    "an escaped key": [b'{"n\\u0061me": "x", "__nonce": %d}', "x"],
    "1e999 where it is ignored": [b'{"name": "x", "other": 1e999, "__nonce": %d}', "x"],
})
def test_an_object_that_is_only_odd_is_taken(world, body, name):
    answer, = world.ask(world.alice.signed("POST", "/buckets", body % fresh_nonce()))

    assert answer.status == 200, answer
    assert answer.json()["name"] == name


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
@pytest.mark.parametrize("field", ["name", "storage", "transfer"])
def test_a_number_without_end_is_refused(world, field, number):
    body = f'{{"{field}": {number}, "__nonce": {fresh_nonce()}}}'.encode()

    answer, = world.ask(world.alice.signed("POST", "/buckets", body))

    assert_refused(answer, 400)


# Nonces

ARABIC = str.maketrans("0123456789", "".join(chr(0x660 + digit) for digit in range(10)))
# How a nonce that would pass is written, in JSON; without quotes for a query.
NO_NONCES = {
    "true": lambda now: "true", "false": lambda now: "false", "null": lambda now: "null",
    "list": lambda now: f"[{now}]",
    "object": lambda now: f'{{"a": {now}}}', "underscores": lambda now: f'"{now:_}"',
    "commas": lambda now: f'"{now:,}"',
    "Arabic digits": lambda now: '"' + str(now).translate(ARABIC) + '"', "hex": lambda now: f'"{now:#x}"',
    "inf": lambda now: '"inf"', "nan": lambda now: '"nan"', "Infinity": lambda now: '"Infinity"',
    "minus": lambda now: f"-{now}", "-1": lambda now: "-1", "-0": lambda now: "-0", "-0.0": lambda now: '"-0.0"',
    "1e400": lambda now: '"1e400"', "1e999": lambda now: "1e999",
    "33 characters": lambda now: f'"{str(now).zfill(33)}"',
    "a space before": lambda now: f'" {now}"', "a space behind": lambda now: f'"{now} "', "empty": lambda now: '""',
    "NUL": lambda now: f'"{now}\\u0000"', "two points": lambda now: f'"{now}.1.2"', "two": lambda now: f'"{now},{now}"',
    "letters": lambda now: '"now"', "a day ahead": lambda now: str(now + 90_000_000), "zero": lambda now: "0",
    "a line feed behind": lambda now: f'"{now}\\n"', "400 digits": lambda now: "1" * 400,
    "half a surrogate pair": lambda now: f'"{now}\\ud800"',
}


@pytest.mark.parametrize("write", list(NO_NONCES.values()), ids=list(NO_NONCES))
def test_a_nonce_that_is_none_is_refused(world, write):
    text = write(fresh_nonce())

    answer, = world.ask(world.alice.signed("POST", "/buckets", f'{{"__nonce": {text}}}'.encode()))

    assert_refused(answer, 401)
    assert answer.json() == {"error": "Invalid nonce supplied"} and "x-nonce" in answer.headers


@cases("query", {
    "missing": "a=b", "empty": "__nonce=", "no value": "__nonce", "plus is a space": "__nonce=+{}",
    "space": "__nonce=%20{}",
    "underscore": "__nonce={}_0", "Arabic digits": "__nonce=%D9%A1", "hex": "__nonce=0x{}", "NUL": "__nonce={}%00",
    "a good one first": "__nonce={}&__nonce=x", "a list": "__nonce[]={}", "another name": "__Nonce={}",
    "not UTF-8": "__nonce=%ff", "a broken escape": "__nonce={}%zz", "semicolon": "a=b;__nonce={}", "inf": "__nonce=inf",
    "33 characters": "__nonce=00000000000000000000{}", "5 000 names": "&".join(["a=b"] * 5000),
})
def test_a_query_without_a_nonce_is_refused(world, query):
    target = b"/keys?" + query.format(fresh_nonce()).encode()

    answer, = world.ask(raw.request("GET", target, world.alice.signature("GET", target, b"")))

    assert_refused(answer, 401)
    assert answer.json() == {"error": "Invalid nonce supplied"}


@cases("query", {
    "an encoded plus": "__nonce=%2B{}", "a fraction": "__nonce={}.25", "exponent": "__nonce={}000e-3",
    "32 characters": "__nonce=0000000000000000000{}", "a bad one first": "__nonce=x&__nonce={}",
    "encoded": "%5F%5Fnonce={}", "empty pairs": "&&&__nonce={}&&",
})
def test_a_nonce_that_is_only_odd_is_taken(world, query):
    target = b"/keys?" + query.format(fresh_nonce()).encode()

    answer, = world.ask(raw.request("GET", target, world.alice.signature("GET", target, b"")))

    assert answer.status == 200, answer


# Signatures, keys, passwords

def der(r, s):
    return ecdsa.util.sigencode_der(r, s, ORDER).hex()


def numbers(signature):
    return ecdsa.util.sigdecode_der(bytes.fromhex(signature), ORDER)


def integer(number):
    data = number.to_bytes((number.bit_length() + 8) // 8 or 1, "big")
    return b"\x02" + bytes([len(data)]) + data


def unchecked(r, s):
    """Return DER of two numbers, also of such as no signature has."""
    return (b"\x30" + bytes([len(integer(r) + integer(s))]) + integer(r) + integer(s)).hex()


NO_SIGNATURES = {
    "empty": lambda good: "", "space": lambda good: " ", "not hex": lambda good: "z" * 140,
    "odd": lambda good: good[:-1],
    "prefixed": lambda good: "0x" + good, "spaces": lambda good: good[:10] + " " + good[10:], "0": lambda good: "0",
    "truncated": lambda good: good[:-2], "half": lambda good: good[:len(good) // 2],
    "only a sequence": lambda good: "3000",
    "trailing byte": lambda good: good + "00", "twice": lambda good: good + good,
    "raw": lambda good: "".join(f"{number:064x}" for number in numbers(good)),
    "raw and recovery": lambda good: "1b" + "".join(f"{number:064x}" for number in numbers(good)),
    "r is 0": lambda good: unchecked(0, numbers(good)[1]), "s is 0": lambda good: unchecked(numbers(good)[0], 0),
    "both 0": lambda good: unchecked(0, 0), "both 1": lambda good: unchecked(1, 1),
    "r is n": lambda good: unchecked(ORDER, numbers(good)[1]),
    "s is n": lambda good: unchecked(numbers(good)[0], ORDER),
    "s beyond n": lambda good: unchecked(numbers(good)[0], numbers(good)[1] + ORDER),
    "r of 33 bytes": lambda good: unchecked(2 ** 263, numbers(good)[1]),
    "r and s exchanged": lambda good: der(*reversed(numbers(good))),
    "r negated": lambda good: der(ORDER - numbers(good)[0], numbers(good)[1]),
    "base64": lambda good: base64.b64encode(bytes.fromhex(good)).decode(), "Arabic digits": lambda good: "\u0663" * 140,
    "100 000 characters": lambda good: "30" * 20000, "a long length": lambda good: "3084ffffffff" + good[4:],
    "BER": lambda good: "3080" + good[4:] + "0000",
}


def changed(request, **headers):
    """Return a request with the values of some headers changed."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    for name, value in headers.items():
        name = name.replace("_", "-").encode()
        lines = [line for line in lines if not line.startswith(name + b": ")] + [name + b": " + value.encode()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def signature_of(request):
    return request.split(b"x-signature: ")[1].split(b"\r\n")[0].decode()


@pytest.mark.parametrize("change", list(NO_SIGNATURES.values()), ids=list(NO_SIGNATURES))
def test_a_signature_that_is_none_is_refused(world, change):
    request = world.alice.signed("POST", "/buckets")

    answer, = world.ask(changed(request, x_signature=change(signature_of(request))))

    assert_refused(answer, 401)


@cases("request_of", {
    "of another path": [lambda alice, bob: changed(
        alice.signed("GET", "/buckets"), x_signature=signature_of(alice.signed("GET", "/keys", nonce=fresh_nonce())))],
    "of another method": [lambda alice, bob: alice.signed("GET", "/keys").replace(b"GET", b"DELETE", 1)],
    "of another body": [lambda alice, bob: alice.signed("POST", "/buckets", {"name": "a"}).replace(b'"a"', b'"b"')],
    "of another query": [lambda alice, bob: alice.signed("GET", "/keys?a=b").replace(b"a=b", b"a=c")],
    "of the path decoded": [lambda alice, bob: alice.signed("GET", "/keys").replace(b"/keys", b"/%6beys")],
    "with a trailing slash more": [lambda alice, bob: alice.signed("GET", "/keys").replace(b"/keys", b"/keys/")],
    "by another key": [lambda alice, bob: changed(bob.signed("POST", "/buckets"), x_pubkey=alice.key)],
    "by nobody's key": [lambda alice, bob: changed(alice.signed("GET", "/keys"), x_pubkey=NO_KEY)],
})
def test_a_signature_of_something_else_is_refused(world, request_of):
    answer, = world.ask(request_of[0](world.alice, world.bob))

    assert_refused(answer, 401, 405)


def test_a_negated_signature_is_as_good_but_no_way_to_say_it_again(world):
    request = world.alice.signed("POST", "/buckets", {"name": "once"})
    r, s = numbers(signature_of(request))
    negated = changed(request, x_signature=der(r, ORDER - s))

    first, = world.ask(negated)
    buckets = world.state()["buckets"]
    again = [world.ask(each)[0] for each in (request, negated)]

    assert first.status == 200, first
    for answer in again:
        assert_refused(answer, 401)
        assert answer.json() == {"error": "Invalid nonce supplied"}
    assert world.state()["buckets"] == buckets


KEY = pymdc.keypair.ECDSA()
LONG = KEY._verifying_key.to_string("uncompressed").hex()
NO_KEYS = {
    "not on the curve": "02" + "f" * 64, "x of no point": "02" + "0" * 63 + "5", "not on the curve, long": LONG[:-1] + (
        "0" if LONG[-1] != "0" else "1"),
    "hybrid 06": "06" + LONG[2:], "hybrid 07": "07" + LONG[2:], "hybrid, short": "06" + LONG[2:66], "infinity": "00",
    "infinity, long": "00" * 33, "raw": LONG[2:], "compressed and more": LONG[:66], "one byte less": LONG[:-2],
    "one byte more": LONG + "00", "odd": LONG[:-1], "prefixed": "0x" + LONG, "empty": "", "not hex": "02" + "z" * 64,
    "x is p": "02" + f"{2 ** 256 - 2 ** 32 - 977:064x}", "spaces": " " + LONG, "a line feed": LONG + "\n",
    "Arabic digits": "\u0660\u0662" + "\u0661" * 64, "PEM": "-----BEGIN PUBLIC KEY-----", "100 000": "02" * 50000,
    "all zeros": "02" + "0" * 64,
}


@pytest.mark.parametrize("key", list(NO_KEYS.values()), ids=list(NO_KEYS))
def test_a_key_that_is_none_is_refused_wherever_it_is_sent(world, key):
    bucket = f"/buckets/{world.alice.bucket}"
    user = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, "pubkey": key}
    registering = world.ask(world.alice.signed("POST", "/keys", {"key": key}))
    listing = world.ask(world.alice.signed("PATCH", bucket, {"pubkeys": [world.alice.key, key]}))
    joining = world.ask(raw.request("POST", "/users", body=json.dumps(user).encode()))

    for answers in (registering, listing, joining):
        assert_refused(answers[0], 400)
    if "\n" not in key:
        assert_refused(world.ask(changed(world.alice.signed("GET", "/keys"), x_pubkey=key[:60000]))[0], 401)


def test_a_key_in_capitals_is_a_key(world):
    answer, = world.ask(world.alice.signed("POST", "/keys", {"key": KEY.get_public_key().upper()}))

    assert answer.status == 200


@cases("credentials", {
    "nothing": [""], "no base64": ["!!!"], "one character": ["A"], "broken padding": ["YTpi="], "no colon": ["YWJj"],
    "not UTF-8": ["//8="], "NUL": [base64.b64encode(b"a\0b:c\0d").decode()], "no user": ["OnBhc3M="],
    "colons": ["Ojo6"],
    "not Latin": [b"\xff\xfe"], "URL-safe base64": ["_-8="], "spaces within": ["YT pi"], "a megabyte": ["YTpi" * 15000],
    "half a surrogate pair": [base64.b64encode(b"\xed\xa0\x80:x").decode()], "empty password": ["YUBiOg=="],
    "SQL": [base64.b64encode(b"' OR 1=1 --:x").decode()], "two": ["YTpi, Basic YTpi"],
})
def test_a_password_that_is_none_is_refused(world, credentials):
    value = credentials[0] if isinstance(credentials[0], bytes) else credentials[0].encode()

    answer, = world.ask(raw.request("GET", "/keys", {"Authorization": b"Basic " + value}))

    assert_refused(answer, 401)


@pytest.mark.parametrize("scheme", [
    "Bearer x", "Digest username=x", "basic", "Basic\t", "\x80", "Negotiate " + "A" * 9999,
])
def test_another_scheme_is_nobody(world, scheme):
    answer, = world.ask(raw.request("GET", "/keys", {"Authorization": scheme}))

    assert_refused(answer, 401)


# Websockets

@cases("changes", {
    "no key": {"Sec_WebSocket_Key": None}, "a short key": {"Sec_WebSocket_Key": "YQ=="},
    "a key that is no base64": {"Sec_WebSocket_Key": "!" * 24}, "an empty key": {"Sec_WebSocket_Key": ""},
    "no version": {"Sec_WebSocket_Version": None}, "an old version": {"Sec_WebSocket_Version": "8"},
    "version x": {"Sec_WebSocket_Version": "x"}, "a key that is not Latin": {"Sec_WebSocket_Key": b"\xff" * 16},
    "a path that leads nowhere": {"target": "/nope"}, "a path of HTTP": {"target": "/keys"},
    "bytes that are no text": {"X": b"\xff\xfe"}, "a strange origin": {"Origin": b"\xff\xfe"},
})
def test_a_handshake_that_is_none_is_refused(world, changes):
    with raw.Connection(world.url) as connection:
        connection.send(raw.handshake(**changes))
        answers = connection.answers()

    for answer in answers:
        assert_refused(answer)


@cases("headers", {
    "1 000": {f"X_{number}": "y" for number in range(1000)},
    "a long one": {"X": "y" * 20000}, "an extension that is none": {"Sec_WebSocket_Extensions": ";;,,=="},
    "a subprotocol that is none": {"Sec_WebSocket_Protocol": ",,;\""},
    "two keys": {"sec_websocket_key": "YWFhYWFhYWFhYWFhYWFhYQ=="},
    "a long path": {"target": "/?" + "x" * 20000},
    "a strange method": {"method": "POST"},
})
def test_odd_headers_of_a_handshake_are_no_harm(world, headers):
    method = headers.get("method", "GET").encode()
    opening = raw.handshake(**{name: value for name, value in headers.items() if name != "method"})
    with raw.Connection(world.url) as connection:
        connection.send(opening.replace(b"GET", method, 1))
        connection.finish()
        answer = connection.answer()

    if answer is not None and answer.status != 101:
        assert_refused(answer)


WANTED = json.dumps({"token": "x", "hash": "y", "operation": "PULL"}).encode()
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
# What is sent, and the code that the bridge closes with.
FRAMES = {
    "no mask": [raw.frame(TEXT, WANTED, mask=None), 1002],
    "reserved bit 1": [raw.frame(TEXT, WANTED, reserved=4), 1002],
    "reserved bit 2": [raw.frame(TEXT, WANTED, reserved=2), 1002],
    "reserved bit 3": [raw.frame(TEXT, WANTED, reserved=1), 1002],
    "opcode 3": [raw.frame(3, WANTED), 1002], "opcode 7": [raw.frame(7), 1002],
    "opcode 11": [raw.frame(11), 1002], "opcode 15": [raw.frame(15), 1002],
    "a ping in parts": [raw.frame(PING, b"x", final=False), 1002],
    "a close in parts": [raw.frame(CLOSE, b"\x03\xe8", final=False), 1002],
    "a ping of 126 bytes": [raw.frame(PING, b"x" * 126), 1002],
    "a close of one byte": [raw.frame(CLOSE, b"\x03"), 1002],
    "a close of code 999": [raw.frame(CLOSE, b"\x03\xe7"), 1002],
    "a close of code 1005": [raw.frame(CLOSE, b"\x03\xed"), 1002],
    "a close of code 65535": [raw.frame(CLOSE, b"\xff\xff"), 1002],
    "a close that is not UTF-8": [raw.frame(CLOSE, b"\x03\xe8\xff"), 1007],
    "a continuation first": [raw.frame(0, WANTED), 1002],
    "a text within a text": [raw.frame(TEXT, b"{", final=False) + raw.frame(TEXT, WANTED), 1002],
    "2^63 bytes announced": [raw.frame(TEXT, length=2 ** 63), 1009],
    "2^62 bytes announced": [raw.frame(TEXT, length=2 ** 62), 1009],
    "65 537 bytes announced": [raw.frame(TEXT, length=65537), 1009],
    "70 000 bytes in parts": [raw.frame(TEXT, b"x" * 35000, final=False) + raw.frame(0, b"x" * 35000), 1009],
    "text that is not UTF-8": [raw.frame(TEXT, b"\xff\xfe"), 1007],
    "half a surrogate pair": [raw.frame(TEXT, b'"\xed\xa0\x80"'), 1007],
    "no HTTP": [b"GET / HTTP/1.1\r\n\r\n", 1002],
    "no JSON": [raw.frame(TEXT, b"{"), 1008], "empty": [raw.frame(TEXT), 1008],
    "binary": [raw.frame(BINARY, WANTED), 1008], "no text": [raw.frame(BINARY, b"\xff\x01\x83"), 1008],
    "a list": [raw.frame(TEXT, b"[]"), 1008], "null": [raw.frame(TEXT, b"null"), 1008],
    "a number": [raw.frame(TEXT, b"5"), 1008], "NaN": [raw.frame(TEXT, b"NaN"), 1008],
    "5 000 digits": [raw.frame(TEXT, b"9" * 5000), 1008], "60 000 deep": [raw.frame(TEXT, b"[" * 60000), 1008],
    "a token of another type": [raw.frame(TEXT, WANTED.replace(b'"x"', b"[5]")), 1008],
    "a token of half a surrogate pair": [raw.frame(TEXT, WANTED.replace(b'"x"', b'"\\ud800"')), 1008],
    "a token of NULs": [raw.frame(TEXT, WANTED.replace(b'"x"', b'"\\u0000"')), 1008],
    "a hash of another type": [raw.frame(TEXT, WANTED.replace(b'"y"', b"{}")), 1008],
    "no operation": [raw.frame(TEXT, b'{"token": "x", "hash": "y"}'), 1008],
    "an operation of another type": [raw.frame(TEXT, WANTED.replace(b'"PULL"', b'["PULL"]')), 1008],
    "PUSH": [raw.frame(TEXT, WANTED.replace(b"PULL", b"PUSH")), 1008],
    "a token that is none": [raw.frame(TEXT, WANTED), 1008],
    "100 messages": [raw.frame(TEXT, WANTED) * 100, 1008],
    "100 pings before": [raw.frame(PING, b"x") * 100 + raw.frame(TEXT, WANTED), 1008],
}


@cases("data, code", FRAMES)
def test_a_message_that_is_none_closes_the_channel_in_words(world, data, code):
    with raw.Connection(world.url) as connection:
        connection.send(raw.handshake())
        assert connection.answer().status == 101
        connection.send(data)
        sent = [connection.frame()]
        while sent[-1] is not None and sent[-1][0] != CLOSE:
            sent.append(connection.frame())
        connection.send(raw.frame(CLOSE, b"\x03\xe8"))

    *texts, closing = [each for each in sent if each is None or each[0] != PONG]
    assert closing is not None and int.from_bytes(closing[1][:2], "big") == code
    if code == 1008:
        (opcode, payload), = texts
        assert opcode == TEXT and json.loads(payload)["code"] == 400 and json.loads(payload)["message"]


@cases("data", {
    "nothing": b"", "half a frame": raw.frame(TEXT, WANTED)[:9], "half a message": raw.frame(TEXT, WANTED, final=False),
    "a good close": raw.frame(CLOSE, b"\x03\xe8"), "an empty close": raw.frame(CLOSE), "a ping": raw.frame(PING, b"x"),
})
def test_who_leaves_a_channel_is_no_harm(world, data):
    with raw.Connection(world.url) as connection:
        connection.send(raw.handshake())
        assert connection.answer().status == 101
        connection.send(data)

    with raw.Connection(world.url) as connection:
        connection.send(raw.handshake()[:-4])


# Other people's things

# What bob asks for, of an account's bucket, file and key.
NOBODY = types.SimpleNamespace(bucket=NO_BUCKET, file=NO_HASH, key=NO_KEY)
FOREIGN = {
    "read a bucket": lambda bob, it: bob.signed("GET", f"/buckets/{it.bucket}"),
    "change a bucket": lambda bob, it: bob.signed("PATCH", f"/buckets/{it.bucket}", {"name": "mine"}),
    "change its keys": lambda bob, it: bob.signed("PATCH", f"/buckets/{it.bucket}", {"pubkeys": [bob.key]}),
    "delete a bucket": lambda bob, it: bob.signed("DELETE", f"/buckets/{it.bucket}"),
    "ask for PUSH": lambda bob, it: bob.signed("POST", f"/buckets/{it.bucket}/tokens", {"operation": "PUSH"}),
    "ask for PULL": lambda bob, it: bob.signed("POST", f"/buckets/{it.bucket}/tokens", {"operation": "PULL"}),
    "ask for nonsense": lambda bob, it: bob.signed("POST", f"/buckets/{it.bucket}/tokens", {"operation": 5}),
    "ask by password": lambda bob, it: bob.basic(
        "POST", f"/buckets/{it.bucket}/tokens", b'{"operation": "PULL"}'),
    "list files": lambda bob, it: bob.signed("GET", f"/buckets/{it.bucket}/files"),
    "delete a file": lambda bob, it: bob.signed("DELETE", f"/buckets/{it.bucket}/files/{it.file}"),
    "delete no file": lambda bob, it: bob.signed("DELETE", f"/buckets/{it.bucket}/files/{NO_HASH}"),
    "delete a file in his own": lambda bob, it: bob.signed("DELETE", f"/buckets/{bob.bucket}/files/{it.file}"),
    "fetch a file": lambda bob, it: raw.request(
        "GET", f"/buckets/{it.bucket}/files/{it.file}", {"x-token": bob.token("PULL")}),
    "fetch a file from his own": lambda bob, it: raw.request(
        "GET", f"/buckets/{bob.bucket}/files/{it.file}", {"x-token": bob.token("PULL")}),
    "fetch a file with PUSH": lambda bob, it: raw.request(
        "GET", f"/buckets/{it.bucket}/files/{it.file}", {"x-token": bob.token("PUSH")}),
    "delete a key": lambda bob, it: bob.signed("DELETE", f"/keys/{it.key}"),
    "delete a key by password": lambda bob, it: bob.basic("DELETE", f"/keys/{it.key}"),
}


@pytest.mark.parametrize("make", list(FOREIGN.values()), ids=list(FOREIGN))
def test_another_account_s_things_are_as_good_as_none(world, make):
    alice, bob = world.alice, world.bob
    theirs, = world.ask(make(bob, alice))
    nobodys, = world.ask(make(bob, NOBODY))

    assert_refused(theirs, 401, 404)
    assert theirs.without("date", "x-request-id") == nobodys.without("date", "x-request-id")


def test_another_account_s_bucket_takes_no_upload(world):
    # Not as if there were none: the old servers look for the bucket before they look whose token it is.
    answer, = world.ask(world.put(token=world.bob.token()))

    assert_refused(answer, 401)


def test_a_shard_is_handed_out_only_for_its_own_token(world):
    def pointer(party):
        token = party.token("PULL")
        answer, = world.ask(raw.request("GET", f"/buckets/{party.bucket}/files/{party.file}", {"x-token": token}))
        return answer.json()[0]

    alices, bobs = pointer(world.alice), pointer(world.bob)
    for token in (bobs["token"], "", "x", "\u00ff", world.bob.token("PULL")):
        answer, = world.ask(raw.request("GET", f"/shards/{alices['hash']}", {"x-token": token}))
        assert_refused(answer, 401)


# Slow and idle senders

@pytest.fixture
def impatient(monkeypatch, tmp_path):
    """A bridge in this process that waits only a moment for a silent sender."""
    monkeypatch.setattr("pymdc.bridge.serving.answers.DRAIN_SECONDS", 0.2)
    with LocalBridge(tmp_path, silence=0.2) as bridge:
        yield bridge


@cases("data", {
    "a body that stops": raw.request("POST", "/users", {"Content-Length": 100}, b"{"),
    "a body that never begins": raw.request("POST", "/users", {"Content-Length": 100}),
    "chunks that stop": raw.request("POST", "/users", {"Transfer-Encoding": "chunked"}, b"5\r\n{"),
})
def test_who_falls_silent_is_told_and_left(impatient, data):
    with raw.Connection(impatient.url) as connection:
        connection.send(data)
        answer, = connection.answers()

    assert_refused(answer, 408)


@cases("data", {"nothing": b"", "half a line": b"GET / HT", "half the headers": b"GET / HTTP/1.1\r\nHost: x\r\n"})
def test_who_never_finishes_a_request_is_left(impatient, data):
    with raw.Connection(impatient.url, timeout=2) as connection:
        connection.send(data)

        for answer in connection.answers():
            assert_refused(answer, 408)


def test_who_says_nothing_on_a_channel_is_left(impatient):
    with raw.Connection(impatient.url) as connection:
        connection.send(raw.handshake())
        assert connection.answer().status == 101

        assert connection.frame() == (CLOSE, b"\x03\xf0")


@pytest.fixture
def many_files():
    """Let this process open many files, but not what it starts unless that asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("count", [1000, 1200])
def test_idle_connections_keep_nobody_out(many_files, tmp_path, count):
    with open(tmp_path / "errors", "w") as errors:
        bridge = RunningBridge(stderr=errors, preexec_fn=many_files)
    try:
        world = World(bridge, tmp_path / "errors")
        opened = len(world.descriptors())
        with contextlib.ExitStack() as idle:
            for _ in range(count):
                idle.enter_context(raw.Connection(bridge.url))
            assert world.serves()
            stored = world.alice.account.upload(world.alice.bucket, CONTENT)
            pointer, = world.alice.account.pointers(world.alice.bucket, stored).json()
            shard, = raw.talk(bridge.url, raw.request(
                "GET", "/shards/" + pointer["hash"], {"x-token": pointer["token"]}))
            assert shard.body == CONTENT
        eventually(lambda: len(world.descriptors()) <= opened)
        assert "Traceback" not in (tmp_path / "errors").read_text()
    finally:
        bridge.close()


# After all that

def test_afterwards_nothing_is_left_open(started, at_first):
    eventually(lambda: started.descriptors() == at_first[0])


def test_afterwards_no_upload_holds_its_room(started):
    eventually(lambda: started.state(besides=())["uploads"] == [])


def test_afterwards_the_memory_is_back(started, at_first):
    assert started.memory() - at_first[1] < GROWTH


def test_afterwards_no_traceback_was_written(started):
    assert "Traceback" not in started.errors.read_text()
