"""What a folder says of its files, on disk."""

from __future__ import absolute_import, division, print_function

import errno
import os

__all__ = ["sync_folder"]


def sync_folder(folder):
    """Have the names in a folder on disk, where folders can be opened and synced."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except EnvironmentError:
        return
    try:
        os.fsync(descriptor)
    except EnvironmentError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
