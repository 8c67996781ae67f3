"""Mails: what is in them, how they reach an SMTP server."""

import base64
import contextlib
import dataclasses
import email
import email.policy
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.parse

import pytest
import sqlalchemy
from hypothesis import example, given
from hypothesis import strategies as st

import pymdc
from mail_server import CERTIFICATE, PASSWORD, USER, MailServer, server_context
from waiting import eventually
from pymdc.bridge.mail.message import activation_mail, check_sender, default_sender
from pymdc.bridge.mail.postman import Postman, Schedule
from pymdc.bridge.mail.relay import Relay, may_log_in
from pymdc.bridge.metadata import Metadata, tables
from pymdc.bridge.metadata.mails import Mails
from pymdc.bridge.settings import Settings

TOKEN = "5ec2e7" * 10 + "abcd"
LINK = f"https://bridge.example/activations/{TOKEN}"
SENDER = "Metadisk Bridge <bridge@bridge.example>"
SOON = Schedule(first=0.01, longest=0.05, lifetime=60, look=0.01)
ONCE = Schedule(look=0.01)  # a mail that failed is not tried again as long as the test lasts
POSTMAN = """
import sys
from pymdc.bridge.mail.postman import Postman, Schedule
from pymdc.bridge.mail.relay import Relay
from pymdc.bridge.metadata import Metadata
memory = Metadata(sys.argv[1])
Postman(memory.mails, memory.clock, Relay.parse(sys.argv[2]), Schedule(look=0.1, claim=float(sys.argv[3]))).start()
print(flush=True)
sys.stdin.read()
"""
LOGIN = f"{urllib.parse.quote(USER, safe='')}:{urllib.parse.quote(PASSWORD, safe='')}"


class Post:
    """The mails of a bridge, and the postmen of this process."""

    def __init__(self, url):
        self.url = url
        self._stack = contextlib.ExitStack()
        self.memory = self._open()
        self.postmen = []

    def hire(self, url, schedule=SOON, timeout=30):
        """Make a postman with a database connection of his own, as another process has, and start him."""
        memory = self._open()
        relay = dataclasses.replace(Relay.parse(url), timeout=timeout)
        self.postmen.append(Postman(memory.mails, memory.clock, relay, schedule))
        self.postmen[-1].start()
        return self.postmen[-1]

    def send(self, mail, told=None):
        """
        Write a mail, as a handler does; return its name.

        :param told: the postmen that learn of it; by default all.
        """
        row = Postman(self.memory.mails, self.memory.clock, Relay("localhost", 1)).write(mail)
        self.memory.mails.add(row)
        for postman in self.postmen if told is None else told:
            postman.take(row)
        return row["name"]

    def rows(self):
        """Return what waits, by name."""
        with self.memory._database.read() as db:
            return db.execute(sqlalchemy.select(tables.mails).order_by(tables.mails.c.name)).mappings().all()

    def given_up(self):
        return [row["name"] for row in self.rows() if row["due"] is None]

    def close(self):
        for postman in self.postmen:
            postman.close()
        self._stack.close()

    def _open(self):
        return self._stack.enter_context(contextlib.closing(Metadata(self.url)))

    def make_old(self):
        with self.memory._database.write() as db:
            db.execute(sqlalchemy.update(tables.mails).values(created=1))


@pytest.fixture
def post(tmp_path):
    with contextlib.closing(Post(f"sqlite:///{tmp_path}/bridge.sqlite")) as post:
        yield post


@pytest.fixture
def shared_post(database_url):
    """The mails in a database of each kind."""
    with contextlib.closing(Post(database_url)) as post:
        yield post


@pytest.fixture
def start_process(shared_post):
    """A function that starts a postman in a process of his own, which ends when its input does."""
    with contextlib.ExitStack() as stack:
        def start(server, claim=300):
            command = [sys.executable, "-c", POSTMAN, shared_post.url, server.url(), str(claim)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            process.stdout.readline()
            return stack.enter_context(process)
        yield start


@pytest.fixture
def make_server():
    """A function that makes a mail server, and starts it unless told otherwise."""
    made = []

    def make(start=True, **options):
        made.append(MailServer(**options))
        if start:
            made[-1].start()
        return made[-1]
    yield make
    for server in made:
        server.stop()


@pytest.fixture
def make_postman(post):
    """A function that makes a postman and starts him."""
    return post.hire


@pytest.fixture
def trusted(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


def mail_to(name):
    return activation_mail(f"{name}@example.com", LINK, SENDER)


def next_of(server):
    """Return the recipient of the next mail that the server takes."""
    recipient, = server.taken.get(timeout=30).rcpt_tos
    return recipient


def test_a_mail_says_who_sends_it_and_that_nobody_wrote_it():
    first, second = mail_to("a"), mail_to("a")

    assert first["From"] == SENDER and first["Auto-Submitted"] == "auto-generated"
    assert first["Message-ID"].endswith("@bridge.example>") and first["Message-ID"] != second["Message-ID"]
    assert LINK in first.get_content()


def test_a_sender_of_any_alphabet_needs_nothing_of_the_server():
    mail = activation_mail("a@example.com", LINK, "Br\u00fccke <bridge@bridge.example>")

    assert bytes(mail).isascii()
    assert email.message_from_bytes(bytes(mail), policy=email.policy.default)["From"].startswith("Br\u00fccke <")


@pytest.mark.parametrize("sender", [SENDER, "b@x.example", "Br\u00fccke <b@x.example>", "b@[192.0.2.1]", "b@localhost"])
def test_a_sender_is_an_address_with_a_name_or_without(sender):
    check_sender(sender)


@pytest.mark.parametrize("sender", [
    "", "nobody", "a@b, c@d", "g:a@b, c@d;", "x <>", "a@", "@b", "a@b\r\nBcc: c@d", "b@\u00fc.example", "a b@c",
    "a@a..b", "<", None,
])
def test_what_is_no_sender_is_refused_by_name(sender):
    with pytest.raises(ValueError, match="mail-from must be like"):
        check_sender(sender)


@pytest.mark.parametrize("url, domain", [
    ("https://bridge.example", "bridge.example"), ("https://Bridge.example.:8443/x", "bridge.example"),
    ("http://127.0.0.1:6382", "localhost"), ("http://[::1]:6382", "localhost"), ("http://localhost:1", "localhost"),
    ("http://0.0.0.0:6382", "localhost"), ("http://a..b", "localhost"), ("http://[:::]", "localhost"),
    ("http://192.0.2.1", "[192.0.2.1]"), ("http://[2001:db8::1]", "[IPv6:2001:db8::1]"),
])
def test_by_default_the_sender_is_of_the_public_url(url, domain):
    sender = default_sender(url)

    assert sender == f"Metadisk Bridge <bridge@{domain}>"
    check_sender(sender)


@pytest.mark.parametrize("url, relay", [
    ("smtp://mail.example", Relay("mail.example", 25)),
    ("smtp://u:p@mail.example/", Relay("mail.example", 587, False, "u", "p")),
    ("smtps://mail.example", Relay("mail.example", 465, True)),
    ("smtps://u%40x:p%2F%3A%25:@[::1]:2525", Relay("::1", 2525, True, "u@x", "p/:%:")),
    ("smtp://192.0.2.1:1", Relay("192.0.2.1", 1)),
])
def test_an_smtp_url_says_where_and_as_whom(url, relay):
    assert Relay.parse(url) == relay


@pytest.mark.parametrize("url, complaint", [
    ("", "begin with"), ("mail.example", "begin with"), ("http://u:s3cret@h", "begin with"), ("smtp:h", "begin with"),
    ("smtp://", "host"), ("smtp://u:s3cret@", "host"), ("smtp://u:s3cret@h/path", "host"), ("smtp://h s3cret", "host"),
    ("smtp://h\ns3cret", "host"), ("smtp://[::1", "host"), ("smtp://[::1]s3cret", "host"), ("smtp://::1", "host"),
    ("smtp://u:s3cret", "port"), ("smtp://h:", "port"), ("smtp://h:0", "port"), ("smtp://h:70000", "port"),
    ("smtp://h:" + "1" * 5000, "port"), ("smtp://h:\u0661", "port"),
    ("smtp://u@h", "both"), ("smtp://:s3cret@h", "both"), ("smtp://u:@h", "both"),
    ("smtp://u:s3cret@x@h", "percent"), ("smtp://u:s3cret/@h", "percent"),
    ("smtp://u:s3cret%zz@h", "percent"), ("smtp://u:s3cret%ff@h", "ASCII"), ("smtp://u:s3cret\u00e9@h", "ASCII"),
    ("smtp://u:s3cret%00@h", "ASCII"), ("smtp://u%0d%0a:s3cret@h", "ASCII"),
])
def test_a_malformed_smtp_url_is_named_without_the_password(url, complaint):
    with pytest.raises(ValueError, match=complaint) as raised:
        Relay.parse(url)

    assert str(raised.value).startswith("smtp-url must ") and "s3cret" not in str(raised.value)
    assert raised.value.__context__ is None


@given(st.text(alphabet="smtp:/@[]%0a.\n-", max_size=30))
@example(":@:")
def test_no_url_fails_otherwise_than_by_a_value_error(text):
    for url in (text, "smtp://" + text):
        try:
            Relay.parse(url)
        except ValueError as error:
            assert str(error).startswith("smtp-url must ")


def test_a_relay_does_not_show_its_password():
    assert "s3cret" not in repr(Relay.parse("smtp://user:s3cret@h"))


@pytest.mark.parametrize("peer, allowed", [
    ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("192.168.0.1", False), ("10.0.0.1", False),
    ("2001:db8::1", False), ("fe80::1%eth0", False), ("0.0.0.0", False),
])
def test_without_tls_a_password_goes_to_loopback_only(peer, allowed):
    assert may_log_in(False, peer) is allowed
    assert may_log_in(True, peer) is True


def test_each_wait_is_twice_as_long_up_to_an_hour():
    age, waits = 0, []
    for _ in range(8):
        waits.append(Schedule().wait(age))
        age += waits[-1]

    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert Schedule().wait(-1000) == 60


def test_a_postman_that_was_not_started_has_no_thread(post):
    before = threading.active_count()

    postman = Postman(post.memory.mails, post.memory.clock, Relay.parse("smtp://localhost"))

    assert threading.active_count() == before
    postman.close()


@pytest.mark.parametrize("tls, encrypted", [(None, False), ("starttls", True), ("smtps", True)])
def test_a_mail_is_sent_and_forgotten(make_server, make_postman, post, trusted, tls, encrypted):
    server = make_server(tls=tls)
    postman = make_postman(server.url())

    post.send(mail_to("a"))
    envelope = server.taken.get(timeout=30)
    postman.close()

    assert (envelope.mail_from, envelope.rcpt_tos) == ("bridge@bridge.example", ["a@example.com"])
    assert LINK in email.message_from_bytes(envelope.content, policy=email.policy.default).get_content()
    assert server.commands() == [(command, encrypted) for command in ("MAIL", "RCPT", "DATA")]
    assert post.rows() == []


@pytest.mark.parametrize("sender", ["b@x.example", "Br\u00fccke <b@[192.0.2.1]>", "Bridge <b@[IPv6:2001:db8::1]>"])
def test_the_server_is_told_the_sender_that_the_mail_names(make_server, make_postman, post, sender):
    server = make_server()
    make_postman(server.url())

    post.send(activation_mail("a@example.com", LINK, sender))

    assert server.taken.get(timeout=30).mail_from == sender.split()[-1].strip("<>")


def test_a_new_mail_waits_for_no_look(make_server, make_postman, post):
    server = make_server()
    make_postman(server.url(), Schedule(look=600))

    for name in "abc":
        post.send(mail_to(name))
        assert next_of(server) == f"{name}@example.com"


def test_a_mail_of_another_process_is_found(make_server, make_postman, post):
    server = make_server()
    make_postman(server.url())

    post.send(mail_to("a"), told=[])

    assert next_of(server) == "a@example.com"


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
@pytest.mark.parametrize("login", [None, LOGIN])
def test_a_server_with_an_untrusted_certificate_is_sent_nothing(
        make_server, make_postman, post, caplog, monkeypatch, tls, login):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    server = make_server(tls=tls)
    post.send(mail_to("a"))

    postman = make_postman(server.url(login), ONCE)
    eventually(lambda: "certificate verify failed" in caplog.text)
    postman.close()

    assert server.commands() == []
    assert len(post.rows()) == 1


@pytest.mark.parametrize("tls", [None, "starttls", "smtps"])
def test_a_login_is_sent_over_tls_or_loopback(make_server, make_postman, post, trusted, tls):
    server = make_server(tls=tls, login=True)
    make_postman(server.url(LOGIN))

    post.send(mail_to("a"))

    assert next_of(server) == "a@example.com"
    assert server.commands()[0] == ("AUTH", tls is not None)


def test_a_login_waits_for_tls_where_the_server_is_elsewhere(make_server, make_postman, post, caplog, monkeypatch):
    def elsewhere(encrypted, peer):
        return may_log_in(encrypted, "192.0.2.1")

    monkeypatch.setattr("pymdc.bridge.mail.relay.may_log_in", elsewhere)
    server = make_server(login=True)
    post.send(mail_to("a"))

    postman = make_postman(server.url(LOGIN), ONCE)
    eventually(lambda: "offers no TLS" in caplog.text)
    postman.close()

    assert server.commands() == []
    assert len(post.rows()) == 1


def test_a_login_that_is_refused_leaves_the_mail(make_server, make_postman, post, caplog):
    server = make_server(login=True)
    post.send(mail_to("a"))

    postman = make_postman(server.url("bridge%40example.com:wrong-one"), ONCE)
    eventually(lambda: " said 535 " in caplog.text)
    postman.close()

    assert {command for command, _ in server.commands()} == {"AUTH"}
    assert len(post.rows()) == 1


def test_a_mail_waits_for_a_server_that_is_down(make_server, make_postman, post, caplog):
    server = make_server(start=False)
    make_postman(server.url())
    post.send(mail_to("a"))
    eventually(lambda: "refused" in caplog.text)

    server.start()

    assert next_of(server) == "a@example.com"


@pytest.mark.parametrize("command, reply", [
    ("RCPT", "451 4.7.1 come again"), ("DATA", "452 4.3.1 full"), ("MAIL", "550 5.1.8 you are not known here"),
    ("RCPT", "530 5.7.0 who are you"), ("MAIL", "421 4.3.2 closing"), ("RCPT", "421 4.3.2 closing"),
])
def test_a_mail_that_is_put_off_is_tried_again(make_server, make_postman, post, caplog, command, reply):
    server = make_server(replies={command: [reply, reply]})
    postman = make_postman(server.url())

    post.send(mail_to("a"))

    assert next_of(server) == "a@example.com"
    postman.close()
    assert post.rows() == []
    assert caplog.text.count(f" said {reply}") == 2


def test_a_mail_that_is_put_off_does_not_hold_up_the_next(make_server, make_postman, post):
    server = make_server(replies={"RCPT": ["451 later"]})
    post.send(mail_to("a"))
    post.send(mail_to("b"))

    postman = make_postman(server.url(), ONCE)

    assert next_of(server) == "b@example.com"
    postman.close()
    assert len(post.rows()) == 1


@pytest.mark.parametrize("command, reply", [("RCPT", "550 5.1.1 no such user"), ("DATA", "554 5.7.1 not this")])
def test_a_mail_that_is_refused_for_good_is_given_up(make_server, make_postman, post, caplog, command, reply):
    server = make_server(replies={command: [reply]})
    post.send(mail_to("a"))
    post.send(mail_to("b"))
    first, _ = [row["name"] for row in post.rows()]

    postman = make_postman(server.url())

    assert next_of(server) == "b@example.com"
    postman.close()
    assert post.given_up() == [row["name"] for row in post.rows()] == [first]
    assert f"mail {first} to a@example.com: not sent, given up: localhost:{server.port} said {reply}" in caplog.text


def test_a_mail_that_is_too_old_is_tried_once_and_given_up(make_server, make_postman, post):
    post.send(mail_to("a"))
    post.make_old()

    make_postman(make_server(start=False).url(), ONCE)

    eventually(post.given_up)


def test_a_mail_that_was_sent_and_cannot_be_forgotten_is_not_sent_again(
        make_server, make_postman, post, caplog, monkeypatch):
    forget, failing = Mails.forget, threading.Event()
    failing.set()

    def forget_later(mails, name):
        if failing.is_set():
            raise sqlalchemy.exc.OperationalError("DELETE", {}, OSError(LINK))
        forget(mails, name)
    monkeypatch.setattr(Mails, "forget", forget_later)
    server = make_server()
    make_postman(server.url(), dataclasses.replace(SOON, claim=0))

    post.send(mail_to("a"))
    assert next_of(server) == "a@example.com"
    eventually(lambda: caplog.text.count("OperationalError") > 5)
    assert len(post.rows()) == 1
    failing.clear()

    eventually(lambda: post.rows() == [])
    assert server.taken.empty() and TOKEN not in caplog.text


def failing_once(function, error=RuntimeError(LINK)):
    """Return a function that fails at first, as nobody has foreseen."""
    failures = [error]

    def fail_at_first(*arguments):
        if failures:
            raise failures.pop()
        return function(*arguments)
    return fail_at_first


def test_a_delivery_that_fails_as_nobody_has_foreseen_is_tried_again(
        make_server, make_postman, post, caplog, monkeypatch):
    monkeypatch.setattr(Relay, "deliver", failing_once(Relay.deliver))
    server = make_server()
    for name in "ab":
        post.send(mail_to(name))

    make_postman(server.url())

    assert [next_of(server) for _ in "ab"] == ["b@example.com", "a@example.com"]
    eventually(lambda: post.rows() == [])
    assert "RuntimeError" in caplog.text and TOKEN not in caplog.text


@pytest.mark.parametrize("step", ["put_off", "forget"])
def test_a_mail_that_fails_as_nobody_has_foreseen_does_not_hold_up_the_next_and_is_not_thrown_away(
        make_server, make_postman, post, caplog, monkeypatch, step):
    server = make_server(replies={"RCPT": ["451 later"]} if step == "put_off" else {})
    monkeypatch.setattr(Mails, step, failing_once(getattr(Mails, step)))
    first, _ = [post.send(mail_to(name)) for name in "ab"]

    postman = make_postman(server.url(), dataclasses.replace(ONCE, look=600))

    assert "b@example.com" in [next_of(server), step == "forget" and next_of(server)]
    eventually(lambda: [row["name"] for row in post.rows()] == ([first] if step == "put_off" else []))
    postman.close()
    assert "RuntimeError" in caplog.text and TOKEN not in caplog.text


def test_mails_that_cannot_be_looked_for_as_nobody_has_foreseen_are_looked_for_all_the_same(
        make_server, make_postman, post, caplog, monkeypatch):
    monkeypatch.setattr(Mails, "claim", failing_once(Mails.claim))
    server = make_server()
    post.send(mail_to("a"))

    make_postman(server.url())

    assert next_of(server) == "a@example.com"
    assert "cannot be worked on: RuntimeError" in caplog.text and TOKEN not in caplog.text


def test_a_server_that_is_not_there_is_asked_once_for_all_mails(make_postman, post, caplog):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        for number in range(5):
            post.send(mail_to(number))
        make_postman(f"smtp://127.0.0.1:{listener.getsockname()[1]}", ONCE)

        with listener.accept()[0] as connection:
            connection.sendall(b"421 4.3.2 too busy\r\n")
            eventually(lambda: caplog.text.count("421 4.3.2 too busy") == 5)

        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("name", ["j\u00fcrgen", "\u732b"])
def test_an_address_that_is_not_ascii_is_sent_where_the_server_can(make_server, make_postman, post, name):
    server = make_server()
    make_postman(server.url())

    post.send(mail_to(name))
    envelope = server.taken.get(timeout=30)

    assert envelope.rcpt_tos == [f"{name}@example.com"] and "SMTPUTF8" in envelope.mail_options
    assert f"To: {name}@example.com\r\n".encode() in envelope.content


def test_an_address_that_is_not_ascii_is_given_up_where_the_server_cannot(make_server, make_postman, post, caplog):
    server = make_server(enable_SMTPUTF8=False)
    post.send(mail_to("j\u00fcrgen"))
    post.send(mail_to("b"))

    postman = make_postman(server.url())

    assert next_of(server) == "b@example.com"
    postman.close()
    assert len(post.given_up()) == 1 and "not ASCII" in caplog.text


def test_two_postmen_send_each_mail_once(make_server, make_postman, post):
    server = make_server()
    for number in range(20):
        post.send(mail_to(number))

    postmen = [make_postman(server.url()) for _ in range(2)]
    recipients = [next_of(server) for _ in range(20)]
    for postman in postmen:
        postman.close()

    assert sorted(recipients) == sorted(f"{number}@example.com" for number in range(20))
    assert server.taken.empty() and post.rows() == []


def test_postmen_of_many_processes_send_each_mail_once(make_server, shared_post, start_process):
    server = make_server()
    processes = [start_process(server) for _ in range(3)]

    for number in range(30):
        shared_post.send(mail_to(number))
    recipients = [next_of(server) for _ in range(30)]
    eventually(lambda: shared_post.rows() == [])
    for process in processes:
        process.communicate()

    assert sorted(recipients) == sorted(f"{number}@example.com" for number in range(30))
    assert server.taken.empty()


def kill_while_it_delivers(server, process):
    """Kill a postman's process between RCPT and DATA."""
    assert [server.seen.get(timeout=60)[0] for _ in range(2)] == ["MAIL", "RCPT"]
    process.kill()
    process.wait()
    server.release()


def test_a_mail_that_a_killed_process_left_is_sent_at_the_next_start(make_server, shared_post, start_process):
    server = make_server()
    server.hold()
    shared_post.send(mail_to("a"))
    kill_while_it_delivers(server, start_process(server))

    shared_post.memory.mails.hurry(shared_post.memory.clock.steady(), alone=True)
    postman = shared_post.hire(server.url())

    assert next_of(server) == "a@example.com"
    postman.close()
    assert server.taken.empty() and shared_post.rows() == []


def test_a_mail_that_a_killed_process_was_at_another_sends(make_server, shared_post, start_process):
    server = make_server()
    server.hold()
    shared_post.send(mail_to("a"))
    kill_while_it_delivers(server, start_process(server, claim=2))

    shared_post.hire(server.url())

    assert next_of(server) == "a@example.com"


class Dripping:
    """A mail server that says a little more again and again, and never comes to an end."""

    def __init__(self, tls):
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.said = 0
        self.url = f"{'smtps' if tls else 'smtp'}://localhost:{self._listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        with self._listener, self._listener.accept()[0] as connection, contextlib.suppress(OSError):
            connection.settimeout(2)  # of who has left, the system does not always tell
            if self._tls:
                connection = server_context().wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 here\r\n")
                lines.readline()
                connection.sendall(b"250 welcome\r\n")
                lines.readline()
                while True:
                    connection.sendall(b"250-and\r\n")
                    self.said += 1


@pytest.mark.parametrize("tls", [False, True])
def test_a_delivery_ends_by_itself_before_its_claim_does(post, caplog, trusted, tls):
    server = Dripping(tls)
    post.send(mail_to("a"))

    postman = post.hire(server.url, dataclasses.replace(ONCE, delivery=0.5))
    eventually(lambda: "not sent, next try in " in caplog.text)
    postman.close()
    server.thread.join(30)

    assert server.said > 0 and len(post.rows()) == 1


def test_a_delivery_for_which_no_time_is_left_does_not_begin(make_server, post, caplog):
    server = make_server()
    post.send(mail_to("a"))

    postman = post.hire(server.url(), dataclasses.replace(ONCE, delivery=0))
    eventually(lambda: "took too long" in caplog.text)
    postman.close()

    assert server.commands() == [] and len(post.rows()) == 1


@pytest.mark.parametrize("tls", [None, "smtps"])
def test_a_server_that_greets_nobody_is_left_after_the_timeout(make_server, make_postman, post, caplog, tls):
    server = make_server(start=False, tls=tls)
    server.listen_only()
    post.send(mail_to("a"))

    postman = make_postman(server.url(), ONCE, timeout=0.2)
    eventually(lambda: "not sent, next try in " in caplog.text)
    postman.close()

    assert "timed out" in caplog.text
    assert len(post.rows()) == 1


def test_a_server_that_falls_silent_is_left_after_the_timeout(make_server, make_postman, post, caplog):
    server = make_server()
    server.hold()
    post.send(mail_to("a"))

    postman = make_postman(server.url(), ONCE, timeout=0.2)
    eventually(lambda: "not sent, next try in " in caplog.text)
    postman.close()

    assert "timed out" in caplog.text
    assert len(post.rows()) == 1


def test_closing_waits_for_no_silent_server(make_postman, post):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        post.send(mail_to("a"))
        postman = make_postman(f"smtp://127.0.0.1:{listener.getsockname()[1]}", ONCE)

        with listener.accept()[0]:
            postman.close(grace=0)

            assert len(post.rows()) == 1
    postman.close(grace=30)
    assert len(post.rows()) == 1


def test_what_is_under_way_when_it_is_closed_is_finished_and_nothing_else(make_server, make_postman, post):
    server = make_server()
    server.hold()
    post.send(mail_to("a"))
    post.send(mail_to("b"))
    postman = make_postman(server.url())
    assert [server.seen.get(timeout=30)[0] for _ in range(2)] == ["MAIL", "RCPT"]

    postman.close(grace=0)
    server.release()
    postman.close(grace=30)

    assert next_of(server) == "a@example.com"
    assert server.taken.empty() and len(post.rows()) == 1


def test_no_secret_reaches_the_log(make_server, make_postman, post, caplog):
    login = [base64.b64encode(text.encode()).decode() for text in (PASSWORD, f"\0{USER}\0{PASSWORD}")]
    quoted = f"not {PASSWORD} nor {' '.join(login)} and {LINK}?redirect=elsewhere or {TOKEN} {TOKEN.upper()}"
    replies = {"AUTH": 2 * ["535 5.7.8 " + quoted], "RCPT": ["451 " + quoted, "550 " + quoted]}
    server = make_server(login=True, replies=replies)

    with caplog.at_level("DEBUG"):
        name = post.send(mail_to("a"))
        postman = make_postman(server.url(LOGIN))
        eventually(post.given_up)
        postman.close()

    said = [record.getMessage() for record in caplog.records if record.name == "pymdc.bridge"]
    assert len(said) == 3 and all("a@example.com" in line and name in line for line in said)
    for secret in (PASSWORD, *login, TOKEN, TOKEN.upper(), "activations", "elsewhere"):
        assert secret not in "".join(said)
        assert secret not in "".join(str(record.exc_info) for record in caplog.records if record.name == "pymdc.bridge")


def waiting(folder):
    """Return the names of the mails that wait in the database in a data folder."""
    with contextlib.closing(sqlite3.connect(folder / "bridge.sqlite")) as db:
        return [name for name, in db.execute("SELECT name FROM mails")]


@pytest.fixture
def serve(tmp_path):
    """A function that runs the command on one folder."""
    started = []

    def serve(*options, **environment):
        started.append(subprocess.Popen(
            [sys.executable, "-m", "pymdc.bridge", "--port", "0", "--data-dir", tmp_path, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
        ))
        return started[-1]
    yield serve
    for process in started:
        process.kill()
        process.communicate()


def test_an_account_is_activated_by_the_mail_that_the_command_sent(make_server, serve, tmp_path):
    server = make_server(tls="starttls", login=True)
    environment = {"PYMDC_BRIDGE_SMTP_URL": server.url(LOGIN), "SSL_CERT_FILE": str(CERTIFICATE)}
    bridge = serve("--mail-from", SENDER, **environment)
    url = bridge.stdout.readline().split()[-1]
    user = pymdc.api.Users("a@example.com", "password", client=pymdc.Client(url))

    user.register()
    mail = email.message_from_bytes(server.taken.get(timeout=30).content, policy=email.policy.default)
    link = re.search(r"http\S+/activations/\w+", mail.get_content()).group()
    activated = user.activate(link)
    bridge.terminate()
    _, said = bridge.communicate(timeout=60)

    assert (mail["From"], mail["To"], activated["activated"]) == (SENDER, "a@example.com", True)
    assert link not in said and link[-64:] not in said and PASSWORD not in said and LOGIN not in said
    assert waiting(tmp_path) == []


def test_a_command_that_is_stopped_finishes_the_delivery_under_way(make_server, serve, tmp_path):
    server = make_server()
    server.hold()
    bridge = serve("--smtp-url", server.url())
    url = bridge.stdout.readline().split()[-1]
    pymdc.api.Users("a@example.com", "password", client=pymdc.Client(url)).register()
    assert [server.seen.get(timeout=30)[0] for _ in range(2)] == ["MAIL", "RCPT"]

    bridge.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        bridge.wait(timeout=1)
    server.release()
    bridge.communicate(timeout=60)

    assert next_of(server) == "a@example.com"
    assert waiting(tmp_path) == []


def test_a_command_that_is_stopped_leaves_the_mail_for_the_next(make_server, serve):
    server = make_server(start=False)
    bridge = serve("--smtp-url", server.url())
    client = pymdc.Client(bridge.stdout.readline().split()[-1])
    pymdc.api.Users("a@example.com", "password", client=client).register()
    bridge.terminate()
    bridge.communicate(timeout=60)

    server.start()
    serve("--smtp-url", server.url())

    assert next_of(server) == "a@example.com"


@pytest.mark.parametrize("options, complaint", [
    (["--smtp-url", "smtp://u:s3cret@"], "smtp-url must name a host"),
    (["--smtp-url", "smtp://u:s3cret"], "smtp-url must have a port"),
    (["--mail-from", "nobody"], "mail-from must be like"),
])
def test_a_bad_option_about_mails_is_named_without_the_password(serve, options, complaint):
    bridge = serve(*options)

    _, said = bridge.communicate(timeout=60)

    assert bridge.returncode != 0
    assert complaint in said and "s3cret" not in said and "Traceback" not in said


def test_settings_do_not_show_the_password():
    assert "s3cret" not in repr(Settings(None, smtp_url="smtp://user:s3cret@h"))
