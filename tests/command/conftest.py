from __future__ import absolute_import, division, print_function

import io
import os

import pytest

import pymdc
import pymdc.testing
from pymdc import _remembered as remembered
from shells import Shell


@pytest.fixture
def stranger(tmpdir):
    """A shell of somebody who has never logged in."""
    return Shell(tmpdir)


@pytest.fixture
def logged_in(stranger, monkeypatch):
    """A function that remembers for the stranger what a login remembers, which would take longer."""
    def logged_in(url, email, bucket, key_pair):
        monkeypatch.setenv("XDG_CONFIG_HOME", stranger.environment["XDG_CONFIG_HOME"])
        remembered.write(remembered.Login(url, email, bucket["id"]))
        key_pair.save(remembered.key_path(url, email))
        return stranger
    return logged_in


@pytest.fixture
def shell(logged_in, bridge, address, key_pair, bucket):
    """A shell of somebody who is logged in."""
    return logged_in(bridge.url, address, bucket.list(), key_pair)


@pytest.fixture
def write(shell):
    """A function that writes a file in the folder of the shell, and returns its path: names on disk are UTF-8."""
    def write(name, content=b"content"):
        path = os.path.join(str(shell.folder).encode("ascii"), name.encode("utf-8"))
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        with io.open(path, "wb") as file:
            file.write(content)
        return path
    return write


@pytest.fixture
def behind_wire(logged_in, wire):
    """A shell of somebody who is logged in to a bridge behind a wire, and their account there."""
    made = pymdc.testing.account(wire.bridge, pymdc.Client(wire.target, raise_errors=True))
    bucket = pymdc.api.Buckets(made.key_pair, client=made.client).create("bucket", 10, 10, [made.key_pair])
    shell = logged_in(wire.url, "alice@example.com", bucket, made.key_pair)
    shell.user = made.user
    return shell
