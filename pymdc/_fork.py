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
        self._values = {os.getpid(): make()}  # by the process that uses it

    def get(self):
        pid = os.getpid()
        value = self._values.get(pid)
        if value is None:
            # One step, so that two threads of the child are given the same one.
            value = self._values.setdefault(pid, self._make())
            for other in [other for other in self._values if other != pid]:
                self._values.pop(other, None)
        return value
