from __future__ import absolute_import, division, print_function

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymdc import _digest
from recordings import vectors

CONTENTS = {
    "empty": b"",
    'the one byte "A"': b"A",
    '"Hello Metadisk!\\n"': b"Hello Metadisk!\n",
    '1000 times "x"': b"x" * 1000,
    "bytes 0..255, 256 times": bytes(bytearray(range(256)) * 256),
    "8 MiB of zero bytes": bytes(bytearray(8 * 1024 * 1024)),
    "20 MiB of zero bytes": bytes(bytearray(20 * 1024 * 1024)),
}
VECTORS = vectors("digests.json")["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["content"] for vector in VECTORS])
def test_content_has_the_hash_that_the_servers_of_2016_gave_it(vector):
    content = CONTENTS[vector["content"]]

    assert len(content) == vector["length"]
    assert _digest.content_hash(hashlib.sha256(content)) == vector["hash"]


# Source: the authors' page on RIPEMD-160, "Test vectors".
@pytest.mark.parametrize("message, digest", [
    (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
    (b"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
    (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
    (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
    (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
])
def test_the_fallback_gives_the_published_digests(message, digest):
    assert _digest._ripemd160(message) == _digest.ripemd160(message) == digest


@given(st.binary(max_size=300))
def test_the_fallback_agrees_with_whatever_the_platform_has(message):
    assert _digest._ripemd160(message) == _digest.ripemd160(message)
