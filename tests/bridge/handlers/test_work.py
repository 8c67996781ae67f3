"""How much work for the database a request is, in counts: no clock tells it as well."""

import os
import threading

import pytest
from sqlalchemy import event

from used_bridge import UsedBridge
from wire import get, hash_of, put


@pytest.fixture
def work(local):
    """A function that makes a request, and returns how many transactions with how many statements SQLite has run."""
    database, texts = local._server.services.metadata._database, []
    pool, writer = database._engine.pool, database._kind.commits._connection.connection.driver_connection

    def note(text):
        if threading.current_thread().name not in ("pymdc-postman", "pymdc-janitor"):
            texts.append(text)

    def watch(connection, *arguments):
        connection.set_trace_callback(note)

    def work(ask):
        texts.clear()
        answer = ask()
        assert answer.ok, answer.text
        begun = sum(text.startswith("BEGIN") for text in texts)
        return begun, len(texts) - begun

    event.listen(pool, "checkout", watch)
    watch(writer)
    yield work
    writer.set_trace_callback(None)
    event.remove(pool, "checkout", watch)
    pool.dispose()


#: Transactions, and statements in them: two of each are a savepoint, and its end.
WORK = {
    "list buckets": (1, 8),
    "list files": (1, 8),
    "ask for a token": (1, 11),
    "ask for pointers": (1, 10),
    "upload 4 KiB": (1, 15),
    "upload 20 MB": (2, 24),
    "download 4 KiB": (1, 12),
    "download 9 MB": (1, 12),
    "delete": (2, 22),  # then it is looked what can be deleted from the store
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

    assert (transactions, statements) == WORK[name]


def test_a_small_upload_writes_so_few_pages(tmp_path):
    """One of each table and index that it touches, one for what a row has no room for, and the one that counts them."""
    with UsedBridge(tmp_path) as used:
        alice, bucket, log = used.account, used.register().bucket, tmp_path / "bridge.sqlite-wal"
        put(alice.signed, bucket, os.urandom(4096))
        before = log.stat().st_size

        put(alice.signed, bucket, os.urandom(4096))

        assert log.stat().st_size - before == 14 * (24 + 4096)


@pytest.mark.parametrize("password", ["", "ab" * 32])
@pytest.mark.parametrize("way", ["pointers", "content", "upload"])
def test_a_token_is_spent_together_with_what_it_leads_to_whatever_stands_beside_it(alice, bucket, work, way, password):
    """Between two steps nobody could revoke it: it is gone, and what it leads to is not there yet."""
    put(alice.signed, bucket, b"content")
    file = f"/buckets/{bucket}/files/{hash_of(b'content')}"
    asks = {
        "pointers": lambda token, **beside: alice.nobody.get(file, headers={"x-token": token}, **beside),
        "content": lambda token, **beside: alice.nobody.get(file + "/content", headers={"x-token": token}, **beside),
        "upload": lambda token, **beside: alice.nobody.send(
            "PUT", f"/buckets/{bucket}/files?size=5", os.urandom(5), {"x-token": token}, **beside),
    }
    alone, beside = (alice.token(bucket, "PUSH" if way == "upload" else "PULL") for _ in range(2))

    by_itself = work(lambda: asks[way](alone))

    assert work(lambda: asks[way](beside, auth=(alice.email, password))) == by_itself
