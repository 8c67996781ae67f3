"""``rm``."""

from __future__ import absolute_import, division, print_function

from .._compat import file_name
from .._named import prefix
from .batch import Batch
from .bucket import open_bucket
from .failure import Failure
from .names import look_up

__all__ = ["rm"]


def rm(options, screen):
    """Remove files, and folders where that is said; return whether all of them went."""
    files, batch = open_bucket().files, Batch(screen)
    for argument in options.names:
        with batch.each(file_name(argument)):
            for file in _chosen(files, argument, options.recursive):
                with batch.each(file["filename"]):
                    files.delete(file, filename=file["filename"])
    return batch.whole


def _chosen(files, argument, recursive):
    found = look_up(files, argument)
    for file in found.files:
        yield file
    if recursive:
        for file in files.iterate(prefix=prefix(found.name)):
            yield file
    elif not found.files:
        raise Failure(u"it is a folder: -r removes all that is in it")
