"""4. Keys."""

from pymdc.keypair import ECDSA

from .point import empty, equals, gives, refused, section
from .world import long_form, sign

point = section(4, "Keys")

TAKEN = refused(400, "Public key is already registered")
UNKNOWN = refused(404, "Public key was not found")
BAD_KEY = refused(400, "Invalid public key supplied")


def new_key():
    return ECDSA().get_public_key()


@point
def a_key_is_registered_and_listed_as_it_was_written(w):
    for key in (new_key(), long_form(ECDSA())):
        entry = {"user": w.alice.email, "key": key, "id": key}

        w.expect(w.alice.basic("POST", "/keys", {"key": key}), gives(200, **entry))
        w.expect(entry in w.alice.basic("GET", "/keys").json, equals(True))


@point
def a_signed_request_registers_a_key_too(w):
    key = new_key()

    w.expect(w.alice.signed("POST", "/keys", {"key": key}), gives(200, key=key))


@point
def a_key_is_registered_once(w):
    w.expect(w.alice.basic("POST", "/keys", {"key": w.alice.key}), TAKEN)


@point
def a_key_belongs_to_one_account(w):
    w.expect(w.alice.basic("POST", "/keys", {"key": w.bob.key}), TAKEN)


@point
def both_forms_of_a_key_are_one(w):
    pair = ECDSA()
    w.alice.basic("POST", "/keys", {"key": pair.get_public_key()})

    w.expect(w.alice.basic("POST", "/keys", {"key": long_form(pair)}), TAKEN, gives(200))


@point
def a_key_that_is_proved_displaces_one_that_is_not(w):
    pair = ECDSA()
    fields = {"key": pair.get_public_key()}
    w.bob.basic("POST", "/keys", fields)

    fields["account"] = w.alice.email
    proved = w.wire.send(sign(pair, "POST", "/keys", fields, headers=w.alice.authorization()))

    w.expect(proved, gives(200, user=w.alice.email), TAKEN, *TAKEN.old)


@point
def a_key_must_be_hex_of_the_right_length(w):
    for key in ("02abcd", ""):
        w.expect(w.alice.basic("POST", "/keys", {"key": key}), BAD_KEY, refused(500, "PublicKey validation failed"),
                 refused(400, "PublicKey validation failed"))


@point
def a_key_must_be_a_point_of_the_curve(w):
    taken_by_an_earlier_run = TAKEN, *TAKEN.old

    for key in ("02" + "f" * 64, "05" + new_key()[2:], "04" + "1" * 128):
        w.expect(w.alice.basic("POST", "/keys", {"key": key}), BAD_KEY, gives(200), *taken_by_an_earlier_run)


@point
def a_deleted_key_is_gone(w):
    pair = ECDSA()
    path = "/keys/" + pair.get_public_key()
    w.alice.basic("POST", "/keys", {"key": pair.get_public_key()})

    w.expect(w.alice.basic("DELETE", path), empty(200))
    w.expect(w.alice.basic("DELETE", path), UNKNOWN)
    w.expect(w.alice.signed("GET", "/keys", pair=pair), refused(401, "Public key not registered"))


@point
def a_key_may_delete_itself(w):
    pair = ECDSA()
    w.alice.basic("POST", "/keys", {"key": pair.get_public_key()})

    w.expect(w.alice.signed("DELETE", "/keys/" + pair.get_public_key(), pair=pair), empty(200))


@point
def the_key_of_another_account_cannot_be_deleted(w):
    key = new_key()
    w.bob.basic("POST", "/keys", {"key": key})

    w.expect(w.alice.basic("DELETE", "/keys/" + key), UNKNOWN)


@point
def a_deleted_key_leaves_the_buckets_that_list_it(w):
    key = new_key()
    w.alice.basic("POST", "/keys", {"key": key})
    bucket = w.alice.bucket(pubkeys=[key])

    w.alice.basic("DELETE", "/keys/" + key)

    w.expect(w.alice.signed("GET", bucket)["pubkeys"], equals([w.alice.key]), lambda keys: key in keys)
