"""Keys: what is proved, and to whom."""

from __future__ import absolute_import, division, print_function

import binascii
import json

import pytest

import pymdc
from canned_server import CannedServer
from pymdc.errors import APIError, InvalidKey, TransportError
from pymdc.keypair import ECDSA
from pymdc.testing import Fault, account
from waiting import eventually


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


# Rotation.

class Tenant(object):
    """An account behind a wire: two buckets that list its key, one of them a guest's too, and one that does not."""

    def __init__(self, wire):
        self.wire = wire
        self.made = account(wire.bridge)
        self.old, self.new, self.guest = self.made.key_pair, ECDSA(), ECDSA()
        buckets = pymdc.api.Buckets(self.made.user, client=self.made.client)
        for key_pairs in ([self.old], [self.guest, self.old], [self.guest]):
            buckets.create("bucket", 1, 1, key_pairs)

    def keys(self, **options):
        client = pymdc.Client(self.wire.url, raise_errors=True, sleep=lambda seconds: None, **options)
        return pymdc.api.Keys(self.made.user, client=client)

    def registered(self):
        return [key["key"] for key in pymdc.api.Keys(self.made.user).list()]

    def listed(self):
        """The keys that each bucket lists, as names of the attributes of this."""
        names = {getattr(self, name).get_public_key(): name for name in ("old", "new", "guest")}
        buckets = pymdc.api.Buckets(self.made.user, client=self.made.client).list()
        return sorted(sorted(names[text] for text in bucket["pubkeys"]) for bucket in buckets)

    def can_sign(self, key_pair):
        """Whether a key pair of the account can use all of its buckets that list one of the two."""
        try:
            buckets = pymdc.api.Buckets(key_pair, client=self.made.client).list()
        except APIError:
            return False
        for bucket in buckets:
            pymdc.api.Bucket(bucket, key_pair, client=self.made.client).files.token("PULL")
        return True


@pytest.fixture
def tenant(wire):
    tenant = Tenant(wire)
    del wire.requests[:]
    return tenant


ROTATED = [["guest"], ["guest", "new"], ["new"]]
REQUESTS = ["GET /keys", "POST /keys", "GET /buckets", "PATCH /buckets/*", "PATCH /buckets/*", "GET /buckets",
            "DELETE /keys/*"]
BREAKS = [dict(kind="reset"), dict(kind="answer", status=500), dict(kind="truncate")]  # when it is done, and before


def test_a_key_is_rotated(wire, tenant):
    created = tenant.keys().rotate(tenant.old, tenant.new)

    assert created == pymdc.api.Keys(tenant.made.user).list()[0]
    assert tenant.registered() == [tenant.new.get_public_key()]
    assert tenant.listed() == ROTATED
    assert tenant.can_sign(tenant.new) and not tenant.can_sign(tenant.old)
    assert len(wire.requests) == len(REQUESTS)
    assert all(Fault("reset", *each.split()).matches(*request) for each, request in zip(REQUESTS, wire.requests))


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("nth", range(1, len(REQUESTS) + 1))
def test_a_rotation_that_breaks_off_leaves_a_key_that_works_and_goes_on(wire, tenant, nth, broken):
    wire.faults = [Fault(nth=nth, **broken)]
    with pytest.raises((APIError, TransportError)):
        tenant.keys(retries=0).rotate(tenant.old, tenant.new)
    assert tenant.can_sign(tenant.old) or tenant.can_sign(tenant.new)
    assert all("old" in listed or "new" in listed for listed in tenant.listed() if listed != ["guest"])

    created = tenant.keys(retries=0).rotate(tenant.old, tenant.new)

    assert created["key"] == tenant.new.get_public_key()
    assert tenant.registered() == [tenant.new.get_public_key()]
    assert tenant.listed() == ROTATED
    assert tenant.keys().rotate(tenant.old, tenant.new) == created


@pytest.mark.parametrize("nth", range(1, len(REQUESTS) + 1))
def test_a_rotation_survives_an_answer_that_is_lost(wire, tenant, nth):
    wire.faults = [Fault("reset", nth=nth)]

    tenant.keys().rotate(tenant.old, tenant.new)

    assert tenant.registered() == [tenant.new.get_public_key()]
    assert tenant.listed() == ROTATED


@pytest.mark.parametrize("given", [
    lambda old: old.get_public_key(), lambda old: {"key": old.get_public_key()},
    lambda old: binascii.hexlify(old._verifying_key.to_string("uncompressed")),
])
def test_of_the_old_key_the_public_half_is_enough(tenant, given):
    tenant.keys().rotate(given(tenant.old), tenant.new)

    assert tenant.registered() == [tenant.new.get_public_key()]
    assert tenant.listed() == ROTATED


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("nth", range(1, len(REQUESTS) + 1))
def test_a_key_pair_rotates_itself_and_goes_on_when_that_breaks_off(wire, tenant, nth, broken):
    keys = pymdc.api.Keys(tenant.old, client=pymdc.Client(wire.url, raise_errors=True, retries=0))
    wire.faults = [Fault(nth=nth, **broken)]
    with pytest.raises((APIError, TransportError)):
        keys.rotate(tenant.old, tenant.new)

    created = keys.rotate(tenant.old, tenant.new)

    assert keys.rotate(tenant.old, tenant.new) == created
    assert tenant.registered() == [created["key"]] == [tenant.new.get_public_key()]
    assert tenant.listed() == ROTATED


def test_a_key_pair_that_nobody_knows_rotates_nothing(wire, tenant):
    with pytest.raises(APIError, match="Public key not registered"):
        pymdc.api.Keys(ECDSA(), client=pymdc.Client(wire.url, raise_errors=True)).rotate(tenant.old, tenant.new)

    assert tenant.listed() != ROTATED


def test_a_bucket_that_is_made_with_the_old_key_meanwhile_is_changed_too(wire, tenant):
    buckets, create = pymdc.api.Buckets(tenant.old, client=tenant.made.client), []

    class Meanwhile(Fault):
        def befalls(self, method, path):
            if method == "PATCH" and not create:
                create.append(buckets.create("meanwhile", 1, 1))
            return False

    wire.faults = [Meanwhile("reset")]

    tenant.keys().rotate(tenant.old, tenant.new)

    assert create and tenant.listed() == ROTATED + [["new"]]


def test_a_bridge_that_does_not_change_its_buckets_keeps_the_old_key(wire, tenant):
    wire.faults = [Fault("answer", "PATCH", "/buckets/*", nth=0, status=200, body=b"{}")]

    with pytest.raises(TransportError, match="always buckets that list the old key"):
        tenant.keys().rotate(tenant.old, tenant.new)

    assert tenant.can_sign(tenant.old)


def test_a_new_key_that_another_account_holds_takes_nothings_place(wire, tenant):
    pymdc.api.Keys(account(wire.bridge).user).create(tenant.new)

    with pytest.raises(APIError, match="already registered"):
        tenant.keys().rotate(tenant.old, tenant.new)

    assert tenant.registered() == [tenant.old.get_public_key()]


def test_a_key_that_is_not_of_the_account_is_not_rotated(wire, tenant):
    with pytest.raises(ValueError, match="not one of the account"):
        tenant.keys().rotate(ECDSA(), tenant.new)

    assert tenant.registered() == [tenant.old.get_public_key()]


@pytest.mark.parametrize("new, error, words", [
    (lambda old: ECDSA(ECDSA().get_public_key()), InvalidKey, "private key"),
    (lambda old: ECDSA().get_public_key(), InvalidKey, "private key"),
    (lambda old: None, InvalidKey, "private key"),
    (lambda old: {"error": "no"}, ValueError, "no"),
    (lambda old: old, ValueError, "the same"),
])
def test_a_new_key_that_cannot_sign_is_refused_before_anything_is_asked(wire, tenant, new, error, words):
    with pytest.raises(error, match=words):
        tenant.keys().rotate(tenant.old, new(tenant.old))

    assert wire.requests == []


def test_a_rotation_in_the_background_calls_back(tenant):
    answers = []

    rotated = tenant.keys().rotate(tenant.old, tenant.new, callback=answers.append).result(60)
    eventually(lambda: answers)

    assert answers == [rotated]
    assert tenant.listed() == ROTATED
