"""Keys: what is proved, and to whom."""

from __future__ import absolute_import, division, print_function

import json

import pytest

import pymdc
from canned_server import CannedServer
from pymdc.keypair import ECDSA


@pytest.fixture
def heard():
    """A bridge that takes every key, whoever asks."""
    server = CannedServer(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
    yield server
    server.close()


def register(heard, account, key_pair):
    """Register a key with it, and return the head and the fields of the request."""
    with pymdc.Client(heard.url, retries=0) as client:
        pymdc.api.Keys(account, client=client).create(key_pair)
    head, _, body = heard.requests[0].decode("ascii").partition("\r\n\r\n")
    return head.lower(), json.loads(body)


def test_a_key_that_somebody_else_has_put_in_is_won_back(bridge, client, user, address):
    key_pair, other = ECDSA(), "other-" + address
    stranger = pymdc.api.Users(other, u"secret", client=client)
    stranger.register()
    stranger.activate(bridge.activation_link(other))
    pymdc.api.Keys(stranger).create(key_pair.get_public_key())

    created = pymdc.api.Keys(user).create(key_pair)

    assert created["user"] == address
    assert pymdc.api.Keys(stranger).list() == []


def test_a_proof_names_the_account_that_it_is_for(heard, address):
    key_pair = ECDSA()

    head, fields = register(heard, pymdc.api.Users(address, u"secret"), key_pair)

    assert fields["account"] == address
    assert "x-signature: " in head and "x-pubkey: " + key_pair.get_public_key() in head


def test_without_the_private_key_nothing_is_proved(heard, address):
    head, fields = register(heard, pymdc.api.Users(address, u"secret"), ECDSA().get_public_key())

    assert list(fields) == ["key"]
    assert "x-signature: " not in head


def test_a_key_pair_which_knows_no_account_proves_nothing_of_another_key(heard):
    registered, new = ECDSA(), ECDSA()

    head, fields = register(heard, registered, new)

    assert sorted(fields) == ["__nonce", "key"] and fields["key"] == new.get_public_key()
    assert "x-pubkey: " + registered.get_public_key() in head
