"""The hash by which a bridge knows a content, of what is here."""

from __future__ import absolute_import, division, print_function

import hashlib
import io

from .. import _digest
from .fileobject import Reader
from .handed import Handed

__all__ = ["content_hash"]

_BLOCK = 256 * 1024


def content_hash(path):
    """
    Return the hash by which a bridge knows a file, or would know it: to tell whether it is stored already.

    :param path: a path; or a binary file object, which is read from where it stands to its end, and is put back there
        if it can be.
    :returns: 40 hex digits: RIPEMD-160 of the hex of SHA-256.

    Source: docs/protocol, "Upload".
    """
    with Handed(path, "read") as handed:
        if handed.file is None:
            with io.open(handed.path, "rb") as file:
                return _hash_of(file)
        try:
            return _hash_of(handed.file)
        finally:
            handed.restore()


def _hash_of(file):
    sha256, reader = hashlib.sha256(), Reader(file)
    block = reader.read(_BLOCK)
    while block:
        sha256.update(block)
        block = reader.read(_BLOCK)
    return _digest.content_hash(sha256)
