"""Mails: what is in them, how they lie in the outbox, how they reach an SMTP server."""

import base64
import email
import email.policy
import errno
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import pymdc
from mail_server import CERTIFICATE, PASSWORD, USER, MailServer
from waiting import eventually
from pymdc.bridge.mail.message import activation_mail, check_sender, default_sender
from pymdc.bridge.mail.outbox import Letter, Outbox
from pymdc.bridge.mail.postman import Postman, Schedule
from pymdc.bridge.mail.relay import Relay, may_log_in
from pymdc.bridge.settings import Settings

TOKEN = "5ec2e7" * 10 + "abcd"
LINK = f"https://bridge.example/activations/{TOKEN}"
SENDER = "Metadisk Bridge <bridge@bridge.example>"
SOON = Schedule(first=0.01, longest=0.05, lifetime=60, look=0.01)
ONCE = Schedule(look=0.01)  # a mail that failed is not tried again as long as the test lasts
POSTMAN = """
import pathlib, sys
from pymdc.bridge.mail.outbox import Outbox
from pymdc.bridge.mail.postman import Postman
from pymdc.bridge.mail.relay import Relay
Postman(Outbox(pathlib.Path(sys.argv[1])), Relay.parse(sys.argv[2])).start()
sys.stdin.read()
"""
LOGIN = f"{urllib.parse.quote(USER, safe='')}:{urllib.parse.quote(PASSWORD, safe='')}"


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox")


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
def make_postman(outbox):
    """A function that makes a postman and starts it."""
    made = []

    def make(url, schedule=SOON, folder=outbox, timeout=30):
        made.append(Postman(folder, Relay.parse(url), schedule, timeout))
        made[-1].start()
        return made[-1]
    yield make
    for postman in made:
        postman.close()


@pytest.fixture
def trusted(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


def mail_to(name):
    return activation_mail(f"{name}@example.com", LINK, SENDER)


def next_of(server):
    """Return the recipient of the next mail that the server takes."""
    recipient, = server.taken.get(timeout=30).rcpt_tos
    return recipient


def names(outbox, ending=".eml"):
    return sorted(path.name for path in outbox.folder.glob("*" + ending))


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


def test_a_mail_is_due_at_its_time_or_when_the_clock_was_set_back():
    due = [Schedule().is_due(due, 10000) for due in (9999, 10000, 10001, 13600, 13601)]

    assert due == [True, True, False, False, True]


def test_the_outbox_sorts_mails_by_time(outbox):
    for name in "abc":
        outbox.send(mail_to(name))

    assert [letter.read() and letter.recipient[0] for letter in outbox.letters()] == ["a", "b", "c"]
    assert len(names(outbox, "")) == 3


def test_a_mail_that_one_has_claimed_no_other_sees(outbox):
    outbox.send(mail_to("a"))
    claimed = outbox.letters()
    next(claimed)

    assert list(Outbox(outbox.folder).letters()) == []
    claimed.close()
    assert len(list(Outbox(outbox.folder).letters())) == 1


def test_a_mail_that_went_while_it_was_being_claimed_is_no_mail(outbox, monkeypatch):
    outbox.send(mail_to("a"))
    monkeypatch.setattr("fcntl.flock", lambda file, operation: os.unlink(file.name))

    assert list(outbox.letters()) == []


def test_a_postman_that_was_not_started_has_no_thread(outbox):
    before = threading.active_count()

    postman = Postman(outbox, Relay.parse("smtp://localhost"))

    assert threading.active_count() == before
    postman.close()


@pytest.mark.parametrize("tls, encrypted", [(None, False), ("starttls", True), ("smtps", True)])
def test_a_mail_is_sent_and_deleted(make_server, make_postman, outbox, trusted, tls, encrypted):
    server = make_server(tls=tls)
    postman = make_postman(server.url())

    outbox.send(mail_to("a"))
    envelope = server.taken.get(timeout=30)
    postman.close()

    assert (envelope.mail_from, envelope.rcpt_tos) == ("bridge@bridge.example", ["a@example.com"])
    assert LINK in email.message_from_bytes(envelope.content, policy=email.policy.default).get_content()
    assert server.commands() == [(command, encrypted) for command in ("MAIL", "RCPT", "DATA")]
    assert names(outbox, "") == []


@pytest.mark.parametrize("sender", ["b@x.example", "Br\u00fccke <b@[192.0.2.1]>", "Bridge <b@[IPv6:2001:db8::1]>"])
def test_the_server_is_told_the_sender_that_the_mail_names(make_server, make_postman, outbox, sender):
    server = make_server()
    make_postman(server.url())

    outbox.send(activation_mail("a@example.com", LINK, sender))

    assert server.taken.get(timeout=30).mail_from == sender.split()[-1].strip("<>")


def test_a_new_mail_waits_for_no_look(make_server, make_postman, outbox):
    server = make_server()
    make_postman(server.url(), Schedule(look=600))

    for name in "abc":
        outbox.send(mail_to(name))
        assert next_of(server) == f"{name}@example.com"


def test_a_mail_of_another_process_is_found(make_server, make_postman, outbox):
    server = make_server()
    make_postman(server.url())

    Outbox(outbox.folder).send(mail_to("a"))

    assert next_of(server) == "a@example.com"


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
@pytest.mark.parametrize("login", [None, LOGIN])
def test_a_server_with_an_untrusted_certificate_is_sent_nothing(
        make_server, make_postman, outbox, caplog, monkeypatch, tls, login):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    server = make_server(tls=tls)
    outbox.send(mail_to("a"))

    postman = make_postman(server.url(login), ONCE)
    eventually(lambda: "certificate verify failed" in caplog.text)
    postman.close()

    assert server.commands() == []
    assert len(names(outbox)) == 1


@pytest.mark.parametrize("tls", [None, "starttls", "smtps"])
def test_a_login_is_sent_over_tls_or_loopback(make_server, make_postman, outbox, trusted, tls):
    server = make_server(tls=tls, login=True)
    make_postman(server.url(LOGIN))

    outbox.send(mail_to("a"))

    assert next_of(server) == "a@example.com"
    assert server.commands()[0] == ("AUTH", tls is not None)


def test_a_login_waits_for_tls_where_the_server_is_elsewhere(make_server, make_postman, outbox, caplog, monkeypatch):
    def elsewhere(encrypted, peer):
        return may_log_in(encrypted, "192.0.2.1")

    monkeypatch.setattr("pymdc.bridge.mail.relay.may_log_in", elsewhere)
    server = make_server(login=True)
    outbox.send(mail_to("a"))

    postman = make_postman(server.url(LOGIN), ONCE)
    eventually(lambda: "offers no TLS" in caplog.text)
    postman.close()

    assert server.commands() == []
    assert len(names(outbox)) == 1


def test_a_login_that_is_refused_leaves_the_mail(make_server, make_postman, outbox, caplog):
    server = make_server(login=True)
    outbox.send(mail_to("a"))

    postman = make_postman(server.url("bridge%40example.com:wrong-one"), ONCE)
    eventually(lambda: " said 535 " in caplog.text)
    postman.close()

    assert {command for command, _ in server.commands()} == {"AUTH"}
    assert len(names(outbox)) == 1


def test_a_mail_waits_for_a_server_that_is_down(make_server, make_postman, outbox, caplog):
    server = make_server(start=False)
    make_postman(server.url())
    outbox.send(mail_to("a"))
    eventually(lambda: "refused" in caplog.text)

    server.start()

    assert next_of(server) == "a@example.com"


@pytest.mark.parametrize("command, reply", [
    ("RCPT", "451 4.7.1 come again"), ("DATA", "452 4.3.1 full"), ("MAIL", "550 5.1.8 you are not known here"),
    ("RCPT", "530 5.7.0 who are you"), ("MAIL", "421 4.3.2 closing"), ("RCPT", "421 4.3.2 closing"),
])
def test_a_mail_that_is_put_off_is_tried_again(make_server, make_postman, outbox, caplog, command, reply):
    server = make_server(replies={command: [reply, reply]})
    postman = make_postman(server.url())

    outbox.send(mail_to("a"))

    assert next_of(server) == "a@example.com"
    postman.close()
    assert names(outbox, "") == []
    assert caplog.text.count(f" said {reply}") == 2


def test_a_mail_that_is_put_off_does_not_hold_up_the_next(make_server, make_postman, outbox):
    server = make_server(replies={"RCPT": ["451 later"]})
    outbox.send(mail_to("a"))
    outbox.send(mail_to("b"))

    postman = make_postman(server.url(), ONCE)

    assert next_of(server) == "b@example.com"
    postman.close()
    assert len(names(outbox)) == 1


@pytest.mark.parametrize("command, reply", [("RCPT", "550 5.1.1 no such user"), ("DATA", "554 5.7.1 not this")])
def test_a_mail_that_is_refused_for_good_is_given_up(make_server, make_postman, outbox, caplog, command, reply):
    server = make_server(replies={command: [reply]})
    outbox.send(mail_to("a"))
    outbox.send(mail_to("b"))
    first, _ = names(outbox)

    postman = make_postman(server.url())

    assert next_of(server) == "b@example.com"
    postman.close()
    assert names(outbox, "") == [first + ".failed"]
    assert f"mail {first} to a@example.com: not sent, given up: localhost:{server.port} said {reply}" in caplog.text


def test_a_mail_that_is_too_old_is_tried_once_and_given_up(make_server, make_postman, outbox):
    old = mail_to("a")
    old.replace_header("Date", "Mon, 01 Jan 2024 00:00:00 +0000")
    outbox.send(old)

    make_postman(make_server(start=False).url(), ONCE)

    eventually(lambda: len(names(outbox, ".failed")) == 1)


@pytest.mark.parametrize("content", [
    b"", b"\xff\x00\xfe", b"To: a@example.com\n\n", b"From: b@x.example\nDate: Mon, 01 Jan 2024 00:00:00 +0000\n\n",
    b"From: b@x.example\nTo: a@example.com\nDate: yesterday\n\n",
    b"From: <>\nTo: a@example.com\nDate: Mon, 01 Jan 2024 00:00:00 +0000\n\n",
])
def test_a_file_without_a_mail_does_not_hold_up_the_next(make_server, make_postman, outbox, content):
    (outbox.folder / "0.eml").write_bytes(content)
    outbox.send(mail_to("b"))
    server = make_server()

    postman = make_postman(server.url())

    assert next_of(server) == "b@example.com"
    postman.close()
    assert names(outbox, "") == ["0.eml.failed"]


def test_what_cannot_be_opened_is_named_once_and_left_alone(make_server, make_postman, outbox, caplog):
    (outbox.folder / "0.eml").mkdir()
    server = make_server()
    make_postman(server.url())

    for name in "bc":
        outbox.send(mail_to(name))
        assert next_of(server) == f"{name}@example.com"

    assert caplog.text.count("mail 0.eml stays where it is") == 1


def test_a_mail_that_was_sent_and_cannot_be_deleted_is_not_sent_again(
        make_server, make_postman, outbox, caplog, monkeypatch):
    def delete(letter):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    monkeypatch.setattr(Letter, "delete", delete)
    server = make_server()
    make_postman(server.url())

    for name in "ab":
        outbox.send(mail_to(name))
        assert next_of(server) == f"{name}@example.com"

    assert len(names(outbox)) == 2 and server.taken.empty()


def failing_once(function, error=RuntimeError(LINK)):
    """Return a function that fails at first, as nobody has foreseen."""
    failures = [error]

    def fail_at_first(*arguments):
        if failures:
            raise failures.pop()
        return function(*arguments)
    return fail_at_first


def test_a_delivery_that_fails_as_nobody_has_foreseen_is_tried_again(
        make_server, make_postman, outbox, caplog, monkeypatch):
    monkeypatch.setattr(Relay, "send", failing_once(Relay.send))
    server = make_server()
    for name in "ab":
        outbox.send(mail_to(name))

    make_postman(server.url())

    assert [next_of(server) for _ in "ab"] == ["b@example.com", "a@example.com"]
    eventually(lambda: names(outbox, "") == [])
    assert "RuntimeError" in caplog.text and TOKEN not in caplog.text


@pytest.mark.parametrize("step", ["read", "put_off", "delete"])
def test_a_mail_that_fails_as_nobody_has_foreseen_does_not_hold_up_the_next_and_is_not_thrown_away(
        make_server, make_postman, outbox, caplog, monkeypatch, step):
    server = make_server(replies={"RCPT": ["451 later"]} if step == "put_off" else {})
    monkeypatch.setattr(Letter, step, failing_once(getattr(Letter, step)))
    for name in "ab":
        outbox.send(mail_to(name))
    first, _ = names(outbox)

    postman = make_postman(server.url(), ONCE)

    assert "b@example.com" in [next_of(server), step == "delete" and next_of(server)]
    eventually(lambda: names(outbox, "") == [first])
    postman.close()
    assert "RuntimeError" in caplog.text and TOKEN not in caplog.text


def test_an_outbox_that_fails_as_nobody_has_foreseen_is_worked_on_all_the_same(
        make_server, make_postman, outbox, caplog, monkeypatch):
    monkeypatch.setattr(Outbox, "letters", failing_once(Outbox.letters))
    server = make_server()
    outbox.send(mail_to("a"))

    make_postman(server.url())

    assert next_of(server) == "a@example.com"
    assert "cannot be worked on: RuntimeError" in caplog.text and TOKEN not in caplog.text


def test_a_server_that_is_not_there_is_asked_once_for_all_mails(make_postman, outbox, caplog):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        for number in range(5):
            outbox.send(mail_to(number))
        make_postman(f"smtp://127.0.0.1:{listener.getsockname()[1]}", ONCE)

        with listener.accept()[0] as connection:
            connection.sendall(b"421 4.3.2 too busy\r\n")
            eventually(lambda: caplog.text.count("421 4.3.2 too busy") == 5)

        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("name", ["j\u00fcrgen", "\u732b"])
def test_an_address_that_is_not_ascii_is_sent_where_the_server_can(make_server, make_postman, outbox, name):
    server = make_server()
    make_postman(server.url())

    outbox.send(mail_to(name))
    envelope = server.taken.get(timeout=30)

    assert envelope.rcpt_tos == [f"{name}@example.com"] and "SMTPUTF8" in envelope.mail_options
    assert f"To: {name}@example.com\r\n".encode() in envelope.content


def test_an_address_that_is_not_ascii_is_given_up_where_the_server_cannot(make_server, make_postman, outbox, caplog):
    server = make_server(enable_SMTPUTF8=False)
    outbox.send(mail_to("j\u00fcrgen"))
    outbox.send(mail_to("b"))

    postman = make_postman(server.url())

    assert next_of(server) == "b@example.com"
    postman.close()
    assert len(names(outbox, ".failed")) == 1 and "not ASCII" in caplog.text


def test_two_postmen_send_each_mail_once(make_server, make_postman, outbox):
    server = make_server()
    for number in range(20):
        outbox.send(mail_to(number))

    postmen = [make_postman(server.url(), folder=Outbox(outbox.folder)) for _ in range(2)]
    recipients = [next_of(server) for _ in range(20)]
    for postman in postmen:
        postman.close()

    assert sorted(recipients) == sorted(f"{number}@example.com" for number in range(20))
    assert server.taken.empty() and names(outbox, "") == []


def test_a_mail_that_a_killed_process_left_is_sent_at_the_next_start(make_server, make_postman, outbox):
    server = make_server()
    server.hold()
    outbox.send(mail_to("a"))
    command = [sys.executable, "-c", POSTMAN, outbox.folder, server.url()]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # it ends when its input does
        assert [server.seen.get(timeout=60)[0] for _ in range(2)] == ["MAIL", "RCPT"]

        process.kill()
    server.release()
    postman = make_postman(server.url())

    assert next_of(server) == "a@example.com"
    postman.close()
    assert server.taken.empty() and names(outbox, "") == []


def test_a_start_tries_what_was_put_off_at_once(make_server, make_postman, outbox):
    outbox.send(mail_to("a"))
    for letter in outbox.letters():
        letter.put_off(time.time() + 3000)
    eventually(lambda: time.time() > letter.changed + 0.5)
    server = make_server()

    make_postman(server.url(), ONCE)

    assert next_of(server) == "a@example.com"


@pytest.mark.parametrize("tls", [None, "smtps"])
def test_a_server_that_greets_nobody_is_left_after_the_timeout(make_server, make_postman, outbox, caplog, tls):
    server = make_server(start=False, tls=tls)
    server.listen_only()
    outbox.send(mail_to("a"))

    postman = make_postman(server.url(), ONCE, timeout=0.2)
    eventually(lambda: "not sent, next try in " in caplog.text)
    postman.close()

    assert "timed out" in caplog.text
    assert len(names(outbox)) == 1


def test_a_server_that_falls_silent_is_left_after_the_timeout(make_server, make_postman, outbox, caplog):
    server = make_server()
    server.hold()
    outbox.send(mail_to("a"))

    postman = make_postman(server.url(), ONCE, timeout=0.2)
    eventually(lambda: "not sent, next try in " in caplog.text)
    postman.close()

    assert "timed out" in caplog.text
    assert len(names(outbox)) == 1


def test_closing_waits_for_no_silent_server(make_postman, outbox):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        outbox.send(mail_to("a"))
        postman = make_postman(f"smtp://127.0.0.1:{listener.getsockname()[1]}", ONCE)

        with listener.accept()[0]:
            postman.close(grace=0)

            assert len(names(outbox)) == 1
    postman.close(grace=30)
    assert len(names(outbox)) == 1


def test_what_is_under_way_when_it_is_closed_is_finished_and_nothing_else(make_server, make_postman, outbox):
    server = make_server()
    server.hold()
    outbox.send(mail_to("a"))
    outbox.send(mail_to("b"))
    postman = make_postman(server.url())
    assert [server.seen.get(timeout=30)[0] for _ in range(2)] == ["MAIL", "RCPT"]

    postman.close(grace=0)
    server.release()
    postman.close(grace=30)

    assert next_of(server) == "a@example.com"
    assert server.taken.empty() and len(names(outbox)) == 1


def test_no_secret_reaches_the_log(make_server, make_postman, outbox, caplog):
    login = [base64.b64encode(text.encode()).decode() for text in (PASSWORD, f"\0{USER}\0{PASSWORD}")]
    quoted = f"not {PASSWORD} nor {' '.join(login)} and {LINK}?redirect=elsewhere or {TOKEN} {TOKEN.upper()}"
    replies = {"AUTH": 2 * ["535 5.7.8 " + quoted], "RCPT": ["451 " + quoted, "550 " + quoted]}
    server = make_server(login=True, replies=replies)

    with caplog.at_level("DEBUG"):
        outbox.send(mail_to("a"))
        postman = make_postman(server.url(LOGIN))
        eventually(lambda: names(outbox, ".failed"))
        postman.close()

    said = [record.getMessage() for record in caplog.records if record.name == "pymdc.bridge"]
    assert len(said) == 4 and all("a@example.com" in line and ".eml" in line for line in said)
    for secret in (PASSWORD, *login, TOKEN, TOKEN.upper(), "activations", "elsewhere"):
        assert secret not in "".join(said)
        assert secret not in "".join(str(record.exc_info) for record in caplog.records if record.name == "pymdc.bridge")


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
    assert list((tmp_path / "outbox").iterdir()) == []


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
    assert list((tmp_path / "outbox").iterdir()) == []


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
