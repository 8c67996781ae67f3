"""What is in an account, as a file system tells it."""

import datetime
import errno
import os

from fsspec import AbstractFileSystem

from .._named import is_folder, named, newest, newest_of_each, prefix

__all__ = ["Listing", "missing"]


class Listing(AbstractFileSystem):
    """
    The part of the file system that looks.

    Its ``_account`` is the :class:`Account` that it is of.
    """

    protocol = "metadisk"

    @classmethod
    def _strip_protocol(cls, path):
        path = super()._strip_protocol(path)
        return path if isinstance(path, list) else path.replace("\\", "/").strip("/")

    def info(self, path, **kwargs):
        """
        Return what is told of a file or a folder, as a dict.

        It has ``name``, ``size`` in bytes and ``type``, and of a file ``hash``, ``mimetype`` and ``created``, too.
        """
        path = self._strip_protocol(path)
        bucket, slash, name = path.partition("/")
        listing = self._ls_from_cache(path) if slash else None  # a bucket may be listed as it is not called here
        if listing is not None:
            return next((each for each in listing if each["name"] == path), _folder(path))
        if name:
            return self._look_at(path, self._account.files(bucket), name)
        if bucket:
            self._account.ask(path, self._account.bucket(bucket).list)
        return _folder(path)

    def _look_at(self, path, files, name):
        found = self._account.ask(path, named, files, name)
        if found:
            return _told(path, newest(found))
        if self._account.ask(path, is_folder, files, name):
            return _folder(path)
        raise missing(path)

    def ls(self, path, detail=True, refresh=False, **kwargs):
        """Return what is in a folder: dicts, as of :meth:`info`, or with *detail* false their paths."""
        path = self._strip_protocol(path)
        listing = None if refresh else self.dircache.get(path)
        if listing is None:
            listing = self.dircache[path] = self._level(path)
        return list(listing) if detail else [each["name"] for each in listing]

    def _level(self, path):
        bucket, _, name = path.partition("/")
        if not bucket:
            return [_folder(called) for called in self._account.names()]
        level = self._listed(path, delimiter="/")
        return level if level or not name else [self.info(path)]

    def _listed(self, path, delimiter=None):
        """Return what is told of all below a path; with a delimiter, of one level."""
        bucket, _, name = path.partition("/")
        items = self._account.files(bucket).iterate(prefix=prefix(name), delimiter=delimiter)
        return [_item(bucket, item) for item in self._account.ask(path, lambda: list(newest_of_each(items)))]

    def walk(self, path, maxdepth=None, topdown=True, on_error=None, **kwargs):
        """As of fsspec; but what cannot be listed just now is an error, and not left out."""
        return super().walk(path, maxdepth, topdown, on_error or _missing_only, **kwargs)

    def find(self, path, maxdepth=None, withdirs=False, detail=False, **kwargs):
        """Return the paths of all files below one, and with *withdirs* of folders; or what is told of each, by them."""
        path = self._strip_protocol(path)
        if maxdepth is not None or not path:
            return super().find(path, maxdepth, withdirs, detail, **kwargs)
        try:
            found = self._below(path, withdirs) or self._itself(path, withdirs)
        except FileNotFoundError:
            found = {}
        return {each: found[each] for each in sorted(found)} if detail else sorted(found)

    def _below(self, path, withdirs):
        found, depth = {}, path.count("/") + 1
        for each in self._listed(path):
            found[each["name"]] = each
            parts = each["name"].split("/") if withdirs else ()
            for end in range(depth, len(parts)):
                folder = "/".join(parts[:end])
                found.setdefault(folder, _folder(folder))
        return found

    def _itself(self, path, withdirs):
        info = self.info(path)
        return {path: info} if withdirs or info["type"] == "file" else {}

    def du(self, path, total=True, maxdepth=None, withdirs=False, **kwargs):
        """Return how many bytes all files below a path have; or each has, by its path."""
        found = self.find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True)
        sizes = {name: each["size"] for name, each in found.items()}
        return sum(sizes.values()) if total else sizes

    def exists(self, path, **kwargs):
        """Return whether there is such a file or folder.  A bridge that cannot be asked is an error."""
        return self._type(path) is not None

    def isfile(self, path):
        """As :meth:`exists`, of a file."""
        return self._type(path) == "file"

    def isdir(self, path):
        """As :meth:`exists`, of a folder or bucket."""
        return self._type(path) == "directory"

    def _type(self, path):
        try:
            return self.info(path)["type"]
        except FileNotFoundError:
            return None

    def checksum(self, path):
        """Return the hash of a file, 40 hex digits: that of :func:`pymdc.content_hash`."""
        return self._file(path)["hash"]

    def created(self, path):
        """Return when a file came, or came again, as a ``datetime`` in UTC."""
        created = self._file(path)["created"]
        if created is None:
            raise NotImplementedError("a bridge of 2016 does not tell when a file came")
        return created

    modified = created

    def invalidate_cache(self, path=None):
        """Forget the listings that a path is in; without one, all of them."""
        super().invalidate_cache(path)
        if path is None:
            self.dircache.clear()
            return
        path = self._strip_protocol(path)
        while path:
            self.dircache.pop(path, None)
            path = self._parent(path)
        self.dircache.pop(path, None)

    def _where(self, path):
        """Return the id of the bucket, and the name in it."""
        bucket, _, name = self._strip_protocol(path).partition("/")
        return self._account.bucket_id(bucket), name

    def _place(self, path):
        """Return the files of the bucket, and the name among them, which may be that of a file."""
        bucket, _, name = self._strip_protocol(path).partition("/")
        if not name:
            raise IsADirectoryError(errno.EISDIR, "a file is called as metadisk://BUCKET/NAME", path)
        return self._account.files(bucket), name

    def _file(self, path):
        """Return what is told of a file now, whatever listings are kept."""
        files, name = self._place(path)
        found = self._account.ask(path, named, files, name)
        if not found:
            raise missing(path)
        return _told(self._strip_protocol(path), newest(found))


def _told(path, file):
    created = file.get("created")
    return {
        "name": path, "size": file["size"], "type": "file", "hash": file["hash"], "mimetype": file["mimetype"],
        "created": created and datetime.datetime.fromisoformat(created.replace("Z", "+00:00")),
    }


def _folder(path):
    return {"name": path, "size": 0, "type": "directory"}


def _item(bucket, item):
    if "prefix" in item:
        return _folder("{0}/{1}".format(bucket, item["prefix"][:-1]))
    return _told("{0}/{1}".format(bucket, item["filename"]), item)


def missing(path):
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _missing_only(error):
    """Let a walk leave out what is not there, and nothing else."""
    if not isinstance(error, FileNotFoundError):
        raise error
