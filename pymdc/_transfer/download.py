"""A download: the shards of a file, put together at a path or in a file object."""

from __future__ import absolute_import, division, print_function

import hashlib
import io
import itertools
from functools import partial

from .._compat import path_text, to_path
from .._digest import content_hash
from . import channel, uploads
from .beginning import Beginning
from .crew import Crew
from .fileobject import blocks_at, flush, hash_at, name_of, unbuffered, write_all
from .pointers import check_whole
from .target import PartFile, Watched, find, open_stream

__all__ = ["download"]

_BLOCK = 256 * 1024
_SHARD = 8 * 1024 * 1024  # bytes that a shard has at least, but for the last one, at a bridge that tells no sizes
_MORE = 64 * 1024  # bytes that it may have besides, as the old servers cut after a block that came
_FEW = 4096  # bytes: of shards that are no longer, each size is looked for


def download(ask, pointers, file_hash, path, progress=None, concurrency=4, told_size=None):
    """
    Fetch a file, verify it, and put it together at *path*.

    :param ask: asks a direct bridge for a part of the file, as :class:`Beginning` has it; does nothing where that
        cannot be.  It is not called, nor any pointer asked for, before the target is there to be written.
    :param Pointers pointers: the way to the shards, for what has not come with the beginning.
    :param path: a path, which is replaced once all is verified; or a binary file object.
    :param int concurrency: how many shards are on the way at once at most, where their sizes are known.
    :param int told_size: how many bytes the file has as far as the caller knows, for the progress.
    :returns: ``{"hash", "size", "path"}``; path is text, or None for a file object that has no name on disk.
    """
    name = to_path(path)
    if name is None:
        size = _to_stream(ask, pointers, file_hash, Watched(unbuffered(path)), progress, told_size)
        flush(path)
        return {"hash": file_hash, "size": size, "path": path_text(name_of(path))}
    if not name:
        raise ValueError("the path is empty")
    where, replaceable = find(name)
    if replaceable:
        size = _to_part(ask, pointers, file_hash, where, progress, concurrency, told_size)
    else:
        with open_stream(where) as stream:
            size = _to_stream(ask, pointers, file_hash, stream, progress, told_size)
    return {"hash": file_hash, "size": size, "path": path_text(path)}


def _to_part(ask, pointers, file_hash, path, progress, concurrency, told_size):
    with PartFile(path, file_hash) as part:
        beginning = Beginning(ask, partial(_clear, part.file), partial(part.write_all, part.file), progress)
        if not part.size():
            beginning.fetch_all()
        if beginning.is_whole(file_hash):
            size = beginning.size
        else:
            size = _by_pointers(pointers, file_hash, part, progress, concurrency, told_size, beginning)
        part.finish(size)
    return size


def _clear(file):
    file.seek(0)
    file.truncate()


def _by_pointers(pointers, file_hash, part, progress, concurrency, told_size, beginning):
    pointers.load()
    if pointers.sizes is None:
        return _to_part_in_order(pointers, file_hash, part, progress, told_size)
    return _in_parallel(pointers, file_hash, part, progress, concurrency, beginning)


def _to_part_in_order(pointers, file_hash, part, progress, told_size):
    left = _left_shards(pointers, part.file)
    whole, places = _in_order(pointers, partial(part.write_all, part.file), progress, told_size, left)
    if content_hash(whole) != file_hash:
        chosen = uploads.one_of(part.file, places, file_hash)
        if chosen:
            return uploads.keep_only(part.file, chosen)
    return _checked(whole, places, file_hash)


def _to_stream(ask, pointers, file_hash, stream, progress, told_size):
    held = io.BytesIO()  # until it is verified
    beginning = Beginning(ask, partial(_clear, held), held.write)
    beginning.fetch()
    if beginning.is_whole(file_hash):
        write_all(stream, held.getvalue())
        _tell(progress, (0, beginning.size), beginning.size)
        return beginning.size
    pointers.load()
    if pointers.sizes is not None:
        left = []
        if beginning.size is not None and [content_hash(beginning.sha256)] == pointers.hashes[:1]:
            left.append(held.getvalue())
            write_all(stream, left[0])
        whole, places = _in_order(pointers, partial(write_all, stream), progress, told_size, left)
        return _checked(whole, places, file_hash)
    with uploads.Cautious(stream) as cautious:
        whole, places = _in_order(pointers, cautious.write, progress, told_size)
        size = cautious.finish(places, file_hash)
    return _checked(whole, places, file_hash) if size is None else size


def _in_order(pointers, write, progress, told_size, left=()):
    """
    Write the shards one after the other, each after it was verified, and return the SHA-256 of all and their places.

    :param left: yields the first shards, as far as they are there already.

    Where nobody knows its size, the progress is told how long the file is at least.
    """
    whole, places, done, left, least = hashlib.sha256(), [], 0, iter(left), _SHARD
    for index in range(len(pointers)):
        shard = next(left, None)
        if shard is None:
            shard = pointers.whole(index)
            write(shard)
        whole.update(shard)
        places.append((done, done + len(shard)))
        least = min(least, len(shard))
        told = told_size if pointers.sizes is None else sum(pointers.sizes)
        total = _total(done + len(shard), len(pointers) - index - 1, least, told)
        _tell(progress, places[-1], total)
        done += len(shard)
    return whole, places


def _tell(progress, place, total):
    """Tell of each block of what is at this place now."""
    start, end = place
    while progress is not None and start < end:
        start = min(start + _BLOCK, end)
        progress(start, total)


def _checked(whole, places, file_hash):
    """Return how long the whole is, once it is known to be right."""
    check_whole(whole, file_hash)
    return places[-1][1] if places else 0


def _total(so_far, shards_to_come, least, told):
    """Return how long the file is, as far as that is known; all shards but the last have *least* bytes."""
    if not shards_to_come:
        return so_far
    return max(told or 0, so_far + least * (shards_to_come - 1) + 1)


def _left_shards(pointers, file):
    """Yield the first shards of a part file as far as they are the right ones, then leave it cut there."""
    done = 0
    for index in range(len(pointers)):
        data = b"".join(blocks_at(file, done, done + channel.MAX_SHARD))
        size = _size_of_first(data, pointers.hash(index))
        if size is None:
            break
        done += size
        yield data[:size]
    file.seek(done)
    file.truncate(done)


def _size_of_first(data, shard_hash):
    """Return how many of the first bytes are the shard; None when it is not there."""
    sha256, done = hashlib.sha256(), 0
    for size in itertools.chain(range(1, _FEW), range(_SHARD, _SHARD + _MORE + 1), [len(data)]):
        if not done < size <= len(data):
            continue
        sha256.update(data[done:size])
        done = size
        if content_hash(sha256) == shard_hash:
            return size
    return None


def _in_parallel(pointers, file_hash, part, progress, concurrency, beginning):
    """Write the shards to their places, some at once, hash the whole as it grows, and return its size."""
    places, size, left = _places(pointers.sizes), sum(pointers.sizes), part.size()
    whole, first = hashlib.sha256(), 0
    if beginning.size is not None and places[:1] == [(0, beginning.done)]:
        whole, first, left = beginning.sha256, 1, 0
    crew = Crew(pointers, part, places, first, left)
    try:
        crew.start(concurrency)
        for index in range(first, len(places)):
            crew.wait(index)
            _add(whole, part.file, places[index], size, progress)
    finally:
        crew.stop()
    if content_hash(whole) != file_hash:
        whole = _mended(pointers, part.file, places)
    check_whole(whole, file_hash)
    return size


def _places(sizes):
    """Return where each shard begins and ends."""
    places, start = [], 0
    for size in sizes:
        places.append((start, start + size))
        start += size
    return places


def _add(whole, file, place, size, progress=None):
    """Add what is at a place to the SHA-256 of the whole, and tell how far that reaches."""
    done, end = place
    for block in blocks_at(file, done, end):
        whole.update(block)
        done += len(block)
        if progress is not None:
            progress(done, size)


def _mended(pointers, file, places):
    """Fetch again what has come wrong, verified this time, and return the SHA-256 of all."""
    whole = hashlib.sha256()
    for index, (start, end) in enumerate(places):
        if hash_at(file, start, end) != pointers.hash(index):
            pointers.fetch(index, partial(file.seek, start), partial(write_all, file))
        _add(whole, file, (start, end), end)
    return whole
