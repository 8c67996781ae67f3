"""What the mails say, and who sends them."""

import contextlib
import ipaddress
import re
import time
import urllib.parse
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import make_msgid

from ..refusal import Refusal

_NOBODY = "Metadisk Bridge <bridge@localhost>"
PLAIN = SMTP.clone(max_line_length=998)
_UTF8 = SMTPUTF8.clone(max_line_length=998)
_SENDER = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@([\w-]+(\.[\w-]+)*|\[[\w:.]+\])", re.ASCII)


def activation_mail(address: str, link: str, sender: str = _NOBODY) -> EmailMessage:
    return _mail(
        address, sender, "Activate your Metadisk account",
        f"Somebody, most likely you, has registered {address} at a Metadisk bridge.\n\n"
        f"Follow this link to activate the account:\n\n{link}\n\n"
        "If it was not you, do nothing: without the link there is no account.\n",
    )


def reset_mail(address: str, link: str, bridge: str, sender: str = _NOBODY) -> EmailMessage:
    """As :func:`changed_password_mail`."""
    return _mail(
        address, sender, "Another password for your Metadisk account",
        f"Somebody, most likely you, has asked for another password for {address} at {bridge}.\n\n"
        f"Follow this link within an hour to choose one:\n\n{link}\n\n"
        "If it was not you, do nothing: without the link the password stays as it is.\n",
    )


def changed_password_mail(address: str, bridge: str, sender: str = _NOBODY) -> EmailMessage:
    """:param bridge: its public URL."""
    return _mail(
        address, sender, "The password of your Metadisk account was changed",
        f"The password of {address} at {bridge} was changed. The keys of the account go on; tokens and links that were "
        "made by the old password have ended.\n\n"
        f"If it was not you, somebody else has your account. Choose another password at once, at {bridge}/resets, look "
        "whether all keys and buckets of the account are yours, and change the old password wherever else you use "
        "it.\n",
    )


def deleted_account_mail(address: str, bridge: str, sender: str = _NOBODY) -> EmailMessage:
    """As :func:`changed_password_mail`."""
    return _mail(
        address, sender, "Your Metadisk account was deleted",
        f"The account of {address} at {bridge} was deleted, with its keys, its buckets and their files.\n\n"
        "If it was not you, somebody else had your password: tell whoever runs the bridge at once, who may have a "
        "backup, and change that password wherever else you use it.\n",
    )


def _mail(address, sender, subject, text):
    mail = EmailMessage(policy=PLAIN if address.isascii() else _UTF8)
    mail["Subject"] = subject
    mail["From"] = sender
    try:
        mail["To"] = address
        kept = str(mail["To"]) == address
    except (IndexError, ValueError):  # of the email package, about what only looks like an address
        kept = False
    if not kept:
        raise Refusal(400, "User validation failed: no mail can be sent to this email")
    mail["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    mail["Message-ID"] = make_msgid(domain=mail["From"].addresses[0].domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


def check_sender(sender: str):
    """Raise ValueError unless *sender* is one address, with a name or without."""
    address = None
    if isinstance(sender, str) and sender.isprintable():
        with contextlib.suppress(IndexError, ValueError):  # as above; or there are two
            address, = PLAIN.header_factory("From", sender).addresses
    if address is None or not is_sender(address.addr_spec):
        raise ValueError(f"mail-from must be like Metadisk Bridge <bridge@bridge.example>, not {sender!r}")


def is_sender(address: str) -> bool:
    """Return whether a server can be told that a mail comes from *address*."""
    return _SENDER.fullmatch(address) is not None


def default_sender(public_url: str) -> str:
    """Return the sender of a bridge that was not told one."""
    with contextlib.suppress(ValueError):  # a host that is no host
        sender = f"Metadisk Bridge <bridge@{_mail_domain(urllib.parse.urlsplit(public_url).hostname)}>"
        check_sender(sender)
        return sender
    return _NOBODY


def _mail_domain(host):
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.rstrip(".")
    if address.is_loopback or address.is_unspecified:
        return "localhost"
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
