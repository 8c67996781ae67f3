"""A bridge that has one file, in shards as a test wants them."""

from __future__ import absolute_import, division, print_function

import hashlib
import json
import re

import pymdc
from canned_server import CannedServer
from pymdc._digest import content_hash

TOKEN = "0" * 64
_REQUEST = re.compile(br"GET (\S+) ")


def hash_of(content):
    return content_hash(hashlib.sha256(content))


class StoredFile(object):
    """
    :param list shards: the bytes of each.
    :param bool sizes: whether the pointers tell them, as ours do and those of 2016 do not.
    :ivar list pointers: what the bridge answers.
    :ivar list served: the bytes that come for each shard.
    """

    def __init__(self, shards, sizes=True):
        self._server = CannedServer(self._answer)
        self.hash = hash_of(b"".join(shards))
        self.served = list(shards)
        self.pointers = [self._pointer(index, shard, sizes) for index, shard in enumerate(shards)]
        self.file = {"hash": self.hash, "size": len(b"".join(shards))}

    def close(self):
        self._server.close()

    @property
    def requests(self):
        """The path of each request."""
        return [_REQUEST.match(request).group(1).decode("ascii") for request in self._server.requests]

    @property
    def fetched(self):
        """How many shards were fetched."""
        return len([path for path in self.requests if path.startswith("/shards/")])

    def download(self, path, **options):
        client = pymdc.Client(self._server.url, retries=0)
        bucket = pymdc.api.Bucket("6b02f2f51a05ce7722153a94", client=client)
        return bucket.files.download(options.pop("file", self.hash), path, TOKEN, **options)

    def _pointer(self, index, shard, sizes):
        url = "{0}/shards/{1}".format(self._server.url, index)
        pointer = {"hash": hash_of(shard), "token": "0" * 40, "operation": "PULL", "url": url}
        return dict(pointer, size=len(shard)) if sizes else pointer

    def _answer(self, request):
        path = _REQUEST.match(request).group(1).decode("ascii")
        body = json.dumps(self.pointers).encode("ascii")
        if path.startswith("/shards/"):
            body = self.served[int(path.rpartition("/")[2])]
        head = "HTTP/1.1 200 OK\r\nContent-Length: {0}\r\nConnection: close\r\n\r\n".format(len(body))
        return head.encode("ascii") + body
