"""Content that goes to each server of 2016, and comes back."""

from __future__ import absolute_import, division, print_function

import io

import pytest

import pymdc
from member_of_2016 import MIB, NEWER, content
from scripted_farmer import BINARY, TEXT


@pytest.mark.parametrize("size", [0, 1, 8 * MIB, 20000000])
def test_a_file_comes_back_as_it_went(server, version, member, tmpdir, size):
    path, copy = tmpdir.join("copy"), io.BytesIO()

    stored = member.bucket.files.upload(io.BytesIO(content(size)), filename=u'na"\xefve.bin')
    member.bucket.files.download(stored, str(path))
    member.bucket.files.download(stored, copy)

    assert (stored["size"], stored["filename"]) == (size, u'na"\xefve.bin')
    assert member.bucket.files.list() == [stored]
    assert path.read_binary() == copy.getvalue() == content(size)
    assert tmpdir.listdir() == [path]
    assert server.farmer.crashes == 0
    shards = len(server.farmer.sizes())
    if version < "0.3":
        assert server.farmer.questions == [TEXT] * (shards > 0) + [BINARY] * 2 * shards
    else:
        assert server.farmer.questions == [TEXT] * 2 * shards


def test_shards_of_uneven_length_are_put_together(server, version, member):
    member.bucket.files.upload(io.BytesIO(content(20000000)))

    last, second, first = server.farmer.sizes()
    assert last + second + first == 20000000
    assert all(8 * MIB < size < 8450000 for size in (first, second))


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("sent", [content(size) for size in (0, 700, 1700, 5000)] + [b"\0" * 5000])
def test_a_content_that_was_uploaded_more_than_once_comes_back(server, member, tmpdir, upload_anew, sent, times):
    path, copy = tmpdir.join("copy"), io.BytesIO()

    stored = [upload_anew(member.bucket.files, sent) for _ in range(times)][-1]
    answers = [member.bucket.files.download(stored, target) for target in (str(path), copy)]
    with member.bucket.files.open(stored) as file:
        read = file.read()

    assert path.read_binary() == copy.getvalue() == read == sent
    assert [answer["size"] for answer in answers] == [len(sent)] * 2
    assert tmpdir.listdir() == [path]


def test_a_content_that_was_uploaded_to_another_bucket_before_comes_back(server, member, upload_anew):
    other = pymdc.api.Bucket(member.buckets.create("other", 1, 1), member.key_pair, client=member.client)
    upload_anew(other.files, content(5000))
    copy = io.BytesIO()

    member.bucket.files.download(upload_anew(member.bucket.files, content(5000)), copy)

    assert copy.getvalue() == content(5000)


@pytest.mark.parametrize("version", NEWER)
def test_a_content_that_was_deleted_and_uploaded_again_comes_back(server, version, member, upload_anew):
    member.bucket.files.delete(upload_anew(member.bucket.files, content(5000)))
    copy = io.BytesIO()

    member.bucket.files.download(upload_anew(member.bucket.files, content(5000)), copy)

    assert copy.getvalue() == content(5000)


@pytest.mark.parametrize("by_token", [True, False])
def test_a_file_is_read_where_it_lies_and_each_shard_is_fetched_once(server, version, member, by_token):
    stored = member.bucket.files.upload(io.BytesIO(content(20000000)))
    token = member.bucket.files.token("PULL") if by_token else None

    with member.bucket.files.open(stored, token) as file:
        for start in (0, 9 * MIB, 5, 9 * MIB + 5):
            file.seek(start)
            assert file.read(100) == content(20000000)[start:start + 100]
        assert server.farmer.questions.count(TEXT if version >= "0.3" else BINARY) == 2
        assert file.seek(0, io.SEEK_END) == 20000000
        file.seek(0)
        assert file.read() == content(20000000)

    assert server.farmer.questions.count(TEXT if version >= "0.3" else BINARY) == 3


def test_a_download_that_broke_is_taken_up_again_without_its_first_shards(server, version, member, tmpdir, monkeypatch):
    class Stop(Exception):
        pass

    def stop(done, total):
        if done > 8 * MIB:  # once the first shard is in its place
            raise Stop()

    monkeypatch.setattr("servers_of_2016.files._WRITE", 8 * MIB + 1000)  # so that the first shard is a little longer
    stored, path = member.bucket.files.upload(io.BytesIO(content(9 * MIB))), tmpdir.join("copy")
    with pytest.raises(Stop):
        member.bucket.files.download(stored, str(path), progress=stop)
    del server.farmer.questions[:]

    member.bucket.files.download(stored, str(path))

    assert path.read_binary() == content(9 * MIB)
    assert len(server.farmer.questions) == 1
    assert server.farmer.sizes()[1] > 8 * MIB
    assert tmpdir.listdir() == [path]
