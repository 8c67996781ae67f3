"""Headers and paths."""

import pytest

import raw
from siege import NO_BUCKET, NO_HASH, NO_KEY, assert_refused, cases

MIB = 1024 * 1024


@cases("given", {
    "authorization": ["Authorization", "Basic eDp5", lambda party: party.basic("GET", "/keys")],
    "x-pubkey": ["x-pubkey", NO_KEY, lambda party: party.signed("GET", "/keys")],
    "x-signature": ["x-signature", "30", lambda party: party.signed("GET", "/keys")],
})
@pytest.mark.parametrize("first", [True, False])
def test_who_asks_in_two_ways_at_once_is_refused(world, given, first):
    name, value, make = given
    line, request = f"{name}: {value}\r\n".encode(), make(world.alice)
    head = request.index(b"\r\n") + 2 if first else request.index(b"\r\n\r\n") + 2

    answer, = world.ask(request[:head] + line + request[head:])

    assert_refused(answer, 400, 401)


@cases("name, value", {
    "x-token": ["x-token", "0" * 64], "x-filesize": ["x-filesize", "17"],
    "content-type": ["Content-Type", "text/plain"],
    "host": ["Host", "y"],
})
@pytest.mark.parametrize("first", [True, False])
def test_an_upload_that_says_a_thing_in_two_ways_is_refused(world, name, value, first):
    line, request = f"{name}: {value}\r\n".encode(), world.put()
    head = request.index(b"\r\n") + 2 if first else request.index(b"\r\n\r\n") + 2

    answer, = world.ask(request[:head] + line + request[head:])

    assert_refused(answer, 400, 401)


@pytest.mark.parametrize("name", ["Authorization", "x-pubkey", "x-signature", "x-token", "Origin", "Cookie", "Expect"])
def test_bytes_that_are_no_text_in_a_header_are_refused(world, name):
    headers = {"x-pubkey": world.alice.key, "x-signature": "00", name: b"\xff\xfe\xe2\x82 \x80"}
    answer, = world.ask(raw.request("GET", f"/buckets/{NO_BUCKET}/files/{NO_HASH}", headers))

    assert_refused(answer, 401)


@pytest.mark.parametrize("value", [b"a\x7fb", b"a\x01b", b"a\0b", b"a\rb", b"a\r\n b"])
def test_what_is_echoed_splits_no_answer(world, value):
    answer, = world.ask(raw.request("GET", "/nope", {"Origin": value}))

    assert_refused(answer, 400)


@cases("headers", {
    "one of 70 000 bytes": [("X", "y" * 70000)],
    "one name of 70 000 bytes": [("X" * 70000, "y")],
    "1 000 of 100 bytes": [(f"X-{number}", "y" * 100) for number in range(1000)],
    "a megabyte": [("X", "y" * MIB)],
    "100 000 without a value": [("X", "")] * 100000,
})
def test_more_than_64_kib_of_headers_are_refused(world, headers):
    with raw.Connection(world.url) as connection:
        connection.send(raw.request("GET", "/health", headers)[:70_000])  # more could be lost with the answer
        answer, = connection.answers()

    assert_refused(answer, 431)


def test_a_request_line_of_70_000_bytes_is_refused(world):
    answer, = world.ask(raw.request("GET", "/health?" + "x" * 70000))

    assert_refused(answer, 400, 414, 431)


def test_1000_short_headers_are_no_harm(world):
    answer, = world.ask(raw.request("GET", "/health", [(f"X-{number}", "y") for number in range(1000)]))

    assert answer.status in (200, 400, 431)


@pytest.mark.parametrize("value", ["100-continue, x", "nonsense", "200-ok"])
def test_an_expectation_is_no_harm(world, value):
    answer, = world.ask(raw.request("POST", "/users", {"Expect": value}, b"[]"))

    assert_refused(answer, 400, 417)


ROUTES = [
    ("GET", "/buckets/{}"), ("PATCH", "/buckets/{}"), ("DELETE", "/buckets/{}"), ("POST", "/buckets/{}/tokens"),
    ("GET", "/buckets/{}/files"), ("PUT", "/buckets/{}/files"), ("DELETE", "/keys/{}"), ("GET", "/activations/{}"),
    ("PATCH", "/users/{}"), ("DELETE", "/users/{}"),
    ("GET", "/buckets/BUCKET/files/{}"), ("DELETE", "/buckets/BUCKET/files/{}"), ("GET", "/shards/{}"),
]
IDS = {
    "up": "..", "here": ".", "up, encoded": "%2e%2e", "up and on, encoded": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "up, encoded twice": "%252e%252e%252f", "backslashes": "..%5c..%5c", "NUL": "%00", "NUL behind": "a%00b",
    "not UTF-8": "%ff%fe", "half a surrogate pair": "%ed%a0%80", "parameters": "x;y=z", "double slash": "/x",
    "an encoded slash": "x%2fy", "a broken escape": "%zz", "half an escape": "%", "encoded digits": "%66" * 24,
    "6 000 characters": "f" * 6000, "Unicode, encoded": "%E7%8C%AB", "a line feed": "a%0d%0ab",
    "quotes": "'%20OR%201=1--",
    "wildcards": "%25", "a format": "%7B0%7D", "a space": "%20", "Arabic digits": "%D9%A1" * 24, "minus": "-1",
}


@pytest.mark.parametrize("text", list(IDS.values()), ids=list(IDS))
def test_an_id_that_is_none_leads_nowhere(world, text):
    for method, route in ROUTES:
        target = route.replace("BUCKET", world.alice.bucket).format(text)
        body = {"name": "changed", "operation": "PUSH"} if method in ("POST", "PATCH") else None
        request = world.put(token="x") if method == "PUT" else world.alice.signed(method, target, body)
        if method == "PUT":
            request = request.replace(f"/buckets/{world.alice.bucket}/files".encode(), target.encode(), 1)

        answer, = world.ask(request)

        assert_refused(answer, 400, 401, 404, 405)


@pytest.mark.parametrize("text", [b"\xe7\x8c\xab", b"\xff", b"a b", b"a\0b", b"a\x7fb", b"a\tb"])
def test_raw_bytes_in_a_path_are_refused(world, text):
    for method, route in ROUTES:
        target = route.replace("BUCKET", world.alice.bucket).encode().replace(b"{}", text)
        answers = world.ask(world.alice.signed(method, target, b""))

        assert_refused(answers[0], 400)


def test_a_path_of_70_000_bytes_is_refused(world):
    answer, = world.ask(world.alice.signed("GET", "/buckets/" + "f" * 70000))

    assert_refused(answer, 400, 404, 414, 431)
