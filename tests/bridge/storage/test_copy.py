"""A bridge on SQLite goes to a cluster: with all it has, checked, and again when that was broken off."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

import psycopg
import pytest
import requests

from postgresql import PASSWORD
from pymdc.bridge.mail.postman import Postman
from pymdc.bridge.mail.relay import Relay
from pymdc.bridge.metadata import Metadata
from pymdc.testing import Fault, Wire
from seaweedfs import StoredFile
from used_bridge import SHARD, UsedBridge, command, flip_a_byte
from used_bridge import rows as rows_of
from waiting import eventually
from wire import registered

SIZES = [0, 1, 1000, 16 * 1024, 16 * 1024 + 1, 60_000]
SECRETS = (PASSWORD, "thesecretofthetests", "AKIDOFTHETESTS")


class Laptop:
    """A bridge with files of all kinds, which does not run any more."""

    def __init__(self, folder, count=30, large=(SHARD + 7,)):
        self.folder, self.files = folder, []
        with UsedBridge(folder) as world:
            world.register()
            ben = registered(world.bridge, "ben@example.com")
            places = [(world.account, world.bucket), (world.account, world.account.bucket()), (ben, ben.bucket())]
            shared = os.urandom(60_000)
            contents = [os.urandom(SIZES[number % len(SIZES)]) for number in range(count)]
            for number, content in enumerate([*contents, *map(os.urandom, large), shared, shared, shared]):
                account, bucket = places[number % 3]
                self.files.append((account, bucket, account.upload(bucket, content, f"folder/{number}"), content))
            self.account, self.bucket, self.key_pair = world.account, world.bucket, world.key_pair
            account, *of_shared, _ = self.files[-1]
            self.token, self.pull = self.account.token(self.bucket), account.pointers(*of_shared).json()
            self.account.signed.get("/buckets")
        self.seen = self.account.signed.last.copy()

    def copy(self, *to):
        return command("copy", "--data-dir", self.folder, *to)

    def begin_to_copy(self, *to):
        return subprocess.Popen([sys.executable, "-m", "pymdc.bridge", "copy", "--data-dir", self.folder, *to],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def query(self, statement):
        return UsedBridge.query(self, statement)

    @contextlib.contextmanager
    def served(self, folder, **where):
        """A bridge on what was copied, where all accounts are."""
        with UsedBridge(folder, self.key_pair, **where) as world:
            for account, *_ in self.files:
                account.signed.url = account.nobody.url = world.bridge.url
            yield world

    def check_files(self, world):
        for account, bucket, file_hash, content in self.files:
            answer = account.signed.get(f"/buckets/{bucket}/files/{file_hash}/content")
            assert (answer.status_code, answer.content) == (200, content)
        listed = [entry["filename"] for account, bucket in {file[1]: file[:2] for file in self.files}.values()
                  for entry in account.signed.get(f"/buckets/{bucket}/files").json()]
        assert len(listed) == len(self.files)


@pytest.fixture
def laptop(tmp_path):
    return Laptop(tmp_path / "laptop")


@pytest.fixture
def database(postgresql):
    return postgresql.new_database(empty=True)


@pytest.fixture
def bucket_url(s3):
    return s3.new_store_url()


def rows(database_url, *tables):
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


def puts(line):
    """Return how many shards have been on their way to the store."""
    return sum(method == "PUT" and "/shards/" in path for method, path in line.requests)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)


def test_what_was_broken_off_wherever_it_was_goes_on_and_everything_is_there(tmp_path, postgresql, database, s3,
                                                                             bucket_url, monkeypatch, full):
    laptop = Laptop(tmp_path / "laptop", count=10_000 if full else 300, large=[SHARD, 2 * SHARD + 5000])
    to = ["--to-database-url", database, "--to-store-url", bucket_url]
    large = len(laptop.query("SELECT * FROM shards WHERE object NOT LIKE 'inline-%'"))
    middle = large // 2

    with Wire(s3.url) as line:
        line.faults = [Fault("stall", "PUT", "*/shards/*", nth=number) for number in range(middle, middle + 20)]
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
        first = laptop.begin_to_copy(*to)
        eventually(lambda: puts(line) >= middle, patience=300)
        kill(first)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    some = len(s3.objects(bucket_url))
    assert 0 < some < large
    assert rows(database, "accounts", "files", "shards", "contents") == [0, 0, 0, 0]
    refused = command("serve", "--port", 0, "--data-dir", tmp_path / "other", "--database-url", database,
                      "--store-url", bucket_url)
    assert refused.returncode == 1 and "the database names none" in refused.stderr

    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE FUNCTION wait() RETURNS trigger AS 'BEGIN PERFORM pg_advisory_xact_lock(1); "
                           "RETURN NEW; END' LANGUAGE plpgsql")
        connection.execute("CREATE TRIGGER wait BEFORE INSERT ON file_shards FOR EACH ROW EXECUTE FUNCTION wait()")
        connection.execute("SELECT pg_advisory_lock(1)")
        second = laptop.begin_to_copy(*to)
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        eventually(lambda: connection.execute(waits).fetchone()[0])
        kill(second)
        connection.execute("SELECT pg_advisory_unlock(1)")
        connection.execute("DROP TRIGGER wait ON file_shards")  # once the server has noticed that nobody is there
    assert rows(database, "accounts", "files", "shards", "contents") == [0, 0, 0, 0]

    third = laptop.copy(*to)
    again = laptop.copy(*to)

    assert (third.returncode, again.returncode) == (0, 0), third.stderr + again.stderr
    assert f"{rows(database, 'shards')[0]} shards of" in third.stdout and "0 of them put there now" in third.stdout
    assert "serve it with --database-url … --store-url " + bucket_url in again.stdout
    assert len(s3.objects(bucket_url)) == large
    assert not [secret for secret in SECRETS for ended in (third, again) if secret in ended.stdout + ended.stderr]
    shutil.rmtree(laptop.folder)
    with laptop.served(tmp_path / "host", s3=s3, store_url=bucket_url, database_url=database) as world:
        laptop.check_files(world)
        assert world.command("scrub", "--database-url", database).stdout.startswith(
            f"{rows(database, 'shards')[0]} shards of")


def test_what_was_once_is_once_on_the_other_side_too(laptop, database, bucket_url, s3, tmp_path):
    laptop.copy("--to-database-url", database, "--to-store-url", bucket_url)

    with laptop.served(tmp_path / "host", s3=s3, store_url=bucket_url, database_url=database) as world:
        account, bucket = world.account, laptop.bucket
        shards = [account.nobody.get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})
                  for pointer in laptop.pull]
        path = f"/buckets/{bucket}/files?size=5"
        put = [account.nobody.send("PUT", path, b"first", {"x-token": laptop.token}) for _ in range(2)]
        laptop.seen.url = world.bridge.url + laptop.seen.path_url
        with requests.Session() as session:
            replayed = session.send(laptop.seen)
        fresh = account.bucket()
        added = account.upload(fresh, b"z" * 20_000)

        assert [shard.content for shard in shards] == [laptop.files[-1][3]]
        assert [answer.status_code for answer in put] == [200, 401]
        assert replayed.status_code == 401
        assert world.download(fresh, added) == (200, b"z" * 20_000)
        assert account.signed.get("/buckets").status_code == 200


def test_a_database_alone_goes_and_the_shards_stay(laptop, database, tmp_path):
    copied = laptop.copy("--to-database-url", database)

    refused = [command(*each, "--data-dir", laptop.folder) for each in (("serve", "--port", 0), ("scrub",))]
    assert copied.returncode == 0, copied.stderr
    assert [each.returncode for each in refused] == [1, 1]
    assert all("DATABASE-COPIED: it was copied to elsewhere: say where with --database-url" in each.stderr
               for each in refused)
    with laptop.served(laptop.folder, database_url=database) as world:
        laptop.check_files(world)


def test_shards_alone_go_and_the_database_stays(laptop, bucket_url, s3, monkeypatch):
    with Wire(s3.url) as line:
        line.faults = [Fault("stall", "PUT", "*/shards/*", nth=number) for number in range(5, 30)]
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
        broken = laptop.begin_to_copy("--to-store-url", bucket_url)
        eventually(lambda: puts(line) >= 5)
        kill(broken)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    early = command("serve", "--port", 0, "--data-dir", laptop.folder, "--store-url", bucket_url)
    copied = laptop.copy("--to-store-url", bucket_url)
    late = command("serve", "--port", 0, "--data-dir", laptop.folder)

    assert [early.returncode, copied.returncode, late.returncode] == [1, 0, 1], copied.stderr
    assert "its shards are not all in a bucket: copy them again" in early.stderr
    assert "SHARDS-COPIED: it was copied to elsewhere: say where with --store-url" in late.stderr
    shutil.rmtree(laptop.folder / "shards")
    with laptop.served(laptop.folder, s3=s3, store_url=bucket_url) as world:
        laptop.check_files(world)


def test_what_is_not_copied_is_served_as_before(laptop, database, bucket_url, line_that_answers_403):
    failed = laptop.copy("--to-database-url", database, "--to-store-url", bucket_url)

    assert failed.returncode == 1
    assert "the store answers 403" in failed.stderr and "Traceback" not in failed.stderr
    assert not [secret for secret in SECRETS if secret in failed.stdout + failed.stderr]
    with laptop.served(laptop.folder) as world:
        laptop.check_files(world)


@pytest.fixture
def line_that_answers_403(s3, monkeypatch):
    with Wire(s3.url) as line:
        line.faults = [Fault("answer", "PUT", "*/shards/*", nth=3, status=403)]
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
        yield line


@pytest.mark.parametrize("small", [False, True], ids=["in the store", "in the database"])
def test_a_shard_that_is_damaged_is_told_and_all_others_go(laptop, database, bucket_url, s3, tmp_path, small):
    object_name, size = laptop.query(
        f"SELECT object, size FROM shards WHERE object {'' if small else 'NOT'} LIKE 'inline-%' AND size > 1000")[0]
    if small:
        laptop.query(f"UPDATE contents SET content = zeroblob({size}) WHERE shard = "
                     f"(SELECT id FROM shards WHERE object = '{object_name}')")
    else:
        flip_a_byte(StoredFile(laptop.folder / "shards" / object_name[:2] / object_name))

    told = [laptop.copy("--to-database-url", database, "--to-store-url", bucket_url) for _ in range(2)]

    assert [each.returncode for each in told] == [1, 1]
    for each in told:
        assert f"damaged: {object_name} has wrong bytes; it belongs to" in each.stdout
        assert "; 1 damaged" in each.stdout
    damaged = [file for file in laptop.files if len(file[3]) == size and file[2] in told[0].stdout]
    laptop.files = [file for file in laptop.files if file not in damaged]
    with laptop.served(tmp_path / "host", s3=s3, store_url=bucket_url, database_url=database):
        account, bucket, file_hash, content = damaged[0]
        answers = [account.signed.get(f"/buckets/{bucket}/files/{file_hash}/content").status_code]
        account.upload(bucket, content)
        answers.append(account.signed.get(f"/buckets/{bucket}/files/{file_hash}/content").status_code)

        assert answers == [410, 200]
        assert len(laptop.files) > 20
        for account, bucket, file_hash, content in laptop.files:
            assert account.signed.get(f"/buckets/{bucket}/files/{file_hash}/content").content == content


def test_what_the_store_gives_back_is_checked(tmp_path, database, bucket_url, s3, monkeypatch):
    laptop = Laptop(tmp_path / "laptop", count=2, large=())  # so there is one object, of 60 000 bytes
    found = {"Content-Range": "bytes 0-59999/60000", "Last-Modified": "Thu, 26 Nov 2026 10:00:00 GMT", "ETag": '"1"'}
    with Wire(s3.url) as line:
        line.faults = [Fault("answer", "GET", "*/shards/*", nth=2, status=206, body=b"x" * 60_000, headers=found)]
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
        failed = laptop.copy("--to-database-url", database, "--to-store-url", bucket_url)

    assert failed.returncode == 1
    assert "which has been put there, has wrong bytes" in failed.stderr
    assert rows(database, "accounts", "files") == [0, 0]


def test_rows_that_do_not_arrive_as_they_were_are_undone(laptop, postgresql, bucket_url):
    database = postgresql.new_database()
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE FUNCTION spoil() RETURNS trigger AS 'BEGIN NEW.mimetype = ''other''; RETURN NEW; "
                           "END' LANGUAGE plpgsql")
        connection.execute("CREATE TRIGGER spoil BEFORE INSERT ON files FOR EACH ROW EXECUTE FUNCTION spoil()")

    failed = laptop.copy("--to-database-url", database, "--to-store-url", bucket_url)

    assert failed.returncode == 1
    assert "what is in its table files is not what was put there; all is undone" in failed.stderr
    assert rows(database, "accounts", "files") == [0, 0]


def test_what_is_not_empty_is_refused_and_left_as_it_is(laptop, postgresql, database, s3, bucket_url, tmp_path):
    used, foreign, other = postgresql.new_database(), postgresql.new_database(empty=True), s3.new_store_url()
    another = Laptop(tmp_path / "another", count=5)
    another.copy("--to-database-url", used, "--to-store-url", other)
    with psycopg.connect(foreign.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE things (name TEXT)")
    strange = s3.new_store_url()
    requests.put(f"{s3.url}/{strange.removeprefix('s3://')}/photos/cat.jpg", b"a cat", timeout=30)
    before = rows(used, "accounts", "files"), s3.objects(other)

    told = [
        (["--to-database-url", used, "--to-store-url", bucket_url], "neither empty nor what is to be copied"),
        (["--to-database-url", foreign, "--to-store-url", bucket_url], "the database of another program"),
        (["--to-database-url", database, "--to-store-url", other], "holds something else, such as"),
        (["--to-store-url", strange], "holds something else, such as photos/cat.jpg"),
    ]

    for to, text in told:
        refused = laptop.copy(*to)
        assert refused.returncode == 1 and text in refused.stderr, refused.stderr
        assert PASSWORD not in refused.stderr
    assert (rows(used, "accounts", "files"), s3.objects(other)) == before
    assert s3.objects(strange) == s3.objects(bucket_url) == []
    with laptop.served(laptop.folder) as world:
        laptop.check_files(world)


def test_what_has_been_served_since_is_not_copied_over(laptop, database, bucket_url, s3, tmp_path):
    to = ["--to-database-url", database, "--to-store-url", bucket_url]
    laptop.copy(*to)
    with laptop.served(tmp_path / "host", s3=s3, store_url=bucket_url, database_url=database) as world:
        world.account.upload(laptop.bucket, b"new" * 10_000)
        names = rows(database, "files")

    refused = laptop.copy(*to)

    assert refused.returncode == 1 and "neither empty nor what is to be copied" in refused.stderr
    assert rows(database, "files") == names


def test_a_bridge_that_runs_is_not_copied(tmp_path, database):
    with UsedBridge(tmp_path / "data") as world:
        world.register().account.upload(world.bucket, b"x" * 20_000)

        refused = command("copy", "--data-dir", world.folder, "--to-database-url", database)

    assert refused.returncode == 1 and "another bridge is running on it" in refused.stderr


def test_where_to_copy_to_has_to_be_said_and_to_be_right(laptop, bucket_url):
    told = [
        ([], "say with --to-database-url or --to-store-url"),
        (["--to-store-url", bucket_url, "--store-url", bucket_url], "say with --to-database-url or --to-store-url"),
        (["--to-database-url", "mysql://thesecret@host/name"], "database-url must be like"),
        (["--to-store-url", "s3://key:thesecret@bucket"], "store-url must not hold credentials"),
    ]

    for to, text in told:
        refused = laptop.copy(*to)
        assert refused.returncode == 2 and text in " ".join(refused.stderr.split())
        assert "thesecret" not in refused.stderr


def test_a_database_that_is_away_is_told_without_its_password(laptop, monkeypatch):
    monkeypatch.setenv("PYMDC_BRIDGE_TO_DATABASE_URL", f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:1/bridge")

    refused = laptop.copy()

    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert PASSWORD not in refused.stderr


def test_mails_that_wait_go_along_and_what_lies_in_the_outbox_is_told(laptop, database, mail_server):
    with rows_of(laptop.folder) as memory:
        for name in ("first", "second"):
            memory.mails.add({"name": name, "recipient": f"{name}@example.com", "content": b"From: b@localhost\r\n\r\n",
                              "created": memory.clock.now(), "due": memory.clock.steady(), "claimed": 0})
        memory.mails.claim(memory.clock.steady(), memory.clock.steady(), memory.clock.steady() + 300_000)

    ended = laptop.copy("--to-database-url", database)

    assert ended.returncode == 0, ended.stderr
    assert f"2 mails stay in {laptop.folder / 'outbox'}" in ended.stdout
    with contextlib.closing(Metadata(database)) as memory:
        postman = Postman(memory.mails, memory.clock, Relay.parse(mail_server.url()))
        postman.start()
        sent = {mail_server.taken.get(timeout=30).rcpt_tos[0] for _ in range(2)}
        postman.close()
    assert sent == {"first@example.com", "second@example.com"}
