"""How often the bridge hashes what it takes and what it gives: no more than the protocol asks for."""

import os

import pytest

from wire import get, hash_of, put

SHARD = 8 * 1024 * 1024


@pytest.fixture
def bucket(alice):
    return alice.bucket()


@pytest.mark.parametrize("size", [4096, 100_000, SHARD, 3 * SHARD + 5000])
def test_an_upload_is_hashed_once_by_the_shard_and_for_the_whole_where_that_is_more_than_the_first(
        alice, bucket, hashed, size):
    content = os.urandom(size)

    assert hashed(lambda: put(alice.signed, bucket, content)) == size + max(0, size - SHARD)


@pytest.mark.parametrize("size", [4096, 100_000, SHARD, 3 * SHARD + 5000])
def test_a_download_is_hashed_once(alice, bucket, hashed, size):
    content = os.urandom(size)
    put(alice.signed, bucket, content)
    file_hash = hash_of(content)

    assert hashed(lambda: get(alice.signed, bucket, file_hash)) == size
