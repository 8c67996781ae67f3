from __future__ import absolute_import, division, print_function

import os

import pytest

from running_bridge import new_bucket
from stored_file import StoredFile


@pytest.fixture
def store(request):
    """A function that makes a file on a bridge, by default of the ``SHARDS`` of the test's module."""
    made = []

    def make(shards=None, sizes=True):
        made.append(StoredFile(request.module.SHARDS if shards is None else shards, sizes))
        return made[-1]

    yield make
    for stored in made:
        stored.close()


@pytest.fixture
def files(wire):
    """The files of a new bucket, behind the wire."""
    bucket = new_bucket(wire.bridge, api_url=wire.url)
    del wire.requests[:]
    return bucket.files


@pytest.fixture(params=["sizes told", "sizes not told"])
def stored(request):
    """A file of the ``SHARDS`` of the test's module, on a bridge of ours, or on one that tells no sizes."""
    stored = StoredFile(request.module.SHARDS, sizes=request.param == "sizes told")
    yield stored
    stored.close()


@pytest.fixture(scope="module")
def noise():
    """Content of two shards and a half."""
    return os.urandom(21 * 1024 * 1024)
