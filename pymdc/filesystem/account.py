"""The account that a file system is of: its buckets by what paths call them, and the bridge's no as Python has it."""

import collections
import errno
import functools
import os
import re

from .. import Client, api, errors, keypair
from .._remembered import current

__all__ = ["Account"]

_ID = re.compile(r"[0-9a-f]{24}\Z")
_PRIVATE_KEY = re.compile(r"\s*[0-9a-fA-F]{64}\s*\Z")

# What Python calls what the bridge says no with, by its status: None where one of 2016 was not even asked.
_ERRNOS = {
    None: errno.EOPNOTSUPP, 400: errno.EINVAL, 401: errno.EACCES, 403: errno.EACCES, 404: errno.ENOENT,
    413: errno.ENOSPC,
}

_shared_client = functools.lru_cache(maxsize=None)(Client)  # fsspec makes a file system for each thread


class Account:
    """
    Who asks, and whom.

    :param api_url: as of the file system, and so are the others.
    :raises ValueError: nobody is logged in, or the arguments do not go together.
    """

    def __init__(self, api_url, key_pair, client):
        if client is not None and api_url is not None:
            raise ValueError("a client knows where its bridge is: give it, or api_url")
        if key_pair is None:
            login, key_pair = current(client.api_url if client else api_url)
            api_url = login.bridge
        self.key_pair = _loaded(key_pair)
        self.client = _shared_client(api_url) if client is None and api_url is not None else client
        self._buckets = api.Buckets(self.key_pair, client=self.client)
        self._ids = {}  # of buckets, by their names

    def ask(self, path, call, *arguments, **options):
        """
        Return what a call of the library returns.

        :param str path: what it is about, which an error tells.
        :raises OSError: the bridge said no, in its words.
        """
        try:
            answer = call(*arguments, **options)
        except errors.APIError as error:
            refusal = error
        else:
            if not isinstance(answer, errors.Refusal):
                return answer
            refusal = errors.APIError(answer.status, dict(answer), None, None)
            refusal.hint = answer.hint
        if refusal.status == 404:
            self._ids.clear()  # another bucket may have the name by now
        raise OSError(_ERRNOS.get(refusal.status, errno.EIO), str(refusal), path) from refusal

    def bucket_id(self, called):
        """
        Return the id of a bucket, of that or of its name.

        :raises FileNotFoundError: there is none of this name.
        :raises ValueError: there are several.
        """
        if _ID.match(called):
            return called
        found = self._ids.get(called)
        if found is None:
            found = self._ids[called] = self._look_up(called)
        return found

    def bucket(self, called):
        return api.Bucket(self.bucket_id(called), self.key_pair, client=self.client)

    def files(self, called):
        return api.Files(self.bucket_id(called), self.key_pair, client=self.client)

    def names(self):
        """Return what the buckets are called: by their ids, where their names would not lead to them."""
        buckets = self.ask("", self._buckets.list)
        count = collections.Counter(bucket["name"] for bucket in buckets)
        return [
            bucket["name"] if count[bucket["name"]] == 1 and _leads_to_one(bucket["name"]) else bucket["id"]
            for bucket in buckets
        ]

    def make(self, name, storage, transfer):
        """
        Make a bucket.

        :raises FileExistsError: there is one of this name.
        """
        if not _leads_to_one(name):
            raise ValueError("a bucket cannot be found by the name {0!r}: give it another".format(name))
        if name in [bucket["name"] for bucket in self.ask(name, self._buckets.list)]:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        self.ask(name, self._buckets.create, name, storage, transfer, [self.key_pair])

    def remove(self, called):
        """Remove a bucket with all its files."""
        self.ask(called, self.bucket(called).delete)
        self._ids.clear()

    def _look_up(self, name):
        ids = [bucket["id"] for bucket in self.ask(name, self._buckets.list) if bucket["name"] == name]
        if not ids:
            raise FileNotFoundError(errno.ENOENT, "the account has no bucket of this name: mkdir makes one", name)
        if len(ids) > 1:
            raise ValueError("more than one bucket is called {0}: say its id, {1}".format(name, " or ".join(ids)))
        return ids[0]


def _leads_to_one(name):
    """Return whether a name in a path leads to the bucket that has it, and not to an id, a folder or nowhere."""
    return bool(name) and not _ID.match(name) and not re.search(r"[/\\]", name)


def _loaded(key_pair):
    """Return a key pair, of that or of the path of a saved one."""
    if not isinstance(key_pair, (str, os.PathLike)):
        return key_pair
    if _PRIVATE_KEY.match(os.fspath(key_pair)):  # which an error of the system's would tell
        raise ValueError("key_pair must be an ECDSA, or the path of a saved one, and not the key itself")
    return keypair.ECDSA.load(os.path.expanduser(key_pair))
