"""Files that nobody else may read, whatever this process lets others read otherwise."""

import os


def opener(path, flags):
    """Open a file, for ``open(…, opener=opener)``; one that is made is its owner's alone."""
    return os.open(path, flags, 0o600)
