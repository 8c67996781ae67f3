"""What a forked child must not share with its parent."""

from __future__ import absolute_import, division, print_function

import os

__all__ = ["PerProcess"]


class PerProcess(object):
    """
    Something that is made anew in a forked child: a connection that both would use, a lock that nobody would release.

    :param make: makes it.
    """

    def __init__(self, make):
        self._make = make
        self._pid = os.getpid()
        self._value = make()

    def get(self):
        if self._pid != os.getpid():
            self._value = self._make()
            self._pid = os.getpid()
        return self._value
