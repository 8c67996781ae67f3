"""What a person, or the next program in a pipe, gets to see."""

from __future__ import absolute_import, division, print_function

import contextlib
import errno
import os
import sys

from .._shown import UNSEEN
from .bar import Bar

__all__ = ["OutputLost", "Screen"]


class OutputLost(Exception):
    """
    Standard output does not take what was written.

    :ivar EnvironmentError cause: why.
    """

    def __init__(self, cause):
        super(OutputLost, self).__init__(cause)
        self.cause = cause


class Screen(object):
    """
    Standard output, for what was asked for, and standard error, for remarks, and for a bar where that is a terminal.

    What a terminal cannot show is escaped, and so is what would control it; in a pipe, text is UTF-8.
    """

    def __init__(self):
        self._bar = None

    def bar(self, total):
        """Return a :class:`Bar` for so many bytes; it goes out of the way of lines."""
        self.clear()
        self._bar = Bar(total, sys.stderr, _tell) if _is_terminal(sys.stderr) else Bar(total)
        return self._bar

    def line(self, text):
        """
        Write a line of what was asked for.

        :raises OutputLost: it does not go.
        """
        self.clear()
        with _output() as stream:
            _write(stream, text, u"\n")
            if _is_terminal(stream):
                stream.flush()

    def remark(self, text):
        """Write a line on standard error; where that does not go, nobody can be told."""
        self.clear()
        _tell(sys.stderr, text, u"\n")

    def clear(self):
        """Take the bar away, until there is more to tell."""
        if self._bar is not None:
            self._bar.clear()

    def flush(self):
        """Let go what was written, as :meth:`line`."""
        if sys.stdout is not None:
            with _output() as stream:
                stream.flush()

    @staticmethod
    def give_up_output():
        """Let vanish what could not be written, or Python would complain of it in the end."""
        if sys.stdout is not None:
            _give_up(sys.stdout)


@contextlib.contextmanager
def _output():
    try:
        if sys.stdout is None:  # as by ">&-"
            raise IOError(errno.EBADF, os.strerror(errno.EBADF))
        yield sys.stdout
    except EnvironmentError as error:
        failure = OutputLost(error)
    else:
        return
    raise failure


def _is_terminal(stream):
    return stream is not None and stream.isatty()


def _tell(stream, text, end):
    """Write what is only told: it ends nothing where there is no stream, or its terminal is gone."""
    try:
        _write(stream, text, end)
        stream.flush()
    except (AttributeError, EnvironmentError) as error:
        if getattr(error, "errno", None) == errno.EIO:
            _give_up(stream)


def _give_up(stream):
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _write(stream, text, end):
    encoding = stream.encoding if _is_terminal(stream) else None
    text = UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text) + end
    getattr(stream, "buffer", stream).write(text.encode(encoding or "utf-8", "backslashreplace"))
