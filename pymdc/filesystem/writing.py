"""Files of an account, and buckets: written, copied, moved and removed."""

import errno
import io
import itertools
import os
from functools import partial

from fsspec.callbacks import DEFAULT_CALLBACK

from .._named import named, prefix
from .listing import missing
from .opened import TextWriter, Writer
from .reading import Reading, progress_of

__all__ = ["Writing"]


class Writing(Reading):
    """The part of the file system that changes what there is."""

    def open(self, path, mode="rb", block_size=None, cache_options=None, compression=None, **kwargs):
        """
        Open a file for reading, or for writing the whole of it: modes with ``r``, ``w`` or ``x``.

        :param str mimetype: of what is written; by default as of :meth:`pymdc.api.Files.upload`.
        :raises NotImplementedError: it is another mode; or *compression* is given for writing: ``fsspec.open`` does it.
        """
        if "r" in mode:
            return super().open(path, mode, block_size, cache_options, compression, **kwargs)
        if compression is not None:
            raise NotImplementedError("what compresses would not close the file, and so it would not be stored: write "
                                      "by fsspec.open(url, mode, compression=...), which closes both")
        if "b" in mode:
            return super().open(path, mode, block_size, cache_options, **kwargs)
        text = {name: kwargs.pop(name) for name in ("encoding", "errors", "newline") if name in kwargs}
        return TextWriter(self.open(path, mode.replace("t", "") + "b", **kwargs), **text)

    def _open(self, path, mode="rb", block_size=None, autocommit=True, cache_options=None, mimetype=None, **kwargs):
        if mode not in ("wb", "xb"):
            return super()._open(path, mode, block_size, autocommit, cache_options, **kwargs)
        exclusive = mode == "xb"
        self._check(path, exclusive)
        return Writer(path, mode, partial(self._store, path, exclusive=exclusive, mimetype=mimetype), autocommit)

    def pipe_file(self, path, value, mode="overwrite", mimetype=None, **kwargs):
        """Store bytes under a name."""
        self._store(path, io.BytesIO(value), mimetype=mimetype, exclusive=mode == "create")

    def put_file(self, lpath, rpath, callback=DEFAULT_CALLBACK, mode="overwrite", mimetype=None, **kwargs):
        """Upload a file.  A folder is there with its files."""
        if os.path.isdir(lpath):
            return
        callback.set_size(os.path.getsize(lpath))
        self._store(rpath, lpath, mimetype=mimetype, exclusive=mode == "create", progress=progress_of(callback))

    def _store(self, path, content, mimetype=None, exclusive=False, progress=None):
        files, name = self._check(path, exclusive)
        self._account.ask(
            path, files.upload, content, filename=name, mimetype=mimetype, progress=progress, replace=not exclusive,
        )
        self.invalidate_cache(path)

    def _check(self, path, exclusive):
        """Return the files that a path leads to, and the name there, if it may be written."""
        files, name = self._place(path)
        if exclusive and self._account.ask(path, named, files, name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        return files, name

    def copy(self, path1, path2, recursive=False, maxdepth=None, on_error="raise", **kwargs):
        """As of fsspec; but what is not there is left out only where *on_error* is ``"ignore"``."""
        super().copy(path1, path2, recursive=recursive, maxdepth=maxdepth, on_error=on_error or "raise", **kwargs)

    def cp_file(self, path1, path2, planned=None, **kwargs):
        """
        Copy a file, in place of what has the new name; within a bucket no byte moves.  A folder has nothing to copy.

        :param list planned: takes the two paths, in place of copying.
        """
        path1, path2 = self._strip_protocol(path1), self._strip_protocol(path2)
        if planned is not None:
            return planned.append((path1, path2))
        try:
            self._reading(path1, partial(self._copy, path=path2))
        except FileNotFoundError:
            if not self.isdir(path1):
                raise

    def _copy(self, file, path):
        (bucket, name), (new_bucket, new_name) = self._where(file["name"]), self._where(path)
        if bucket != new_bucket:
            with self.reader(file) as content:
                return self._store(path, content, mimetype=file["mimetype"])
        if name == new_name:
            return None
        files, _ = self._place(path)
        before = self._account.ask(path, named, files, new_name)
        self._account.ask(path, files.copy, file["hash"], new_name, mimetype=file["mimetype"])
        self._delete(path, [each for each in before if each["hash"] != file["hash"]])

    def touch(self, path, truncate=True, **kwargs):
        """Make an empty file; with *truncate* false, one that is there is kept as it is, and its ``created`` is now."""
        if truncate or not self.isfile(path):
            return super().touch(path, truncate=True, **kwargs)
        path = self._strip_protocol(path)
        files, name = self._place(path)
        self._reading(path, lambda file: self._account.ask(path, files.copy, file["hash"], name))
        self.invalidate_cache(path)

    def mv(self, path1, path2, recursive=False, maxdepth=None, **kwargs):
        """
        Move files: all of them are in their new places before any goes from its old one.

        :raises OSError: two would have one place, or one that of another that is to be moved, too.
        """
        if self._strip_protocol(path1) == self._strip_protocol(path2):
            return
        planned = []
        self.copy(path1, path2, recursive=recursive, maxdepth=maxdepth, planned=planned)
        moves = [(old, new) for old, new in planned if self._where(old) != self._where(new) and not self.isdir(old)]
        places = [self._where(path) for path in itertools.chain.from_iterable(moves)]
        if len(set(places)) < len(places):
            raise OSError(errno.EINVAL, "a file would take the place of another that is moved, too", path1)
        going = [(old, self._entries(old)) for old, _ in moves]
        for old, new in moves:
            self.cp_file(old, new)
        for old, entries in going:
            self._delete(old, entries)

    def rm(self, path, recursive=False, maxdepth=None):
        """Remove files, and with *recursive* folders, and buckets, with all that is in them."""
        going = []
        for each in self.expand_path(path):
            if recursive and maxdepth is None and "/" not in each:
                self._account.remove(each)
                self.invalidate_cache()
            else:
                going.append((each, self._entries(each, recursive, maxdepth)))
        for each, entries in going:
            self._delete(each, entries)

    def rm_file(self, path):
        """Remove a file."""
        path = self._strip_protocol(path)
        self._delete(path, self._entries(path))

    def _entries(self, path, recursive=False, maxdepth=None):
        """Return all files of a name, and with *recursive* those below it, as the bridge tells of them."""
        bucket, _, name = path.partition("/")
        files, below = self._account.files(bucket), prefix(name)
        entries = self._account.ask(path, named, files, name) if name else []
        for file in self._account.ask(path, lambda: list(files.iterate(prefix=below))) if recursive else ():
            if maxdepth is None or file["filename"].count("/", len(below)) < maxdepth:
                entries.append(file)
        if entries:
            return entries
        if not self.isdir(path):
            raise missing(path)
        if not recursive:
            raise IsADirectoryError(errno.EISDIR, "it is a folder: recursive=True removes all that is in it", path)
        return []

    def _delete(self, path, entries):
        bucket = self._strip_protocol(path).partition("/")[0]
        files = self._account.files(bucket)
        for file in entries:
            try:
                self._account.ask(path, files.delete, file)
            except FileNotFoundError:
                pass  # somebody else has removed it meanwhile
            self.invalidate_cache(bucket + "/" + file["filename"])
        self.invalidate_cache(path)

    def mkdir(self, path, create_parents=True, storage=10, transfer=100, **kwargs):
        """
        Make a bucket.  Folders need no making.

        :param storage: room for files, in GB (10^9 bytes).
        :param transfer: allowance for downloads, in GB.
        """
        bucket, _, name = self._strip_protocol(path).partition("/")
        if name:
            self._account.bucket_id(bucket)
            return
        self._account.make(bucket, storage, transfer)
        self.invalidate_cache(bucket)

    def makedirs(self, path, exist_ok=False):
        """As :meth:`mkdir`; a bucket may be there if *exist_ok* is true."""
        try:
            self.mkdir(path)
        except FileExistsError:
            if not exist_ok:
                raise

    def rmdir(self, path):
        """Remove an empty bucket.  A folder goes with the last file in it."""
        path = self._strip_protocol(path)
        if self.ls(path, refresh=True):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        self._account.remove(path)
        self.invalidate_cache()
