"""
What the bridge knows: all SQL.  Each method is one transaction, or a part of what is done together; times are
milliseconds since the epoch.
"""

import errno
import secrets
from pathlib import Path

from sqlalchemy import URL, delete

from . import copy, tables
from .accounts import Accounts
from .askers import Asker
from .buckets import GIGABYTE, Buckets
from .census import Census
from .contents import Contents, inline_name, is_inline
from .database import Database, check_url
from .files import Files
from .keys import Keys
from .links import Links
from .mails import Mails
from .migration import make_tables, migrate, migrate_postgresql
from .names import Names, Within
from .nonces import Nonces
from .rates import Rates
from .resets import Resets
from .revisions import check_known
from .room import Room
from .shards import Shards
from .tokens import Tokens
from .uploads import Uploads

__all__ = [
    "GIGABYTE", "Asker", "Metadata", "Room", "Within", "check_known", "check_url",
    "inline_name", "is_inline", "make_tables", "migrate",
    "migrate_postgresql", "sqlite",
]

_PASSING = (
    tables.tokens, tables.shard_tokens, tables.tickets, tables.resets, tables.uploads, tables.unneeded, tables.holds,
    tables.rates,
)
FORGET_THE_PASSING = [delete(table) for table in _PASSING]


class Metadata:
    """
    The bridge's memory, by its nouns.

    :param url: of the database, as SQLAlchemy takes it.
    :ivar revision: of the database's schema.
    :ivar clock: what all times in it go by.
    """

    def __init__(self, url):
        self._database = database = Database(url)
        self.revision, self.clock = database.revision, database.clock
        self.accounts = Accounts(database)
        self.buckets = Buckets(database)
        self.census = Census(database)
        self.contents = Contents(database)
        self.files = Files(database)
        self.keys = Keys(database)
        self.links = Links(database)
        self.mails = Mails(database)
        self.names = Names(database)
        self.nonces = Nonces(database)
        self.rates = Rates(database)
        self.resets = Resets(database)
        self.shards = Shards(database)
        self.tokens = Tokens(database)
        self.uploads = Uploads(database)

    def together(self, work, sync=True):
        """
        Return what *work* returns, and let all that it asks for be one transaction.  A refusal undoes what was done
        since the last :meth:`keep`, another error all of it.  It is called again when others have undone it.

        :param sync: whether it has to outlive a power cut too.
        """
        return self._database.together(work, sync)

    async def soon(self, work, sync=True):
        """As :meth:`together`, for an event loop, and for what is short: others may have to wait for it."""
        return await self._database.soon(work, sync)

    def keep(self):
        """Of what is done together, let what was done so far be done, whatever is refused later."""
        self._database.keep()

    def copy_to(self, path: Path):
        """Write one state of all this to a file that is not there yet, while others write on."""
        self._database.copy_to(path)

    def check_taken_by(self, other: "Metadata"):
        """Raise OSError unless a PostgreSQL database, to which all this is to be copied, has nothing else in it."""
        copy.check_takes(self._database, other._database)

    def copy_rows_to(self, other: "Metadata"):
        """Copy all this to a PostgreSQL database, in one transaction there, but for what is under way."""
        copy.copy(self._database, other._database)

    def forget_the_passing(self, moment: int):
        """
        Forget what is not worth restoring: tokens, uploads under way.  And let no request pass whose nonce is not above
        this moment, since those that were seen after the copy was made are not in it.
        """
        with self._database.write() as db:
            for statement in FORGET_THE_PASSING:
                db.execute(statement)
        self.nonces.raise_floors(moment)

    def check_whole(self):
        """Raise OSError when the database has been cut or is damaged otherwise."""
        self._database.check_whole()

    def probe(self):
        """Raise unless something can be written, and read again, and nobody has upgraded the database meanwhile."""
        self._database.check_revision()
        who = "probe " + secrets.token_hex(8)
        self.shards.hold_back(who, 0)
        try:
            if not self.shards.is_held_back_by(who):
                raise OSError(errno.EIO, "what was written is not there")
        finally:
            self.shards.release(who)

    def close(self):
        self._database.close()


def sqlite(path: Path) -> Metadata:
    """Return what a SQLite database knows; it is made where there is none."""
    return Metadata(URL.create("sqlite", database=str(path)))
