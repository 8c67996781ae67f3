"""How a command runs, and how it ends."""

from __future__ import absolute_import, division, print_function

import errno
import logging

from ..errors import PymdcError
from .failure import Failure, Misuse, in_words
from .options import parser
from .screen import OutputLost, Screen

__all__ = ["main"]

_DONE, _FAILED, _INTERRUPTED = 0, 1, 130


def main(arguments):
    """Run a command, and return the code to exit with."""
    options, screen = parser().parse_args(arguments), Screen()
    _let_library_speak(screen)
    try:
        whole = options.run(options, screen)
        screen.flush()
        return _DONE if whole else _FAILED
    except Misuse as error:
        options.misused(in_words(error))
    except KeyboardInterrupt:
        return _stopped(screen, u"interrupted", _INTERRUPTED)
    except OutputLost as lost:
        return _unread(screen, lost.cause)
    except (PymdcError, EnvironmentError, Failure, ValueError) as error:
        if getattr(error, "errno", None) == errno.EPIPE:
            return _unread(screen, error)
        return _stopped(screen, in_words(error), _FAILED)
    finally:
        screen.clear()


def _stopped(screen, words, code):
    """Let go what was done until then."""
    screen.remark(words)
    try:
        screen.flush()
    except OutputLost:
        screen.give_up_output()
    return code


def _unread(screen, error):
    """Give up writing.  Where nobody reads any more, as after "head", that is not worth a word."""
    screen.give_up_output()
    if error.errno != errno.EPIPE:
        screen.remark(u"standard output: " + in_words(error))
    return _FAILED


def _let_library_speak(screen):
    """Show what the library says while it waits."""
    handler = logging.Handler()
    handler.emit = lambda record: screen.remark(record.getMessage())
    handler.setLevel(logging.WARNING)
    logging.getLogger("pymdc").addHandler(handler)
