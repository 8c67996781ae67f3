"""What a caller hands in for a transfer: a path or a file object, as it is when the call is made, and functions."""

from __future__ import absolute_import, division, print_function

import codecs
import io
import os

from .._compat import fsencode, integer_types, old_file_types, path_text, text_type, to_path
from .._fork import PerProcess

__all__ = ["CallersError", "Handed", "guarded", "own_errors", "position"]

_TEXT = (io.TextIOBase, codecs.StreamReader, codecs.StreamWriter, codecs.StreamReaderWriter)
_claims = PerProcess(dict)  # who transfers a file object, by its id: it may be equal to another, or have no hash


class Handed(object):
    """
    A path, made absolute; or a binary file object, which nobody else can transfer until this context is left.

    :param str method: ``"read"`` or ``"write"``, which a file object has to have.
    :ivar path: as text or bytes; None for a file object.
    :ivar file: the file object; None for a path.
    :ivar start: where the file object stands, in bytes; None where it cannot tell.
    :raises ValueError: it is neither of both, or in another transfer.
    """

    def __init__(self, given, method):
        given = given.__fspath__() if hasattr(given, "__fspath__") else given
        self.text, self.path = path_text(given), _absolute(to_path(given))
        self.file = self.start = None
        if self.path is None:
            _check_file(given, method)
            self._claim(given)
            try:
                self.start = position(given)
            except BaseException:
                self.release()
                raise

    def restore(self):
        """Go to where the file object stood when it was handed in, if it has been moved since."""
        if self.start is not None and self.file.tell() != self.start:
            self.file.seek(self.start)

    def release(self):
        """Let others transfer the file object."""
        file, self.file = self.file, None
        if file is not None and _claims.get().get(id(file)) is self:
            del _claims.get()[id(file)]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.release()

    def _claim(self, file):
        if _claims.get().setdefault(id(file), self) is not self:  # one step, whatever other threads do
            raise ValueError(
                "this file object is in another transfer: wait until that has ended, or open the file once more"
            )
        self.file = file


def position(file):
    """Return where a file object stands, in bytes; None where it cannot tell, or cannot go back there."""
    try:
        if hasattr(file, "seekable") and not file.seekable():
            return None
        where = file.tell()
    except Exception:  # each kind of file object lacks it in its own way
        return None
    return where if isinstance(where, integer_types) else None


class CallersError(Exception):
    """What the caller's own code has raised, on its way past all that would take it for an error of the network's."""

    def __init__(self, cause):
        super(CallersError, self).__init__(cause)
        self.cause = cause


def guarded(function):
    """Return *function*, with what it raises as a :class:`CallersError`."""
    def call(*arguments):
        try:
            return function(*arguments)
        except CallersError:
            raise
        except Exception as error:
            failure = CallersError(error)
        raise failure
    return call


def own_errors(work):
    """Return what *work* returns, and raise what the caller's code has raised in it as it was."""
    try:
        return work()
    except CallersError as error:
        failure = error.cause
    raise failure


def _absolute(path):
    """Return a path that the current folder has no say in; unlike abspath, "missing/../name" is not "name"."""
    if not path or os.path.isabs(path):
        return path
    try:
        return os.path.join(os.path.abspath(path[:0]), path)
    except UnicodeError:  # Python 2 cannot tell as text where it is
        return os.path.join(os.getcwd(), fsencode(path))


def _check_file(file, method):
    if not callable(getattr(file, method, None)):
        raise ValueError("a path or a binary file object is needed, not {0!r}".format(type(file).__name__))
    if isinstance(file, _TEXT) or _decodes(file):
        raise ValueError("the file object must be opened in binary mode, not as text")
    if getattr(file, "closed", False) is True:
        raise ValueError("the file object is closed")


def _decodes(file):
    """Return whether a wrapper, say of tempfile, has a file for text in it."""
    encoding = getattr(file, "encoding", None)  # which a file of Python 2 has on a terminal, all the same
    return isinstance(encoding, (bytes, text_type)) and not isinstance(file, old_file_types)
