"""What it takes to delete a file."""

import contextlib
import hashlib

from sqlalchemy import func, insert, select

from pymdc.bridge.metadata import Asker, sqlite
from pymdc.bridge.metadata.tables import accounts, buckets, files, tickets, tokens
from steps import Steps

BUCKET, GONE, STAYS = "b" * 24, "0" * 40, "1" * 40


def fill(db, links):
    """Make a bucket of two files: one to delete, with a link and its ticket; and one with so many of them."""
    db.execute(insert(accounts), {"email": "a", "password": "", "created": 0, "activated": True})
    db.execute(insert(buckets), {"id": BUCKET, "email": "a", "created": 0, "name": "", "storage": 1, "transfer": 1})
    db.execute(insert(files), [
        {"bucket": BUCKET, "hash": content, "filename": content, "mimetype": "a/b", "size": 1, "created": 1}
        for content in (GONE, STAYS)
    ])
    led = [(hashlib.sha256(b"%d" % number).hexdigest(), STAYS if number else GONE) for number in range(links + 1)]
    db.execute(insert(tokens), [
        {"hash": name, "bucket": BUCKET, "operation": "PULL", "created": 0, "expires": 10**15, "file": content}
        for name, content in led
    ])
    db.execute(insert(tickets), [
        {"hash": name, "token": name[:32], "bucket": BUCKET, "file": content, "filename": "a", "left": 1, "created": 0,
         "expires": 10**15}
        for name, content in led
    ])


def delete(path, links):
    """Return the steps to delete the one file, and how many tokens and tickets are left."""
    with contextlib.closing(sqlite(path)) as memory:
        with memory._database.write() as db:
            fill(db, links)
        with Steps(memory._database.write) as taken:
            memory.files.delete("a", BUCKET, GONE, Asker())
        with memory._database.read() as db:
            return taken.steps, [db.execute(select(func.count()).select_from(of)).scalar() for of in (tokens, tickets)]


def test_it_takes_as_many_steps_however_many_links_its_bucket_has(tmp_path):
    few, left_of_few = delete(tmp_path / "few.sqlite", 10)
    many, left_of_many = delete(tmp_path / "many.sqlite", 3000)

    assert (left_of_few, left_of_many) == ([10, 10], [3000, 3000])
    assert few == many
