"""Files that nobody else may read, whatever this process lets others read otherwise."""

import contextlib
import os
import stat


def opener(path, flags):
    """Open a file, for ``open(…, opener=opener)``; one that is made is its owner's alone."""
    return os.open(path, flags, 0o600)


def tighten(path):
    """Take from all but its owner what they may do with a file or folder, if it is there and is ours."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & 0o077 and not mode & stat.S_ISVTX:  # a folder like /tmp is everybody's, and stays so
            os.chmod(path, mode & ~0o077)
