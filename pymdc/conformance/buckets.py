"""5. Buckets."""

import re

from pymdc.keypair import ECDSA

from .point import empty, equals, gives, has_status, refused, section
from .users import ISO

point = section(5, "Buckets")

FIELDS = {"user", "created", "name", "pubkeys", "status", "transfer", "storage", "id"}
NO_BUCKET = "/buckets/" + "f" * 24
MISSING = refused(404, "Bucket not found")
BAD_FIELD = refused(400, "Bucket validation failed")
BAD_KEY = refused(400, "Invalid public key supplied")


@point
def a_bucket_has_these_fields(w):
    bucket = w.alice.signed("POST", "/buckets", {"name": "photos", "storage": 5, "transfer": 7})

    w.expect(bucket, gives(200, user=w.alice.email, name="photos", storage=5, transfer=7, status="Active"))
    w.expect(FIELDS <= set(bucket.json), equals(True))
    w.expect(bool(ISO.fullmatch(bucket["created"]) and re.fullmatch("[0-9a-f]{24}", bucket["id"])), equals(True))


@point
def what_is_not_said_of_a_bucket_has_a_default(w):
    w.expect(w.alice.signed("POST", "/buckets"), gives(200, name="New Bucket", storage=10, transfer=30))


@point
def the_key_that_signs_is_added_to_the_bucket(w):
    key = ECDSA().get_public_key()
    bucket = w.alice.signed("POST", "/buckets", {"pubkeys": [key]})

    w.expect(sorted(bucket["pubkeys"]), equals(sorted([key, w.alice.key])))
    w.expect(w.alice.signed("POST", "/buckets", {"pubkeys": [w.alice.key]}), gives(200, pubkeys=[w.alice.key]))


@point
def a_password_makes_a_bucket_too(w):
    w.expect(w.alice.basic("POST", "/buckets", {"name": "password"}), gives(200, name="password", pubkeys=[]))


@point
def names_need_not_be_unique(w):
    for _ in range(2):
        w.expect(w.alice.signed("POST", "/buckets", {"name": "twice"}), gives(200, name="twice"))


@point
def buckets_are_listed_and_read(w):
    bucket = w.alice.signed("POST", "/buckets", {"name": "read"})

    w.expect(bucket.json in w.alice.signed("GET", "/buckets").json, equals(True))
    w.expect(w.alice.signed("GET", "/buckets/" + bucket["id"]), gives(200, **bucket.json))


@point
def a_change_leaves_the_rest_as_it_was(w):
    bucket = w.alice.signed("POST", "/buckets", {"name": "old", "storage": 5})
    path = "/buckets/" + bucket["id"]

    w.expect(w.alice.signed("PATCH", path, {"name": "new"}), gives(200, **{**bucket.json, "name": "new"}))
    w.expect(w.alice.signed("PATCH", path, {"storage": 6}), gives(200, name="new", storage=6, transfer=30))
    w.expect(w.alice.signed("GET", path), gives(200, name="new", storage=6, transfer=30))


@point
def a_change_replaces_all_keys(w):
    bucket, key = w.alice.bucket(), ECDSA().get_public_key()

    w.expect(w.alice.signed("PATCH", bucket, {"pubkeys": [key]}), gives(200, pubkeys=[key]))


@point
def what_cannot_be_changed_is_ignored(w):
    bucket = w.alice.signed("POST", "/buckets")
    fields = {"status": "Inactive", "user": "else@example.com", "id": "f" * 24}

    w.expect(w.alice.signed("PATCH", "/buckets/" + bucket["id"], fields), gives(200, **bucket.json))


@point
def a_bad_field_is_refused(w):
    for fields in ({"storage": "lots"}, {"name": {"a": 1}}):
        w.expect(w.alice.signed("POST", "/buckets", fields), BAD_FIELD)
    w.expect(w.alice.signed("PATCH", w.alice.bucket(), {"transfer": "lots"}), BAD_FIELD)


@point
def a_negative_size_is_refused(w):
    w.expect(w.alice.signed("POST", "/buckets", {"storage": -5}), BAD_FIELD, gives(200))


@point
def a_key_of_a_bucket_must_be_one(w):
    w.expect(w.alice.signed("POST", "/buckets", {"pubkeys": ["zzz"]}), BAD_KEY, gives(200))
    w.expect(w.alice.signed("PATCH", w.alice.bucket(), {"pubkeys": ["zzz"]}), BAD_KEY, gives(200))


@point
def a_deleted_bucket_is_gone_with_its_files(w):
    bucket = w.alice.bucket()
    w.alice.store(bucket)

    w.expect(w.alice.signed("DELETE", bucket), empty(204), empty(200))
    w.expect(w.alice.signed("DELETE", bucket), MISSING)
    w.expect(w.alice.signed("GET", bucket), MISSING)
    w.expect(w.alice.signed("GET", bucket + "/files"), MISSING)


@point
def an_unknown_bucket_is_not_found(w):
    for method in ("GET", "PATCH", "DELETE"):
        w.expect(w.alice.signed(method, NO_BUCKET), MISSING)
    w.expect(w.alice.signed("GET", NO_BUCKET + "/files"), MISSING)


@point
def a_malformed_id_is_not_found(w):
    for method in ("GET", "PATCH", "DELETE"):
        w.expect(w.alice.signed(method, "/buckets/zzz"), MISSING, has_status(500))


@point
def the_bucket_of_another_account_is_not_found(w):
    bucket = w.alice.bucket()

    for method in ("GET", "PATCH", "DELETE"):
        w.expect(w.bob.signed(method, bucket), MISSING)
    w.expect(w.bob.signed("GET", bucket + "/files"), MISSING)
    w.expect(w.bob.signed("DELETE", f"{bucket}/files/{'0' * 40}"), MISSING, has_status(404))


@point
def a_list_holds_no_bucket_of_another_account(w):
    bucket = w.alice.bucket()

    w.expect(bucket[9:] in [one["id"] for one in w.bob.signed("GET", "/buckets").json], equals(False))
