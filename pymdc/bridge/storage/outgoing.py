"""Bytes on their way out: shards, or parts of them, one after the other, each verified where all of it is read."""

import errno
import hashlib


class Outgoing:
    """
    What is asked for of some shards.

    :param parts: in order, the row of each shard, and where in it its part begins and ends.
    :param open_shard: returns the open object of a shard and its row, given the row that was known before, and where to
        read it from, and to where at most.
    :ivar left: how many bytes have still to be read.
    :ivar damaged: the row of the shard whose bytes turned out not to be what was stored; there it ends.
    :ivar settled: whether it has been accounted for.
    """

    def __init__(self, parts: list[tuple], open_shard):
        self.left = sum(end - start for _, start, end in parts)
        self.damaged = None
        self.settled = False
        self._parts = iter(parts)
        self._open_shard = open_shard
        self._file = None
        self._left_here = self._read_here = 0  # bytes of the part of the shard that is open
        if self.left:
            self._go_on()

    @property
    def unsent(self) -> int:
        """How many bytes nobody has to pay for."""
        return self.left + (self._read_here if self.damaged else 0)

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most *size*; none at the end, or where a shard is damaged."""
        if self.damaged or not self.left:
            return b""
        if not self._left_here:
            self._go_on()
        try:
            block = self._read(min(size, self._left_here))
        except OSError as error:
            if error.errno == errno.EIO:  # else what is wrong is not the shard
                self.damaged = self._row
            raise
        self._take(block)
        return b"" if self.damaged else block

    def close(self):
        if self._file is not None:
            self._file.close()

    def _go_on(self):
        """Open the next shard."""
        row, start, end = next(self._parts)
        self._open(row, start, end)
        self._left_here, self._read_here, self._end = end - start, 0, end
        self._sha256 = hashlib.sha256() if end - start == row["size"] else None

    def _open(self, row, start, end):
        self.close()
        self._file, self._row = self._open_shard(row, start, end)

    def _read(self, size):
        try:
            return self._file.read(size)
        except FileNotFoundError:  # it is deleted, since its content has come again, or since nobody holds it any more
            self._open(self._row, self._end - self._left_here, self._end)
            return self._file.read(size)

    def _take(self, block):
        self.left -= len(block)
        self._left_here -= len(block)
        self._read_here += len(block)
        cut, wrong = not block, False
        if self._sha256 is not None:
            self._sha256.update(block)
            wrong = not self._left_here and self._sha256.hexdigest() != self._row["sha256"]
        if cut or wrong:
            self.damaged = self._row
