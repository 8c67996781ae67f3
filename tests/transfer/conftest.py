from __future__ import absolute_import, division, print_function

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
