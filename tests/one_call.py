"""One call of each kind, to a server of whatever kind."""

from __future__ import absolute_import, division, print_function

import io

import pymdc
from pymdc._http.network import Network
from pymdc._transfer import channel

TOKEN = u"0123456789abcdef0123456789abcdef01234567"
HASH = u"ba084d3f143f2896809d3f1d7dffed472b39d8de"


def client_of(url, **options):
    return pymdc.Client(url, sleep=lambda seconds: None, raise_errors=True, **options)


def listed(url, **options):
    return pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client_of(url, **options)).list()


def uploaded(url):
    return pymdc.api.Files("6b02f2f51a05ce7722153a94", client=client_of(url)).upload(io.BytesIO(b"x"), "0" * 64)


def registered(url):
    return pymdc.api.Users("alice@example.com", "password", client=client_of(url)).register()


def activated(url):
    return pymdc.api.Users("alice@example.com", "password", client=client_of(url)).activate("0" * 64)


def shard(url, **options):
    pointer = {"hash": HASH, "token": TOKEN, "url": url + "/shards/1"}
    return b"".join(channel.chunks(pointer, Network((5, 5), **options)))


def shard_by_websocket(url, **options):
    pointer = {"hash": HASH, "token": TOKEN, "channel": url.replace("http", "ws", 1)}
    return b"".join(channel.chunks(pointer, Network((5, 5), **options)))


CALLS = [listed, uploaded, registered, activated, shard]
