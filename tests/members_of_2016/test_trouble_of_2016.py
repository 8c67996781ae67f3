"""Servers of 2016 that crash, restart, refuse early, or lose what they know."""

from __future__ import absolute_import, division, print_function

import io

import pytest

import pymdc
from pymdc.errors import APIError, Timeout, TransportError
from member_of_2016 import MIB, Member, content, statuses
from waiting import eventually

AWAY = 3600  # seconds, or until the test lets it come back


def test_a_deletion_whose_answer_was_lost_is_done(server, version, member):
    keys, spare = pymdc.api.Keys(member.user), pymdc.keypair.ECDSA()
    keys.create(spare)

    def forget():
        del server.keys[spare.get_public_key()]

    server.crashes.append(("DELETE", "/keys/[^/]+", 0, forget))

    assert keys.delete(spare) == {}


def test_shard_contracts_that_fail_to_load_cost_a_token_each(server, version, member):
    stored = member.bucket.files.upload(io.BytesIO(b"content"))
    server.lost_contracts = 2
    del server.requests[:]

    member.bucket.files.download(stored, io.BytesIO())

    assert statuses(server, "POST", "/tokens") == [200] * 3
    assert statuses(server, "GET") == [500, 500, 200]


@pytest.mark.parametrize("to_path", [True, False])
def test_a_farmer_that_restarts_in_the_middle_of_a_download_is_asked_again(server, version, patient, tmpdir, to_path):
    stored = patient.bucket.files.upload(io.BytesIO(content(10 * MIB)))
    server.farmer.restarts.append(AWAY)
    path, copy = tmpdir.join("copy"), io.BytesIO()

    patient.bucket.files.download(stored, str(path) if to_path else copy)

    assert (path.read_binary() if to_path else copy.getvalue()) == content(10 * MIB)
    assert server.farmer.crashes == 1


def test_a_farmer_that_restarts_while_a_file_is_read_is_asked_again(server, version, patient):
    stored = patient.bucket.files.upload(io.BytesIO(content(20000000)))

    with patient.bucket.files.open(stored) as file:
        assert file.read(5) == content(5)
        server.farmer.restarts.append(AWAY)
        assert file.read() == content(20000000)[5:]

    assert server.farmer.crashes == 1


def test_a_farmer_that_takes_no_token_is_an_error_of_ours(server, version):
    member = Member(server, retries=0, timeout=(5, 2 if version == "0.6.6" else 60))  # that one never answers
    stored = member.bucket.files.upload(io.BytesIO(b"content"))
    server.farmer.pointer = lambda shard_hash, usual=server.farmer.pointer: dict(usual(shard_hash), token="0" * 40)

    with pytest.raises(TransportError) as failed:
        member.bucket.files.download(stored, io.BytesIO())

    assert isinstance(failed.value, Timeout) == (version == "0.6.6")
    assert "0" * 40 not in str(failed.value)


@pytest.mark.parametrize("method, pattern", [
    ("GET", "/buckets"), ("PATCH", "/buckets/[^/]+"), ("POST", "/buckets/[^/]+/tokens"),
    ("PUT", "/buckets/[^/]+/files"), ("GET", "/buckets/[^/]+/files/[^/]+"),
])
def test_a_server_that_goes_down_and_comes_back_is_asked_again(server, version, patient, method, pattern):
    server.crashes.append((method, pattern, AWAY))

    patient.buckets.list()
    patient.bucket.update(name="x")
    stored = patient.bucket.files.upload(io.BytesIO(content(MIB)))
    copy = io.BytesIO()
    patient.bucket.files.download(stored, copy)

    assert copy.getvalue() == content(MIB)
    assert not server.crashes


def test_the_same_content_twice_at_once_is_stored_in_the_end(server, version):
    member = Member(server, timeout=(5, 0.7))
    server.storing.clear()
    uploads = [member.bucket.files.upload(io.BytesIO(b"content"), callback=lambda answer: None) for _ in range(2)]
    eventually(lambda: None in statuses(server, "PUT"))  # the second one is never answered
    server.storing.set()

    assert [upload.result()["size"] for upload in uploads] == [7, 7]


@pytest.mark.parametrize("early", ["drain", "stop"])
def test_an_early_refusal_of_a_large_upload_is_heard(server, version, member, early):
    server.early, sent = early, []

    with pytest.raises(APIError, match="Invalid or expired token"):
        member.bucket.files.upload(
            io.BytesIO(bytes(40 * MIB)), "0" * 64, progress=lambda done, total: sent.append(done)
        )

    assert early == "drain" or 40 * MIB not in sent
    assert len(statuses(server, "PUT")) == 1


def test_a_server_that_closes_each_connection_does_as_well(server, version, member):
    server.keep_alive = False

    stored = member.bucket.files.upload(io.BytesIO(content(MIB)))

    assert member.bucket.files.list() == [stored]
