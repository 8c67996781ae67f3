"""Keeping the store in step with the database."""

from .metadata import Metadata
from .shards import Store, uploader

LONG = 10**15  # milliseconds: later than anything that is under way


def sweep(metadata: Metadata, store: Store, now: int):
    """Delete the objects that nothing holds any more."""
    names = metadata.shards.unneeded(now)
    if names:
        store.delete(names)
        metadata.shards.forget_unneeded(names)


def clear_uploads(metadata: Metadata, store: Store, now: int):
    """Remove what uploads have left behind that died before this time, such as with their bridge."""
    dead = metadata.uploads.dead(now)
    if dead:
        metadata.uploads.bury(dead, [name for name in store.objects() if uploader(name) in dead])
