"""Registrations that are repeated, and whose key and address they may have."""

import pymdc


def test_a_repeated_registration_waits_for_its_own_link(wire, local):
    email, first, second = "twice@example.com", "1" * 64, "2" * 64
    wire.post("/users", {"email": email, "password": first})
    link = local.activation_token(email)

    assert wire.post("/users", {"email": email, "password": second}).json() == {"error": "Email is already registered"}
    assert local.activation_token(email) != link
    assert wire.get("/activations/" + link).json()["activated"] is True

    assert wire.get("/keys", auth=(email, first)).status_code == 200
    assert wire.get("/keys", auth=(email, second)).status_code == 401
    assert wire.get("/activations/" + local.activation_token(email)).status_code == 400


def test_a_registration_that_is_repeated_with_its_key_waits_anew(wire, local):
    key = pymdc.keypair.ECDSA().get_public_key()
    fields = {"email": "again@example.com", "password": "3" * 64, "pubkey": key}
    wire.post("/users", fields)

    assert wire.post("/users", fields).json() == {"error": "Email is already registered"}
    wire.get("/activations/" + local.activation_token("again@example.com"))

    assert wire.get("/keys", auth=("again@example.com", "3" * 64)).json()[0]["key"] == key


def test_nobody_takes_the_key_of_a_registration_that_waits(wire, local):
    key, email = pymdc.keypair.ECDSA().get_public_key(), "victim@example.com"
    wire.post("/users", {"email": email, "password": "1" * 64, "pubkey": key})
    link = "/activations/" + local.activation_token(email)
    wire.post("/users", {"email": email, "password": "2" * 64, "pubkey": key})
    other = wire.post("/users", {"email": "thief@example.com", "password": "3" * 64, "pubkey": key})

    wire.get(link)

    assert other.json() == {"error": "Public key is already registered"}
    assert wire.get("/keys", auth=(email, "1" * 64)).json()[0]["key"] == key


def test_nobody_can_have_mails_sent_to_an_active_account(wire, alice, local):
    before = set(local.outbox.iterdir())

    assert wire.post("/users", {"email": alice.email, "password": "4" * 64}).status_code == 400
    assert set(local.outbox.iterdir()) == before
