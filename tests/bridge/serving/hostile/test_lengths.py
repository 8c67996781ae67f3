"""How long a file is said to be, and a body, and chunks."""

import pytest

import raw
from siege import CONTENT, FILE, FORM, assert_refused, cases

MIB = 1024 * 1024


@cases("size", {
    "missing": [None], "empty": [""], "negative": ["-1"], "plus": ["+16"], "minus nothing": ["-0"],
    "fraction": ["16.5"], "exponent": ["1.6e1"], "Arabic digits": ["\u0661\u0666"], "underscore": ["1_6"],
    "hex": ["0x10"], "a space within": ["1 6"], "comma": ["16,16"], "NaN": ["NaN"], "infinite": ["inf"],
    "10^15": ["1" + "0" * 15], "5 000 digits": ["9" * 5000], "true": ["true"], "full width": ["\uff11\uff16"],
    "too small": [15], "too large": [17], "nothing": [0], "not Latin": [b"16\xff"], "superscript": ["1\u2076"],
})
def test_a_declared_size_that_is_not_the_size_is_refused(world, size):
    answer, = world.ask(world.put(size=size[0]))

    assert_refused(answer, 400)


@cases("size, status", {
    "fraction of nothing": ["16.000", 200], "spaces around": ["   16  ", 200],
    "leading zeros": ["000000000000016", 200],
    "more than the bucket holds": ["999999999999999", 413],
})
def test_a_declared_size_is_a_whole_number(world, size, status):
    answer, = world.ask(world.put(size=size))

    assert answer.status == status, answer


@cases("length", {
    "negative": "-1", "plus": "+16", "hex": "0x10", "a space within": "1 6", "comma": "16, 16", "fraction": "16.0",
    "empty": "", "letters": "x", "2^64": str(2 ** 64), "5 000 digits": "9" * 5000, "underscore": "1_6",
    "Arabic digits": "\u0661\u0666", "exponent": "1e3", "quoted": '"16"', "vertical tab": b"16\x0b",
})
def test_a_content_length_that_is_none_is_refused(world, length):
    answer, = world.ask(world.put(headers={"Content-Length": length}))

    assert_refused(answer, 400)


@pytest.mark.parametrize("lengths", [(len(FILE), len(FILE)), (len(FILE), 5), (0, len(FILE))])
def test_two_content_lengths_are_refused(world, lengths):
    answer, = world.ask(world.put(headers=[("Content-Length", length) for length in lengths]))

    assert_refused(answer, 400)


def test_what_is_behind_the_content_length_is_no_part_of_the_body(world):
    answers = world.ask(world.put(headers={"Content-Length": len(FILE) - 4}))

    assert len(answers) <= 2
    for answer in answers:
        assert_refused(answer, 400)


def test_a_body_that_is_shorter_than_its_content_length_is_never_stored(world):
    assert world.ask(world.put(headers={"Content-Length": len(FILE) + 1}), answers=0) == []
    assert world.ask(raw.request("POST", "/users", {"Content-Length": 1000}, b"{}"), answers=0) == []


def chunks(world, body, **options):
    options = {"headers": {"Transfer-Encoding": "chunked"}, **options}
    return world.put(body, **options)


@cases("body", {
    "as it should be": raw.chunked(FILE) + b"0\r\n\r\n",
    "byte by byte": raw.chunked(FILE, 1) + b"0\r\n\r\n",
    "zeros before a size": raw.chunked(FILE).replace(b"7\r\n", b"0007\r\n", 1) + b"000\r\n\r\n",
    "an extension": raw.chunked(FILE).replace(b"7\r\n", b"7;name=value\r\n", 1) + b"0\r\n\r\n",
    "trailers": raw.chunked(FILE) + b"0\r\nX-Checksum: 5\r\n\r\n",
})
def test_a_chunked_body_is_put_together(world, body):
    answer, = world.ask(chunks(world, body))

    assert answer.status == 200, answer
    assert answer.json()["size"] == len(CONTENT)


@cases("body", {
    "size is no number": b"x\r\n" + FILE,
    "size is negative": b"-7\r\n" + FILE,
    "size with a plus": b"+7\r\n1234567\r\n0\r\n\r\n",
    "size is hex with 0x": b"0x7\r\n1234567\r\n0\r\n\r\n",
    "size is empty": b"\r\n1234567\r\n0\r\n\r\n",
    "size beyond 2^64": b"f" * 17 + b"\r\n" + FILE,
    "size with an underscore": b"1_0\r\n" + FILE,
    "spaces before a size": b"   7\r\n1234567\r\n0\r\n\r\n",
    "data longer than its size": b"5\r\n1234567\r\n0\r\n\r\n",
    "data shorter than its size": b"9\r\n1234567\r\n0\r\n\r\n",
    "sizes end in LF": raw.chunked(FILE).replace(b"7\r\n", b"7\n", 1) + b"0\r\n\r\n",
    "data without an end": b"7\r\n12345670\r\n\r\n",
})
def test_a_chunk_that_is_none_is_refused(world, body):
    answers = world.ask(chunks(world, body))

    assert_refused(answers[0], 400)
    assert len(answers) == 1


def test_an_extension_of_a_chunk_that_never_ends_is_refused(world):
    answers = world.ask(chunks(world, b"7;" + b"x" * MIB + b"\r\n1234567\r\n0\r\n\r\n"))

    assert_refused(answers[0], 400, 413, 431)


def test_a_chunked_body_without_its_last_chunk_is_never_stored(world):
    assert world.ask(chunks(world, raw.chunked(FILE)), answers=0) == []


@cases("trailer, options", {
    "x-token": ["x-token: {token}", {"token": ""}],
    "x-filesize": ["x-filesize: 16", {"size": None}],
    "content-type": ["Content-Type: " + FORM, {"content_type": None}],
})
def test_a_trailer_is_no_header(world, trailer, options):
    trailer = trailer.format(token=world.alice.token()).encode()

    answers = world.ask(chunks(world, raw.chunked(FILE) + b"0\r\n" + trailer + b"\r\n\r\n", **options))

    assert_refused(answers[0], 400, 401)
