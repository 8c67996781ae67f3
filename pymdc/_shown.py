"""What people get to see of what others have made up: without what would control a terminal, or be read wrong."""

from __future__ import absolute_import, division, print_function

import re

from ._compat import native_path

__all__ = ["UNSEEN", "quoted"]

#: What controls, and what turns the direction of a text.
UNSEEN = re.compile(u"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def quoted(path):
    """Return a path as a shell reads it, in the system's own text."""
    return "'{0}'".format(native_path(path).replace("'", "'\\''"))
