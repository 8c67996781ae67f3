"""How often what is transferred is hashed: once, as it goes, but for what goes into a file object shard by shard."""

from __future__ import absolute_import, division, print_function

import io
import os

import pytest

SHARD = 8 * 1024 * 1024
SIZES = [4096, 256 * 1024, 256 * 1024 + 5000, SHARD, 2 * SHARD + 5000]


@pytest.fixture
def files(bucket):
    return bucket.files


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("from_path", [True, False])
def test_an_upload_is_hashed_once(files, hashed, tmpdir, size, from_path):
    content, path = os.urandom(size), tmpdir.join("file")
    path.write_binary(content)

    assert hashed(lambda: files.upload(str(path) if from_path else io.BytesIO(content))) == size


@pytest.mark.parametrize("size", SIZES)
def test_a_download_is_hashed_once(files, hashed, tmpdir, size):
    stored, path = files.upload(io.BytesIO(os.urandom(size))), str(tmpdir.join("copy"))

    assert hashed(lambda: files.download(stored, path)) == size


def test_what_a_file_object_gets_is_hashed_once_by_the_shard_and_once_for_the_whole(files, hashed):
    """Each shard is written when it is verified, since nothing of it can be taken back."""
    small, large = [files.upload(io.BytesIO(os.urandom(size))) for size in (SHARD, 2 * SHARD + 5000)]

    assert hashed(lambda: files.download(small, io.BytesIO())) == SHARD
    assert hashed(lambda: files.download(large, io.BytesIO())) == 2 * (2 * SHARD + 5000)
