"""How much work for the database a request is, in counts: no clock tells it as well."""

import os

import pytest
from sqlalchemy import event

from test_direct import get, put
from wire import hash_of


@pytest.fixture
def work(local):
    """A function that makes a request, and returns how many transactions with how many statements it has taken."""
    engine, counts = local._server.services.metadata._database._engine, [0, 0]

    def count(place):
        def note(*arguments):
            counts[place] += 1
        return note

    listeners = [("begin", count(0)), ("before_cursor_execute", count(1))]
    for name, listener in listeners:
        event.listen(engine, name, listener)

    def work(ask):
        counts[:] = [0, 0]
        answer = ask()
        assert answer.ok, answer.text
        return tuple(counts)

    yield work
    for name, listener in listeners:
        event.remove(engine, name, listener)


@pytest.fixture
def bucket(alice):
    return alice.bucket()


#: Transactions and statements, of which two are the begin and the savepoint behind who asks.
WORK = {
    "list buckets": (1, 9),
    "list files": (1, 9),
    "ask for a token": (1, 14),
    "ask for pointers": (1, 10),
    "upload 4 KiB": (1, 25),
    "upload 20 MB": (2, 23),
    "download 4 KiB": (1, 14),
    "download 9 MB": (1, 14),
    "delete": (2, 16),  # then it is looked what can be deleted from the store
}


@pytest.mark.parametrize("name", list(WORK))
def test_a_request_is_so_much_work(alice, bucket, work, name):
    small, large, pull = os.urandom(4096), os.urandom(9_000_000), alice.token(bucket, "PULL")
    for content in (small, large):
        put(alice.signed, bucket, content)
    file = f"/buckets/{bucket}/files/{hash_of(small)}"
    asks = {
        "list buckets": lambda: alice.signed.get("/buckets"),
        "list files": lambda: alice.signed.get(f"/buckets/{bucket}/files"),
        "ask for a token": lambda: alice.signed.post(f"/buckets/{bucket}/tokens", {"operation": "PUSH"}),
        "ask for pointers": lambda: alice.nobody.get(file, headers={"x-token": pull}),
        "upload 4 KiB": lambda: put(alice.signed, bucket, os.urandom(4096)),
        "upload 20 MB": lambda: put(alice.signed, bucket, os.urandom(20_000_000)),
        "download 4 KiB": lambda: get(alice.signed, bucket, hash_of(small)),
        "download 9 MB": lambda: get(alice.signed, bucket, hash_of(large)),
        "delete": lambda: alice.signed.delete(file),
    }

    transactions, statements = work(asks[name])

    assert transactions == WORK[name][0]
    assert statements <= WORK[name][1]
