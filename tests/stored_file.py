"""A bridge that has one file, in shards as a test wants them."""

from __future__ import absolute_import, division, print_function

import hashlib
import json
import re

import pymdc
from canned_server import CannedServer
from pymdc._digest import content_hash

TOKEN = "0" * 64
_REQUEST = re.compile(br"([A-Z]+) (\S+) ")
_TOKEN_OF_SHARD = re.compile(br"(?i)x-token: 0*(\d+)\r\n")


def hash_of(content):
    return content_hash(hashlib.sha256(content))


class StoredFile(object):
    """
    :param list shards: the bytes of each.
    :param bool sizes: whether the pointers tell them, as ours do and those of 2016 do not.
    :ivar pointers: what the bridge answers; or a function that is given how often it was asked, and returns that.
    :ivar list served: the bytes that come for each shard; or an iterator, which gives those of each time.
    :ivar int asked: how often the pointers were asked for; each time, they have new tokens.
    :ivar int refused: how many times the tokens are refused that came with them.
    """

    def __init__(self, shards, sizes=True):
        self._server = CannedServer(self._answer)
        self.hash = hash_of(b"".join(shards))
        self.served = list(shards)
        self.asked = self.refused = 0
        self.pointers = [self._pointer(index, shard, sizes) for index, shard in enumerate(shards)]
        self.file = {"hash": self.hash, "size": len(b"".join(shards))}

    def part_of(self, path):
        """Return the part file of a target, by its name in the design."""
        return path.dirpath().join("{0}.{1}.part".format(path.basename, self.hash[:8]))

    def close(self):
        self._server.close()

    @property
    def requests(self):
        """The path of each request."""
        return [_REQUEST.match(request).group(2).decode("ascii") for request in self._server.requests]

    @property
    def fetched(self):
        """How many shards were fetched."""
        return len([path for path in self.requests if path.startswith("/shards/")])

    def download(self, path, file=None, token=TOKEN, **options):
        """Download it by a token; where that is None, by a key pair, which gets one each time."""
        files = self._files(token, options.pop("retries", 0))
        return files.download(file or self.hash, path, token, **options)

    def open(self, token=TOKEN, retries=0):
        """Open it for reading, likewise."""
        return self._files(token, retries).open(self.hash, token)

    def _files(self, token, retries):
        client = pymdc.Client(self._server.url, retries=retries, sleep=lambda seconds: None)
        key_pair = pymdc.keypair.ECDSA() if token is None else None
        return pymdc.api.Bucket("6b02f2f51a05ce7722153a94", key_pair, client=client).files

    def _pointer(self, index, shard, sizes):
        url = "{0}/shards/{1}".format(self._server.url, index)
        pointer = {"hash": hash_of(shard), "token": "0" * 40, "operation": "PULL", "url": url}
        return dict(pointer, size=len(shard)) if sizes else pointer

    def _answer(self, request):
        path = _REQUEST.match(request).group(2).decode("ascii")
        if path.startswith("/shards/"):
            refused = int(_TOKEN_OF_SHARD.search(request).group(1)) <= self.refused
            return _reply(b"", 401) if refused else _reply(self._shard(int(path.rpartition("/")[2])))
        if path.endswith("/tokens"):
            return _reply(json.dumps({"token": TOKEN}).encode("ascii"))
        self.asked += 1
        return _reply(json.dumps(self._fresh_pointers()).encode("ascii"))

    def _shard(self, index):
        served = self.served[index]
        return served if isinstance(served, bytes) else next(served)

    def _fresh_pointers(self):
        pointers = self.pointers(self.asked) if callable(self.pointers) else self.pointers
        if not isinstance(pointers, list):
            return pointers
        token = "{0:040}".format(self.asked)
        return [dict(pointer, token=token) if isinstance(pointer, dict) and pointer else pointer
                for pointer in pointers]


def _reply(body, status=200):
    head = "HTTP/1.1 {0} Said\r\nContent-Length: {1}\r\nConnection: close\r\n\r\n".format(status, len(body))
    return head.encode("ascii") + body
