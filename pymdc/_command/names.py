"""What names stand for in a bucket."""

from __future__ import absolute_import, division, print_function

import collections
import itertools
import operator

from .._compat import file_name
from .failure import Failure

__all__ = ["Found", "below", "find", "joined", "look_up", "newest", "prefix", "typed"]

#: A name without a slash at its end, the files that have it, and whether there are names below it.
Found = collections.namedtuple("Found", "name files is_folder")


def typed(argument):
    """Return a name as a bucket has it, of what was typed; with a slash at its end it is a folder, and nothing else."""
    return file_name(argument).replace(u"\\", u"/").lstrip(u"/")


def joined(*parts):
    """Return a name made of those parts that are not empty."""
    return u"/".join(part for part in parts if part)


def prefix(folder):
    """Return how the names in a folder begin."""
    return folder + u"/" if folder else u""


def find(files, asked):
    """Return what a bucket has by a name, as :class:`Found`."""
    name = asked.rstrip(u"/")
    if not name:
        return Found(name, [], True)
    here, is_folder = [], False
    for item in files.iterate(prefix=name, delimiter="/"):
        found = item["prefix"] if "prefix" in item else item["filename"]
        if found == name and asked == name:
            here.append(item)
        is_folder = is_folder or found == prefix(name)
        if found.encode("utf-8") >= prefix(name).encode("utf-8"):
            break
    return Found(name, here, is_folder)


def look_up(files, argument):
    """
    Return what a bucket has by what was typed.

    :raises Failure: nothing, or nothing was typed, as where a script has an empty variable.
    """
    if not argument:
        raise Failure(u"a name is needed: / is for all there is")
    found = find(files, typed(argument))
    if not found.files and not found.is_folder:
        raise Failure(u"there is no {0} in the bucket: ls tells what there is".format(found.name))
    return found


def newest(files):
    """Return the newest of files with one name."""
    return max(files, key=lambda file: file.get("created", u""))


def below(files, folder):
    """Yield the files in a folder and in those below it, of each name the newest, by the order of their names."""
    for _, same in itertools.groupby(files.iterate(prefix=prefix(folder)), operator.itemgetter("filename")):
        yield newest(same)
