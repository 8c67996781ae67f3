"""Blocks of a download: the next is read while one is sent, and who gets no more of them pays for no more."""

import asyncio
import hashlib
import io
import threading
import types

import pytest

from pymdc.bridge.handlers import content
from pymdc.bridge.storage.outgoing import Outgoing

SHARD = b"0123456789"


class Account:
    """What is charged for one shard, and whether it is known to be damaged."""

    def __init__(self):
        self.given_back, self.damaged = 0, False
        self.shards = types.SimpleNamespace(mark=self._mark)
        self.metadata = self

    def give_back(self, size):
        self.given_back += size

    def _mark(self, row, damaged):
        self.damaged = damaged


def outgoing(stored=SHARD):
    row = {"object": "a", "size": len(SHARD), "sha256": hashlib.sha256(SHARD).hexdigest()}
    return Outgoing([(row, 0, len(SHARD))], lambda row, start, end: (io.BytesIO(stored), row))


async def _until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become so")


@pytest.mark.parametrize("taken", [1, 2, 3, 4])
def test_the_next_block_is_read_while_one_is_sent_and_not_paid_for_unless_it_is_sent(taken):
    account, shard = Account(), outgoing()

    async def download():
        blocks = content.blocks(account, account.give_back, shard, 3)
        got = [await anext(blocks) for _ in range(taken)]
        await _until(lambda: shard.left == max(0, len(SHARD) - 3 * (taken + 1)))
        await blocks.aclose()
        return b"".join(got)

    got = asyncio.run(download())

    assert got == SHARD[:3 * taken]
    assert account.given_back == len(SHARD) - len(got)
    assert shard.settled


def test_a_download_that_is_given_up_while_the_next_block_is_read_waits_for_that():
    account, shard = Account(), outgoing()
    begun, go_on, read = threading.Event(), threading.Event(), shard.read

    def read_slowly(size):
        begun.set()
        assert go_on.wait(30)
        return read(size)

    shard.read = read_slowly

    async def download():
        waiting = asyncio.ensure_future(anext(content.blocks(account, account.give_back, shard, 3)))
        await _until(begun.is_set)
        waiting.cancel()
        await asyncio.wait([waiting], timeout=0.1)
        settled_early = shard.settled
        go_on.set()
        await asyncio.wait([waiting])
        return settled_early

    assert not asyncio.run(download())
    assert (shard.settled, account.given_back) == (True, len(SHARD))


def test_of_a_shard_that_turns_out_damaged_nothing_is_paid_for():
    account, shard = Account(), outgoing(b"012345678X")

    async def download():
        return [block async for block in content.blocks(account, account.give_back, shard, 3)]

    assert asyncio.run(download()) == [b"012", b"345", b"678"]
    assert (account.given_back, account.damaged) == (len(SHARD), True)
