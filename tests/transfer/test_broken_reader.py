"""A file that is read where it lies, and what breaks; also where sizes are not told, as by the bridges of 2016."""

from __future__ import absolute_import, division, print_function

import io
import itertools

import pytest

import pymdc
from pymdc.errors import APIError, IntegrityError, TransportError
from pymdc.testing import Fault
from stored_file import hash_of

SHARD = 8 * 1024 * 1024
SHARDS = [b"first" * 200, b"second" * 200, b"", b"third" * 200, b"last" * 200]
CONTENT = b"".join(SHARDS)
STARTS = [0, 1000, 2200, 3200]  # of those that have bytes


def flipped(shard):
    return shard[:5] + b"X" + shard[6:]


SPOILED = [flipped, lambda shard: shard[:-1], lambda shard: shard + b"x", lambda shard: b"", lambda shard: shard * 2,
           lambda shard: SHARDS[0]]


@pytest.mark.parametrize("sizes", [True, False])
@pytest.mark.parametrize("spoil", SPOILED)
def test_wrong_bytes_are_fetched_again(store, sizes, spoil):
    stored = store(sizes=sizes)
    stored.served[1] = itertools.chain([spoil(SHARDS[1])], itertools.repeat(SHARDS[1]))

    with stored.open(retries=1) as file:
        assert file.read() == CONTENT

    assert stored.fetched == (5 if sizes else 6)  # one without bytes need not come where that is told


@pytest.mark.parametrize("spoil", SPOILED)
def test_wrong_bytes_that_stay_wrong_are_never_returned(store, spoil):
    stored = store()
    stored.served[1] = spoil(SHARDS[1])

    with stored.open(retries=1) as file:
        for read in (file.read, lambda: file.read(1500), lambda: file.readinto(bytearray(1500))):
            file.seek(0)
            with pytest.raises(IntegrityError, match="a shard"):
                read()
        file.seek(STARTS[1])
        with pytest.raises(IntegrityError, match="a shard"):
            file.read(1)
        file.seek(STARTS[2])
        assert file.read() == CONTENT[STARTS[2]:]
        stored.served[1] = SHARDS[1]
        file.seek(0)
        assert file.read() == CONTENT


def test_after_an_error_reading_goes_on_where_the_file_says_it_stands(store):
    stored = store()
    stored.served[1] = b"wrong"

    with stored.open() as file:
        with pytest.raises(IntegrityError):
            file.read(1500)
        stored.served[1] = SHARDS[1]
        where = file.tell()
        assert file.read() == CONTENT[where:]


OTHER = [  # shards that are all right, but do not make the file
    [b"x"], [b""], [b"x" * 1000, b"y" * 1000], [b"x" * 1000, b"", b"y" * 1000], [], [SHARDS[0], SHARDS[1]],
]


@pytest.mark.parametrize("sizes", [True, False])
@pytest.mark.parametrize("shards", OTHER)
def test_the_last_shard_is_not_given_away_where_all_in_order_make_another_file(store, shards, sizes):
    stored, taken = store(shards, sizes), []
    stored.hash = hash_of(CONTENT)

    with pytest.raises(IntegrityError, match="the shards make"):
        with stored.open() as file:
            with pytest.raises(IntegrityError, match="the shards make"):
                taken.extend(iter(lambda: file.read(100), b""))
            taken.extend(iter(lambda: file.read(100), b""))  # nor when it is read once more

    assert b"".join(taken) == b"".join(shards[:-1])


@pytest.mark.parametrize("fault", [
    Fault("reset", path="/shards/*", received=5000), Fault("truncate", path="/shards/*", received=SHARD // 2),
    Fault("answer", path="/shards/*", status=503), Fault("answer", path="/shards/*", status=410),
    Fault("answer", "GET", "/buckets/*/files/*", status=503), Fault("reset", "GET", "/buckets/*/files/*"),
])
def test_what_breaks_on_the_way_is_asked_for_again(wire, files, noise, fault):
    stored = files.upload(io.BytesIO(noise))
    wire.faults = [fault]

    with files.open(stored) as file:
        file.seek(SHARD)
        assert file.read() == noise[SHARD:]


def test_a_file_that_was_deleted_meanwhile_is_told_so(files, noise):
    stored = files.upload(io.BytesIO(noise))

    with files.open(stored) as file:
        file.read(1)
        files.delete(stored)
        file.seek(SHARD)
        with pytest.raises(APIError, match="The requested file was not found"):
            file.read(1)


def test_a_bridge_that_is_gone_is_a_transport_error(wire, files, noise):
    stored = files.upload(io.BytesIO(noise))
    client = pymdc.Client(wire.url, retries=0)

    with pymdc.api.Bucket(stored["bucket"], files, client=client).files.open(stored) as file:
        wire.refuse()
        with pytest.raises(TransportError):
            file.read()
        wire.open()
        assert file.read() == noise


def test_without_sizes_shards_come_in_order_once_and_no_further_than_is_read(store):
    stored, moved = store(sizes=False), []

    with stored.open() as file:
        for position in ((STARTS[0],), (STARTS[1],), (STARTS[0],), (STARTS[3],), (0, io.SEEK_END), (STARTS[1],)):
            file.seek(*position)
            file.read(1)
            moved.append(stored.fetched)

    assert moved == [1, 2, 2, 5, 5, 5]


CUT = [(300, 700), (310, 720), (250, 800)]  # where each upload is cut
LONG = b"".join(b"%d," % number for number in range(300))


def interleaved(uploads):
    shards = [[LONG[:first], LONG[first:second], LONG[second:]] for first, second in CUT[:uploads]]
    return [shard for each in zip(*shards) for shard in each]


@pytest.mark.parametrize("uploads", [2, 3])
@pytest.mark.parametrize("start", [0, 100, 299, 305, 900])
def test_the_shards_of_one_upload_are_read(store, uploads, start):
    stored = store(interleaved(uploads), sizes=False)
    stored.hash = hash_of(LONG)

    with stored.open() as file:
        file.seek(start)
        assert file.read(3) == LONG[start:start + 3]
        assert stored.fetched == (1 if start < 299 else len(stored.served))
        assert file.read() == LONG[start + 3:]
        file.seek(0)
        assert file.read() == LONG


def test_shards_of_several_uploads_that_make_another_file_are_refused(store):
    stored = store(interleaved(2), sizes=False)
    stored.hash = hash_of(LONG + b"other")

    with stored.open() as file:
        assert file.read(300) == LONG[:300]
        for _ in range(2):
            with pytest.raises(IntegrityError, match="the shards make"):
                file.read(1)


def test_of_three_uploads_the_one_that_was_begun_is_read_on(store):
    shards = [LONG[:300] + b"other", LONG[:200], LONG[:300], b"more", LONG[200:], LONG[300:]]
    stored = store(shards, sizes=False)
    stored.hash = hash_of(LONG)

    with stored.open() as file:
        assert file.read(305) == shards[0]
        with pytest.raises(IntegrityError, match="the first shard is not of the upload"):
            file.read(1)
