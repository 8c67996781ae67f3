"""The mails in an outbox."""

import email
import email.policy
import re

from wire import Wire


def mails(bridge, address):
    """Return subject and text of the mails to an address, the newest first."""
    return [(mail["Subject"], mail.get_content()) for mail in _newest_first(bridge, address)]


def links(bridge, address):
    """Return the paths of the links to another password that were mailed to an address, the newest first."""
    return list(_links(bridge, address))


def ask_for_reset(bridge, address):
    """Ask for a link to another password; return its path."""
    answer = Wire(bridge.url).post("/resets", {"email": address})
    assert (answer.status_code, answer.json()) == (200, {})
    return next(_links(bridge, address))


def _links(bridge, address):
    for mail in _newest_first(bridge, address):
        link = re.search("/resets/[0-9a-f]{64}", mail.get_content())
        if link:
            yield link.group()


def _newest_first(bridge, address):
    for path in sorted(bridge.outbox.glob("*.eml"), reverse=True):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if mail["To"] == address:
            yield mail
