"""Accounts that meet, and what they leave behind."""

import itertools
import uuid

from sqlalchemy import func, select

from pymdc.bridge.metadata import Asker, Room
from pymdc.bridge.refusal import Refusal

LATER = 10**15
LEAST = 4096  # bytes that a file counts as
NUMBERS = itertools.count(1)


def new_point():
    return f"02{next(NUMBERS):064}"


def register(memory, email, token=None, point=None, created=0):
    token = token or uuid.uuid4().hex
    memory.accounts.register({"email": email, "password": token, "created": created}, {
        "token": token, "password": token, "redirect": None, "point": point, "text": point, "created": created,
    })
    return token


class Account:
    """A new one, with a key."""

    def __init__(self, memory):
        self._memory, self.email, self.point = memory, f"{next(NUMBERS)}@example.com", new_point()
        memory.accounts.activate(register(memory, self.email), 1)
        self.add_key(self.point)

    def add_key(self, point, proved=False):
        self._memory.keys.add(self.email, point, point, proved, Asker())

    def bucket(self, points=(), **fields):
        fields = {"name": "b", "storage": 1, "transfer": 1, **fields}
        return self._memory.buckets.add(self.email, 0, fields, {point: point for point in points}, Asker())["id"]

    def list_keys(self, bucket, points):
        self._memory.buckets.change(self.email, bucket, {}, {point: point for point in points}, Asker())

    def delete_bucket(self, bucket):
        self._memory.buckets.delete(self.email, bucket, 0, Asker())

    def password(self):
        return self._memory.accounts.find(self.email)["password"]

    def go(self):
        self._memory.accounts.delete(self.email, self.password())

    def ask(self, bucket, most=100, asker=Asker(), **fields):
        token = {"hash": uuid.uuid4().hex * 2, "bucket": bucket, "operation": "PUSH", "expires": LATER, **fields}
        self._memory.tokens.add(token, asker, most, 0)
        return token["hash"]

    def room(self, files):
        return Room(account=files * LEAST, at_once=100, disk=lambda: LATER, written=dict)

    def begin(self, bucket, files=1000, asker=Asker()):
        """Begin an upload where the account has room for so many files; return its id."""
        upload = uuid.uuid4().hex[:16]
        row = {"id": upload, "bucket": bucket, "size": 1, "expires": LATER}
        self._memory.uploads.begin(row, self.room(files), 0, asker)
        return upload

    def finish(self, upload, bucket, contents, name=None, filename="a", replace=False):
        """Enter a file of shards with these contents, numbers; return its hash."""
        pieces = [{"object": f"{number:040}-{upload}-{at}", "hash": f"{number:040}", "sha256": f"{number:064}",
                   "size": 1} for at, number in enumerate(contents)]
        name = name or f"{next(NUMBERS):040}"
        file = {"bucket": bucket, "hash": name, "filename": filename, "mimetype": "a/b", "size": len(pieces),
                "created": 0}
        self._memory.uploads.finish(upload, file, pieces, 0, replace)
        return name

    def store(self, bucket, contents, name=None):
        return self.finish(self.begin(bucket), bucket, contents, name)

    def copy(self, bucket, name, filename, asker=Asker()):
        file = {"bucket": bucket, "hash": name, "filename": filename, "created": 0}
        self._memory.files.copy(file, LATER, 0, asker)

    def delete(self, bucket, name, filename=None):
        self._memory.files.delete(self.email, bucket, name, Asker(), filename)

    def stored(self, bucket):
        return self._memory.buckets.find(bucket)["stored"]


def rows(memory, table, *conditions):
    with memory._database.read() as db:
        return db.execute(select(func.count()).select_from(table).where(*conditions)).scalar()


def objects_of(memory, numbers):
    """Return the objects that hold these contents."""
    wanted = {f"{number:040}" for number in numbers}
    return {row["object"] for row in memory.shards.all() if row["hash"] in wanted}


def refused(results):
    return [isinstance(result, Refusal) for result in results]
