"""What a bridge consists of, besides its socket."""

import errno

import anyio
import sqlalchemy

from .folder import Folder
from .mail import Outbox
from .metadata import GIGABYTE, Metadata
from .metrics import Metrics
from .settings import Settings
from .shards import Store

KEPT_FREE = GIGABYTE  # bytes of the disk that files are not given


def open_data(folder: Folder) -> tuple[Metadata, Store]:
    return Metadata(sqlalchemy.URL.create("sqlite", database=str(folder.database))), Store(folder.shards)


class Services:
    """
    Memory, store and mail of one bridge, made from its settings.

    :ivar public_url: what links and pointers lead to.
    :ivar passwords: how many are hashed at once; one takes 19 MiB.
    """

    def __init__(self, settings: Settings, public_url: str):
        folder = Folder(settings.data_dir)
        self.settings = settings
        self.public_url = public_url
        self.metadata, self.store = open_data(folder)
        self.outbox = Outbox(folder.outbox)
        self.metrics = Metrics(folder.metrics if settings.workers > 1 else None)
        self.passwords = anyio.CapacityLimiter(2)

    def spare_space(self) -> int:
        """Return how many bytes more the disk may be given."""
        return self.store.free_space() - KEPT_FREE

    def check_disk(self):
        if self.spare_space() < 0:
            raise OSError(errno.ENOSPC, f"less than {KEPT_FREE} bytes are free")

    def close(self):
        self.metadata.close()
