"""The folder of mails that nobody sends, and how they go when somebody does."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

import pytest
import requests

from pymdc.bridge import LocalBridge
from pymdc.bridge.mail.carrier import Delayed
from pymdc.bridge.mail.message import activation_mail
from pymdc.bridge.mail.outbox import Outbox, collect
from pymdc.bridge.mail.postman import Postman, Schedule
from pymdc.bridge.metadata import Metadata, sqlite
from pymdc.bridge.refusal import Refusal
from waiting import eventually
from wire import Wire, race

PASSWORD = "ab" * 32


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


def old_outbox(folder, *recipients):
    """Leave mails in a data folder, as bridges did that had no other place for them."""
    outbox = folder / "outbox"
    outbox.mkdir(parents=True)
    for number, recipient in enumerate(recipients):
        mail = activation_mail(recipient, "https://bridge.example/activations/" + "ab" * 32, "b@bridge.example")
        (outbox / f"{number:020}-0000.eml").write_bytes(bytes(mail))
    return outbox


def sqlite_rows(folder):
    """Return what waits in the database in a data folder."""
    with contextlib.closing(sqlite3.connect(folder / "bridge.sqlite")) as db:
        return db.execute("SELECT name FROM mails").fetchall()


def recipients(server, count):
    return [server.taken.get(timeout=30).rcpt_tos[0] for _ in range(count)]


def test_what_waits_in_the_outbox_is_sent_when_a_server_is_set_the_oldest_first(folder, mail_server):
    outbox = old_outbox(folder, "a@example.com", "b@example.com", "j\u00fcrgen@example.com")
    left = [path.read_bytes() for path in sorted(outbox.iterdir())]

    with LocalBridge(folder, smtp_url=mail_server.url()) as bridge:
        envelopes = [mail_server.taken.get(timeout=30) for _ in left]

        assert [envelope.rcpt_tos[0] for envelope in envelopes] == [
            "a@example.com", "b@example.com", "j\u00fcrgen@example.com"]
        assert [envelope.content for envelope in envelopes] == left
        assert list(outbox.iterdir()) == []
        Wire(bridge.url).post("/users", {"email": "new@example.com", "password": PASSWORD})
        assert recipients(mail_server, 1) == ["new@example.com"]


def test_without_a_server_they_stay_in_the_outbox(folder):
    outbox = old_outbox(folder, "a@example.com")

    with LocalBridge(folder) as bridge:
        Wire(bridge.url).post("/users", {"email": "new@example.com", "password": PASSWORD})

        assert bridge.activation_token("a@example.com") == "ab" * 32
        assert len(list(outbox.iterdir())) == 2


@pytest.mark.parametrize("content", [
    b"", b"\xff\x00\xfe", b"To: a@example.com\n\n", b"From: b@x.example\nDate: Mon, 01 Jan 2024 00:00:00 +0000\n\n",
    b"From: b@x.example\nTo: a@example.com\nDate: yesterday\n\n", b"From: b@x.example\nTo: a@example.com\n\n",
    b"From: <>\nTo: a@example.com\nDate: Mon, 01 Jan 2024 00:00:00 +0000\n\n",
    None,
])
def test_a_file_without_a_mail_stays_and_is_named_and_the_others_go(memory, folder, caplog, content):
    outbox = old_outbox(folder, "a@example.com")
    if content is None:
        (outbox / "0.eml").mkdir()
    else:
        (outbox / "0.eml").write_bytes(content)

    collect(outbox, memory.mails)

    assert memory.mails.claim(1, 1, 10)["recipient"] == "a@example.com"
    assert memory.mails.claim(1, 1, 10) is None
    assert [path.name for path in outbox.iterdir()] == ["0.eml"]
    assert caplog.text.count("mail 0.eml stays where it is: ") == 1


def test_a_file_of_any_name_is_a_mail(memory, folder):
    outbox = old_outbox(folder, "a@example.com")
    path, = outbox.iterdir()
    path.rename(os.fsdecode(os.fsencode(outbox) + b"/\xff %s \xc3\xbc.eml"))

    collect(outbox, memory.mails)

    assert memory.mails.claim(1, 1, 10)["recipient"] == "a@example.com"
    assert list(outbox.iterdir()) == []


def test_a_mail_that_is_in_the_database_already_since_its_file_could_not_be_deleted_goes_once(memory, folder):
    outbox = old_outbox(folder, "a@example.com")
    path, = outbox.iterdir()
    content = path.read_bytes()

    for _ in range(2):
        path.write_bytes(content)
        collect(outbox, memory.mails)

    assert memory.mails.claim(1, 1, 10)["content"] == content
    assert memory.mails.claim(1, 1, 10) is None


def test_bridges_that_start_at_the_same_time_take_each_mail_once(database_url, folder):
    addresses = [f"{number:02}@example.com" for number in range(20)]
    outbox = old_outbox(folder, *addresses)
    taken = []

    def start(number):
        with contextlib.closing(Metadata(database_url)) as memory:
            collect(outbox, memory.mails)
            while (mail := memory.mails.claim(1, 1, 10)) is not None:
                taken.append(mail["recipient"])
                memory.mails.forget(mail["name"])

    race(4, start)

    assert sorted(taken) == addresses


def test_a_mail_whose_bridge_was_killed_before_it_lay_in_the_outbox_lies_there_after_the_next_start(folder):
    with LocalBridge(folder):
        pass
    with contextlib.closing(sqlite(folder / "bridge.sqlite")) as memory:
        postman = Postman(memory.mails, memory.clock, Outbox(folder / "outbox"))
        row = postman.write(activation_mail("a@example.com", "http://h/activations/" + "cd" * 32))
        memory.mails.add(row)

    with LocalBridge(folder) as bridge:
        eventually(lambda: list(bridge.outbox.glob("*.eml")))

        assert bridge.activation_token("a@example.com") == "cd" * 32
    with contextlib.closing(sqlite(folder / "bridge.sqlite")) as memory:
        assert memory.mails.claim(10**15, 10**15, 10**16) is None


def test_a_mail_that_its_writer_is_about_to_deliver_nobody_else_gets(memory, folder):
    postman = Postman(memory.mails, memory.clock, Outbox(folder / "outbox"))
    row = postman.write(activation_mail("a@example.com", "http://h"))
    memory.mails.add(row)
    now = memory.clock.steady()

    assert memory.mails.claim(now, now, now + 1) is None
    postman.take(row)
    assert memory.mails.claim(2 * now, 2 * now, 3 * now) is None
    assert [path.stem for path in (folder / "outbox").iterdir()] == [row["name"]]


def test_a_mail_for_which_the_disk_has_no_room_waits_for_it(folder, caplog, monkeypatch):
    write = Outbox._write
    monkeypatch.setattr(Outbox, "_write", lambda *arguments: os.stat(folder / "nowhere"))
    with LocalBridge(folder) as bridge:
        bridge._server.services._postman._schedule = Schedule(first=0.01, longest=0.05, look=0.01)
        answer = Wire(bridge.url).post("/users", {"email": "a@example.com", "password": PASSWORD})

        assert answer.status_code == 200 and "not sent, next try in 0 s" in caplog.text
        assert list(bridge.outbox.iterdir()) == []
        monkeypatch.setattr(Outbox, "_write", write)
        bridge._server.services._postman._arrived.set()
        eventually(lambda: list(bridge.outbox.glob("*.eml")))


def test_an_outbox_is_a_carrier_that_says_what_it_cannot_do(tmp_path):
    outbox = Outbox(tmp_path / "outbox")
    (tmp_path / "outbox").rmdir()

    with pytest.raises(Delayed, match="No such file"):
        outbox.deliver({"name": "a", "content": b""}, 0)


@pytest.mark.parametrize("kept", [True, False])
def test_a_registration_that_comes_to_nothing_sends_nothing(folder, server_url, kept):
    with LocalBridge(folder, database_url=server_url) as bridge:
        services = bridge._server.services
        mail = activation_mail("a@example.com", "https://bridge.example/activations/" + "ab" * 32)

        def work():
            assert services.metadata.rates.take("somebody", 1, 10**15, 0) == 0
            if not kept:
                raise Refusal(400, "no")

        with contextlib.nullcontext() if kept else pytest.raises(Refusal):
            services.with_mail(mail, work)

        assert len(list(bridge.outbox.iterdir())) == kept
        assert services.metadata.mails.claim(10**15, 10**15, 10**16) is None


KILLED = """
import os, pathlib, signal, sys
from pymdc.bridge.mail import outbox, postman, relay
from pymdc.bridge.metadata.mails import Mails
nouns = {"Mails": Mails, "Outbox": outbox.Outbox, "Path": pathlib.Path, "Postman": postman.Postman,
         "Relay": relay.Relay}
noun, method = sys.argv[1].split(".")
setattr(nouns[noun], method, lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
from pymdc.bridge.commands import main
main(sys.argv[2:])
"""


def killed(folder, where, *options):
    """Let a bridge be killed at a place while it registers somebody; return whether it had answered."""
    command = [sys.executable, "-c", KILLED, where, "--port", "0", "--data-dir", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        try:
            answer = requests.post(url + "/users", json={"email": "a@example.com", "password": PASSWORD}, timeout=30)
            return answer.status_code == 200
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):  # before or within the answer
            return False
        finally:
            assert process.wait(30) == -signal.SIGKILL


@pytest.mark.parametrize("where", ["Postman.take", "Outbox.deliver", "Path.rename", "Mails.forget"])
def test_a_mail_lies_in_the_outbox_wherever_its_bridge_was_killed(folder, where):
    assert not killed(folder, where)

    with LocalBridge(folder) as bridge:
        eventually(lambda: sqlite_rows(folder) == [])

        path, = bridge.outbox.iterdir()
        assert path.suffix == ".eml"
        assert Wire(bridge.url).get("/activations/" + bridge.activation_token("a@example.com")).status_code == 200


@pytest.mark.parametrize("where, sent", [("Postman.take", 1), ("Relay.deliver", 1), ("Mails.forget", 2)])
def test_a_mail_reaches_the_server_wherever_its_bridge_was_killed(folder, mail_server, where, sent):
    killed(folder, where, "--smtp-url", mail_server.url())

    with LocalBridge(folder, smtp_url=mail_server.url()):
        assert recipients(mail_server, sent) == ["a@example.com"] * sent
        eventually(lambda: sqlite_rows(folder) == [])

    assert mail_server.taken.empty()
