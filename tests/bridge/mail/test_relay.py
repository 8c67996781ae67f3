"""How a mail reaches an SMTP server: its URL, TLS, logins, and what it makes of addresses."""

import contextlib
import dataclasses
import email
import email.policy
import socket
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mail_server import server_context
from post import LINK, LOGIN, ONCE, mail_to, next_of
from pymdc.bridge.mail.message import activation_mail
from pymdc.bridge.mail.relay import Relay, may_log_in
from waiting import eventually


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
