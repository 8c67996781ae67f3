"""Files of an account, read."""

import errno
import io
import os
from functools import partial

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.utils import isfilelike

from .listing import Listing
from .opened import Reader

__all__ = ["Reading", "progress_of"]


class Reading(Listing):
    """The part of the file system that reads."""

    def _open(self, path, mode="rb", block_size=None, autocommit=True, cache_options=None, **kwargs):
        if mode != "rb":
            raise NotImplementedError("a file is read, or written as a whole: its mode is r, w or x, not " + mode)
        return self._reading(path, self.reader)

    def reader(self, file):
        """
        Return an open file.

        :param dict file: what :meth:`info` tells of it, whose content this is, whatever has the name by now.
        """
        files, _ = self._place(file["name"])
        return Reader(self, file, self._account.ask(file["name"], files.open, file["hash"]))

    def cat_file(self, path, start=None, end=None, **kwargs):
        """Return the content of a file, or of a part, told as of a slice."""
        if start is None and end is None:
            return self._reading(path, self._whole)
        return self._parts(path, [(start, end)])[0]

    def cat_ranges(self, paths, starts, ends, max_gap=None, on_error="return", **kwargs):
        """
        Return parts of files, as a list in the order of *paths*.

        Each file is opened once, and read from its beginning on, so that no shard comes twice.

        :param max_gap: is not needed for that, and does nothing.
        :param str on_error: ``"return"`` for an exception in the place of each part that could not be had.
        """
        ranges, wanted, found = _ranges(paths, starts, ends), {}, [None] * len(paths)
        for number, path in enumerate(paths):
            wanted.setdefault(path, []).append(number)
        for path, numbers in wanted.items():
            try:
                parts = self._parts(path, [ranges[number] for number in numbers])
            except Exception as error:
                if on_error != "return":
                    raise
                parts = [error] * len(numbers)
            for number, part in zip(numbers, parts):
                found[number] = part
        return found

    def get_file(self, rpath, lpath, callback=DEFAULT_CALLBACK, outfile=None, **kwargs):
        """Download a file to a path, which holds the old content or the whole new one; or to a file object."""
        path, target = self._strip_protocol(rpath), lpath if outfile is None else outfile
        if ".." in path.split("/"):  # a bridge that means well has no such name
            raise PermissionError(errno.EACCES, "such a name may lead elsewhere on this machine", path)
        if isfilelike(target):
            return self._download(self._file(path), target, callback)
        try:
            self._reading(path, partial(self._download, target=target, callback=callback))
        except FileNotFoundError:
            if not self.isdir(path):
                raise
            os.makedirs(target, exist_ok=True)

    def _reading(self, path, read):
        """Return what *read* makes of a file; where another takes its place meanwhile, of that one."""
        file = self._file(path)
        while True:
            try:
                return read(file)
            except FileNotFoundError:
                now = self._file(path)
                if now["hash"] == file["hash"]:
                    raise
                file = now

    def _whole(self, file):
        (files, _), content = self._place(file["name"]), io.BytesIO()
        self._account.ask(file["name"], files.download, file["hash"], content)
        return content.getvalue()

    def _parts(self, path, ranges):
        return self._reading(path, partial(self._read_parts, ranges=ranges))

    def _read_parts(self, file, ranges):
        bounds = [slice(*each).indices(file["size"])[:2] for each in ranges]
        parts = {}
        with self.reader(file) as content:
            for start, end in sorted(set(bounds)):
                content.seek(start)
                parts[start, end] = content.read(max(0, end - start))
        return [parts[each] for each in bounds]

    def _download(self, file, target, callback):
        files, _ = self._place(file["name"])
        if not isfilelike(target):
            os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
        callback.set_size(file["size"])
        self._account.ask(file["name"], files.download, file["hash"], target, progress=progress_of(callback))


def _ranges(paths, starts, ends):
    """Return the bounds for each path, of which one number may do for all."""
    if not isinstance(paths, list):
        raise TypeError("paths must be a list, not {0!r}".format(type(paths).__name__))
    starts, ends = (each if isinstance(each, list) else [each] * len(paths) for each in (starts, ends))
    if not len(paths) == len(starts) == len(ends):
        raise ValueError("starts and ends must be as many as paths")
    return list(zip(starts, ends))


def progress_of(callback):
    """Return what tells a callback of fsspec's how many bytes are done."""
    return lambda done, total: callback.absolute_update(done)
