"""How often a request hops from the event loop to a thread and back: its work runs on one thread, from start to end."""

import asyncio
import os

import pytest

from pymdc.bridge.handlers.content import BLOCK
from wire import get, hash_of, put

MIB = 1024 * 1024


@pytest.fixture
def hops(monkeypatch):
    """A function that makes a request, and returns how often a thread has come back to the event loop meanwhile."""
    call, loops = asyncio.BaseEventLoop.call_soon_threadsafe, []

    def note(loop, *arguments, **options):
        loops.append(loop)
        return call(loop, *arguments, **options)

    def hops(ask):
        loops.clear()
        answer = ask()
        assert answer.ok, answer.text
        return len(loops)

    monkeypatch.setattr(asyncio.BaseEventLoop, "call_soon_threadsafe", note)
    return hops


ASKS = {
    "list buckets": lambda alice, bucket, file: alice.signed.get("/buckets"),
    "list files": lambda alice, bucket, file: alice.signed.get(f"/buckets/{bucket}/files"),
    "ask with a password": lambda alice, bucket, file: alice.basic.get("/keys"),
    "ask for a token": lambda alice, bucket, file: alice.signed.post(
        f"/buckets/{bucket}/tokens", {"operation": "PUSH"}),
    "ask for pointers": lambda alice, bucket, file: alice.signed.get(f"/buckets/{bucket}/files/{file}"),
    "upload 4 KiB": lambda alice, bucket, file: put(alice.signed, bucket, os.urandom(4096)),
    "download 4 KiB": lambda alice, bucket, file: get(alice.signed, bucket, file),
    "delete": lambda alice, bucket, file: alice.signed.delete(f"/buckets/{bucket}/files/{file}"),
}


@pytest.mark.parametrize("ask", list(ASKS.values()), ids=list(ASKS))
def test_a_request_is_one_hop(alice, bucket, hops, ask):
    content = os.urandom(4096)
    put(alice.signed, bucket, content)

    assert hops(lambda: ask(alice, bucket, hash_of(content))) == 1


def test_a_large_upload_is_a_hop_to_let_it_in_one_for_each_mebibyte_and_one_to_enter_it(alice, bucket, hops):
    content = os.urandom(20 * MIB)

    count = hops(lambda: put(alice.signed, bucket, content))

    assert 22 <= count <= 23  # the first of its bytes come with the headers


def test_a_large_download_is_a_hop_to_let_it_out_one_for_each_block_and_one_to_account_for_it(alice, bucket, hops):
    shards = [8 * MIB, 8 * MIB, 4 * MIB]
    content = os.urandom(sum(shards))
    put(alice.signed, bucket, content)

    count = hops(lambda: get(alice.signed, bucket, hash_of(content)))

    assert count == 2 + sum(-(-size // BLOCK) for size in shards)
    assert BLOCK > MIB // 2
