"""The mail that activates an account."""

import logging
import secrets
import time
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path

from .refusal import Refusal

_log = logging.getLogger("pymdc.bridge")


def activation_mail(address: str, link: str) -> EmailMessage:
    mail = EmailMessage(policy=SMTPUTF8.clone(max_line_length=998))
    mail["Subject"] = "Activate your Metadisk account"
    mail["From"] = "Metadisk Bridge <bridge@localhost>"
    try:
        mail["To"] = address
        kept = str(mail["To"]) == address
    except (IndexError, ValueError):  # of the email package, about what only looks like an address
        kept = False
    if not kept:
        raise Refusal(400, "User validation failed: no mail can be sent to this email")
    mail["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    mail.set_content(
        f"Somebody, most likely you, has registered {address} at a Metadisk bridge.\n\n"
        f"Follow this link to activate the account:\n\n{link}\n\n"
        "If it was not you, do nothing: without the link there is no account.\n"
    )
    return mail


class Outbox:
    """A folder of mails as ``.eml`` files, the newest last by name."""

    def __init__(self, folder: Path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder

    def send(self, mail: EmailMessage):
        path = self.folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.eml"
        partial = path.with_suffix(".partial")
        partial.write_bytes(bytes(mail))
        partial.rename(path)
        _log.info("mail to %s: %s", mail["To"], path)
