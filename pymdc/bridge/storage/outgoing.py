"""A shard on its way out: verified as it is read."""

import errno
import hashlib
import os


class Outgoing:
    """
    The bytes of a shard.

    :param shard: its row.
    :ivar read_so_far: how many bytes have been read.
    :ivar settled: whether it has been accounted for.
    :ivar damaged: whether what was read, so far as is known, is not what was stored.
    """

    def __init__(self, file, shard):
        self.shard = shard
        self.read_so_far = 0
        self.settled = False
        self.damaged = os.fstat(file.fileno()).st_size != shard["size"]
        self._file = file
        self._sha256 = hashlib.sha256()

    @property
    def whole(self) -> bool:
        """Whether all of it has been read."""
        return self.read_so_far == self.shard["size"]

    def read(self, size: int) -> bytes:
        try:
            block = self._file.read(size)
        except OSError as error:
            self.damaged = error.errno == errno.EIO  # else what is wrong is not the shard
            raise
        self._sha256.update(block)
        self.read_so_far += len(block)
        if self.whole:
            self.damaged = self._sha256.hexdigest() != self.shard["sha256"]
        elif not block:
            self.damaged = True  # it was cut meanwhile
        return block

    def close(self):
        self._file.close()
