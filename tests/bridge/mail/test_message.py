"""What is in a mail, and who sends it."""

import email
import email.policy

import pytest

from post import LINK, SENDER, mail_to
from pymdc.bridge.mail.message import activation_mail, check_sender, default_sender


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
