"""Files that are open by way of fsspec: what is read, and what is written, as it asks them to be."""

import io
import sys
import tempfile
import warnings

from fsspec.core import OpenFile

__all__ = ["Reader", "TextWriter", "Writer"]

_BUFFER = 64 * 1024  # bytes that are copied at a time for those who read lines


class Reader(io.BufferedReader):
    """
    A file that is read.

    :param fs: the file system that it is of, which opens it again where it is pickled to.
    :param dict details: what the file system tells of it.
    :param file: what :meth:`pymdc.api.Files.open` has opened, which is taken over.
    """

    mode = "rb"

    def __init__(self, fs, details, file):
        super().__init__(file.detach(), _BUFFER)
        self.fs = fs
        self.details = details
        self.path = details["name"]
        self.size = details["size"]

    @property
    def full_name(self):
        """The path, with the protocol before it."""
        return self.fs.unstrip_protocol(self.path)

    def info(self):
        """Return what the file system tells of the file."""
        return self.details

    def __reduce_ex__(self, protocol):
        return _opened_again, (self.fs, self.details, self.tell())

    def __repr__(self):
        return "<Reader of {0}>".format(self.path)


def _opened_again(fs, details, position):
    """Return a reader of the same content, whatever has its name now."""
    reader = fs.reader(details)
    reader.seek(position)
    return reader


class Writer(io.BufferedIOBase):
    """
    A file that is written: gathered in a temporary one, and stored whole when it is closed.

    Where its block, or that of ``fsspec.open``, ends with an exception, or nobody closes it, nothing is stored.

    :param str path: where, for those who ask.
    :param str mode: ``"wb"`` or ``"xb"``.
    :param store: is given the temporary file, at its beginning.
    :param bool autocommit: whether closing stores it; else :meth:`commit` does, at the end of a transaction.
    """

    def __init__(self, path, mode, store, autocommit):
        super().__init__()
        self.path = path
        self.mode = mode
        self.autocommit = autocommit
        self._store = store
        self._handled = sys.exc_info()[1]
        self._spool = tempfile.TemporaryFile()

    def writable(self):
        return True

    def seekable(self):
        return True

    def write(self, data):
        self._check_open()
        return self._spool.write(data)

    def seek(self, offset, whence=io.SEEK_SET):
        self._check_open()
        return self._spool.seek(offset, whence)

    def tell(self):
        self._check_open()
        return self._spool.tell()

    def truncate(self, size=None):
        self._check_open()
        return self._spool.truncate(size)

    def close(self):
        if self.closed:
            return
        super().close()
        if self._is_left_by_an_exception():
            self.discard()
        elif self.autocommit:
            self.commit()

    def commit(self):
        """Store what was written, unless it is stored, or given up."""
        if self._spool.closed:
            return
        with self._spool:
            self._spool.seek(0)
            self._store(self._spool)

    def discard(self):
        """Give up what was written."""
        self._spool.close()
        super().close()

    def _is_left_by_an_exception(self):
        """
        Return whether the block of ``fsspec.open`` that this was opened for is ending with an exception.

        fsspec does not say so to what it closes then.
        """
        if sys.exc_info()[1] in (None, self._handled):
            return False
        frame = sys._getframe()
        while frame is not None and frame.f_code is not OpenFile.__exit__.__code__:
            frame = frame.f_back
        return frame is not None

    def _check_open(self):
        if self.closed:
            raise ValueError("the file is closed")

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            self.discard()
        self.close()

    def __del__(self):
        if hasattr(self, "_spool"):
            if not self.closed:
                warnings.warn("{0!r} was not closed, so it is not stored".format(self), ResourceWarning, source=self)
            self.discard()

    def __repr__(self):
        return "<Writer of {0}>".format(self.path)


class TextWriter(io.TextIOWrapper):
    """Text on its way into a :class:`Writer`, with the same promise."""

    def __init__(self, writer, **options):
        super().__init__(writer, **options)
        self._writer = writer

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            self._writer.discard()
        self.close()

    def __del__(self):
        """Leave the writer to its own end: closing it, as others of this kind do, would store half a text."""
