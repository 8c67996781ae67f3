"""A large body on its way in: past the server's callbacks, into buffers of its own."""

import asyncio
import collections

import anyio
from starlette.requests import ClientDisconnect

BUFFER = 1024 * 1024  # bytes
BUFFERS = 2  # one that fills, and one that is worked on; what comes between waits in the system


class Body(asyncio.BufferedProtocol):
    """
    What is left of a body.  The connection belongs to it until all of that has come, and not a byte beyond.

    :param protocol: who has had the connection so far; its ``end_body`` gets it back.
    :ivar left: how many bytes have still to come; *came*: how many have, to be worked on.
    """

    def __init__(self, protocol, left: int):
        self.left, self.came = left, 0
        self._protocol = protocol
        self._free, self._made = [], 0
        self._full = collections.deque()  # with how many bytes are in each
        self._filling, self._filled = self._buffer(), 0  # none while none is free
        self._news = asyncio.Event()
        self._given_up = self._lost = False

    async def blocks(self, silence: float):
        """
        Yield what comes in blocks, each good until the next is asked for.

        :raises TimeoutError: nothing has come for *silence* seconds.
        :raises ClientDisconnect: the sender has left.
        """
        while self.left or self._full:
            while not self._full:
                await self._wait(silence)
            buffer, size = self._full.popleft()
            yield memoryview(buffer)[:size]
            self._free.append(buffer)
            if self._filling is None and self.left:
                self._read_on()

    def give_up(self):
        """Let the rest go where it would have gone: nobody works on it."""
        if self.left and not self._given_up:
            self._given_up = True
            self._full.clear()
            self._filling, self._filled = self._filling or bytearray(BUFFER), 0
            self._protocol.flow.resume_reading()

    def get_buffer(self, sizehint: int):
        return memoryview(self._filling)[self._filled:self._filled + self.left]

    def buffer_updated(self, size: int):
        self.left -= size
        if self._given_up:
            self._protocol.on_body(bytes(self._filling[:size]))
        else:
            self.came += size
            self._filled += size
            if self._filled == BUFFER or not self.left:
                self._pass_on()
        if not self.left:
            self._protocol.end_body()

    def connection_lost(self, error):
        self._lost = True
        self._news.set()
        self._protocol.connection_lost(error)

    def pause_writing(self):
        self._protocol.pause_writing()

    def resume_writing(self):
        self._protocol.resume_writing()

    async def _wait(self, silence):
        """Wait for a block.  What has come within a silence is one: it is not held back for longer."""
        with anyio.move_on_after(silence) as patience:
            await self._news.wait()
        self._news.clear()
        if self._lost:
            raise ClientDisconnect()
        if patience.cancelled_caught and not self._full:
            if not self._filled:
                raise TimeoutError()
            self._pass_on()

    def _pass_on(self):
        self._full.append((self._filling, self._filled))
        self._news.set()
        self._filling, self._filled = self._buffer(), 0
        if self._filling is None and self.left:
            self._protocol.flow.pause_reading()

    def _read_on(self):
        self._filling = self._buffer()
        self._protocol.flow.resume_reading()

    def _buffer(self):
        if self._free or self._made == BUFFERS:
            return self._free.pop() if self._free else None
        self._made += 1
        return bytearray(min(BUFFER, self.left))
