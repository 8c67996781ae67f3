"""What goes out of some shards: the parts that are asked for, verified where all of a shard is read."""

import errno
import hashlib
import io

import pytest

from pymdc.bridge.storage.outgoing import Outgoing

SHARDS = [b"the first shard,", b" the second,", b" the last"]


class Files:
    """Opens what is stored as these shards."""

    def __init__(self, stored=SHARDS):
        self.stored = dict(enumerate(stored))
        self.opened = []

    def open(self, row, start, end):
        self.opened.append(io.BytesIO(self.stored[row["id"]]))
        self.opened[-1].seek(start)
        return self.opened[-1], row

    def still_open(self):
        return [file for file in self.opened if not file.closed]


def rows(shards=SHARDS):
    return [{"id": number, "size": len(shard), "sha256": hashlib.sha256(shard).hexdigest()}
            for number, shard in enumerate(shards)]


def whole():
    return [(row, 0, row["size"]) for row in rows()]


def drained(outgoing, size):
    return b"".join(iter(lambda: outgoing.read(size), b""))


@pytest.mark.parametrize("size", [1, 5, 16, 100])
def test_shards_follow_each_other_and_one_is_open_at_a_time(size):
    files = Files()
    outgoing = Outgoing(whole(), files.open)
    content = b""

    while block := outgoing.read(size):
        content += block
        assert len(files.still_open()) == 1
    outgoing.close()

    assert content == b"".join(SHARDS)
    assert (outgoing.left, outgoing.unsent, outgoing.damaged) == (0, 0, None)
    assert files.still_open() == []


def test_of_each_shard_the_part_is_read_that_is_asked_for():
    first, second, last = rows()

    outgoing = Outgoing([(first, 4, 16), (second, 0, 12), (last, 0, 4)], Files().open)

    assert outgoing.left == 28
    assert drained(outgoing, 7) == b"first shard, the second, the"


def test_nothing_is_opened_of_nothing():
    files = Files()
    outgoing = Outgoing([], files.open)
    outgoing.close()

    assert (outgoing.left, outgoing.read(5), files.opened) == (0, b"", [])


@pytest.mark.parametrize("stored", [b" the secone,", b" the sec", b""])
@pytest.mark.parametrize("size", [5, 100])
def test_it_ends_at_a_shard_that_is_damaged_for_which_nobody_pays(stored, size):
    outgoing = Outgoing(whole(), Files([SHARDS[0], stored, SHARDS[2]]).open)

    came = drained(outgoing, size)

    assert outgoing.damaged["id"] == 1
    assert came.startswith(SHARDS[0]) and (SHARDS[0] + stored).startswith(came) and came != SHARDS[0] + SHARDS[1]
    assert outgoing.unsent == len(SHARDS[1] + SHARDS[2])
    assert outgoing.read(size) == b""


def test_a_part_of_a_shard_is_verified_by_its_length_alone():
    first, second, _ = rows()
    outgoing = Outgoing([(first, 1, 16), (second, 0, 4)], Files([b"XXX" + SHARDS[0][3:], b" the"]).open)

    assert drained(outgoing, 100) == b"XX" + SHARDS[0][3:] + b" the"
    assert outgoing.damaged is None


@pytest.mark.parametrize("number, damaged", [(errno.EIO, True), (errno.ENOMEM, False)])
def test_only_a_disk_that_cannot_read_a_shard_makes_it_damaged(number, damaged):
    class Broken(io.BytesIO):
        def read(self, size):
            raise OSError(number, "broken")

    outgoing = Outgoing(whole(), lambda row, *part: (Broken(), row))

    with pytest.raises(OSError, match="broken"):
        outgoing.read(5)
    assert (outgoing.damaged is not None) == damaged
    assert outgoing.unsent == outgoing.left == len(b"".join(SHARDS))
