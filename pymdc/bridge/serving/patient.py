"""A connection whose reader takes nothing any more, in whatever protocol."""

import contextlib
import fcntl
import sys
import termios


class Patient:
    """Cuts the connection of a reader who takes nothing for *silence* seconds; one who takes a little is let be."""

    _watch = None

    def __init__(self, *arguments, silence, **options):
        super().__init__(*arguments, **options)
        self._silence = silence

    def given_up_at(self) -> float | None:
        """Return when this connection is left, unless something is asked; None while something is answered."""

    def is_read(self) -> bool:
        """Return whether nothing is left of what the reader has to take."""
        return not (self.transport.get_write_buffer_size() or self.in_system())

    def connection_lost(self, exc):
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def pause_writing(self):
        super().pause_writing()
        self._expect_less_than(self._untaken())

    def resume_writing(self):
        self._watch.cancel()
        super().resume_writing()

    def _expect_less_than(self, size):
        self._watch = self.loop.call_later(self._silence, self._look, size)

    def _look(self, before):
        size = self._untaken()
        if size >= before:
            self.transport.abort()
        elif size:
            self._expect_less_than(size)

    def _untaken(self):
        """Return how many bytes the reader has still to take."""
        size = self.transport.get_write_buffer_size()
        return size + self.in_system() if size else 0

    def in_system(self):
        """Return how many of them wait in the system, where it tells; Linux does."""
        with contextlib.suppress(OSError, AttributeError):
            waiting = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
            return int.from_bytes(waiting, sys.byteorder)
        return 0
