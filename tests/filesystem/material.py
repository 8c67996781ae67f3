"""What the tests of the file system have in common."""

import random

from fsspec.callbacks import Callback

MIB = 1024 * 1024
LONG = random.Random(17).randbytes(20 * MIB)  # three shards


class Seen(Callback):
    """
    A callback that remembers what it was told.

    :ivar list seen: each ``(size, value)``.
    :ivar list children: those of the files.
    """

    def __init__(self, **options):
        self.seen, self.children = [], []
        super().__init__(**options)

    def call(self, *arguments, **options):
        self.seen.append((self.size, self.value))

    def branched(self, path_1, path_2, **options):
        self.children.append(Seen())
        return self.children[-1]
