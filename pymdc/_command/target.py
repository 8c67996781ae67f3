"""Where the files of a bucket's folder go on this machine: never out of the folder that they are meant for."""

from __future__ import absolute_import, division, print_function

import contextlib
import os
import re
import unicodedata

from .._compat import native_path, to_path
from .failure import Failure

__all__ = ["Target", "path_of"]

# What Windows takes for a drive, a stream, a device, or for another name.
_OF_WINDOWS = re.compile(
    u"(?i)[:<>\"|?*]|[. ]\\Z|\\A(con|prn|aux|nul|conin[$]|conout[$]|(com|lpt)[0-9\xb9\xb2\xb3]) *([.]|\\Z)"
)


class Target(object):
    """
    A folder on this machine, made when it is needed; or the path of one file, which is taken as it is.

    :param path: as the system's own text has it; empty for the current folder.
    """

    def __init__(self, path):
        self._path = path
        self._written = set()

    @contextlib.contextmanager
    def place(self, name):
        """
        Make the folders for a file, and give its path, at which it is when the context ends.

        :param name: with folders; empty for the path itself.
        :raises Failure: it would lead out of the folder, or to a file that was written a moment ago, as where capitals
            do not count.
        """
        path = self._path
        if not name:
            _make(os.path.dirname(path))
        for part in [path_of(part) for part in name.split(u"/")] if name else []:
            _make(path)
            path = os.path.join(path, part)
            if os.path.islink(path):
                raise Failure(u"left out: a link is in its place here, and may lead elsewhere")
        if name and _identity(path, name) in self._written:
            raise Failure(u"left out: another file that came now has its name here")
        yield path
        self._written.add(_identity(path, name))


def path_of(part, windows=os.name == "nt"):
    """
    Return a part of a name, which has no folders, as the system's own text has it.

    :raises Failure: it would be more than that.
    """
    if part in (u"", u".", u"..") or re.search(u"[/\\\\\0]", part) or windows and _OF_WINDOWS.search(part):
        raise Failure(u"left out: such a name may lead elsewhere on this machine; get it by itself, with --as")
    return native_path(to_path(part))


def _make(folder):
    if not os.path.isdir(folder or os.curdir):
        os.makedirs(folder)


def _identity(path, name):
    """
    Return what tells a file from any other, however the system spells its name; None where there is none.

    What has names of its own choice, as a backup that shares what has not changed, is as many files.
    """
    try:
        status = os.lstat(path)
    except EnvironmentError:
        return None
    alike = unicodedata.normalize("NFKC", name).upper().lower()
    return status.st_dev, status.st_ino, None if status.st_nlink == 1 else alike
