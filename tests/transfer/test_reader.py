"""A file that is read where it lies: which bytes come, how many shards move for them, and what breaks."""

from __future__ import absolute_import, division, print_function

import csv
import io
import os
import pickle
import random
import signal
import struct
import tarfile
import threading
import zipfile

import pytest
from hypothesis import given, strategies

import pymdc
from pymdc.errors import APIError, IntegrityError, TransportError
from pymdc.testing import Fault
from running_bridge import new_bucket
from stored_file import StoredFile, hash_of

MIB = 1024 * 1024
SHARD = 8 * MIB
SHARDS = [b"first" * 200, b"second" * 200, b"", b"third" * 200, b"last" * 200]
CONTENT = b"".join(SHARDS)
STARTS = [0, 1000, 2200, 3200]  # of those that have bytes


def shards_moved(wire):
    return len([path for _, path in wire.requests if path.startswith("/shards/")])


# What is read.

MOVES = strategies.one_of(
    strategies.tuples(strategies.just("seek"), strategies.integers(0, len(CONTENT) + 5)),
    strategies.tuples(strategies.just("seek"), strategies.integers(-len(CONTENT), 5), strategies.just(io.SEEK_END)),
    strategies.tuples(strategies.sampled_from(["read", "read1", "readline"]), strategies.integers(0, 2500)),
    strategies.tuples(strategies.sampled_from(["read", "readline", "tell"])),
)


@pytest.mark.parametrize("sizes", [True, False])
def test_a_file_reads_as_one_in_memory_does(sizes):
    stored = StoredFile([b"one\ntwo" * 143] + SHARDS, sizes)

    @given(strategies.lists(MOVES, max_size=12))
    def moved(moves):
        model = io.BytesIO(b"one\ntwo" * 143 + CONTENT)
        with stored.open() as file:
            for move in moves:
                if move[0] == "read1":  # which may return less
                    data = file.read1(move[1])
                    assert data == model.read(len(data)) and (data or not move[1] or not model.read(1))
                else:
                    assert getattr(file, move[0])(*move[1:]) == getattr(model, move[0])(*move[1:])

    try:
        moved()
    finally:
        stored.close()


@pytest.mark.parametrize("sizes", [True, False])
@pytest.mark.parametrize("shards", [[], [b""], [b"x"], [b"", b"x", b""], [b"x" * 200000, b"y" * 200000]])
def test_all_of_a_file_is_read_by_one_call(store, shards, sizes):
    with store(shards, sizes).open() as file:
        assert file.read() == b"".join(shards)
        assert file.read() == b""
        assert file.seek(0, io.SEEK_END) == len(b"".join(shards))


def test_a_buffer_of_the_callers_is_filled(store):
    buffer = bytearray(1500)

    with store().open() as file:
        assert file.readinto(buffer) == 1500

    assert bytes(buffer) == CONTENT[:1500]


def test_a_file_is_for_reading_only_and_says_so(store):
    with store().open() as file:
        assert isinstance(file, io.BufferedReader) and isinstance(file.raw, io.RawIOBase)
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
        with pytest.raises(IOError):
            file.write(b"x")
        with pytest.raises((IOError, ValueError)):
            file.truncate()


@pytest.mark.parametrize("position", [(-1,), (-1, io.SEEK_CUR), (-len(CONTENT) - 1, io.SEEK_END), (0, 5)])
def test_a_position_that_is_none_is_a_value_error(store, position):
    with store().open() as file:
        with pytest.raises(ValueError):
            file.seek(*position)
        with pytest.raises(ValueError):
            file.raw.seek(*position)
        assert file.read(5) == b"first"


def test_a_closed_file_is_a_value_error(store):
    with store().open() as file:
        raw = file.raw
    file.close()

    for use in (file.read, file.tell, lambda: file.seek(0), lambda: raw.readinto(bytearray(5)), raw.readable,
                raw.seekable, lambda: raw.seek(0), raw.tell, raw.readall):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_file_is_not_pickled(store):
    with store().open() as file:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="is not picklable"):
                pickle.dumps(file.raw, protocol)


# What moves.

def test_opening_a_file_and_asking_where_it_ends_moves_none_of_it(store):
    stored = store()

    with stored.open() as file:
        file.seek(2200)
        assert file.seek(0, io.SEEK_END) == len(CONTENT)
        assert file.read() == b""

    assert (stored.asked, stored.fetched) == (1, 0)


@pytest.mark.parametrize("start", STARTS)
def test_a_small_read_moves_one_shard(store, start):
    stored = store()

    with stored.open() as file:
        file.seek(start + 5)
        assert file.read(10) == CONTENT[start + 5:start + 15]

    assert stored.fetched == 1


def test_two_shards_are_held_those_that_were_read_last(store):
    stored, moved = store(), []

    with stored.open() as file:
        for index in (0, 1, 0, 2, 0, 1, 2):
            file.seek(STARTS[index])
            file.read(1)
            moved.append(stored.fetched)

    assert moved == [1, 2, 2, 3, 3, 4, 5]


def test_lines_move_each_shard_once(store):
    stored = store([b"a line\n" * 1000, b"another\n" * 1000, b"and one more\n" * 1000])

    with stored.open() as file:
        assert len(list(file)) == 3000

    assert stored.fetched == 3


def test_a_member_of_an_archive_moves_the_shards_it_is_in(wire, files, noise):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        for name, content in (("large", noise), ("small", b"hello"), ("larger", noise + noise)):
            members.writestr(name, content)
    stored = files.upload(io.BytesIO(archive.getvalue()))
    del wire.requests[:]

    with files.open(stored) as file, zipfile.ZipFile(file) as members:
        assert members.read("small") == b"hello"
    assert shards_moved(wire) == 2  # where the directory is, and the member

    with files.open(stored) as file, zipfile.ZipFile(file) as members:
        assert members.testzip() is None


def test_a_tape_archive_is_read(files, noise):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as members:
        for name, content in (("large", noise), ("small", b"hello")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))

    with files.open(files.upload(io.BytesIO(archive.getvalue()))) as file, tarfile.open(fileobj=file) as members:
        assert members.extractfile("small").read() == b"hello"
        assert members.extractfile("large").read() == noise


def test_a_table_is_read_as_text(files):
    table = u"".join(u"{0},caf\xe9\n".format(number) for number in range(5000)).encode("utf-8")

    with files.open(files.upload(io.BytesIO(table))) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8", newline="")
        rows = list(csv.reader(line.encode("utf-8") if str is bytes else line for line in lines))

    assert len(rows) == 5000
    assert rows[4999][0] == "4999"


def test_a_file_is_uploaded_from_where_it_lies(wire, files, noise):
    stored, other = files.upload(io.BytesIO(noise)), new_bucket(wire.bridge).files

    with files.open(stored) as file:
        assert other.upload(file, filename="copy")["hash"] == stored["hash"]


# Who reads.

def test_a_token_that_was_handed_over_opens_a_file(wire, files):
    stored, token = files.upload(io.BytesIO(b"content")), files.token("PULL")
    anybody = pymdc.api.Bucket(stored["bucket"], client=pymdc.Client(wire.url)).files

    with anybody.open(stored["hash"], token) as file:
        assert file.read() == b"content"
    with pytest.raises(APIError, match="Invalid or expired token"):
        anybody.open(stored["hash"], token)


def test_by_a_token_a_shard_is_fetched_three_times(wire, files, noise):
    stored = files.upload(io.BytesIO(noise))

    def first_of_each_shard():
        for start in (0, SHARD, 2 * SHARD):
            file.seek(start)
            assert file.read(1) == noise[start:start + 1]

    with files.open(stored, files.token("PULL")) as file:
        del wire.requests[:]
        for _ in range(3):
            first_of_each_shard()
        assert shards_moved(wire) == 9
        with pytest.raises(TransportError, match=r"401; by one token a shard is given three times.*token\(\"PULL\"\)"):
            first_of_each_shard()


def test_only_a_refusal_that_tokens_explain_is_explained_by_them(wire, files, noise):
    wire.faults = [Fault("answer", path="/shards/*", status=410)]

    with files.open(files.upload(io.BytesIO(noise)), files.token("PULL")) as file:
        with pytest.raises(TransportError, match="the farmer answered 410$"):
            file.read(1)


@pytest.mark.parametrize("retries", [0, 4])
def test_who_got_in_without_a_token_is_given_new_pointers(wire, files, noise, retries):
    stored = files.upload(io.BytesIO(noise))
    client = pymdc.Client(wire.url, retries=retries, sleep=pytest.fail)

    with pymdc.api.Bucket(stored["bucket"], files, client=client).files.open(stored) as file:
        for turn in range(12):
            file.seek(turn % 3 * SHARD)
            assert file.read(1) == noise[turn % 3 * SHARD:][:1]

    assert shards_moved(wire) == 13  # one of them in vain


@pytest.mark.parametrize("retries", [0, 4])
def test_pointers_that_lapsed_while_the_file_was_open_are_asked_for_again(store, retries):
    stored = store()

    with stored.open(token=None, retries=retries) as file:
        file.read(1)
        stored.refused = 1
        assert file.read() == CONTENT[1:]

    assert stored.asked == 2


def test_new_pointers_to_other_shards_are_refused(store):
    stored = store()
    right = stored.pointers
    stored.pointers = lambda asked: right if asked == 1 else right[::-1]

    with stored.open(token=None) as file:
        stored.refused = 1
        with pytest.raises(IntegrityError, match="other shards"):
            file.read(1)


def test_a_pointer_that_is_always_refused_ends_the_reading(store):
    stored = store()

    with stored.open(token=None, retries=2) as file:
        stored.refused = 100
        with pytest.raises(TransportError, match="401") as failed:
            file.read(1)

    assert stored.asked == len(failed.value.attempts) == 4  # the first is not counted
    assert "token" not in str(failed.value)


@pytest.mark.parametrize("raise_errors", [True, False])
def test_a_refusal_is_raised_whatever_was_chosen(wire, files, raise_errors):
    client = pymdc.Client(wire.url, raise_errors=raise_errors)
    bucket = pymdc.api.Bucket(files._ids["bucket_id"], files, client=client)

    with pytest.raises(APIError, match="The requested file was not found"):
        bucket.files.open(hash_of(b"not there"))


def test_without_key_pair_and_token_nothing_is_opened(wire, files):
    with pytest.raises(ValueError, match="a key pair or a user is needed"):
        pymdc.api.Bucket(files._ids["bucket_id"], client=pymdc.Client(wire.url)).files.open("0" * 40)


@pytest.mark.parametrize("file_hash, token", [("5", None), (None, None), ({"error": "no"}, None), ("0" * 40, b"\xff")])
def test_a_bad_argument_is_named(files, file_hash, token):
    with pytest.raises(ValueError, match="hash|token"):
        files.open(file_hash, token)


def test_threads_that_read_a_file_together_share_it_out(store):
    records = [struct.pack(">I", number) * 25 for number in range(400)]
    stored = store([b"".join(records[:150]), b"".join(records[150:151]), b"".join(records[151:])])
    taken = []

    def take():
        taken.extend(iter(lambda: file.read(100), b""))

    with stored.open() as file:
        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(taken) == records


@pytest.mark.parametrize("sizes", [True, False])
def test_a_forked_child_and_its_parent_read_on_each_by_himself(store, sizes):
    shards = [bytes(bytearray(range(251)) * 800), b"more" * 50000, bytes(bytearray(range(241)) * 900)]
    stored, whole = store(shards, sizes), b"".join(shards)
    moves = random.Random(1).sample(range(len(whole)), 100)

    def reads_right(moves):
        for start in moves:
            file.seek(start)
            if file.read(30) != whole[start:start + 30]:
                return False
        return True

    with stored.open() as file:
        file.read(5)
        child = os.fork()
        if not child:
            signal.alarm(60)
            os._exit(0 if reads_right(moves) else 1)
        assert reads_right(moves[::-1])
        assert os.waitpid(child, 0)[1] == 0

    assert sizes or stored.fetched == 2 * len(shards)  # none of them relies on the file of the other
