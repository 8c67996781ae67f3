"""What a bridge consists of, besides its site."""

import errno
import logging
import threading
from email.message import EmailMessage

from sqlalchemy.exc import SQLAlchemyError

from .mail.message import default_sender
from .mail.outbox import Outbox
from .mail.postman import KEPT, Postman
from .mail.relay import Relay
from .metadata import GIGABYTE
from .metrics import Metrics
from .passwords import Passwords
from .refusal import Refusal
from .settings import Settings
from .storage.data import Data
from .storage.datafolder import data_folder

UPLOAD_LIFE = 10  # silences that an upload outlives without being renewed
HOLD_LIFE = 2  # silences for which it then holds the link by which it comes
TIDY_INTERVAL = 60  # seconds
UPKEEP = "upkeep"  # the lease: among the rates, as what may be done once in that time
_LEASE = 900  # milliseconds of each second of the interval
_log = logging.getLogger("pymdc.bridge")


class Services(Data):
    """
    All that the handlers of one bridge need, made from its settings.

    :param public_url: what links and pointers lead to.
    :ivar sender: of the mails.
    """

    def __init__(self, settings: Settings, public_url: str, metrics: Metrics):
        folder = data_folder(settings.data_dir, settings.database_url, settings.store_url)
        super().__init__(folder, settings.keep_deleted)
        self.settings = settings
        self.public_url = public_url
        self.sender = settings.mail_from or default_sender(public_url)
        carrier = Relay.parse(settings.smtp_url) if settings.smtp_url else Outbox(folder.outbox)
        self._postman = Postman(self.metadata.mails, self.metadata.clock, carrier)
        self.metrics = metrics
        self._janitor = threading.Thread(target=self._tidy_now_and_then, name="pymdc-janitor", daemon=True)
        self._ended = threading.Event()
        self.passwords = Passwords(settings.passwords_at_once)

    def start(self):
        """Begin what goes on beside the requests."""
        if self.spare_space() < 0:
            _log.warning("nothing can be stored: of the disk --free-space keeps %g GB free, and it has less",
                         self.settings.free_space)
        self._janitor.start()
        self._postman.start()

    def stop(self):
        self._ended.set()
        self._janitor.join(5)
        self._postman.close()

    def with_mail(self, mail: EmailMessage, work):
        """
        Return what *work* returns, and have a mail delivered: it goes for sure when what was done is kept, and not when
        that is undone.

        :param work: may be called again, as of :meth:`Metadata.together`.
        """
        row = self._postman.write(mail)

        def work_and_write():
            result = work()
            self.metadata.mails.add(row)
            return result
        result = self.metadata.together(work_and_write)
        self._postman.take(row)
        return result

    def expiry(self, silences: int = UPLOAD_LIFE) -> int:
        """Return when an upload is dead that lives for so many silences yet, also one whose store takes its time."""
        lasting = int(silences * self.settings.silence * 1000)
        return self.metadata.clock.steady() + lasting + self.store.settles

    def expiry_of_hold(self) -> int:
        """Return when an upload is dead that was renewed just in time to hold its link still."""
        return self.expiry(UPLOAD_LIFE - HOLD_LIFE)

    def spare_space(self) -> int:
        """Return how many bytes more the disk may be given."""
        return self.store.free_space() - int(self.settings.free_space * GIGABYTE)

    def check_space(self):
        """Refuse what would need more of the disk, when no more of it may be taken."""
        if self.spare_space() < 0:
            raise Refusal(507, "No space left on the bridge")

    def check_disk(self):
        if self.spare_space() < 0:
            raise OSError(errno.ENOSPC, f"less than {self.settings.free_space} GB are free")

    def _tidy_now_and_then(self):
        while not self._ended.wait(TIDY_INTERVAL):
            try:
                self.tidy()
            except (OSError, SQLAlchemyError) as error:
                _log.error("the store cannot be tidied: %s", error)

    def tidy(self) -> bool:
        """
        Remove what uploads have left behind whose worker was killed, and what could not be deleted, and registrations
        that nobody has activated, links that nobody has used, and mails that were given up.

        :returns: whether it was this process's turn: of all that share the database, the one that takes the lease.
        """
        clock = self.metadata.clock
        clock.set()
        if self.metadata.rates.take(UPKEEP, 1, int(_LEASE * TIDY_INTERVAL), clock.now()) > 0:
            return False
        self.metadata.accounts.forget_waiting(clock.now())
        self.metadata.resets.forget_old(clock.now())
        self.metadata.mails.forget_given_up(clock.now() - KEPT)
        self.clear_uploads(clock.steady())
        self.sweep(clock.now())
        return True
