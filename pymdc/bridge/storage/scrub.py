"""Comparing what is stored with what should be."""

import dataclasses

from .data import Data, find_flaw


@dataclasses.dataclass
class Findings:
    shards: int = 0
    bytes: int = 0
    damaged: int = 0
    orphans: int = 0

    def __str__(self):
        return (f"{self.shards} shards of {self.bytes} bytes checked, {self.damaged} of them damaged; "
                f"{self.orphans} objects that belonged to nothing removed")


def scrub(data: Data, now: int, tell) -> Findings:
    """
    Read every shard.  One that is damaged is set aside, nobody gets it, and whoever uploads its content again heals
    it.  Then remove the objects that belong to nothing.  The bridge may be running.

    :param tell: is called with a line about each shard that is damaged.
    """
    data.metadata.check_whole()  # or what it has forgotten would be taken for orphans
    findings = Findings()
    for shard in data.metadata.shards.all():
        findings.shards += 1
        findings.bytes += shard["size"]
        findings.damaged += _check(data, shard, tell)
    findings.orphans = data.remove_orphans()
    data.clear_uploads(data.metadata.clock.steady())
    data.sweep(now)
    return findings


def _check(data, shard, tell) -> bool:
    """Return whether a shard that files hold is damaged."""
    flaw = find_flaw(data.metadata, data.store, shard)
    if flaw is None:
        if shard["damaged"]:
            data.metadata.shards.mark(shard, damaged=False)
        return False
    files = data.metadata.shards.mark(shard, damaged=True)
    if not files:
        return False  # it was deleted, or healed, while it was read
    data.set_aside(shard)
    tell_damaged(tell, shard, flaw, files)
    return True


def tell_damaged(tell, shard, flaw: str, files):
    """Tell what is wrong with a shard, and which files it belongs to."""
    tell(f"damaged: {shard['object']} {flaw}; it belongs to")
    for file in files:
        tell(f"    bucket {file['bucket']}, file {file['hash']}, {file['filename']!r}")
