"""
The clients, each in a process of its own: ``python -m benchmarks.clients NAME``.

The first line of standard input tells about the server.  Each further one is a task, and is answered with what it took.
"""

import io
import json
import os
import resource
import subprocess
import sys
import time
import urllib.parse
import uuid

SMALL = 4096  # bytes
_LARGE = "large.bin"
_IMPORT = "import sys, time; start = time.perf_counter(); __import__(sys.argv[1]); print(time.perf_counter() - start)"


class Client:
    """
    What a client can be told to do; each kind knows some of it.

    :cvar needs: the programs and modules without which it cannot run.
    :cvar in_process: whether the work is done in this very process, whose memory then tells.
    """

    needs = ()
    in_process = True

    def put(self, calls):
        """Upload small contents, all different."""
        for _ in range(calls):
            content = os.urandom(SMALL)
            self._stored.append(self._put(f"{uuid.uuid4().hex}.bin", content))

    def get(self, calls):
        """Download small contents to memory."""
        for number in range(calls):
            if len(self._get(self._stored[number % len(self._stored)])) != SMALL:
                raise ValueError("the content came back in another length")

    def load(self, calls):
        """Import the client's module, each time into a new interpreter; return the seconds without starting that."""
        command = [sys.executable, "-c", _IMPORT, self.module]
        return sum(float(subprocess.check_output(command)) for _ in range(calls))


class Pymdc(Client):
    """The library with its defaults, as without the extra "fast"."""

    module = "pymdc"

    def __init__(self, url, bucket_id=None, private_key=None):
        sys.modules["coincurve"] = None  # then importing it fails
        self._open(url, bucket_id, private_key)

    def _open(self, url, bucket_id, private_key):
        import pymdc

        client = pymdc.Client(url, raise_errors=True)
        key_pair = pymdc.keypair.ECDSA(private_key=private_key)
        self._buckets = pymdc.api.Buckets(key_pair, client=client)
        self._files = bucket_id and pymdc.api.Files(bucket_id, key_pair, client=client)
        self._stored = []

    def upload(self, path):
        self._large = self._files.upload(path, filename=_LARGE)

    def download(self, path):
        self._files.download(self._large, path)

    def remove(self):
        self._files.delete(self._large)

    def call(self, calls):
        for _ in range(calls):
            self._buckets.list()

    def list(self, calls):
        for _ in range(calls):
            self._files.list()

    def _put(self, name, content):
        return self._files.upload(io.BytesIO(content), filename=name)

    def _get(self, stored):
        content = io.BytesIO()
        self._files.download(stored, content)
        return content.getvalue()


class PymdcFast(Pymdc):
    """The library with its extra "fast"."""

    needs = ("coincurve",)

    def __init__(self, url, bucket_id=None, private_key=None):
        self._open(url, bucket_id, private_key)


class Boto3(Client):
    """The client of Amazon, with its defaults."""

    needs = ("boto3",)

    def __init__(self, url):
        import boto3

        self._s3 = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id="any", aws_secret_access_key="any", region_name="us-east-1",
        )
        self._stored = []

    def upload(self, path):
        self._s3.upload_file(path, "benchmark", _LARGE)

    def download(self, path):
        self._s3.download_file("benchmark", _LARGE, path)

    def remove(self):
        self._s3.delete_object(Bucket="benchmark", Key=_LARGE)

    def _put(self, name, content):
        self._s3.put_object(Bucket="benchmark", Key=name, Body=content)
        return name

    def _get(self, name):
        return self._s3.get_object(Bucket="benchmark", Key=name)["Body"].read()


class Minio(Client):
    """The client of MinIO, with its defaults."""

    needs = ("minio",)

    def __init__(self, url):
        import minio

        self._s3 = minio.Minio(urllib.parse.urlsplit(url).netloc, "any", "any", secure=False)
        self._stored = []

    def upload(self, path):
        self._s3.fput_object("benchmark", _LARGE, path)

    def download(self, path):
        self._s3.fget_object("benchmark", _LARGE, path)

    def remove(self):
        self._s3.remove_object("benchmark", _LARGE)

    def _put(self, name, content):
        self._s3.put_object("benchmark", name, io.BytesIO(content), len(content))
        return name

    def _get(self, name):
        answer = self._s3.get_object("benchmark", name)
        try:
            return answer.read()
        finally:
            answer.close()
            answer.release_conn()


class Curl(Client):
    """curl, and sync(1) for the file that it, or the server, has written: pymdc and the bridge sync theirs."""

    needs = ("curl",)
    in_process = False

    def __init__(self, url, folder):
        self._url = f"{url}/{_LARGE}"
        self._file = os.path.join(folder, _LARGE)

    def upload(self, path):
        _run("curl", "--silent", "--fail", "--upload-file", path, self._url)
        _run("sync", "--data", self._file)

    def download(self, path):
        _run("curl", "--silent", "--fail", "--output", path, self._url)
        _run("sync", "--data", path)

    def remove(self):
        _run("curl", "--silent", "--fail", "--request", "DELETE", self._url)


class Session(Client):
    """A bare requests.Session."""

    module = "requests"

    def __init__(self, url):
        import requests

        self._session, self._url = requests.Session(), f"{url}/buckets"

    def call(self, calls):
        for _ in range(calls):
            self._session.get(self._url).json()


CLIENTS = {
    "pymdc": Pymdc, "pymdc[fast]": PymdcFast, "boto3": Boto3, "minio": Minio, "curl": Curl, "requests": Session,
}


def _run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _measured(client, task, **arguments):
    cpu, started = _cpu(), time.monotonic()
    seconds = getattr(client, task)(**arguments)
    ended = time.monotonic() if seconds is None else started + seconds
    return {"started": started, "ended": ended, "cpu": _cpu() - cpu}


def _cpu():
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main(name):
    client = CLIENTS[name](**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        print(json.dumps(_measured(client, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
