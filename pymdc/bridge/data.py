"""The data of a bridge: its memory and its store, kept in step with each other."""

from .folder import Folder
from .metadata import sqlite
from .shards import Store, uploader


class Data:
    """What a data folder holds.  Times are milliseconds since the epoch."""

    def __init__(self, folder: Folder):
        self.metadata = sqlite(folder.database)
        self.store = Store(folder.shards)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.metadata.close()

    def sweep(self, now: int):
        """Delete the objects that nothing holds any more."""
        names = self.metadata.shards.unneeded(now)
        if names:
            self.store.delete(names)
            self.metadata.shards.forget_unneeded(names)

    def clear_uploads(self, now: int | None = None):
        """Remove what uploads have left behind that had expired by then; without a time, all uploads are dead."""
        dead = self.metadata.uploads.dead(now)
        if dead:
            self.metadata.uploads.bury(dead, [name for name in self.store.objects() if uploader(name) in dead])

    def remove_orphans(self) -> int:
        """Delete the objects that belong to nothing at all; return how many there were."""
        unheld = self.metadata.shards.unheld
        orphans = [name for name in self.store.objects() if unheld(uploader(name), name)]
        self.store.delete(orphans)
        return len(orphans)
