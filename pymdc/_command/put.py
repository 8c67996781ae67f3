"""``put``."""

from __future__ import absolute_import, division, print_function

import os
import sys

from .._compat import file_name
from .._named import named, newest
from .batch import Batch
from .bucket import open_bucket
from .failure import Failure, Misuse
from .local import Local, holds, standard, walk
from .names import below, joined, typed

__all__ = ["put"]

_STDIN = "-"


def put(options, screen):
    """Store files, folders, or standard input, as far as they are not there yet; return whether all of them are."""
    if options.name is not None and len(options.paths) > 1:
        raise Misuse("--as is for one file or folder")
    if options.name is None and _STDIN in options.paths:
        raise Misuse("standard input has no name: say one with --as")
    batch = Batch(screen)
    store = _Store(open_bucket().files, screen, batch)
    for path in options.paths:
        with batch.each(file_name(path)):
            store.look_at(path, _name(path, options))
    store.send()
    return batch.whole


def _name(path, options):
    """Return the name that a file or folder is to have in the bucket; empty for the bucket itself."""
    own = os.path.basename(os.path.abspath(path)) if options.name is None else options.name
    return joined(typed(options.to).rstrip(u"/"), typed(own))


class _Store(object):
    """What is to be stored."""

    def __init__(self, files, screen, batch):
        self._files = files
        self._screen = screen
        self._batch = batch
        self._wanted = []  # what is here, and what there is in the bucket by its name, or None
        self._names = set()

    def look_at(self, path, name):
        """Note a file, or what is in a folder, and what the bucket has of it."""
        if path != _STDIN and os.path.isdir(path):
            name = name.rstrip(u"/")
            stored = {file["filename"]: file for file in below(self._files, name)}
            for local in walk(path, self._left_out):
                local = local._replace(name=joined(name, typed(local.name)))
                self._wanted.append((local, stored.get(local.name)))
            return
        if not name or name.endswith(u"/"):
            raise Failure(u"a file needs a name: --to is for the folder")
        size = 0 if path == _STDIN else os.stat(path).st_size
        same = [] if path == _STDIN else named(self._files, name)
        self._wanted.append((Local(path, name, size), newest(same) if same else None))

    def send(self):
        """Store what is new."""
        bar = self._screen.bar(sum(local.size for local, _ in self._wanted))
        for local, stored in self._wanted:
            with self._batch.each(file_name(local.path)), bar.file(local.name, local.size) as progress:
                self._claim(local.name)
                if not (stored and holds(local.path, stored, progress)):
                    self._upload(local, progress)

    def _upload(self, local, progress):
        source = standard(sys.stdin, "rb") if local.path == _STDIN else local.path
        self._files.upload(source, filename=local.name, replace=True, progress=progress)
        self._screen.line(local.name)

    def _claim(self, name):
        if name in self._names:
            raise Failure(u"left out: another file that is stored now has its name there, {0}".format(name))
        self._names.add(name)

    def _left_out(self, path, reason):
        with self._batch.each(file_name(path)):
            if isinstance(reason, Exception):
                raise reason
            self._batch.tell(file_name(path), reason)
