"""The folder that mails lie in until they are sent."""

import contextlib
import fcntl
import logging
import os
import secrets
import threading
import time
from email import message_from_binary_file
from email.message import EmailMessage
from pathlib import Path

from .. import private
from ..storage.datafolder import sync_folder
from .message import PLAIN, is_sender

_log = logging.getLogger("pymdc.bridge")


class Outbox:
    """
    A folder of mails as ``.eml`` files, the newest last by name.

    :ivar arrived: is set when this process has put a mail into it.
    """

    def __init__(self, folder: Path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)
        self.folder = folder
        self.arrived = threading.Event()
        self._left_alone = set()

    def send(self, mail: EmailMessage):
        """Put a mail into the folder, on disk when it returns."""
        path = self.folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.eml"
        partial = path.with_suffix(".partial")
        with open(partial, "xb", opener=private.opener) as file:
            file.write(bytes(mail))
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        sync_folder(self.folder)
        self.arrived.set()
        _log.info("mail to %s: %s", mail["To"], path)

    def letters(self):
        """Yield each mail that no other process is at, the oldest first, locked until the next one is asked for."""
        for path in sorted(self.folder.glob("*.eml")):
            if path.name not in self._left_alone:
                yield from self._claimed(path)

    def leave_alone(self, path: Path, why: str):
        """Do not yield a file again, because what would have to be done with it cannot be done."""
        self._left_alone.add(path.name)
        _log.error("mail %s stays where it is, and is left alone: %s", path.name, why)

    def _claimed(self, path):
        try:
            file = open(path, "rb+")
        except FileNotFoundError:
            return
        except OSError as error:
            return self.leave_alone(path, error.strerror)
        with file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):  # not sent and deleted by another process while it was not locked
                yield Letter(path, file)


def discard_partial(folder: Path):
    """Remove the mails of an outbox that a bridge that was killed had begun to write."""
    for path in folder.glob("*.partial"):
        path.unlink()


class Letter:
    """
    A mail in the outbox.

    :ivar due: when it is to be tried, kept as its file's time of modification, for all processes to see.
    :ivar changed: when it was written or put off.
    :ivar mail: None when there is none in the file.
    :ivar born: when the mail was written, in seconds since the epoch.
    """

    def __init__(self, path: Path, file):
        self.path = path
        self._file = file
        status = os.fstat(file.fileno())
        self.due, self.changed = status.st_mtime, status.st_ctime
        self.mail = self.born = None
        self.recipient = "nobody"

    def read(self) -> bool:
        """Read the file, and return whether there is a mail in it."""
        try:
            mail = message_from_binary_file(self._file, policy=PLAIN)
            sender, self.recipient = mail["From"].addresses[0].addr_spec, str(mail["To"] or "nobody")
            self.born = mail["Date"].datetime.timestamp()
        except OSError:
            raise
        except Exception:  # a header is missing, or the email package cannot cope with it
            return False
        self.mail = mail
        return mail["To"] is not None and is_sender(sender)

    def put_off(self, due: float):
        os.utime(self._file.fileno(), (due, due))

    def fail(self):
        self.path.rename(self.path.with_name(self.path.name + ".failed"))

    def delete(self):
        self.path.unlink()


def _is_at(path, file):
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
