"""The library with each server of 2016, as tests/servers_of_2016 stands in for them."""

from __future__ import absolute_import, division, print_function

import io
import itertools
import json
import threading

import pytest
import requests

import pymdc
from pymdc.errors import APIError, Timeout, TransportError
from recordings import vectors
from scripted_farmer import BINARY, TEXT
from servers_of_2016 import Server
from waiting import eventually

MIB = 1024 * 1024
EXCHANGES = vectors("exchanges.json")["exchanges"]
RECORDED = {exchange["case"]: exchange["answers"] for exchange in EXCHANGES}
CUT = 300  # characters, after which a recorded answer is cut
NEWER = ["0.2.4", "0.3.0", "0.6.6"]
AWAY = 3600  # seconds, or until the test lets it come back
_numbers = itertools.count()


@pytest.fixture(params=["0.2.2"] + NEWER)
def version(request):
    return request.param


@pytest.fixture
def server(version):
    server = Server(version)
    yield server
    server.close()


class Member(object):
    """An activated account with a key pair and a bucket, and a client that raises what the server says."""

    def __init__(self, server, **options):
        options.setdefault("raise_errors", True)
        self.client = pymdc.Client(server.url, **options)
        self.email = "user{0}@example.com".format(next(_numbers))
        self.user = pymdc.api.Users(self.email, "password", client=self.client)
        self.user.register()
        self.user.activate(server.activation_token(self.email))
        self.key_pair = pymdc.keypair.ECDSA()
        pymdc.api.Keys(self.user).create(self.key_pair)
        self.buckets = pymdc.api.Buckets(self.key_pair, client=self.client)
        self.bucket = pymdc.api.Bucket(
            self.buckets.create("photos", 10, 30, [self.key_pair]), self.key_pair, client=self.client
        )


@pytest.fixture
def member(server):
    return Member(server)


@pytest.fixture
def patient(server):
    """A member whose client waits until a server that is away, or its farmer, has come back, and once before."""
    sleeps = []

    def sleep(seconds):
        sleeps.append(seconds)
        if len(sleeps) > 1:
            server.come_back()

    return Member(server, sleep=sleep)


def content(size):
    """Bytes that differ from shard to shard."""
    return bytes(bytearray(range(251)) * (size // 251 + 1))[:size]


def statuses(server, method, pattern=""):
    return [status for asked, path, status in server.requests if asked == method and pattern in path]


def test_the_walk_from_registration_to_the_end(server, version, member):
    keys, spare = pymdc.api.Keys(member.user), pymdc.keypair.ECDSA()
    created = member.bucket.list()

    assert keys.create(spare)["key"] == spare.get_public_key()
    assert keys.delete(spare) == {}
    assert [key["key"] for key in keys.list()] == [member.key_pair.get_public_key()]
    assert member.buckets.list() == [created]
    assert member.bucket.update(name=u"f\xeates", storage=3) == dict(created, name=u"f\xeates", storage=3)
    assert member.bucket.files.list() == []
    assert member.bucket.delete() == {}
    assert member.buckets.list() == []


def test_a_key_is_rotated(server, version, member):
    new, files = pymdc.keypair.ECDSA(), member.bucket.files
    files.upload(io.BytesIO(b"content"))

    pymdc.api.Keys(member.user).rotate(member.key_pair, new)

    assert [key["key"] for key in pymdc.api.Keys(member.user).list()] == [new.get_public_key()]
    assert pymdc.api.Bucket(files._ids["bucket_id"], new, member.client).list()["pubkeys"] == [new.get_public_key()]


@pytest.mark.parametrize("size", [0, 1, 8 * MIB, 20000000])
def test_a_file_comes_back_as_it_went(server, version, member, tmpdir, size):
    path, copy = tmpdir.join("copy"), io.BytesIO()

    stored = member.bucket.files.upload(io.BytesIO(content(size)), filename=u'na"\xefve.bin')
    member.bucket.files.download(stored, str(path))
    member.bucket.files.download(stored, copy)

    assert (stored["size"], stored["filename"]) == (size, u'na"\xefve.bin')
    assert member.bucket.files.list() == [stored]
    assert path.read_binary() == copy.getvalue() == content(size)
    assert tmpdir.listdir() == [path]
    assert server.farmer.crashes == 0
    shards = len(server.farmer.sizes())
    if version < "0.3":
        assert server.farmer.questions == [TEXT] * (shards > 0) + [BINARY] * 2 * shards
    else:
        assert server.farmer.questions == [TEXT] * 2 * shards


def test_shards_of_uneven_length_are_put_together(server, version, member):
    member.bucket.files.upload(io.BytesIO(content(20000000)))

    last, second, first = server.farmer.sizes()
    assert last + second + first == 20000000
    assert all(8 * MIB < size < 8450000 for size in (first, second))


@pytest.fixture
def upload_anew(monkeypatch):
    """A function that uploads, and has the server cut small shards, elsewhere each time."""
    writes = itertools.cycle([610, 730, 410])
    monkeypatch.setattr("servers_of_2016.files._SHARD", 1000)

    def upload(files, sent):
        monkeypatch.setattr("servers_of_2016.files._WRITE", next(writes))
        return files.upload(io.BytesIO(sent))

    return upload


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("sent", [content(size) for size in (0, 700, 1700, 5000)] + [b"\0" * 5000])
def test_a_content_that_was_uploaded_more_than_once_comes_back(server, member, tmpdir, upload_anew, sent, times):
    path, copy = tmpdir.join("copy"), io.BytesIO()

    stored = [upload_anew(member.bucket.files, sent) for _ in range(times)][-1]
    answers = [member.bucket.files.download(stored, target) for target in (str(path), copy)]
    with member.bucket.files.open(stored) as file:
        read = file.read()

    assert path.read_binary() == copy.getvalue() == read == sent
    assert [answer["size"] for answer in answers] == [len(sent)] * 2
    assert tmpdir.listdir() == [path]


def test_a_content_that_was_uploaded_to_another_bucket_before_comes_back(server, member, upload_anew):
    other = pymdc.api.Bucket(member.buckets.create("other", 1, 1), member.key_pair, client=member.client)
    upload_anew(other.files, content(5000))
    copy = io.BytesIO()

    member.bucket.files.download(upload_anew(member.bucket.files, content(5000)), copy)

    assert copy.getvalue() == content(5000)


@pytest.mark.parametrize("version", NEWER)
def test_a_content_that_was_deleted_and_uploaded_again_comes_back(server, version, member, upload_anew):
    member.bucket.files.delete(upload_anew(member.bucket.files, content(5000)))
    copy = io.BytesIO()

    member.bucket.files.download(upload_anew(member.bucket.files, content(5000)), copy)

    assert copy.getvalue() == content(5000)


def test_the_stand_in_keeps_the_shards_of_all_uploads_of_a_content(server, member, upload_anew):
    stored = [upload_anew(member.bucket.files, content(5000)) for _ in range(2)][-1]
    first, second = server.shards[stored["hash"]]
    token = member.bucket.files.token("PULL")["token"]
    ask = requests.Session()
    ask.trust_env = False

    answer = ask.get(server.url + "/buckets/{bucket}/files/{hash}".format(**stored), headers={"x-token": token})

    assert [pointer["hash"] for pointer in answer.json()][:4] == [first[0], second[0], first[1], second[1]]
    assert len(answer.json()) == len(first) + len(second)


def test_callbacks_that_overtake_each_other_all_succeed(server, version, member):
    results, done = [], threading.Semaphore(0)

    def called(answer):
        results.append(answer)
        done.release()

    calls = [member.buckets.list, member.bucket.list, lambda callback: member.bucket.files.token("PULL", callback),
             lambda callback: member.bucket.update(name="x", callback=callback)]
    futures = [call(callback=called) for call in calls * 8]
    answers = [future.result() for future in futures]
    for _ in answers:
        done.acquire()

    assert [answer for answer in answers + results if "error" in answer] == []
    assert len(results) == 32


def test_sixteen_threads_share_one_key_pair(server, version, member):
    failures = []

    def work(number):
        try:
            bucket = member.buckets.create("bucket", 1, 1)
            files = pymdc.api.Files(bucket, member.key_pair, client=member.client)
            stored = files.upload(io.BytesIO(b"%d" % number * 100))
            files.download(stored, io.BytesIO())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(member.buckets.list()) == 17


@pytest.mark.parametrize("version", NEWER)
def test_a_refused_nonce_makes_the_signed_calls_take_turns(server, version, member):
    server.users[member.email]["nonce"] += 200  # as if another had just called, whose clock is ahead

    assert len(member.buckets.list()) == 1
    assert 401 in statuses(server, "GET")
    del server.requests[:]
    futures = [member.buckets.list(callback=lambda answer: None) for _ in range(24)]
    assert all("error" not in future.result() for future in futures)

    assert statuses(server, "GET") == [200] * 24


@pytest.mark.parametrize("version", NEWER)
def test_a_refused_nonce_that_is_called_bucket_not_found_is_found_out(server, version, member):
    unlisted = pymdc.api.Buckets(member.user).create("unlisted", 1, 1)
    files = pymdc.api.Files(unlisted, member.key_pair, client=member.client)
    server.users[member.email]["nonce"] += 200

    futures = [files.token("PULL", callback=lambda answer: None) for _ in range(16)]
    operations = [future.result().get("operation") for future in futures]

    assert operations == ["PULL"] * 16
    assert 404 in statuses(server, "POST", "/tokens")


def test_a_bucket_that_is_not_there_is_looked_for_and_then_not_found(server, version, member):
    gone = pymdc.api.Bucket("f" * 24, member.key_pair, client=member.client)
    del server.requests[:]

    with pytest.raises(APIError, match="Bucket not found"):
        gone.files.token("PULL")
    assert [method for method, _, _ in server.requests] == (["POST"] if version == "0.2.2" else ["POST", "GET", "POST"])
    assert not member.client._turns.begun


@pytest.mark.parametrize("registered", [True, False])
def test_a_guests_key_gets_tokens_where_the_server_allows_it(server, version, member, registered):
    guest = Member(server).key_pair if registered else pymdc.keypair.ECDSA()
    member.bucket.update(key_pairs=[member.key_pair, guest])
    files = pymdc.api.Files(member.bucket.list(), guest, client=member.client)

    if version == "0.2.2":
        with pytest.raises(APIError, match="Bucket not found" if registered else "Public key not registered"):
            files.token("PUSH")
    else:
        stored = files.upload(io.BytesIO(b"from a guest"))
        assert files.download(stored, io.BytesIO())["size"] == 12


def test_a_key_that_nobody_knows_is_told_so_by_every_call(server, member, tmpdir):
    files = pymdc.api.Files(member.bucket.list(), pymdc.keypair.ECDSA(), client=member.client)

    for call in (files.list, lambda: files.token("PULL"), lambda: files.upload(io.BytesIO(b"content")),
                 lambda: files.download("0" * 40, str(tmpdir.join("copy")))):
        with pytest.raises(APIError, match="Public key not registered"):
            call()


def test_a_token_that_was_handed_over_is_enough(server, version, member):
    anybody = pymdc.api.Bucket(member.bucket.list(), client=member.client)

    stored = anybody.files.upload(io.BytesIO(b"content"), member.bucket.files.token("PUSH"))
    anybody.files.download(stored, io.BytesIO(), member.bucket.files.token("PULL"))

    with pytest.raises(APIError, match="Invalid or expired token"):
        anybody.files.upload(io.BytesIO(b"content"), "0" * 64)


def other(member, password):
    return pymdc.api.Users(member.email, password, client=member.client)


MISTAKES = {
    "basic wrong password": lambda m: pymdc.api.Keys(other(m, "wrong")).list(),
    "unregistered key": lambda m: pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=m.client).list(),
    "user create duplicate": lambda m: m.user.register(),
    "activation bad token": lambda m: m.user.activate("0" * 64),
    "keys add duplicate": lambda m: pymdc.api.Keys(m.user).create(m.key_pair),
    "keys delete unknown": lambda m: pymdc.api.Keys(m.user).delete(pymdc.keypair.ECDSA()),
    "bucket get not found": lambda m: pymdc.api.Bucket("f" * 24, m.key_pair, client=m.client).list(),
    "bucket get malformed id": lambda m: pymdc.api.Bucket("notanid", m.key_pair, client=m.client).list(),
    "bucket PATCH not found": lambda m: pymdc.api.Bucket("f" * 24, m.key_pair, client=m.client).update(name="x"),
    "bucket delete again": lambda m: pymdc.api.Bucket("f" * 24, m.key_pair, client=m.client).delete(),
    "garbage token": lambda m: m.bucket.files.upload(io.BytesIO(b"x"), "0" * 64),
    "PULL token for PUT": lambda m: m.bucket.files.upload(io.BytesIO(b"x"), m.bucket.files.token("PULL")),
    "pointers unknown hash": lambda m: m.bucket.files.download("0" * 40, io.BytesIO()),
    "pointers garbage token": lambda m: m.bucket.files.download("0" * 40, io.BytesIO(), "0" * 64),
}


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_mistake_is_answered_as_recorded_and_not_repeated(server, version, member, mistake):
    known = RECORDED[mistake]
    recorded = known.get(version, known["0.2.4"])
    del server.requests[:]

    with pytest.raises(APIError) as refused:
        MISTAKES[mistake](member)

    assert refused.value.status == recorded["status"]
    assert refused.value.body == json.loads(recorded["body"])
    assert [status for _, _, status in server.requests if status != 200] == [recorded["status"]]


def test_a_file_is_deleted_where_the_server_can(server, version, member):
    stored = member.bucket.files.upload(io.BytesIO(b"content"))

    if version == "0.2.2":
        with pytest.raises(APIError, match="404 Not Found: it has no such call"):
            member.bucket.files.delete(stored)
    else:
        assert member.bucket.files.delete(stored) == {}
        with pytest.raises(APIError, match="File not found"):
            member.bucket.files.delete(stored)


def test_a_deletion_that_the_server_cannot_do_never_looks_done(server, version, member):
    stored = member.bucket.files.upload(io.BytesIO(b"content"))
    server.crashes.append(("DELETE", "/buckets/[^/]+/files/[^/]+", 0))

    if version == "0.2.2":
        with pytest.raises(APIError, match="404 Not Found: it has no such call"):
            member.bucket.files.delete(stored)
        assert member.bucket.files.list() == [stored]
    else:
        assert member.bucket.files.delete(stored) == {}
        assert member.bucket.files.list() == []


def put(member, name, sent):
    return member.bucket.files.upload(io.BytesIO(sent), filename=name)


def test_files_are_found_by_their_names_as_at_a_bridge_that_looks_itself(server, version, member):
    last, first, between = put(member, u"\U0001f431", b"1"), put(member, "B", b"2"), put(member, u"b\uffff", b"3")
    files = member.bucket.files

    assert files.list() == [last, first, between]
    assert list(files.iterate()) == [first, between, last]
    assert files.list(prefix=u"b") == list(files.iterate(prefix="b", delimiter="/")) == [between]
    assert files.list(lambda answer: None, prefix=u"\U0001f431").result(60) == [last]
    assert files.list(prefix="%") == []


def test_folders_that_a_server_tells_of_become_items(server, version, member):
    """None of 2016 does by itself: names have been changed in its database."""
    names = ["b/d/f", "b/c", "a", "b/d/e", "b"]
    for name in names:
        put(member, "x", name.encode("ascii"))
    files, = server.files.values()
    for file, name in zip(files.values(), names):
        file["filename"] = name

    found = [item.get("filename") or item["prefix"] for item in member.bucket.files.iterate(delimiter="/")]
    below = member.bucket.files.list(prefix="b/", delimiter="/")

    assert found == ["a", "b", "b/"]
    assert below[0]["filename"] == "b/c" and below[1:] == [{"prefix": "b/d/"}]
    assert [file["filename"] for file in member.bucket.files.list(prefix="b/")] == ["b/c", "b/d/e", "b/d/f"]


def test_a_name_is_cut_to_its_last_part(server, version, member):
    assert put(member, "photos/2016\\cat.jpg", b"x")["filename"] == "cat.jpg"


def test_a_file_is_deleted_by_its_name_where_it_has_that_name(server, version, member):
    stored = put(member, "cat.jpg", b"x")

    with pytest.raises(APIError, match="File not found"):
        member.bucket.files.delete(stored, filename="dog.jpg")
    assert member.bucket.files.list() == [stored]
    if version == "0.2.2":
        with pytest.raises(APIError, match="it has no such call"):
            member.bucket.files.delete(stored, filename="cat.jpg")
    else:
        assert member.bucket.files.delete(stored, filename="cat.jpg") == {}
        assert member.bucket.files.list() == []


def test_what_no_server_of_2016_can_do_is_said_and_nothing_is_changed(server, version, member):
    stored = put(member, "cat.jpg", b"x")

    with pytest.raises(APIError, match="no way to give content another name"):
        member.bucket.files.copy(stored, "dog.jpg")
    with pytest.raises(APIError, match="no way to replace a file"):
        member.bucket.files.upload(io.BytesIO(b"y"), filename="cat.jpg", replace=True)
    with pytest.raises(APIError, match="no way to replace a file"):
        token = member.bucket.files.token("PUSH")
        member.bucket.files.upload(io.BytesIO(b"y"), token, filename="cat.jpg", replace=True)
    assert member.bucket.files.list() == [stored]


def test_a_deletion_whose_answer_was_lost_is_done(server, version, member):
    keys, spare = pymdc.api.Keys(member.user), pymdc.keypair.ECDSA()
    keys.create(spare)

    def forget():
        del server.keys[spare.get_public_key()]

    server.crashes.append(("DELETE", "/keys/[^/]+", 0, forget))

    assert keys.delete(spare) == {}


def test_shard_contracts_that_fail_to_load_cost_a_token_each(server, version, member):
    stored = member.bucket.files.upload(io.BytesIO(b"content"))
    server.lost_contracts = 2
    del server.requests[:]

    member.bucket.files.download(stored, io.BytesIO())

    assert statuses(server, "POST", "/tokens") == [200] * 3
    assert statuses(server, "GET") == [500, 500, 200]


@pytest.mark.parametrize("to_path", [True, False])
def test_a_farmer_that_restarts_in_the_middle_of_a_download_is_asked_again(server, version, patient, tmpdir, to_path):
    stored = patient.bucket.files.upload(io.BytesIO(content(10 * MIB)))
    server.farmer.restarts.append(AWAY)
    path, copy = tmpdir.join("copy"), io.BytesIO()

    patient.bucket.files.download(stored, str(path) if to_path else copy)

    assert (path.read_binary() if to_path else copy.getvalue()) == content(10 * MIB)
    assert server.farmer.crashes == 1


@pytest.mark.parametrize("by_token", [True, False])
def test_a_file_is_read_where_it_lies_and_each_shard_is_fetched_once(server, version, member, by_token):
    stored = member.bucket.files.upload(io.BytesIO(content(20000000)))
    token = member.bucket.files.token("PULL") if by_token else None

    with member.bucket.files.open(stored, token) as file:
        for start in (0, 9 * MIB, 5, 9 * MIB + 5):
            file.seek(start)
            assert file.read(100) == content(20000000)[start:start + 100]
        assert server.farmer.questions.count(TEXT if version >= "0.3" else BINARY) == 2
        assert file.seek(0, io.SEEK_END) == 20000000
        file.seek(0)
        assert file.read() == content(20000000)

    assert server.farmer.questions.count(TEXT if version >= "0.3" else BINARY) == 3


def test_a_farmer_that_restarts_while_a_file_is_read_is_asked_again(server, version, patient):
    stored = patient.bucket.files.upload(io.BytesIO(content(20000000)))

    with patient.bucket.files.open(stored) as file:
        assert file.read(5) == content(5)
        server.farmer.restarts.append(AWAY)
        assert file.read() == content(20000000)[5:]

    assert server.farmer.crashes == 1


def test_a_download_that_broke_is_taken_up_again_without_its_first_shards(server, version, member, tmpdir, monkeypatch):
    class Stop(Exception):
        pass

    def stop(done, total):
        if done > 8 * MIB:  # once the first shard is in its place
            raise Stop()

    monkeypatch.setattr("servers_of_2016.files._WRITE", 8 * MIB + 1000)  # so that the first shard is a little longer
    stored, path = member.bucket.files.upload(io.BytesIO(content(9 * MIB))), tmpdir.join("copy")
    with pytest.raises(Stop):
        member.bucket.files.download(stored, str(path), progress=stop)
    del server.farmer.questions[:]

    member.bucket.files.download(stored, str(path))

    assert path.read_binary() == content(9 * MIB)
    assert len(server.farmer.questions) == 1
    assert server.farmer.sizes()[1] > 8 * MIB
    assert tmpdir.listdir() == [path]


def test_a_farmer_that_takes_no_token_is_an_error_of_ours(server, version):
    member = Member(server, retries=0, timeout=(5, 0.5))
    stored = member.bucket.files.upload(io.BytesIO(b"content"))
    server.farmer.pointer = lambda shard_hash, usual=server.farmer.pointer: dict(usual(shard_hash), token="0" * 40)

    with pytest.raises(TransportError) as failed:
        member.bucket.files.download(stored, io.BytesIO())

    assert isinstance(failed.value, Timeout) == (version == "0.6.6")
    assert "0" * 40 not in str(failed.value)


@pytest.mark.parametrize("method, pattern", [
    ("GET", "/buckets"), ("PATCH", "/buckets/[^/]+"), ("POST", "/buckets/[^/]+/tokens"),
    ("PUT", "/buckets/[^/]+/files"), ("GET", "/buckets/[^/]+/files/[^/]+"),
])
def test_a_server_that_goes_down_and_comes_back_is_asked_again(server, version, patient, method, pattern):
    server.crashes.append((method, pattern, AWAY))

    patient.buckets.list()
    patient.bucket.update(name="x")
    stored = patient.bucket.files.upload(io.BytesIO(content(MIB)))
    copy = io.BytesIO()
    patient.bucket.files.download(stored, copy)

    assert copy.getvalue() == content(MIB)
    assert not server.crashes


def test_the_same_content_twice_at_once_is_stored_in_the_end(server, version):
    member = Member(server, timeout=(5, 0.7))
    server.storing.clear()
    uploads = [member.bucket.files.upload(io.BytesIO(b"content"), callback=lambda answer: None) for _ in range(2)]
    eventually(lambda: None in statuses(server, "PUT"))  # the second one is never answered
    server.storing.set()

    assert [upload.result()["size"] for upload in uploads] == [7, 7]


@pytest.mark.parametrize("early", ["drain", "stop"])
def test_an_early_refusal_of_a_large_upload_is_heard(server, version, member, early):
    server.early, sent = early, []

    with pytest.raises(APIError, match="Invalid or expired token"):
        member.bucket.files.upload(
            io.BytesIO(bytes(40 * MIB)), "0" * 64, progress=lambda done, total: sent.append(done)
        )

    assert early == "drain" or 40 * MIB not in sent
    assert len(statuses(server, "PUT")) == 1


def test_a_server_that_closes_each_connection_does_as_well(server, version, member):
    server.keep_alive = False

    stored = member.bucket.files.upload(io.BytesIO(content(MIB)))

    assert member.bucket.files.list() == [stored]


def test_the_stand_in_forgets_about_an_upload_without_a_file_name(server, version, member):
    headers = {"x-token": member.bucket.files.token("PUSH")["token"], "x-filesize": "7"}
    ask = requests.Session()
    ask.trust_env = False

    with pytest.raises(requests.Timeout):
        ask.put(server.url + "/buckets/{0}/files".format(member.bucket.list()["id"]), headers=headers, timeout=0.3,
                files={"data": (None, b"content")})


def test_the_stand_in_verifies_signatures_and_knows_what_it_has_sent(server, version, member):
    headers = pymdc._signing.signature_headers(member.key_pair, "GET", "/keys", b"__nonce=2e12")
    ask = requests.Session()
    ask.trust_env = False

    first = ask.get(server.url + "/keys?__nonce=2e12", headers=headers)
    headers["If-None-Match"] = first.headers["ETag"]
    again = ask.get(server.url + "/keys?__nonce=2e12", headers=headers)
    forged = ask.get(server.url + "/keys?__nonce=3e12", headers=headers)
    unknown = ask.get(server.url + "/nope")

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    for answer, case in ((forged, "bad signature (other key)"), (unknown, "unknown route")):
        recorded = RECORDED[case].get(version, RECORDED[case]["0.2.4"])
        assert (answer.status_code, answer.text) == (recorded["status"], recorded["body"])


def test_the_stand_in_answers_registrations_and_keys_as_recorded(server, version):
    ask = requests.Session()
    ask.trust_env = False
    registrations = [exchange for exchange in EXCHANGES if exchange["case"].startswith("user create")]
    account = json.loads(registrations[0]["request_body"])
    basic = (account["email"], account["password"])

    for exchange in registrations:  # in their order, since an e-mail is free only once
        assert answered(ask, server, exchange) == recorded_answer(exchange, version)
    server.users[account["email"]]["activated"] = True
    for exchange in EXCHANGES:
        if exchange["case"].startswith("keys"):
            auth = None if "no auth" in exchange["case"] else basic
            assert answered(ask, server, exchange, auth) == recorded_answer(exchange, version)


def answered(ask, server, exchange, auth=None):
    body = exchange["request_body"] or ""
    answer = ask.request(
        exchange["method"], server.url + exchange["path"], data="" if body == "(0 bytes)" else body.encode("utf-8"),
        auth=auth,
    )
    return exchange["case"], answer.status_code, undated(answer.text)


def recorded_answer(exchange, version):
    answer = exchange["answers"].get(version, exchange["answers"]["0.2.4"])
    return exchange["case"], answer["status"], undated(answer["body"])


def undated(text):
    answer = json.loads(text) if 0 < len(text) < CUT else None
    return dict(answer, created=None) if isinstance(answer, dict) else answer
