"""What a folder says of its files, on disk."""

from __future__ import absolute_import, division, print_function

import errno
import os
import tempfile

from ._compat import replace

__all__ = ["sync_folder", "write_whole"]


def write_whole(path, content, give_name=replace):
    """
    Write a file of bytes that only its owner can read, whole or not at all, and have it on disk.

    :param give_name: is called with the path of what is written, and *path*; it renames the one to the other.
    """
    folder = os.path.dirname(os.path.abspath(path))
    try:
        descriptor, name = tempfile.mkstemp(dir=folder)  # which others cannot open
    except EnvironmentError as error:
        error.filename = path  # the other name is nobody's concern
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        give_name(name, path)
    finally:
        if os.path.lexists(name):
            os.remove(name)
    sync_folder(folder)


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
