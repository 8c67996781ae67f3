from __future__ import absolute_import, division, print_function

import binascii
import copy
import pickle
import sys
import traceback

import coincurve
import ecdsa
import pytest
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from hypothesis import given
from hypothesis import strategies as st

from pymdc.errors import InvalidKey
from pymdc.keypair import ECDSA
from recordings import vectors

ORDER = ecdsa.SECP256k1.order
private_keys = st.integers(1, ORDER - 1).map("{0:064x}".format)
signatures = vectors("signatures.json")["vectors"]


@given(private_keys)
def test_a_pair_is_made_again_from_its_halves(private_key):
    pair = ECDSA(private_key=private_key)

    again = ECDSA(pair.get_public_key(), pair.get_private_key())

    assert again == pair and hash(again) == hash(pair)
    assert again.get_private_key() == private_key
    assert len(again.get_public_key()) == 66


@given(private_keys, st.binary(max_size=100))
def test_what_is_signed_is_verified_and_nothing_else_is(private_key, message):
    pair = ECDSA(private_key=private_key)
    public = ECDSA(pair.get_public_key())

    signature = pair.sign(message)

    assert signature == pair.sign(message) == signature.lower()
    assert public.verify(message, signature)
    assert public.verify(message, signature.upper())
    assert not public.verify(message + b"x", signature)


class Without(object):
    """No coincurve, while the block lasts."""

    def __enter__(self):
        self._found = sys.modules["coincurve"]
        sys.modules["coincurve"] = None  # which import takes for "it is not there"

    def __exit__(self, *exception):
        sys.modules["coincurve"] = self._found


@given(private_keys, st.binary(max_size=100))
def test_coincurve_and_ecdsa_sign_alike(private_key, message):
    fast = ECDSA(private_key=private_key)
    with Without():
        slow = ECDSA(private_key=private_key)

    assert fast._sign.__self__.__class__ is coincurve.PrivateKey and slow._sign.func.__self__ is slow._signing_key
    assert fast == slow and fast.sign(message) == slow.sign(message)


@given(private_keys, st.binary(max_size=100))
def test_signatures_have_a_low_s_and_a_high_one_is_verified_too(private_key, message):
    pair = ECDSA(private_key=private_key)
    r, s = ecdsa.util.sigdecode_der(bytearray.fromhex(pair.sign(message)), ORDER)

    high = "".join("{0:02x}".format(byte) for byte in bytearray(ecdsa.util.sigencode_der(r, ORDER - s, ORDER)))

    assert s <= ORDER // 2
    assert pair.verify(message, high)


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200), st.integers(), st.none()))
def test_a_malformed_signature_is_not_verified(signature):
    assert ECDSA(private_key="1" * 64).verify(b"message", signature) is False


@given(st.binary(min_size=1, max_size=80))
def test_hex_that_is_no_signature_is_not_verified(der):
    text = "".join("{0:02x}".format(byte) for byte in bytearray(der))

    assert ECDSA(private_key="1" * 64).verify(b"message", text) is False


@pytest.mark.parametrize("vector", signatures, ids=[vector["case"] for vector in signatures])
def test_the_signatures_of_2016_are_judged_as_the_servers_judged(vector):
    message = u"{method}\n{path}\n{payload}".format(**vector)
    try:
        verified = ECDSA(vector["public_key"]).verify(message, vector["signature"])
    except InvalidKey:
        verified = False

    assert verified is (vector["signature_verdict"] == "accepted")


@pytest.mark.parametrize("form", [66, 130])
def test_a_public_key_keeps_its_form(form):
    point = ECDSA(private_key="2" * 64)._verifying_key
    raw = bytearray(point.to_string("compressed" if form == 66 else "uncompressed"))
    text = "".join("{0:02x}".format(byte) for byte in raw)

    assert ECDSA(text).get_public_key() == text
    assert ECDSA(text.encode("ascii")).get_public_key() == text
    assert ECDSA(text.upper()).get_public_key() == text
    assert ECDSA(text) == ECDSA(private_key="2" * 64)


BAD_PRIVATE_KEYS = ["", "zz" * 32, "00" * 32, "ff" * 32, "{0:064x}".format(ORDER), "1" * 63, "1" * 65, "1" * 63 + "\n",
                    " " + "1" * 63, u"\u0661" * 64, 5, b"\xff" * 64, ["1" * 64], True]
BAD_PUBLIC_KEYS = ["", "zz" * 33, "02" + "ff" * 32, "05" + "11" * 32, "04" + "11" * 64, "06" + "11" * 64, "00",
                   5, b"\xff" * 66,
                   "03:63:00", {"key": 1}, ECDSA]


@pytest.mark.parametrize("key", BAD_PRIVATE_KEYS, ids=repr)
def test_a_bad_private_key_is_refused(key):
    with pytest.raises(InvalidKey) as refused:
        ECDSA(private_key=key)
    assert_silent(refused, key)


@pytest.mark.parametrize("key", BAD_PUBLIC_KEYS, ids=repr)
def test_a_bad_public_key_is_refused(key):
    with pytest.raises(InvalidKey) as refused:
        ECDSA(public_key=key)
    assert_silent(refused, key)


@given(st.integers(ORDER, 2 ** 256 - 1).map("{0:064x}".format))
def test_a_private_key_out_of_range_is_refused(text):
    with pytest.raises(InvalidKey) as refused:
        ECDSA(private_key=text)
    assert_silent(refused, text)


def assert_silent(refused, key):
    """Neither the error nor what is chained to it repeats the key."""
    assert isinstance(refused.value, ValueError)
    shown = "".join(traceback.format_exception(refused.type, refused.value, None))
    if isinstance(key, (bytes, type(u""))) and len(key) > 8:
        assert repr(key)[2:-2] not in shown
    assert getattr(refused.value, "__context__", None) is None
    assert getattr(refused.value, "__cause__", None) is None


def test_halves_that_do_not_match_are_refused():
    with pytest.raises(InvalidKey):
        ECDSA(ECDSA().get_public_key(), ECDSA().get_private_key())


def test_a_public_key_alone_cannot_sign():
    public = ECDSA(ECDSA().get_public_key())

    assert public.get_private_key() is None
    with pytest.raises(InvalidKey, match="cannot sign"):
        public.sign("message")


def test_the_private_key_is_never_shown():
    pair = ECDSA()

    assert pair.get_private_key() not in repr(pair) + str(pair) + "{0}".format(pair)
    with pytest.raises(TypeError) as refused:
        pickle.dumps(pair)
    assert pair.get_private_key() not in str(refused.value)
    assert copy.copy(pair) is copy.deepcopy(pair) is pair


def test_keys_are_equal_by_their_public_key():
    pair, other = ECDSA(), ECDSA()

    assert pair == ECDSA(pair.get_public_key())
    assert pair != other and not pair == other
    assert pair != pair.get_public_key()
    assert len({pair, ECDSA(pair.get_public_key()), other}) == 2


@pytest.mark.parametrize("form", ["compressed", "uncompressed"])
def test_bytes_are_what_the_hex_stands_for(form):
    raw = ECDSA(private_key="2" * 64)._verifying_key.to_string(form)
    pair = ECDSA(binascii.hexlify(raw), "2" * 64)

    assert pair.get_public_key("bin") == raw
    assert pair.get_private_key("bin") == b"\x22" * 32


@given(private_keys)
def test_others_read_what_is_given_in_pem(private_key):
    pair = ECDSA(private_key=private_key)

    private = load_pem_private_key(pair.get_private_key("pem").encode("ascii"), None, default_backend())
    public = load_pem_public_key(pair.get_public_key("pem").encode("ascii"), default_backend())

    assert private.private_numbers().private_value == int(private_key, 16)
    assert public.public_numbers() == private.public_key().public_numbers()
    assert ecdsa.VerifyingKey.from_pem(pair.get_public_key("pem")) == pair._verifying_key
    assert ecdsa.SigningKey.from_pem(pair.get_private_key("pem")).to_string() == pair.get_private_key("bin")


def test_what_is_text_is_of_the_type_that_text_has_here():
    pair = ECDSA()

    for format in ("hex", "pem"):
        assert type(pair.get_public_key(format)) is type(pair.get_private_key(format)) is str


@pytest.mark.parametrize("format", ["hex", "bin", "pem"])
def test_of_a_public_key_alone_there_is_no_private_one_in_any_format(format):
    assert ECDSA(ECDSA().get_public_key()).get_private_key(format) is None


@pytest.mark.parametrize("format", ["der", "HEX", "", None, 5])
def test_an_unknown_format_is_refused(format):
    for pair in (ECDSA(), ECDSA(ECDSA().get_public_key())):
        for get in (pair.get_public_key, pair.get_private_key):
            with pytest.raises(ValueError, match="'hex', 'bin' and 'pem'"):
                get(format=format)
