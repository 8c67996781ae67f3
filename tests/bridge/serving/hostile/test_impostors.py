"""Nonces, signatures, keys, passwords: who is asking."""

import base64
import json
import uuid

import ecdsa
import pytest

import pymdc
import raw
from siege import NO_KEY, PASSWORD, assert_refused, cases
from wire import fresh_nonce

ORDER = ecdsa.SECP256k1.order

ARABIC = str.maketrans("0123456789", "".join(chr(0x660 + digit) for digit in range(10)))
# How a nonce that would pass is written, in JSON; without quotes for a query.
NO_NONCES = {
    "true": lambda now: "true", "false": lambda now: "false", "null": lambda now: "null",
    "list": lambda now: f"[{now}]",
    "object": lambda now: f'{{"a": {now}}}', "underscores": lambda now: f'"{now:_}"',
    "commas": lambda now: f'"{now:,}"',
    "Arabic digits": lambda now: '"' + str(now).translate(ARABIC) + '"', "hex": lambda now: f'"{now:#x}"',
    "inf": lambda now: '"inf"', "nan": lambda now: '"nan"', "Infinity": lambda now: '"Infinity"',
    "minus": lambda now: f"-{now}", "-1": lambda now: "-1", "-0": lambda now: "-0", "-0.0": lambda now: '"-0.0"',
    "1e400": lambda now: '"1e400"', "1e999": lambda now: "1e999",
    "33 characters": lambda now: f'"{str(now).zfill(33)}"',
    "a space before": lambda now: f'" {now}"', "a space behind": lambda now: f'"{now} "', "empty": lambda now: '""',
    "NUL": lambda now: f'"{now}\\u0000"', "two points": lambda now: f'"{now}.1.2"', "two": lambda now: f'"{now},{now}"',
    "letters": lambda now: '"now"', "a day ahead": lambda now: str(now + 90_000_000), "zero": lambda now: "0",
    "a line feed behind": lambda now: f'"{now}\\n"', "400 digits": lambda now: "1" * 400,
    "half a surrogate pair": lambda now: f'"{now}\\ud800"',
}


@pytest.mark.parametrize("write", list(NO_NONCES.values()), ids=list(NO_NONCES))
def test_a_nonce_that_is_none_is_refused(world, write):
    text = write(fresh_nonce())

    answer, = world.ask(world.alice.signed("POST", "/buckets", f'{{"__nonce": {text}}}'.encode()))

    assert_refused(answer, 401)
    assert answer.json() == {"error": "Invalid nonce supplied"} and "x-nonce" in answer.headers


@cases("query", {
    "missing": "a=b", "empty": "__nonce=", "no value": "__nonce", "plus is a space": "__nonce=+{}",
    "space": "__nonce=%20{}",
    "underscore": "__nonce={}_0", "Arabic digits": "__nonce=%D9%A1", "hex": "__nonce=0x{}", "NUL": "__nonce={}%00",
    "a good one first": "__nonce={}&__nonce=x", "a list": "__nonce[]={}", "another name": "__Nonce={}",
    "not UTF-8": "__nonce=%ff", "a broken escape": "__nonce={}%zz", "semicolon": "a=b;__nonce={}", "inf": "__nonce=inf",
    "33 characters": "__nonce=00000000000000000000{}", "5 000 names": "&".join(["a=b"] * 5000),
})
def test_a_query_without_a_nonce_is_refused(world, query):
    target = b"/keys?" + query.format(fresh_nonce()).encode()

    answer, = world.ask(raw.request("GET", target, world.alice.signature("GET", target, b"")))

    assert_refused(answer, 401)
    assert answer.json() == {"error": "Invalid nonce supplied"}


@cases("query", {
    "an encoded plus": "__nonce=%2B{}", "a fraction": "__nonce={}.25", "exponent": "__nonce={}000e-3",
    "32 characters": "__nonce=0000000000000000000{}", "a bad one first": "__nonce=x&__nonce={}",
    "encoded": "%5F%5Fnonce={}", "empty pairs": "&&&__nonce={}&&",
})
def test_a_nonce_that_is_only_odd_is_taken(world, query):
    target = b"/keys?" + query.format(fresh_nonce()).encode()

    answer, = world.ask(raw.request("GET", target, world.alice.signature("GET", target, b"")))

    assert answer.status == 200, answer


def der(r, s):
    return ecdsa.util.sigencode_der(r, s, ORDER).hex()


def numbers(signature):
    return ecdsa.util.sigdecode_der(bytes.fromhex(signature), ORDER)


def integer(number):
    data = number.to_bytes((number.bit_length() + 8) // 8 or 1, "big")
    return b"\x02" + bytes([len(data)]) + data


def unchecked(r, s):
    """Return DER of two numbers, also of such as no signature has."""
    return (b"\x30" + bytes([len(integer(r) + integer(s))]) + integer(r) + integer(s)).hex()


NO_SIGNATURES = {
    "empty": lambda good: "", "space": lambda good: " ", "not hex": lambda good: "z" * 140,
    "odd": lambda good: good[:-1],
    "prefixed": lambda good: "0x" + good, "spaces": lambda good: good[:10] + " " + good[10:], "0": lambda good: "0",
    "truncated": lambda good: good[:-2], "half": lambda good: good[:len(good) // 2],
    "only a sequence": lambda good: "3000",
    "trailing byte": lambda good: good + "00", "twice": lambda good: good + good,
    "raw": lambda good: "".join(f"{number:064x}" for number in numbers(good)),
    "raw and recovery": lambda good: "1b" + "".join(f"{number:064x}" for number in numbers(good)),
    "r is 0": lambda good: unchecked(0, numbers(good)[1]), "s is 0": lambda good: unchecked(numbers(good)[0], 0),
    "both 0": lambda good: unchecked(0, 0), "both 1": lambda good: unchecked(1, 1),
    "r is n": lambda good: unchecked(ORDER, numbers(good)[1]),
    "s is n": lambda good: unchecked(numbers(good)[0], ORDER),
    "s beyond n": lambda good: unchecked(numbers(good)[0], numbers(good)[1] + ORDER),
    "r of 33 bytes": lambda good: unchecked(2 ** 263, numbers(good)[1]),
    "r and s exchanged": lambda good: der(*reversed(numbers(good))),
    "r negated": lambda good: der(ORDER - numbers(good)[0], numbers(good)[1]),
    "base64": lambda good: base64.b64encode(bytes.fromhex(good)).decode(), "Arabic digits": lambda good: "\u0663" * 140,
    "100 000 characters": lambda good: "30" * 20000, "a long length": lambda good: "3084ffffffff" + good[4:],
    "BER": lambda good: "3080" + good[4:] + "0000",
}


def changed(request, **headers):
    """Return a request with the values of some headers changed."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    for name, value in headers.items():
        name = name.replace("_", "-").encode()
        lines = [line for line in lines if not line.startswith(name + b": ")] + [name + b": " + value.encode()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def signature_of(request):
    return request.split(b"x-signature: ")[1].split(b"\r\n")[0].decode()


@pytest.mark.parametrize("change", list(NO_SIGNATURES.values()), ids=list(NO_SIGNATURES))
def test_a_signature_that_is_none_is_refused(world, change):
    request = world.alice.signed("POST", "/buckets")

    answer, = world.ask(changed(request, x_signature=change(signature_of(request))))

    assert_refused(answer, 401)


@cases("request_of", {
    "of another path": [lambda alice, bob: changed(
        alice.signed("GET", "/buckets"), x_signature=signature_of(alice.signed("GET", "/keys", nonce=fresh_nonce())))],
    "of another method": [lambda alice, bob: alice.signed("GET", "/keys").replace(b"GET", b"DELETE", 1)],
    "of another body": [lambda alice, bob: alice.signed("POST", "/buckets", {"name": "a"}).replace(b'"a"', b'"b"')],
    "of another query": [lambda alice, bob: alice.signed("GET", "/keys?a=b").replace(b"a=b", b"a=c")],
    "of the path decoded": [lambda alice, bob: alice.signed("GET", "/keys").replace(b"/keys", b"/%6beys")],
    "with a trailing slash more": [lambda alice, bob: alice.signed("GET", "/keys").replace(b"/keys", b"/keys/")],
    "by another key": [lambda alice, bob: changed(bob.signed("POST", "/buckets"), x_pubkey=alice.key)],
    "by nobody's key": [lambda alice, bob: changed(alice.signed("GET", "/keys"), x_pubkey=NO_KEY)],
})
def test_a_signature_of_something_else_is_refused(world, request_of):
    answer, = world.ask(request_of[0](world.alice, world.bob))

    assert_refused(answer, 401, 405)


def test_a_negated_signature_is_as_good_but_no_way_to_say_it_again(world):
    request = world.alice.signed("POST", "/buckets", {"name": "once"})
    r, s = numbers(signature_of(request))
    negated = changed(request, x_signature=der(r, ORDER - s))

    first, = world.ask(negated)
    buckets = world.state()["buckets"]
    again = [world.ask(each)[0] for each in (request, negated)]

    assert first.status == 200, first
    for answer in again:
        assert_refused(answer, 401)
        assert answer.json() == {"error": "Invalid nonce supplied"}
    assert world.state()["buckets"] == buckets


KEY = pymdc.keypair.ECDSA()
LONG = KEY._verifying_key.to_string("uncompressed").hex()
NO_KEYS = {
    "not on the curve": "02" + "f" * 64, "x of no point": "02" + "0" * 63 + "5", "not on the curve, long": LONG[:-1] + (
        "0" if LONG[-1] != "0" else "1"),
    "hybrid 06": "06" + LONG[2:], "hybrid 07": "07" + LONG[2:], "hybrid, short": "06" + LONG[2:66], "infinity": "00",
    "infinity, long": "00" * 33, "raw": LONG[2:], "compressed and more": LONG[:66], "one byte less": LONG[:-2],
    "one byte more": LONG + "00", "odd": LONG[:-1], "prefixed": "0x" + LONG, "empty": "", "not hex": "02" + "z" * 64,
    "x is p": "02" + f"{2 ** 256 - 2 ** 32 - 977:064x}", "spaces": " " + LONG, "a line feed": LONG + "\n",
    "Arabic digits": "\u0660\u0662" + "\u0661" * 64, "PEM": "-----BEGIN PUBLIC KEY-----", "100 000": "02" * 50000,
    "all zeros": "02" + "0" * 64,
}


@pytest.mark.parametrize("key", list(NO_KEYS.values()), ids=list(NO_KEYS))
def test_a_key_that_is_none_is_refused_wherever_it_is_sent(world, key):
    bucket = f"/buckets/{world.alice.bucket}"
    user = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, "pubkey": key}
    registering = world.ask(world.alice.signed("POST", "/keys", {"key": key}))
    listing = world.ask(world.alice.signed("PATCH", bucket, {"pubkeys": [world.alice.key, key]}))
    joining = world.ask(raw.request("POST", "/users", body=json.dumps(user).encode()))

    for answers in (registering, listing, joining):
        assert_refused(answers[0], 400)
    if "\n" not in key:
        assert_refused(world.ask(changed(world.alice.signed("GET", "/keys"), x_pubkey=key[:60000]))[0], 401)


def test_a_key_in_capitals_is_a_key(world):
    answer, = world.ask(world.alice.signed("POST", "/keys", {"key": KEY.get_public_key().upper()}))

    assert answer.status == 200


@cases("credentials", {
    "nothing": [""], "no base64": ["!!!"], "one character": ["A"], "broken padding": ["YTpi="], "no colon": ["YWJj"],
    "not UTF-8": ["//8="], "NUL": [base64.b64encode(b"a\0b:c\0d").decode()], "no user": ["OnBhc3M="],
    "colons": ["Ojo6"],
    "not Latin": [b"\xff\xfe"], "URL-safe base64": ["_-8="], "spaces within": ["YT pi"], "a megabyte": ["YTpi" * 15000],
    "half a surrogate pair": [base64.b64encode(b"\xed\xa0\x80:x").decode()], "empty password": ["YUBiOg=="],
    "SQL": [base64.b64encode(b"' OR 1=1 --:x").decode()], "two": ["YTpi, Basic YTpi"],
})
def test_a_password_that_is_none_is_refused(world, credentials):
    value = credentials[0] if isinstance(credentials[0], bytes) else credentials[0].encode()

    answer, = world.ask(raw.request("GET", "/keys", {"Authorization": b"Basic " + value}))

    assert_refused(answer, 401)


@pytest.mark.parametrize("scheme", [
    "Bearer x", "Digest username=x", "basic", "Basic\t", "\x80", "Negotiate " + "A" * 9999,
])
def test_another_scheme_is_nobody(world, scheme):
    answer, = world.ask(raw.request("GET", "/keys", {"Authorization": scheme}))

    assert_refused(answer, 401)
