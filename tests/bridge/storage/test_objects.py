"""What is told of a store at S3 besides what holds for every store: a server that fails, lies, is slow or away."""

import contextlib
import http.server
import logging
import os
import threading

import pytest

from pymdc.bridge import LocalBridge
from pymdc.bridge.settings import Settings
from pymdc.bridge.storage import objects
from pymdc.bridge.storage.objects import ObjectStore
from pymdc.testing import Fault, Wire
from used_bridge import SHARD, UsedBridge, command
from waiting import eventually

SECRETS = ("thesecretofthetests", "AKIDOFTHETESTS", "thesessiontoken")
NAME = f"{'ab' * 20}-0123456789abcdef-0"
MIB = 1024 * 1024


@pytest.fixture
def line(s3, monkeypatch):
    """The wire to the server of objects."""
    with Wire(s3.url) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.url)
        monkeypatch.setenv("AWS_SESSION_TOKEN", "thesessiontoken")
        yield wire


@pytest.fixture
def store(line, s3):
    return ObjectStore(s3.new_store_url())


@pytest.fixture
def world(line, s3, tmp_path):
    """A bridge whose store is at the end of the wire."""
    with UsedBridge(tmp_path / "data", s3=s3, store_url=s3.new_store_url()) as world:
        yield world.register()


def put(world, content, bucket=None):
    """Try to store a file directly; return the answer."""
    bucket = bucket or world.bucket
    path = f"/buckets/{bucket}/files?size={len(content)}"
    return world.account.nobody.send("PUT", path, content, {"x-token": world.account.token(bucket)})


def get(world, file_hash, **headers):
    return world.account.signed.get(f"/buckets/{world.bucket}/files/{file_hash}/content", headers=headers)


def answer_with(status, body, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault("answer", "GET", "*/shards/*", nth=0, status=status, body=body, headers=headers)


def found(size, start, end):
    """Return the headers that come with a part of an object."""
    return {"Content_Range": f"bytes {start}-{end - 1}/{size}", "Last_Modified": "Thu, 26 Nov 2026 10:00:00 GMT",
            "ETag": '"1"'}


@pytest.mark.parametrize("url", [
    "s3://AKIAKEY:thesecret@bucket/prefix", "s3://thesecret@bucket", "s3://bucket/prefix?secret_access_key=thesecret",
    "s3://bucket/prefix#thesecret", "s3://bucket:thesecret/prefix",
])
def test_a_url_that_holds_credentials_is_refused_and_not_repeated(url, tmp_path):
    with pytest.raises(ValueError, match="must not hold credentials") as refusal:
        Settings(data_dir=tmp_path, store_url=url)
    ended = [command(name, "--data-dir", tmp_path, "--store-url", url) for name in ("serve", "scrub")]

    told = [str(refusal.value), *(each.stderr for each in ended)]
    assert [each.returncode for each in ended] == [2, 2]
    assert all("AWS_SECRET_ACCESS_KEY" in text and "thesecret" not in text for text in told)


@pytest.mark.parametrize("url", ["", "bucket", "s3://", "s3://b", "s3://Bucket/x", "s3://bucket/../x", "s3://bucket//x",
                                 "http://bucket/x", "s3://bucket/x y", "s3://bucket/\u0661"])
def test_what_is_no_url_of_a_bucket_is_refused(url, tmp_path):
    with pytest.raises(ValueError, match="store-url must be s3://bucket"):
        Settings(data_dir=tmp_path, store_url=url)


@pytest.mark.parametrize("name, value, complaint", [
    ("AWS_ENDPOINT_URL", "http://somebody:thesecret@127.0.0.1:1", "AWS_ENDPOINT_URL: must be like https://objects"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:1?key=thesecret", "AWS_ENDPOINT_URL: must be like https://objects"),
    ("AWS_ENDPOINT_URL", "127.0.0.1:1/thesecret", "AWS_ENDPOINT_URL: must be like https://objects"),
    ("AWS_ENDPOINT_URL", "", "AWS_ENDPOINT_URL: must be like https://objects"),
    ("AWS_ENDPOINT_URL_S3", "https://thesecret@127.0.0.1:1", "AWS_ENDPOINT_URL_S3: must be like https://objects"),
    ("aws_endpoint", "https://thesecret@127.0.0.1:1", "aws_endpoint: must be like https://objects"),
    ("AWS_ALLOW_HTTP", "thesecret", "AWS_ENDPOINT_URL: is not https: if that is meant, set AWS_ALLOW_HTTP=true"),
    ("AWS_CHECKSUM_ALGORITHM", "thesecret", "what the environment says, in AWS_..., cannot be used"),
])
def test_what_the_environment_says_that_is_no_use_is_refused_and_not_repeated(s3, tmp_path, monkeypatch, name, value,
                                                                              complaint):
    monkeypatch.setenv(name, value)

    ended = command("serve", "--port", 0, "--data-dir", tmp_path, "--store-url", s3.new_store_url())

    assert ended.returncode == 1
    assert complaint in ended.stderr and "Traceback" not in ended.stderr
    assert "thesecret" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("name, more", [("backup", 1), ("restore", 1)])
def test_backup_and_restore_say_that_they_are_for_folders(tmp_path, name, more):
    (tmp_path / "other").mkdir()

    refused = command(name, "--data-dir", tmp_path, "--store-url", "s3://bucket/prefix", tmp_path / "other")

    assert refused.returncode == 2
    assert "this is for bridges whose shards are in a folder" in refused.stderr.replace("\n", " ")


def test_nothing_of_a_store_needs_the_disk(world):
    world.account.upload(world.bucket, os.urandom(SHARD + 20_000))

    assert len(world.objects) == 2
    assert not (world.folder / "shards").exists()


def test_a_store_that_fails_now_and_then_is_asked_again(world, line):
    line.faults = [Fault("answer", "PUT", "*/shards/*", nth=number, status=500) for number in (1, 2)]
    line.faults += [Fault("reset", "PUT", "*/shards/*", nth=4), Fault("answer", "GET", "*/shards/*", nth=1, status=503)]
    contents = [os.urandom(20_000) for _ in range(2)]

    hashes = [world.account.upload(world.bucket, content) for content in contents]

    assert [get(world, file_hash).content for file_hash in hashes] == contents
    assert len(world.objects) == 2


def test_a_store_that_is_away_is_503_until_it_is_back(world, line):
    file_hash = world.account.upload(world.bucket, b"x" * 20_000)
    small = world.account.upload(world.bucket, b"small")

    line.refuse()
    refused = [put(world, b"y" * 20_000), get(world, file_hash)]
    health = world.account.nobody.get("/health")
    others = [get(world, small).status_code, put(world, b"little").status_code]
    line.open()

    assert [(each.status_code, each.headers["Retry-After"], each.json()) for each in refused] == [
        (503, "5", {"error": "The bridge cannot reach its store: try again"}),
    ] * 2
    assert (health.status_code, health.json()["store"]) == (503, "failing")
    assert others == [200, 200]
    assert get(world, file_hash).content == b"x" * 20_000
    assert put(world, b"y" * 20_000).status_code == 200
    assert world.account.nobody.get("/health").status_code == 200


@pytest.mark.parametrize("size", [20_000, SHARD + 20_000])
def test_an_upload_that_failed_leaves_nothing_though_the_store_has_taken_it(world, line, size):
    """The store has put it, but its answer never comes."""
    line.faults = [Fault("reset", "PUT", "*/shards/*", nth=0)]
    failed = put(world, os.urandom(size))
    line.faults = []
    came = [path for method, path in line.requests if method == "PUT" and "/shards/" in path]
    tidy(world, 0)

    assert failed.status_code == 503 and came
    assert world.objects == []
    assert world.query("SELECT * FROM unneeded") == []


def tidy(world, later):
    """Do what is done now and then, so many milliseconds later."""
    services = world.bridge._server.services
    services.clear_uploads(services.metadata.clock.steady() + later)
    services.sweep(0)


def test_what_comes_after_its_upload_was_given_up_goes_too(world, line):
    """Of a request that has failed the store makes an object later, again and again."""
    bucket = world.account.bucket(storage=0.00003)
    line.faults = [Fault("answer", "PUT", "*/shards/*", nth=0, status=500)]
    assert put(world, b"x" * 20_000, bucket).status_code == 503
    line.faults = []
    (name,), = world.query("SELECT object FROM unneeded")
    seen = []

    for moment in (0, ObjectStore.settles // 2, ObjectStore.settles + 1):
        late = world.leave(name, b"x" * 20_000)
        tidy(world, moment)
        seen.append((late.exists(), len(world.query("SELECT * FROM uploads"))))

    assert seen == [(False, 1), (False, 1), (False, 0)]
    assert put(world, b"x" * 20_000, bucket).status_code == 200


def test_the_room_of_an_upload_that_failed_is_given_back_at_once(world, line):
    bucket = world.account.bucket(storage=0.00003)
    line.faults = [Fault("answer", "PUT", "*/shards/*", nth=0, status=500)]
    failed = put(world, b"x" * 20_000, bucket)
    line.faults = []

    assert [failed.status_code, put(world, b"y" * 20_000, bucket).status_code] == [503, 200]


def test_what_comes_after_its_bridge_was_killed_goes_too(line, s3, tmp_path):
    """The store makes an object of a request of a bridge that has been killed, and another has started meanwhile."""
    url = s3.new_store_url()
    with UsedBridge(tmp_path / "data", s3=s3, store_url=url) as world:
        bucket = world.register().bucket
        world.query("INSERT INTO uploads VALUES ('0123456789abcdef', ?, 1000, 1000000000000000)", bucket)
    with UsedBridge(tmp_path / "data", world.key_pair, s3, url) as again:
        late = again.leave(NAME, b"late")
        tidy(again, 0)
        gone = not late.exists()
        tidy(again, ObjectStore.settles + 1)

        assert gone
        assert again.query("SELECT * FROM uploads") == []


def test_a_store_that_never_answers_is_given_up(line, s3, tmp_path, monkeypatch):
    monkeypatch.setitem(objects._TIMES, "timeout", objects.timedelta(seconds=0.2))
    monkeypatch.setitem(objects._REPEATS, "max_retries", 1)
    with UsedBridge(tmp_path / "data", s3=s3, store_url=s3.new_store_url()) as world:
        file_hash = world.register().account.upload(world.bucket, b"x" * 20_000)
        line.faults = [Fault("stall", path="*/shards/*", nth=0, sent=0), Fault("stall", path="*/shards/*", nth=0)]

        assert [put(world, b"y" * 20_000).status_code, get(world, file_hash).status_code] == [503, 503]
        line.faults = []
        assert get(world, file_hash).content == b"x" * 20_000


def test_an_upload_lives_as_long_as_its_store_may_take(world, monkeypatch):
    """However short a silence is."""
    services, ahead = world.bridge._server.services, [0]
    store, steady, really = services.store, services.metadata.clock.steady, services.store.put
    monkeypatch.setattr(services.metadata.clock, "steady", lambda: steady() + ahead[0])

    def put_slowly(name, content):
        really(name, content)
        ahead[0] = ObjectStore.settles - 1000
        tidy(world, 0)

    monkeypatch.setattr(store, "put", put_slowly)
    world.set(silence=0.1)

    answer = put(world, b"x" * 20_000)

    assert answer.status_code == 200
    assert get(world, answer.json()["hash"]).content == b"x" * 20_000


@pytest.mark.parametrize("body, headers", [
    (b"y" * 20_000, found(20_000, 0, 20_000)),
    (b"x" * 19_000, found(20_000, 0, 20_000)),
    (b"x" * 19_000, found(19_000, 0, 19_000)),
    (b"", found(20_000, 0, 20_000)),
], ids=["wrong bytes", "too few", "a shorter object", "none"])
def test_what_the_store_sends_instead_of_an_object_is_passed_on_to_nobody(world, line, body, headers):
    file_hash = world.account.upload(world.bucket, b"x" * 20_000)
    line.faults = [answer_with(206, body, **headers)]

    answer = get(world, file_hash)
    line.faults = []

    assert answer.status_code in (410, 503)
    if headers["Content_Range"] == "bytes 0-19999/20000" and len(body) != 0 or body == b"x" * 19_000:
        assert (answer.status_code, answer.json()) == (410, {"error": "The shard is damaged"})
    world.command("scrub")
    assert get(world, file_hash).content == b"x" * 20_000


def test_a_part_that_is_cut_is_damaged(world, line):
    file_hash = world.account.upload(world.bucket, b"x" * 20_000)
    line.faults = [answer_with(206, b"x" * 50, **found(20_000, 100, 200))]

    answer = get(world, file_hash, Range="bytes=100-199")

    assert (answer.status_code, answer.json()) == (410, {"error": "The shard is damaged"})


@pytest.mark.parametrize("status, body", [
    (404, b"<Error><Code>NoSuchBucket</Code></Error>"), (404, b"404 page not found"), (403, b""), (400, b"no"),
    (200, b"a page of somebody else"),
])
def test_only_an_object_that_the_store_says_it_has_not_is_lost(world, line, status, body):
    file_hash = world.account.upload(world.bucket, b"x" * 20_000)
    line.faults = [answer_with(status, body)]

    answer = get(world, file_hash)
    line.faults = []

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert get(world, file_hash).content == b"x" * 20_000


def test_what_the_store_says_about_keys_and_signatures_reaches_nobody(world, line, caplog):
    caplog.set_level(logging.DEBUG)
    said = "".join(f"<x>{secret}</x>" for secret in SECRETS).encode()
    line.faults = [Fault("answer", path="*/shards/*", nth=0, status=403,
                         body=b"<Error><Code>SignatureDoesNotMatch</Code>" + said + b"</Error>")]

    answer = put(world, b"x" * 20_000)
    scrub = command("serve", "--port", 0, "--data-dir", world.folder, "--store-url", world.store_url)

    told = answer.text + scrub.stdout + scrub.stderr + "".join(record.getMessage() for record in caplog.records)
    assert answer.status_code == 503
    assert "the store answers 403 SignatureDoesNotMatch" in caplog.text
    assert not any(record.exc_info for record in caplog.records)
    assert not [secret for secret in SECRETS if secret in told + repr(world.bridge._server.services.store)]


def test_an_object_is_read_in_parts_of_which_one_is_held_at_a_time(store, line, monkeypatch):
    content = os.urandom(3 * MIB + 5)
    writer = store.create("0123456789abcdef", 0)
    writer.write(content)
    name = writer.keep()["object"]
    before = len(line.requests)

    with contextlib.closing(store.open(name, 10, len(content))) as reader:
        first = reader.read(100)
        asked = len(line.requests) - before
        rest = b"".join(iter(lambda: reader.read(300_000), b""))

    assert (reader.size, first + rest) == (len(content), content[10:])
    assert asked == 1 and len(line.requests) - before == 3


def test_so_many_shards_are_in_memory_at_a_time_and_the_others_wait(line, s3, tmp_path, monkeypatch):
    alive, most, really = set(), [], objects.ObjectWriter.__init__

    def count(writer, *arguments):
        really(writer, *arguments)
        alive.add(writer)
        most.append(sum(each._buffer is not None for each in alive))

    monkeypatch.setattr(objects, "BUFFERS", 2)
    monkeypatch.setattr(objects.ObjectWriter, "__init__", count)
    with UsedBridge(tmp_path / "data", s3=s3, store_url=s3.new_store_url()) as world:
        world.register()
        contents = [bytes([number]) * (SHARD + 20_000) for number in range(5)]
        answers = {}
        senders = [threading.Thread(target=lambda each=each: answers.update({each[:1]: put(world, each)}))
                   for each in contents]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(120)

        assert [answers[each[:1]].status_code for each in contents] == [200] * 5
        assert max(most) == 2
        assert all(get(world, answers[each[:1]].json()["hash"]).content == each for each in contents)


def test_who_waits_too_long_for_a_place_is_told_to_come_again(line, s3, tmp_path):
    with UsedBridge(tmp_path / "data", s3=s3, store_url=s3.new_store_url(), silence=0.3) as world:
        world.register()
        places = world.bridge._server.services.store.places
        held = [places.take() for _ in range(objects.BUFFERS)]
        refused = put(world, b"x" * 20_000)
        small = put(world, b"small")
        for place in held:
            place.result().give_back()

        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert refused.json() == {"error": "Too much is on its way to the store: try again"}
        assert [small.status_code, put(world, b"x" * 20_000).status_code] == [200, 200]


class Recorder(http.server.BaseHTTPRequestHandler):
    """A store that takes everything, and notes the headers."""

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(dict(self.headers))
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *about):
        """Nobody reads it."""


def test_the_checksum_goes_with_the_object(monkeypatch, s3):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        ObjectStore("s3://bucket/prefix").put(NAME, memoryview(b"content"))
        server.shutdown()

    seen = {name.lower(): value for name, value in server.seen[0].items()}
    assert seen["x-amz-checksum-sha256"] == "7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M="
    assert seen["content-length"] == "7"


def test_a_database_is_not_served_with_a_store_that_has_none_of_what_it_names(s3, tmp_path):
    url, other = s3.new_store_url(), s3.new_store_url()
    with UsedBridge(tmp_path / "data", s3=s3, store_url=url) as world:
        file_hash = world.register().account.upload(world.bucket, b"x" * 20_000)

    refused = [command(name, *more, "--data-dir", world.folder, *store)
               for name, *more in (("serve", "--port", 0), ("scrub",)) for store in ((), ("--store-url", other))]

    assert [ended.returncode for ended in refused] == [1] * 4
    assert all("no shards lie here, and the database names some" in ended.stderr for ended in refused)
    with UsedBridge(tmp_path / "data", world.key_pair, s3, url) as again:
        assert again.download(world.bucket, file_hash) == (200, b"x" * 20_000)


def test_a_store_that_cannot_be_reached_at_the_start_is_told_in_a_line(line, s3, tmp_path):
    line.refuse()

    ended = command("serve", "--port", 0, "--data-dir", tmp_path, "--store-url", s3.new_store_url())

    assert ended.returncode == 1
    assert "the store cannot be reached" in ended.stderr and "Traceback" not in ended.stderr
    line.open()


def test_free_space_is_said_to_be_of_no_use(s3, tmp_path):
    with LocalBridge(tmp_path / "data", store_url=s3.new_store_url(), free_space=10**9) as bridge:
        assert bridge._server.services.spare_space() > 10**18
    ended = command("serve", "--host", "127.0.0.1", "--port", 0, "--data-dir", tmp_path / "data", "--free-space", 5,
                    "--store-url", s3.new_store_url(), "--tls-cert", __file__, "--tls-key", __file__)

    assert "--free-space is not heeded" in ended.stderr


def test_probing_leaves_one_object(store, s3):
    for _ in range(3):
        store.probe()

    assert list(store.objects()) == []
    eventually(lambda: len(s3._objects(store._url, "probe")) == 1)
