"""Files by their names: of several with one name, the newest is the one to take.  Folders are what names begin with."""

from __future__ import absolute_import, division, print_function

import itertools

__all__ = ["is_folder", "named", "newest", "newest_of_each", "prefix"]

_FEW = 10  # items to ask for where there is one as a rule


def prefix(folder):
    """Return how the names in a folder begin; an empty one is the bucket itself."""
    return folder + u"/" if folder else u""


def named(files, name):
    """Return the files of a bucket that have this name, as a list of dicts."""
    items = files.iterate(prefix=name, page=_FEW)  # which the shortest name begins
    return list(itertools.takewhile(lambda file: file["filename"] == name, items))


def is_folder(files, name):
    """Return whether there are names below this one."""
    return next(files.iterate(prefix=prefix(name), page=1), None) is not None


def newest(files):
    """Return the newest of files with one name."""
    return max(files, key=lambda file: file.get("created", u""))


def newest_of_each(items):
    """Yield what a listing has, of each name the newest alone."""
    for _, same in itertools.groupby(items, lambda item: item.get("filename") or item["prefix"]):
        yield newest(same)
