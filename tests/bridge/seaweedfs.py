"""A real S3 server, SeaweedFS, on free loopback ports, in a folder of its own; and what tests do to its objects."""

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import requests

from ports import lasting_port
from waiting import eventually

BUCKET = "metadisk"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDOFTHETESTS", "AWS_SECRET_ACCESS_KEY": "thesecretofthetests", "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
PLACES = [os.path.dirname(sys.executable), os.path.join(requests.__path__[0], "..", "..", "..", "..", "bin")]
_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def program():
    """Return where ``weed`` is; None where there is none."""
    return shutil.which("weed", path=os.pathsep.join([*PLACES, os.environ.get("PATH", "")]))


class SeaweedFS:
    """
    It lets in whoever comes.

    :ivar url: what AWS_ENDPOINT_URL has to be.
    """

    def __init__(self):
        self._folder = tempfile.mkdtemp(prefix="pymdc-weed-")
        self._prefixes = itertools.count()
        servers = ("master", "volume", "filer", "s3")
        names = [server + port for server in servers for port in (".port", ".port.grpc")]
        ports = {name: lasting_port() for name in names}
        self.url = f"http://127.0.0.1:{ports['s3.port']}"
        self._command = [
            program() or "weed", "-logtostderr", "server", f"-dir={self._folder}", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-master.telemetry=false", "-master.electionTimeout=1s", "-master.heartbeatInterval=100ms",
            *(f"-{name}={port}" for name, port in ports.items()),
        ]
        self.start()

    def start(self):
        bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}  # or it wants them
        self._process = subprocess.Popen(self._command, cwd=self._folder, env=bare, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
        eventually(lambda: self._takes(""), patience=60)
        eventually(lambda: self._takes("/first"), patience=60)  # which waits until there is a volume to put it in

    def stop(self):
        self._process.kill()
        self._process.wait(30)

    def close(self):
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_store_url(self):
        """Return the URL of a store that nobody has used."""
        return f"s3://{BUCKET}/{next(self._prefixes)}"

    def objects(self, store_url):
        """Return the shards in a store."""
        return self._objects(store_url, "shards/")

    def quarantine(self, store_url):
        return self._objects(store_url, "quarantine/")

    def put(self, store_url, name, content):
        """Put an object there as a bridge would have; return it."""
        digest, upload, number = name.split("-")
        prefix = store_url.partition(BUCKET + "/")[2]
        stored = StoredObject(f"{self.url}/{BUCKET}/{prefix}/shards/{upload}/{digest}-{number}", name, len(content))
        stored.write(content)
        return stored

    def _objects(self, store_url, folder):
        prefix = f"{store_url.partition(BUCKET + '/')[2]}/{folder}"
        found = []
        for each in self._listed(prefix):
            key, size = (each.find(_NAMESPACE + what).text for what in ("Key", "Size"))
            found.append(StoredObject(f"{self.url}/{BUCKET}/{key}", _name(key[len(prefix):]), int(size)))
        return sorted(found)

    def _listed(self, prefix):
        """Yield what a listing tells of each object; a page has 1000 of them."""
        asked = {"list-type": 2, "prefix": prefix}
        while asked:
            page = ElementTree.fromstring(requests.get(f"{self.url}/{BUCKET}", params=asked, timeout=30).content)
            yield from page.iter(_NAMESPACE + "Contents")
            next_page = page.findtext(_NAMESPACE + "NextContinuationToken")
            asked = next_page and {**asked, "continuation-token": next_page}

    def _takes(self, path):
        with contextlib.suppress(requests.RequestException):
            return requests.put(f"{self.url}/{BUCKET}{path}", b"", timeout=30).status_code in (200, 409)  # it is there


class StoredObject:
    """An object in a bucket, with what of a :class:`pathlib.Path` is asked for."""

    def __init__(self, url, name, size):
        self._url, self.name, self.size = url, name, size

    def __eq__(self, other):
        return self.name == other.name

    def __lt__(self, other):
        return self.name < other.name

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return self.name

    def exists(self):
        return requests.head(self._url, timeout=30).status_code == 200

    def read_bytes(self):
        answer = requests.get(self._url, timeout=30)
        answer.raise_for_status()
        return answer.content

    def write(self, content):
        requests.put(self._url, content, timeout=30).raise_for_status()

    def lose(self):
        requests.delete(self._url, timeout=30).raise_for_status()


class StoredFile(type(Path())):
    """The same of a file."""

    @property
    def size(self):
        return self.stat().st_size

    def write(self, content):
        self.write_bytes(content)

    def lose(self):
        self.unlink()


def _name(key):
    upload, _, rest = key.partition("/")
    if not rest:
        return key
    digest, _, number = rest.partition("-")
    return f"{digest}-{upload}-{number}"
