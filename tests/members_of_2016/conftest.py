"""A member of each server of 2016, as tests/servers_of_2016 stands in for them."""

from __future__ import absolute_import, division, print_function

import io
import itertools

import pytest

from member_of_2016 import NEWER, Member
from servers_of_2016 import Server


@pytest.fixture(params=["0.2.2"] + NEWER)
def version(request):
    return request.param


@pytest.fixture
def server(version):
    server = Server(version)
    yield server
    server.close()


@pytest.fixture
def member(server):
    return Member(server)


@pytest.fixture
def patient(server):
    """A member whose client waits until a server that is away, or its farmer, has come back, and once before."""
    sleeps = []

    def sleep(seconds):
        sleeps.append(seconds)
        if len(sleeps) > 1:
            server.come_back()

    return Member(server, sleep=sleep)


@pytest.fixture
def upload_anew(monkeypatch):
    """A function that uploads, and has the server cut small shards, elsewhere each time."""
    writes = itertools.cycle([610, 730, 410])
    monkeypatch.setattr("servers_of_2016.files._SHARD", 1000)

    def upload(files, sent):
        monkeypatch.setattr("servers_of_2016.files._WRITE", next(writes))
        return files.upload(io.BytesIO(sent))

    return upload
