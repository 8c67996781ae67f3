"""Who writes one answer, with its headers and its body in one piece."""

import asyncio

_INTERIM = b"HTTP/1.1 100 "
_SMALL = 64 * 1024  # bytes: to copy more costs as much as a call of the system


class Writer:
    """
    Stands for the transport, for who writes one answer: its headers go out together with a body that follows at once.
    That saves a call of the system, and the other side is woken once.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop):
        self._transport = transport
        self._loop = loop
        self._begun = False
        self._held = b""

    def write(self, data):
        if not self._begun and not data.startswith(_INTERIM):
            self._begun, self._held = True, data
            self._loop.call_soon(self.flush)  # where a body takes its time
        elif self._held and len(data) <= _SMALL:
            held, self._held = self._held, b""
            self._transport.write(b"".join((held, data)))
        else:
            self.flush()
            self._transport.write(data)

    def is_closing(self):
        return self._transport.is_closing()

    def close(self):
        self.flush()
        self._transport.close()

    def flush(self):
        held, self._held = self._held, b""
        if held:
            self._transport.write(held)
