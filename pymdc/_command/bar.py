"""How far files have come, in one line that is written anew."""

from __future__ import absolute_import, division, print_function

import contextlib
import struct
import unicodedata

from .._compat import monotonic

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = termios = None

__all__ = ["Bar", "size_text"]

_PAUSE = 0.1  # seconds between two looks
_WIDTH = 24
_COLUMNS = 80  # of a terminal that does not tell
_UNITS = (u"B", u"kB", u"MB", u"GB", u"TB")


class Bar(object):
    """
    A bar for some files.

    :param int total: how many bytes they have, as far as that is known.
    :param stream: the terminal; None where nobody looks.
    :param write: is called with the stream, text, and what ends it as it is; it raises nothing when the stream is gone.
    """

    def __init__(self, total, stream=None, write=None):
        self._total = total
        self._stream = stream
        self._write = write
        self._before = 0  # bytes of the files before
        self._last = None  # when there was a look
        self._drawn = 0  # columns

    @contextlib.contextmanager
    def file(self, name, size):
        """Give a function to be called with (bytes done, bytes in all) of this file; None where nobody looks."""
        def tell(done, _):
            now = monotonic()
            if self._last is None or now - self._last >= _PAUSE:
                self._last = now
                self._draw(name, self._before + done)

        try:
            yield self._stream and tell
        finally:
            self._before += size

    def clear(self):
        """Wipe what is drawn."""
        if self._drawn:
            self._write(self._stream, u" " * self._drawn, u"\r")
            self._drawn = 0

    def _draw(self, name, done):
        total = max(self._total, done)
        full = _WIDTH * done // total if self._total else 0
        text = u"[{0}{1}] {2:>3}% {3:>8}  ".format(
            u"#" * full, u"-" * (_WIDTH - full), 100 * done // total if self._total else u"?", size_text(done)
        )
        text = _cut(text + name, _columns(self._stream) - 1)
        self.clear()
        self._write(self._stream, text, u"\r")
        self._drawn = _columns_of(text)


def size_text(size):
    """Return a number of bytes as people read it, by powers of 1000."""
    if size < 1000:
        return u"{0} B".format(size)
    size, unit = size / 1000, 1
    while size >= 999.95 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return u"{0:.1f} {1}".format(size, _UNITS[unit])


def _columns(stream):
    try:
        size = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        return struct.unpack("4H", size)[1] or _COLUMNS
    except (AttributeError, EnvironmentError):
        return _COLUMNS


def _columns_of(text):
    """Return how many columns a text takes: characters of East Asia two, those that go with the last one none."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in u"WF") for each in text
    )


def _cut(text, columns):
    while _columns_of(text) > columns:
        text = text[:-1]
    return text
