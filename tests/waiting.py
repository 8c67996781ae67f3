"""Waiting for what happens beside a test."""

from __future__ import absolute_import, division, print_function

import time

from pymdc._compat import monotonic


def eventually(condition, patience=30):
    """Return once *condition* holds; fail when it does not within so many seconds."""
    end = monotonic() + patience
    while not condition():
        assert monotonic() < end, "it did not become so"
        time.sleep(0.01)
