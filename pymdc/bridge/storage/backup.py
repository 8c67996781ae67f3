"""A copy of a bridge's data, made while it runs, and how it becomes a bridge's data again."""

import contextlib
import dataclasses
import errno
import os
import secrets
import shutil

from sqlalchemy.exc import DBAPIError

from .. import private
from ..clock import now
from ..metadata import check_known, is_inline, sqlite
from .data import Data, check_named, find_flaw
from .datafolder import DataFolder, sync_folder
from .folder import FolderStore
from .scrub import Findings, scrub
from .upgrade import upgrade

AHEAD = 60 * 1000  # milliseconds that the clock of a client may be ahead of ours
HOLD_LIFE = 10 * 60 * 1000  # milliseconds after the last renewal


@dataclasses.dataclass
class Copied:
    """
    :ivar shards: how many are in the backup; *new*: of those, the objects that it had not before; *inline*: of those,
        what lies in its database, which is copied whole.
    """

    shards: int = 0
    new: int = 0
    inline: int = 0
    damaged: int = 0

    def __str__(self):
        return (f"{self.shards} shards in the backup, {self.new} of them new, {self.inline} in its database; "
                f"{self.damaged} damaged, and not copied")


def back_up(source: DataFolder, target: DataFolder, tell, new: bool = False) -> Copied:
    """
    Copy all data of a bridge, which may be running.  What *target* has from an earlier time is not copied again, and
    stays usable until the new copy is whole.

    :param tell: is called with a line about each shard that is damaged, and so is not copied.
    :param new: whether the backup may lose all its shards, since the bridge has none.
    """
    if target.path.resolve().is_relative_to(source.path.resolve()):
        raise OSError(errno.EINVAL, "inside the folder that is to be copied", str(target.path))
    target.mark_as_backup()
    with target.lock(), Data(source) as data, _Hold(data) as hold, _unfinished(target) as folder:
        data.metadata.check_whole()
        with contextlib.suppress(DBAPIError):  # what is damaged can be replaced
            _check_known(target)
        if not new and _is_another(data.metadata, target):
            text = "the bridge names no shard, and no account of the backup, which does: say --new to let them go"
            raise OSError(errno.EINVAL, text, str(source.database))
        target.tighten()
        snapshot = folder / "snapshot.sqlite"
        data.metadata.copy_to(snapshot)
        with contextlib.closing(sqlite(snapshot)) as metadata:
            copied = _copy_shards(metadata, data.store, FolderStore(target.shards), hold, tell)
        _copy_mails(source, target)
        os.sync()  # all that the new database speaks of, and itself, before it takes the place of the old one
        os.replace(snapshot, target.database)
        sync_folder(target.path)
        with Data(target) as copy:
            copy.remove_orphans()
        os.sync()
    return copied


def restore(source: DataFolder, target: DataFolder, tell) -> Findings:
    """Make a bridge's data from a backup, which may be of an older version, in an empty folder, and check it."""
    if not source.is_backup():
        raise OSError(errno.EINVAL, "not a backup", str(source.path))
    _check_known(source)
    with source.lock(), target.being_restored(), target.lock():
        target.tighten()
        store, shards = FolderStore(source.shards), FolderStore(target.shards)
        for name in store.objects():
            shards.take(store, name)
        _copy_mails(source, target)
        open(target.database, "xb", opener=private.opener).close()
        shutil.copyfile(source.database, target.database)
        upgrade(target, tell, keep_copy=False)  # the backup is one
        check_named(target, "the backup is not whole")
        with Data(target) as data:
            forget_the_passing(data.metadata)
            findings = scrub(data, now(), tell)
    return findings


def forget_the_passing(metadata):
    """Let nothing pass again that may have passed since a copy was made, or may pass within a minute."""
    metadata.forget_the_passing(metadata.clock.now() + AHEAD)


def _check_known(backup):
    """Raise OSError for a backup of a newer version, which this one could neither use nor replace in kind."""
    if backup.has_database():
        check_known(backup.database)


def _is_another(metadata, target):
    """Return whether a bridge without shards is not that of a backup that has some, as far as accounts tell."""
    if metadata.shards.are_there() or not target.has_database():
        return False
    with contextlib.closing(sqlite(target.database)) as copied:
        return copied.shards.are_there() and not metadata.accounts.know_any_of(copied.accounts.oldest())


@contextlib.contextmanager
def _unfinished(target):
    """A folder for what is not finished; one that a backup that was killed has left goes first."""
    folder = target.path / "unfinished"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class _Hold:
    """While it lasts, the bridge deletes no object: the copy of its memory may speak of it."""

    def __init__(self, data):
        self._data = data
        self._id = secrets.token_hex(8)
        self._expires = 0

    def __enter__(self):
        self.renew()
        return self

    def __exit__(self, *exception):
        self._data.metadata.shards.release(self._id)
        self._data.sweep(now())

    def renew(self):
        if self._expires - now() < HOLD_LIFE * 9 // 10:
            self._expires = now() + HOLD_LIFE
            self._data.metadata.shards.hold_back(self._id, self._expires)


def _copy_shards(metadata, store, target, hold, tell) -> Copied:
    copied = Copied()
    for shard in metadata.shards.all():
        hold.renew()
        inline = is_inline(shard)
        if not inline and target.size(shard["object"]) == shard["size"]:
            copied.shards += 1
            continue
        flaw = find_flaw(metadata, store, shard)
        if flaw is not None:
            tell(f"damaged: {shard['object']} {flaw}")
            copied.damaged += 1
            metadata.contents.drop(shard)
            continue
        copied.shards += 1
        if inline:
            copied.inline += 1
        else:
            target.take(store, shard["object"])
            copied.new += 1
    return copied


def _copy_mails(source, target):
    target.outbox.mkdir(mode=0o700, exist_ok=True)
    for mail in source.outbox.glob("*.eml"):
        with contextlib.suppress(FileNotFoundError):  # sent meanwhile
            private.tighten(shutil.copy2(mail, target.outbox))
