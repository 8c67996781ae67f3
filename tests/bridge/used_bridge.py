"""A bridge with something stored, and what is done to its folder."""

import contextlib
import dataclasses
import sqlite3
import subprocess
import sys

import pymdc
from pymdc.bridge import LocalBridge
from pymdc.bridge.metadata import sqlite
from seaweedfs import StoredFile
from wire import Account

SHARD = 8 * 1024 * 1024


class UsedBridge:
    """A bridge, an account on it and a bucket."""

    def __init__(self, folder, key_pair=None, s3=None, store_url=None, **options):
        self.folder = folder
        self._s3, self.store_url = s3, store_url
        options["store_url"] = store_url
        self.bridge = LocalBridge(folder, **options)
        self.key_pair = key_pair or pymdc.keypair.ECDSA()

    def __enter__(self):
        self.bridge.__enter__()
        self.account = Account(self.bridge.url, "una@example.com", "ab" * 32, self.key_pair)
        return self

    def __exit__(self, *exception):
        self.bridge.__exit__(*exception)

    def register(self):
        self.bucket = self.account.register(self.bridge).bucket()
        return self

    def download(self, bucket, file_hash):
        """Return the status of the last answer, and what came."""
        pointers = self.account.pointers(bucket, file_hash)
        if pointers.status_code != 200:
            return pointers.status_code, pointers.json()["error"]
        content = b""
        for pointer in pointers.json():
            shard = self.account.nobody.get("/shards/" + pointer["hash"], headers={"x-token": pointer["token"]})
            if shard.status_code != 200:
                return shard.status_code, shard.json()["error"]
            content += shard.content
        return 200, content

    def set(self, **settings):
        """Change settings of the bridge while it runs."""
        services = self.bridge._server.services
        services.settings = dataclasses.replace(services.settings, **settings)

    def query(self, statement, *values):
        """Run a statement in the database, and return its rows."""
        with contextlib.closing(sqlite3.connect(self.folder / "bridge.sqlite", timeout=30)) as db, db:
            return db.execute(statement, values).fetchall()

    @property
    def contents(self):
        """What lies in the database in place of the store."""
        return [content for content, in self.query("SELECT content FROM contents ORDER BY shard")]

    @property
    def objects(self):
        """The shards in the store."""
        if self._s3:
            return self._s3.objects(self.store_url)
        return sorted(StoredFile(path) for path in (self.folder / "shards").rglob("*-*") if path.is_file())

    @property
    def quarantine(self):
        """What was set aside."""
        if self._s3:
            return self._s3.quarantine(self.store_url)
        return sorted(StoredFile(path) for path in self.folder.glob("quarantine/*"))

    def leave(self, name, content):
        """Put an object into the store, as an upload that was broken off would leave it."""
        if self._s3:
            return self._s3.put(self.store_url, name, content)
        path = StoredFile(self.folder / "shards" / name[:2] / name)
        path.write(content)
        return path

    def command(self, name, *arguments):
        """Run a command of the bridge on its data."""
        store = ["--store-url", self.store_url] if self.store_url else []
        return command(name, "--data-dir", self.folder, *store, *arguments)


def command(*arguments):
    return subprocess.run([sys.executable, "-m", "pymdc.bridge", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)


def flip_a_byte(stored):
    content = bytearray(stored.read_bytes())
    content[1000] ^= 1
    stored.write(bytes(content))


def cut(stored):
    stored.write(stored.read_bytes()[:5000])


def lose(stored):
    stored.lose()


def rows(folder):
    """Return what the database in a data folder knows, to be used beside its bridge."""
    return contextlib.closing(sqlite(folder / "bridge.sqlite"))
