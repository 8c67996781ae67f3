"""Shards to a file."""

from __future__ import absolute_import, division, print_function

import hashlib
import io
import os

from . import _channel
from ._compat import fspath, replace, text_type
from ._digest import content_hash
from .errors import IntegrityError, TransportError

__all__ = ["download"]

MAX_SHARD = 9 * 1024 * 1024  # bytes; the bridges of 2016 cut at some 8 450 000


def download(pointers, file_hash, path, network, progress=None):
    """
    Fetch the shards that *pointers* lead to, verify them, and put them together at *path*.

    :param path: a path, which is replaced once all is verified; or a binary file object.
    :returns: ``{"hash", "size", "path"}``.
    """
    _check_pointers(pointers)
    if hasattr(path, "write"):
        size = _assemble(pointers, file_hash, path, network, progress)
        return {"hash": file_hash, "size": size, "path": getattr(path, "name", None)}
    target = path if isinstance(path, (bytes, text_type)) else fspath(path)
    part = target + (b".part" if isinstance(target, bytes) else ".part")
    try:
        with io.open(part, "wb") as file:
            size = _assemble(pointers, file_hash, file, network, progress)
            file.flush()
            os.fsync(file.fileno())
        replace(part, target)
    except BaseException:
        _remove(part)
        raise
    return {"hash": file_hash, "size": size, "path": path}


def _assemble(pointers, file_hash, file, network, progress):
    whole, done = hashlib.sha256(), 0
    total = sum(pointer.get("size", 0) for pointer in pointers)
    for pointer in pointers:
        shard = _fetch(pointer, network)
        whole.update(shard)
        file.write(shard)
        done += len(shard)
        if progress is not None:
            progress(done, max(done, total))
    if content_hash(whole) != file_hash:
        raise IntegrityError("the shards make {0}, but {1} was asked for".format(content_hash(whole), file_hash))
    return done


def _fetch(pointer, network):
    """Return the bytes of one shard, verified."""
    limit, shard, sha256 = pointer.get("size", MAX_SHARD), bytearray(), hashlib.sha256()
    for chunk in _channel.chunks(pointer, network):
        shard += chunk
        sha256.update(chunk)
        if len(shard) > limit:
            raise IntegrityError("a shard is longer than the {0} bytes it should have".format(limit))
    if content_hash(sha256) != pointer["hash"]:
        raise IntegrityError("a shard came as {0}, but {1} was asked for".format(content_hash(sha256), pointer["hash"]))
    return bytes(shard)


def _check_pointers(pointers):
    good = isinstance(pointers, list) and all(
        isinstance(pointer, dict)
        and all(isinstance(pointer.get(key), text_type) for key in ("hash", "token"))
        and any(isinstance(pointer.get(key), text_type) for key in ("url", "channel"))
        and 0 <= pointer.get("size", 0) <= MAX_SHARD
        for pointer in pointers
    )
    if not good:
        raise TransportError("the bridge's answer is not a list of pointers")


def _remove(path):
    try:
        os.remove(path)
    except EnvironmentError:
        pass
