"""The file system needs the extra "data" here: tox has environments for it, where it is a failure to find no test."""

import importlib.util

import pytest

import pymdc
import pymdc.testing

FOUND = all(map(importlib.util.find_spec, ("fsspec", "zarr")))
collect_ignore_glob = [] if FOUND else ["test_*.py"]
if FOUND:
    from pymdc.filesystem import MetadiskFileSystem


@pytest.fixture
def key_file(key_pair, tmp_path):
    """The path of the file with the key pair of an account."""
    path = str(tmp_path / "metadisk.pem")
    key_pair.save(path)
    return path


@pytest.fixture
def options(bridge, key_file):
    """What a program is told to open a path by."""
    return {"api_url": bridge.url, "key_pair": key_file}


@pytest.fixture
def fs(options, bucket):
    """A file system with a bucket called photos."""
    return MetadiskFileSystem(**options, skip_instance_cache=True)


@pytest.fixture
def wired_fs(wire):
    """A file system whose requests and shards go over the wire, with a bucket called photos."""
    account = pymdc.testing.account(wire.bridge)
    client = pymdc.Client(wire.url, sleep=lambda seconds: None)
    pymdc.api.Buckets(account.key_pair, client=client).create("photos", 10, 30, [account.key_pair])
    return MetadiskFileSystem(client=client, key_pair=account.key_pair, skip_instance_cache=True)
