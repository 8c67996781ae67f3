"""
How fast files go in and out, beside what the machine itself needs for the same bytes.

Ratios of one run can be compared; seconds cannot, on a noisy machine.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time

import pymdc
import pymdc.testing

BLOCK = 256 * 1024


class Bridge:
    """A bridge in a process of its own, as it is run."""

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pymdc.bridge", "--port", "0", "--data-dir", folder, "--log-level", "error"],
            stdout=subprocess.PIPE, text=True,
        )
        self.url = self._process.stdout.readline().split()[-1]
        os.environ["PYMDC_TEST_OUTBOX"] = os.path.join(folder, "outbox")

    def close(self):
        self._process.terminate()
        self._process.communicate()


def seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def hash_and_copy(source, target):
    """What any upload or download has to do at least: hash the bytes, write them, sync them."""
    sha256 = hashlib.sha256()
    with open(source, "rb") as reading, open(target, "wb") as writing:
        while block := reading.read(BLOCK):
            sha256.update(block)
            writing.write(block)
        os.fsync(writing.fileno())


def measure(folder, megabytes, calls):
    bridge = Bridge(os.path.join(folder, "data"))
    account = pymdc.testing.account(bridge.url)
    buckets = pymdc.api.Buckets(account.key_pair, client=account.client)
    files = pymdc.api.Files(buckets.create("benchmark", 1000, 1000), account.key_pair, client=account.client)
    source, copy = os.path.join(folder, "source"), os.path.join(folder, "copy")
    with open(source, "wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(10**6))

    hash_and_copy(source, copy)  # warm
    least = seconds(lambda: hash_and_copy(source, copy))
    results = {"upload": seconds(lambda: files.upload(source))}
    stored = files.list()[0]
    results["download"] = seconds(lambda: files.download(stored, copy))
    results["download, one shard at a time"] = seconds(lambda: files.download(stored, copy, concurrency=1))
    for what, taken in results.items():
        print(f"{what}: {megabytes / taken:.0f} MB/s, {taken / least:.2f} times hashing and copying")

    sign = seconds(lambda: [account.key_pair.sign(str(number)) for number in range(calls)])
    signed = seconds(lambda: [buckets.list() for _ in range(calls)])
    print(f"a signed call: {calls / signed:.0f} a second, {signed / sign:.2f} times signing alone")
    bridge.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--calls", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(folder, options.megabytes, options.calls)
