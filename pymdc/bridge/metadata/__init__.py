"""What the bridge knows: all SQL.  Each method is one transaction; times are milliseconds since the epoch."""

from .accounts import Accounts
from .buckets import GIGABYTE, Buckets
from .database import Database
from .files import Files
from .keys import Keys
from .nonces import Nonces
from .rates import Rates
from .shards import Shards
from .tokens import Tokens
from .uploads import Room, Uploads

__all__ = ["GIGABYTE", "Metadata", "Room"]


class Metadata:
    """
    The bridge's memory, by its nouns.

    :param url: of the database, as SQLAlchemy takes it.
    """

    def __init__(self, url):
        self._database = database = Database(url)
        self.accounts = Accounts(database)
        self.buckets = Buckets(database)
        self.files = Files(database)
        self.keys = Keys(database)
        self.nonces = Nonces(database)
        self.rates = Rates(database)
        self.shards = Shards(database)
        self.tokens = Tokens(database)
        self.uploads = Uploads(database)

    def probe(self):
        """Raise if nothing can be written."""
        with self._database.write():
            pass

    def close(self):
        self._database.close()
