"""3. Users."""

import re
import uuid

from pymdc.keypair import ECDSA

from .point import equals, gives, has_status, refused, section
from .world import sign

point = section(3, "Users")

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
TAKEN = refused(400, "Email is already registered")
BAD_TOKEN = refused(400, "Invalid activation token")


def new_address():
    return f"{uuid.uuid4().hex}@example.com"


@point
def a_registration_is_answered_with_the_account(w):
    address = new_address()

    user = w.register(email=address)

    w.expect(user, gives(200, activated=False, email=address, id=address))
    w.expect(bool(ISO.fullmatch(user["created"])), equals(True))


@point
def a_link_that_was_mailed_activates_once(w):
    address = new_address()
    w.register(email=address)
    link = "/activations/" + w.activation(address)

    w.expect(w.nobody("GET", link), gives(200, activated=True, email=address, id=address))
    w.expect(w.nobody("GET", link), BAD_TOKEN)


@point
def an_unknown_activation_token_is_refused(w):
    for token in ("0" * 64, "test", "test?__nonce=1458599821.24"):
        w.expect(w.nobody("GET", "/activations/" + token), BAD_TOKEN)


@point
def a_registration_may_ask_for_a_redirect(w):
    address = new_address()

    w.expect(w.register(email=address, redirect="http://127.0.0.1/welcome"), gives(200))
    w.expect(w.nobody("GET", "/activations/" + w.activation(address)), gives(200, activated=True), has_status(302))


@point
def an_email_is_registered_once(w):
    again = {"email": w.alice.email.upper(), "password": "0" * 64}

    w.expect(w.nobody("POST", "/users", again), TAKEN)


@point
def the_password_must_be_a_hash(w):
    account = {"email": new_address(), "password": "secret"}

    w.expect(w.nobody("POST", "/users", account), refused(400, "Password must be hex encoded SHA-256 hash"))


@point
def the_hash_of_a_password_may_be_in_upper_case(w):
    w.expect(w.register(password="ABCDEF01" * 8), gives(200))


@point
def the_email_must_be_one(w):
    bad_email = refused(400, "User validation failed")

    w.expect(w.nobody("POST", "/users", {"email": "not-an-email", "password": "5" * 64}), bad_email)
    w.expect(w.nobody("POST", "/users", {"password": "5" * 64}), bad_email)


@point
def an_account_must_be_activated(w):
    address = new_address()
    w.register(email=address)

    answer = w.alice.basic("GET", "/keys", address=address, password="5" * 64)

    w.expect(answer, refused(401, "User account has not been activated"))


@point
def a_key_may_be_registered_along(w):
    pair = ECDSA()
    w.make_account(pubkey=pair.get_public_key())

    w.expect(w.wire.send(sign(pair, "GET", "/keys")), gives(200), refused(500, "Public key not registered"))


@point
def the_key_of_an_account_that_is_not_activated_may_not_sign(w):
    pair = ECDSA()
    w.register(pubkey=pair.get_public_key())

    answer = w.wire.send(sign(pair, "GET", "/buckets"))

    w.expect(answer, refused(401, "User account has not been activated"),
             refused(401, "Public key not registered"), gives(200), refused(500, "Public key not registered"))


@point
def a_registration_with_a_key_that_is_taken_makes_no_account(w):
    address, taken = new_address(), w.make_account().key  # not Alice's: a bridge might give it away

    refusal = w.register(email=address, pubkey=taken)
    there = w.alice.basic("GET", "/keys", address=address, password="5" * 64)

    w.expect(refusal, refused(400, "Public key is already registered"), gives(200))
    w.expect(there, refused(401, "Invalid email or password"), refused(401, "User account has not been activated"),
             refused(500, "User account has not been activated"))
