"""What names stand for in a bucket."""

from __future__ import absolute_import, division, print_function

import collections

from .._compat import file_name
from .._named import is_folder, named, newest_of_each, prefix
from .failure import Failure

__all__ = ["Found", "below", "joined", "look_up", "typed"]

#: A name without a slash at its end, and the files that have it; if none have, it is a folder.
Found = collections.namedtuple("Found", "name files")


def typed(argument):
    """Return a name as a bucket has it, of what was typed; with a slash at its end it is a folder, and nothing else."""
    return file_name(argument).replace(u"\\", u"/").lstrip(u"/")


def joined(*parts):
    """Return a name made of those parts that are not empty."""
    return u"/".join(part for part in parts if part)


def look_up(files, argument):
    """
    Return what a bucket has by what was typed, as :class:`Found`.

    :raises Failure: nothing, or nothing was typed, as where a script has an empty variable.
    """
    if not argument:
        raise Failure(u"a name is needed: / is for all there is")
    asked = typed(argument)
    name = asked.rstrip(u"/")
    here = named(files, name) if name and name == asked else []
    if name and not here and not is_folder(files, name):
        raise Failure(u"there is no {0} in the bucket: ls tells what there is".format(name))
    return Found(name, here)


def below(files, folder):
    """Return an iterator over all files below a folder, of each name the newest, by the order of their names."""
    return newest_of_each(files.iterate(prefix=prefix(folder)))
