"""Many files, of which one may fail."""

from __future__ import absolute_import, division, print_function

import contextlib
import errno

from ..errors import APIError, IntegrityError, PymdcError
from .failure import Failure, in_words

__all__ = ["Batch"]

_LOST = 410  # what the bridge says of a file whose shards are damaged or gone
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # what a disk says that takes nothing more, of no file


class Batch(object):
    """
    What is done to some files, each for itself.

    :ivar bool whole: whether none has failed.
    """

    def __init__(self, screen):
        self.whole = True
        self._screen = screen

    @contextlib.contextmanager
    def each(self, name):
        """Tell what fails in this context, and go on, unless all that follows would fail as well."""
        try:
            yield
        except (PymdcError, EnvironmentError, ValueError, Failure) as error:
            if not _is_of_one_file(error):
                _say_where(error, name)
                raise
            self.whole = False
            self.tell(name, in_words(error))

    def tell(self, name, words):
        """Say something about a file."""
        known = words.startswith(name + u": ")  # as the system says it
        self._screen.remark(words if known else u"{0}: {1}".format(name, words))


def _say_where(error, name):
    """Let an error of the system, such as a full disk, tell what it has come of, if it does not."""
    if isinstance(error, EnvironmentError) and error.errno and not error.filename:
        error.filename = name


def _is_of_one_file(error):
    if isinstance(error, APIError):
        return error.status == _LOST or error.body["error"] == "File not found"
    if isinstance(error, PymdcError):
        return isinstance(error, IntegrityError)
    return getattr(error, "errno", None) not in _FULL
