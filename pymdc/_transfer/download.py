"""A download: the shards of a file, put together at a path or in a file object."""

from __future__ import absolute_import, division, print_function

import hashlib
import itertools
import threading
from functools import partial

from .._compat import path_text, to_path
from .._digest import content_hash
from ..errors import IntegrityError
from . import channel, uploads
from .fileobject import flush, name_of, unbuffered, write_all
from .target import PartFile, find, open_stream

__all__ = ["download"]

_BLOCK = 256 * 1024
_SHARD = 8 * 1024 * 1024  # bytes that a shard has at least, but for the last one, at a bridge that tells no sizes
_MORE = 64 * 1024  # bytes that it may have besides, as the old servers cut after a block that came
_FEW = 4096  # bytes: of shards that are no longer, each size is looked for


def download(pointers, file_hash, path, progress=None, concurrency=4, told_size=None):
    """
    Fetch the shards that *pointers* lead to, verify them, and put them together at *path*.

    :param Pointers pointers: not asked for before the target is there to be written.
    :param path: a path, which is replaced once all is verified; or a binary file object.
    :param int concurrency: how many shards are on the way at once, where their sizes are known.
    :param int told_size: how many bytes the file has as far as the caller knows, for the progress.
    :returns: ``{"hash", "size", "path"}``; path is text, or None for a file object that has no name on disk.
    """
    name = to_path(path)
    if name is None:
        size = _to_stream(pointers, file_hash, unbuffered(path), progress, told_size)
        flush(path)
        return {"hash": file_hash, "size": size, "path": path_text(name_of(path))}
    if not name:
        raise ValueError("the path is empty")
    where, replaceable = find(name)
    if replaceable:
        size = _to_part(pointers, file_hash, where, progress, concurrency, told_size)
    else:
        with open_stream(where) as stream:
            size = _to_stream(pointers, file_hash, stream, progress, told_size)
    return {"hash": file_hash, "size": size, "path": path_text(path)}


def _to_part(pointers, file_hash, path, progress, concurrency, told_size):
    with PartFile(path, file_hash) as part:
        pointers.load()
        if pointers.sizes is None:
            size = _to_part_in_order(pointers, file_hash, part.file, progress, told_size)
        else:
            size = _in_parallel(pointers, file_hash, part, progress, concurrency)
        part.finish(size)
    return size


def _to_part_in_order(pointers, file_hash, file, progress, told_size):
    left = _left_shards(pointers, file)
    whole, places = _in_order(pointers, partial(write_all, file), progress, told_size, left)
    if content_hash(whole) != file_hash:
        chosen = uploads.one_of(file, places, file_hash)
        if chosen:
            return uploads.keep_only(file, chosen)
    return _checked(whole, places, file_hash)


def _to_stream(pointers, file_hash, stream, progress, told_size):
    pointers.load()
    if pointers.sizes is not None:
        whole, places = _in_order(pointers, partial(write_all, stream), progress, told_size)
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
        for start in range(0, len(shard), _BLOCK):
            done += len(shard[start:start + _BLOCK])
            if progress is not None:
                progress(done, total)
    return whole, places


def _checked(whole, places, file_hash):
    """Return how long the whole is, once it is known to be right."""
    _check_whole(whole, file_hash)
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
        file.seek(done)
        data = b"".join(_blocks(file, channel.MAX_SHARD))
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


def _in_parallel(pointers, file_hash, part, progress, concurrency):
    """Write the shards to their places, some at once, hash the whole as it grows, and return its size."""
    sizes = pointers.sizes
    crew = _Crew(pointers, part, sizes)
    whole, done = hashlib.sha256(), 0
    try:
        crew.start(concurrency)
        for index, size in enumerate(sizes):
            crew.wait(index)
            part.file.seek(done)
            for block in _blocks(part.file, size):
                whole.update(block)
                done += len(block)
                if progress is not None:
                    progress(done, sum(sizes))
    finally:
        crew.stop()
    _check_whole(whole, file_hash)
    return done


class _Crew(object):
    """Threads that fetch the shards of one file to their places in it, the first ones first."""

    def __init__(self, pointers, part, sizes):
        self._pointers = pointers
        self._part = part
        self._sizes = sizes
        self._starts = [0]
        for size in sizes:
            self._starts.append(self._starts[-1] + size)
        self._next = 0
        self._ready = set()
        self._failure = None
        self._stopped = False
        self._change = threading.Condition()
        self._writing = []  # a lock for each thread, held while it writes

    def start(self, count):
        for _ in range(min(count, len(self._sizes))):
            self._writing.append(threading.Lock())
            thread = threading.Thread(target=self._work, args=(self._writing[-1],), name="pymdc-download")
            thread.daemon = True  # the thread that waits for them decides how long the interpreter lives
            thread.start()

    def wait(self, index):
        """Wait until a shard is in its place, or raise what stopped it."""
        with self._change:
            while index not in self._ready and self._failure is None:
                self._change.wait(3600)  # on Python 2 only a wait with an end can be interrupted
            if index not in self._ready:
                raise self._failure

    def stop(self):
        """Let nothing more be written once this returns.  A thread that waits for bytes is not waited for."""
        self._stopped = True
        for lock in self._writing:
            with lock:
                pass

    def _work(self, writing):
        try:
            with self._part.open_again() as file:
                for index in iter(self._take, None):
                    self._place(file, index, writing)
                    with self._change:
                        self._ready.add(index)
                        self._change.notify_all()
        except BaseException as error:
            with self._change:
                self._failure = self._failure or error
                self._change.notify_all()

    def _take(self):
        with self._change:
            if self._stopped or self._failure is not None or self._next >= len(self._sizes):
                return None
            self._next += 1
            return self._next - 1

    def _place(self, file, index, writing):
        def begin():
            if self._stopped:
                raise _Stopped()
            file.seek(self._starts[index])

        def write(data):
            with writing:
                if self._stopped:
                    raise _Stopped()
                write_all(file, data)

        begin()
        if _hash_of(file, self._sizes[index]) != self._pointers.hash(index):  # else an earlier download has left it
            self._pointers.fetch(index, begin, write)


class _Stopped(Exception):
    """Nobody waits for the shard any more."""


def _check_whole(sha256, file_hash):
    if content_hash(sha256) != file_hash:
        raise IntegrityError("the shards make {0}, but {1} was asked for".format(content_hash(sha256), file_hash))


def _hash_of(file, size):
    """Return the hash of the next *size* bytes; None when there are not so many."""
    sha256, count = hashlib.sha256(), 0
    for block in _blocks(file, size):
        sha256.update(block)
        count += len(block)
    return content_hash(sha256) if count == size else None


def _blocks(file, size):
    while size > 0:
        block = file.read(min(size, _BLOCK))
        if not block:
            return
        size -= len(block)
        yield block
