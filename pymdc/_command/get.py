"""``get``."""

from __future__ import absolute_import, division, print_function

import functools
import os
import sys

from .._compat import file_name
from .._named import newest, prefix
from .batch import Batch
from .bucket import open_bucket
from .failure import Misuse
from .local import holds, standard
from .names import below, joined, look_up
from .target import Target

__all__ = ["get"]

_STDOUT = "-"


def get(options, screen):
    """Fetch files, and what is in folders, as far as it is not here yet; return whether all of it is."""
    if options.name is not None and len(options.names) > 1:
        raise Misuse("--as is for one file or folder")
    files, batch = open_bucket().files, Batch(screen)
    if options.name == _STDOUT:
        _to_stdout(files, options.names[0], screen)
        return True
    wanted = []
    target = Target(options.to)
    for argument in options.names:
        with batch.each(file_name(argument)):
            wanted.extend(_wanted(files, look_up(files, argument), target, options))
    _fetch(files, wanted, screen, batch)
    return batch.whole


def _to_stdout(files, argument, screen):
    found = look_up(files, argument)
    if not found.files:
        raise Misuse("a folder does not go to standard output")
    file = newest(found.files)
    with screen.bar(file["size"]).file(found.name, file["size"]) as progress:
        files.download(file, standard(sys.stdout, "wb"), progress=progress)


def _wanted(files, found, target, options):
    """Yield files, each with a context that makes its folders and gives its path."""
    own = found.name.split(u"/")[-1]
    if options.name is not None:
        own, target = u"", Target(os.path.join(options.to, options.name))
    if found.files:
        yield newest(found.files), functools.partial(target.place, own)
        return
    for file in below(files, found.name):
        name = file["filename"][len(prefix(found.name)):]
        yield file, functools.partial(target.place, joined(own, name))


def _fetch(files, wanted, screen, batch):
    bar = screen.bar(sum(file["size"] for file, _ in wanted))
    for file, place in wanted:
        name, size = file["filename"], file["size"]
        with batch.each(name), bar.file(name, size) as progress, place() as path:
            if not holds(path, file, progress):
                files.download(file, path, progress=progress)
                screen.line(file_name(path))
