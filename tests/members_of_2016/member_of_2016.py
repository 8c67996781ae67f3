"""Who has an account with a server of 2016."""

from __future__ import absolute_import, division, print_function

import itertools

import pymdc

MIB = 1024 * 1024
NEWER = ["0.2.4", "0.3.0", "0.6.6"]
_numbers = itertools.count()


class Member(object):
    """An activated account with a key pair and a bucket, and a client that raises what the server says."""

    def __init__(self, server, **options):
        options.setdefault("raise_errors", True)
        self.client = pymdc.Client(server.url, **options)
        self.email = "user{0}@example.com".format(next(_numbers))
        self.user = pymdc.api.Users(self.email, "password", client=self.client)
        self.user.register()
        self.user.activate(server.activation_token(self.email))
        self.key_pair = pymdc.keypair.ECDSA()
        pymdc.api.Keys(self.user).create(self.key_pair)
        self.buckets = pymdc.api.Buckets(self.key_pair, client=self.client)
        self.bucket = pymdc.api.Bucket(
            self.buckets.create("photos", 10, 30, [self.key_pair]), self.key_pair, client=self.client
        )


def content(size):
    """Bytes that differ from shard to shard."""
    return bytes(bytearray(range(251)) * (size // 251 + 1))[:size]


def statuses(server, method, pattern=""):
    return [status for asked, path, status in server.requests if asked == method and pattern in path]
