"""Over lines with long round trips: as few of them as can be, counted on the line, and as much under way as can be."""

from __future__ import absolute_import, division, print_function

import filecmp
import io
import os
import threading

import pytest

import pymdc
from line import Line
from pymdc._compat import monotonic
from pymdc._passage import Passage, answer_length, read_head
from pymdc.testing import Wire
from running_bridge import RunningBridge, new_bucket

SHARD = 8 * 1024 * 1024
AT_ONCE = 4  # shards on the way, as Files.download says
PATIENCE = 20  # seconds that a shard is held for others


class Gate(Wire):
    """
    Lets a shard come to its end only while as many are on the way as are to be, or no more are wanted.

    :ivar int wanted: how many have still to be asked for.
    :ivar int most: how many were on the way at most.
    :ivar too_few: how many were when no others came in time; from then on nothing is held.
    """

    def __init__(self):
        self.wanted = self.most = 0
        self.too_few = None
        self._on_the_way = 0
        self._change = threading.Condition()
        super(Gate, self).__init__()

    def _pass_answer(self, bridge, client, request_head, fault):
        if b" /shards/" not in request_head:
            return super(Gate, self)._pass_answer(bridge, client, request_head, fault)
        self._begin()
        head, rest = read_head(bridge)
        answer = Passage(bridge, head + rest, answer_length(request_head, head))
        answer.pass_on(client, answer.length - 1)
        self._end()
        answer.pass_on(client)
        return answer.done

    def _begin(self):
        with self._change:
            self.wanted -= 1
            self._on_the_way += 1
            self.most = max(self.most, self._on_the_way)
            self._change.notify_all()

    def _end(self):
        """Wait for others."""
        end = monotonic() + PATIENCE
        with self._change:
            while self.wanted > 0 and self._on_the_way < AT_ONCE and self.too_few is None:
                if monotonic() > end:
                    self.too_few = self._on_the_way
                self._change.wait(0.1)
            self._on_the_way -= 1


@pytest.fixture(scope="module")
def line():
    """A line of 50 ms each way, with a gate at its end, which leads to a bridge."""
    with Line(seconds=0.05) as line, Gate() as gate:
        bridge = RunningBridge("--public-url", line.url)
        line.target, line.gate, line.bridge = gate.url, gate, bridge
        gate.target = bridge.url
        yield line
        bridge.close()


@pytest.fixture(scope="module")
def bucket(line):
    """A bucket at the other end, of somebody who has asked for something before, over a connection that is kept."""
    return new_bucket(line.bridge, api_url=line.url)


def stored(bucket, size):
    return bucket.files.upload(io.BytesIO(os.urandom(size)))


def fetched(bucket, file):
    return bucket.files.download(file, io.BytesIO())


#: How large a file is there first, what is done then, and the round trips that it takes.
OPERATIONS = {
    "show a bucket": (None, lambda bucket, _: bucket.list(), 1),
    "list files": (None, lambda bucket, _: bucket.files.list(), 1),
    "ask for a token": (None, lambda bucket, _: bucket.files.token("PUSH"), 1),
    "upload 4 KiB": (None, lambda bucket, _: stored(bucket, 4096), 1),
    "upload a shard and some": (None, lambda bucket, _: stored(bucket, SHARD + 5), 1),
    "download 4 KiB": (4096, fetched, 1),
    "download a shard": (SHARD, fetched, 1),
    "download a shard and some": (SHARD + 5, fetched, 3),  # the first, the pointers, the second
    "delete": (4096, lambda bucket, file: bucket.files.delete(file), 1),
}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_takes_so_many_round_trips(line, bucket, name):
    size, operate, trips = OPERATIONS[name]
    file = None if size is None else stored(bucket, size)
    before = line.trips

    operate(bucket, file)

    assert line.trips - before == trips


def test_a_client_that_has_asked_for_nothing_yet_takes_two_more(line, bucket):
    client = pymdc.Client(line.url, raise_errors=True)
    fresh = pymdc.api.Bucket(bucket._ids["bucket_id"], bucket._auth, client=client)
    before = line.trips

    stored(fresh, 4096)

    assert line.trips - before == 3  # it connects, and asks what the bridge takes


def test_a_large_download_keeps_four_shards_on_the_way(line, bucket, tmpdir, full):
    count, path, copy = (128 if full else 12), str(tmpdir.join("large")), str(tmpdir.join("copy"))
    with io.open(path, "wb") as large:
        for number in range(count):
            large.seek(number * SHARD)
            large.write(os.urandom(1000))
        large.truncate(count * SHARD)
    behind = pymdc.Client(line.bridge.url, raise_errors=True)
    file = pymdc.api.Bucket(bucket._ids["bucket_id"], bucket._auth, client=behind).files.upload(path)
    line.gate.wanted = count - 1  # the first one comes by itself

    bucket.files.download(file, copy)

    assert (line.gate.too_few, line.gate.most) == (None, AT_ONCE)
    assert line.gate.wanted == 0
    assert filecmp.cmp(path, copy, shallow=False)
