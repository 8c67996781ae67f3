"""The folder that mails go to when no server takes them."""

import contextlib
import fcntl
import logging
import os
from email import message_from_bytes
from pathlib import Path

from .. import private
from ..metadata.mails import Mails
from ..storage.datafolder import sync_folder
from .carrier import Delayed
from .message import PLAIN, is_sender

_log = logging.getLogger("pymdc.bridge")


class Outbox:
    """A folder of mails as ``.eml`` files, the newest last by name: a :class:`Carrier`."""

    at_once = True

    def __init__(self, folder: Path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)
        self._folder = folder

    def deliver(self, mail, deadline: float) -> str:
        """Put a mail into the folder, on disk when it returns."""
        path = self._folder / f"{mail['name']}.eml"
        try:
            self._write(path, mail["content"])
        except OSError as error:
            raise Delayed(f"{self._folder}: {error.strerror}") from None
        return str(path)

    def _write(self, path, content):
        partial = path.with_name(path.name + ".partial")
        with open(partial, "wb", opener=private.opener) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        sync_folder(self._folder)


def discard_partial(folder: Path):
    """Remove the mails of an outbox that a bridge that was killed had begun to write."""
    for path in folder.glob("*.partial"):
        path.unlink()


def collect(folder: Path, mails: Mails):
    """Take the mails out of an outbox, the oldest first, for a server to get them: who had none has left them there."""
    for path in sorted(folder.glob("*.eml")):
        try:
            _collect(path, mails)
        except OSError as error:
            _log.error("mail %s stays where it is: %s", path.name, error.strerror)


def _collect(path, mails):
    with contextlib.suppress(FileNotFoundError, BlockingIOError), open(path, "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # or two bridges that start would send it twice
        if not os.path.samestat(os.stat(path), os.fstat(file.fileno())):
            return
        try:
            mail = _read(path, file.read())
        except OSError:
            raise
        except Exception:  # a header is missing, or the email package cannot cope with it
            _log.error("mail %s stays where it is: the file holds no mail that could be sent", path.name)
            return
        mails.add(mail)
        path.unlink()
        sync_folder(path.parent)


def _read(path, content):
    """Return the row of a mail in a file."""
    mail = message_from_bytes(content, policy=PLAIN)
    sender, recipient = mail["From"].addresses[0].addr_spec, str(mail["To"] or "")
    if not (is_sender(sender) and recipient and recipient.isprintable()):
        raise ValueError("no server can be told where it comes from and goes to")
    return {
        "name": path.stem.encode("ascii", "backslashreplace").decode(),  # whatever bytes it is made of
        "recipient": recipient, "content": content,
        "created": int(mail["Date"].datetime.timestamp() * 1000), "due": 0, "claimed": 0,
    }
