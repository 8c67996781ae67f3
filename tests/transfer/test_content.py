"""The hash of what is here is that which the bridge tells."""

from __future__ import absolute_import, division, print_function

import io
import os

import pytest

import pymdc

CONTENT = b"some content" * 100000


@pytest.mark.parametrize("content", [b"", b"a", CONTENT], ids=len)
def test_it_is_what_the_bridge_tells_of_an_upload(bucket, tmpdir, content):
    tmpdir.join("file").write(content, "wb")

    stored = bucket.files.upload(str(tmpdir.join("file")))

    assert pymdc.content_hash(str(tmpdir.join("file"))) == stored["hash"]
    assert pymdc.content_hash(io.BytesIO(content)) == stored["hash"]


def test_a_file_object_is_read_from_where_it_stands_and_put_back_there():
    file = io.BytesIO(b"12345" + CONTENT)
    file.seek(5)

    assert pymdc.content_hash(file) == pymdc.content_hash(io.BytesIO(CONTENT))
    assert file.tell() == 5


def test_what_cannot_go_back_is_read_to_its_end():
    reading, writing = os.pipe()
    with io.open(writing, "wb") as file:
        file.write(b"through a pipe")

    with io.open(reading, "rb") as file:
        assert pymdc.content_hash(file) == pymdc.content_hash(io.BytesIO(b"through a pipe"))


@pytest.mark.parametrize("path, error", [
    (None, ValueError), ("missing", EnvironmentError), (io.StringIO(), ValueError),
])
def test_what_has_no_content_is_an_error(path, error):
    with pytest.raises(error):
        pymdc.content_hash(path)
