"""
A database with rows in all of its tables, as text: ``python tests/bridge/used_database.py`` writes that of the present
revision.  Those of all revisions lie in databases/, each made by the version of its time, and never change.
"""

import contextlib
import sqlite3
import tempfile
from pathlib import Path

import pymdc
from pymdc.bridge import LocalBridge
from pymdc.bridge.metadata import Asker, Room, sqlite
from wire import Account, hash_of, put

DATABASES = Path(__file__).parent / "databases"
EMAIL, PASSWORD = "una@example.com", "ab" * 32
CONTENTS = {"empty": b"", "small": b"small " * 100, "large": b"large " * 10_000, "damaged": b"damaged " * 10_000}
FOR_EVER = 10**15


def load(number, path):
    """Make the database of a revision."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript((DATABASES / f"{number}.sql").read_text("utf-8"))
        db.execute("PRAGMA journal_mode=WAL")


def _write():
    with tempfile.TemporaryDirectory() as folder:
        with LocalBridge(folder, rates="on") as bridge:
            _use(bridge)
        with contextlib.closing(sqlite(Path(folder) / "bridge.sqlite")) as memory:
            _leave_things_unfinished(memory)
        with contextlib.closing(sqlite3.connect(Path(folder) / "bridge.sqlite")) as db:
            print(*db.iterdump(), sep="\n")


def _use(bridge):
    account = Account(bridge.url, EMAIL, PASSWORD, pymdc.keypair.ECDSA())
    account.nobody.post("/users", {"email": EMAIL, "password": PASSWORD, "pubkey": account.key})
    account.nobody.get("/activations/" + bridge.activation_token(EMAIL))
    account.nobody.post("/users", {"email": "waits@example.com", "password": PASSWORD})
    first, second = account.bucket(name="first"), account.bucket(name="second")
    for name, content in CONTENTS.items():
        account.upload(first, content, name)
    account.pointers(first, account.upload(second, CONTENTS["large"], "the same"))
    put(account.signed, first, CONTENTS["large"], name="once/more \U0001f431")
    account.token(second)
    for _ in range(2):
        account.share(second, hash_of(CONTENTS["large"]), filename="a name")
    account.signed.post(f"/buckets/{second}/tokens", {"operation": "PUSH", "max_size": 1000})
    account.nobody.post("/resets", {"email": EMAIL})


def _leave_things_unfinished(memory):
    bucket, second = (row["id"] for row in memory.buckets.page(EMAIL)[0])
    link = next(row["hash"] for row in memory.tokens.page(EMAIL, second, "", 0)[0] if row["file"])
    memory.links.open(link, {"hash": "a" * 64, "token": link[:32], "created": 1, "expires": FOR_EVER}, 3, False, 0, 9)
    room = Room(account=10**9, at_once=9, disk=lambda: 10**9, written=dict)
    memory.uploads.begin({"id": "under way", "bucket": bucket, "size": 1, "expires": FOR_EVER}, room, 0, Asker())
    memory.uploads.begin({"id": "given up", "bucket": bucket, "size": 1, "expires": 0}, room, 0, Asker())
    memory.uploads.bury("given up", ["given-up"], 1)
    memory.shards.unneeded(2, kept=1)
    memory.shards.hold_back("a backup", FOR_EVER)
    memory.shards.mark(next(row for row in memory.shards.all() if row["size"] == len(CONTENTS["damaged"])), True)
    memory.rates.take("somebody", 1, FOR_EVER, 0)
    memory.mails.add({"name": "waits", "recipient": EMAIL, "content": b"From: bridge@localhost\r\n\r\n", "created": 1,
                      "due": 0, "claimed": FOR_EVER})


if __name__ == "__main__":
    _write()
