"""JSON."""

import uuid

import pytest

from siege import PASSWORD, assert_refused, cases
from wire import fresh_nonce

MIB = 1024 * 1024

JSON_ROUTES = [
    ("POST", "/users"), ("POST", "/keys"), ("POST", "/buckets"), ("PATCH", "/buckets/BUCKET"),
    ("POST", "/buckets/BUCKET/tokens"),
]
NO_OBJECTS = {
    "over 1 MiB": b'{"name": "' + b"x" * MIB + b'"}',
    "100 000 deep": b"[" * 100000,
    "objects 100 000 deep": b'{"name":' * 100000,
    "a field 100 000 deep": b'{"name": ' + b"[" * 100000 + b"]" * 100000 + b"}",
    "NaN": b'{"name": "x", "storage": NaN}',
    "Infinity": b'{"name": "x", "storage": Infinity}',
    "-Infinity": b'{"__nonce": -Infinity}',
    "5 000 digits": b'{"storage": ' + b"9" * 5000 + b"}",
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "half a surrogate pair as bytes": b'{"name": "\xed\xa0\x80"}',
    "BOM": b'\xef\xbb\xbf{"name": "x"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "UTF-32": '{"name": "x"}'.encode("utf-32-le"),
    "list": b'[{"name": "x"}]', "text": b'"name"', "number": b"5", "null": b"null", "true": b"true",
    "two objects": b'{"name": "x"}{"name": "y"}', "a comma too many": b'{"name": "x",}',
    "single quotes": b"{'name': 'x'}",
    "form": b"name=x&storage=5", "NUL": b"\0", "spaces": b"   ", "half": b'{"name": "x"', "comment": b'{"name": "x"}//',
    "a control character": b'{"name": "a\x01b"}', "a leading zero": b'{"storage": 010}', "hex": b'{"storage": 0x10}',
}


@pytest.mark.parametrize("body", list(NO_OBJECTS.values()), ids=list(NO_OBJECTS))
def test_a_body_that_is_no_object_is_refused(world, body):
    for method, route in JSON_ROUTES:
        target = route.replace("BUCKET", world.alice.bucket).encode()
        answer, = world.ask(world.alice.signed(method, target, body))

        assert_refused(answer, 400, 413)


MISFITS = [
    True, False, -1, 10 ** 400, 1e300, "\ud800", "a\0b", "x" * 5000, [], {}, [None], [[]], [{}], {"a": []}, ["x"],
]
FIELDS = {  # what each field takes all the same
    ("POST", "/users", "email"): [], ("POST", "/users", "password"): [], ("POST", "/users", "pubkey"): [],
    ("POST", "/users", "redirect"): [], ("POST", "/keys", "key"): [],
    ("POST", "/buckets/BUCKET/tokens", "operation"): [],
    ("POST", "/buckets", "name"): [-1, 1e300], ("POST", "/buckets", "storage"): [],
    ("POST", "/buckets", "transfer"): [],
    ("POST", "/buckets", "pubkeys"): [[]], ("PATCH", "/buckets/BUCKET", "name"): [-1, 1e300],
    ("PATCH", "/buckets/BUCKET", "storage"): [], ("PATCH", "/buckets/BUCKET", "transfer"): [],
    ("PATCH", "/buckets/BUCKET", "pubkeys"): [[]],
}


@pytest.mark.parametrize("route", FIELDS, ids=" ".join)
def test_a_field_of_a_wrong_type_is_refused(world, route):
    method, target, field = route
    target = target.replace("BUCKET", world.alice.bucket)
    for value in MISFITS:
        if any(value is fit or value == fit and type(value) is type(fit) for fit in FIELDS[route]):
            continue
        fields = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, field: value}

        answer, = world.ask(world.alice.signed(method, target, fields if target == "/users" else {field: value}))

        assert_refused(answer, 400)


@cases("body, name", {
    "a field twice": [b'{"name": "a", "name": "b", "__nonce": %d}', "b"],
    "a nonce twice": [b'{"name": "x", "__nonce": 1, "__nonce": %d}', "x"],
    "unknown fields": [b'{"name": "x", "id": "y", "user": "z", "__proto__": {}, "__nonce": %d}', "x"],
    "a pair of surrogates": [b'{"name": "\\ud83d\\ude00", "__nonce": %d}', "\U0001f600"],
    "an escaped key": [b'{"n\\u0061me": "x", "__nonce": %d}', "x"],
    "1e999 where it is ignored": [b'{"name": "x", "other": 1e999, "__nonce": %d}', "x"],
})
def test_an_object_that_is_only_odd_is_taken(world, body, name):
    answer, = world.ask(world.alice.signed("POST", "/buckets", body % fresh_nonce()))

    assert answer.status == 200, answer
    assert answer.json()["name"] == name


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
@pytest.mark.parametrize("field", ["name", "storage", "transfer"])
def test_a_number_without_end_is_refused(world, field, number):
    body = f'{{"{field}": {number}, "__nonce": {fresh_nonce()}}}'.encode()

    answer, = world.ask(world.alice.signed("POST", "/buckets", body))

    assert_refused(answer, 400)
