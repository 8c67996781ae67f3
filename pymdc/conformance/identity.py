"""2. Who is asking."""

import binascii

import ecdsa

from pymdc.keypair import ECDSA

from .point import equals, gives, has_status, refused, section
from .world import fresh_nonce, long_form

point = section(2, "Who is asking")

ORDER = ecdsa.SECP256k1.order
WRONG = "0" * 64
DAY = 86_400_000  # milliseconds

WRONG_PASSWORD = refused(401, "Invalid email or password")
BAD_SIGNATURE = refused(401, "Invalid signature")
NOT_REGISTERED = refused(401, "Public key not registered")
BAD_NONCE = refused(401, "Invalid nonce supplied")
NOBODY = refused(401, "No authentication strategy detected")


# HTTP Basic

@point
def Basic_takes_the_hash_of_the_password(w):
    w.expect(w.alice.basic("GET", "/keys"), gives(200))


@point
def the_case_of_an_email_does_not_matter(w):
    w.expect(w.alice.basic("GET", "/keys", address=w.alice.email.upper()), gives(200))


@point
def a_wrong_password_is_refused(w):
    w.expect(w.alice.basic("GET", "/keys", password=WRONG), WRONG_PASSWORD)


@point
def an_unknown_account_is_refused_like_a_wrong_password(w):
    w.expect(w.alice.basic("GET", "/keys", address="nobody-knows@example.com"), WRONG_PASSWORD)


@point
def Basic_wins_over_a_signature(w):
    right = w.alice.signed("GET", "/keys", text=b"else", headers=w.alice.authorization())
    wrong = w.alice.signed("GET", "/keys", headers=w.alice.authorization(password=WRONG))

    w.expect(right, gives(200))
    w.expect(wrong, WRONG_PASSWORD)


@point
def Basic_with_an_empty_password_leaves_it_to_the_signature(w):
    w.expect(w.alice.signed("GET", "/keys", headers=w.alice.authorization(password="")), gives(200))


# Signatures

@point
def who_sends_nothing_is_refused(w):
    no_strategy_in_0_2_2 = refused(500, "Invalid signature or public key supplied")

    w.expect(w.nobody("GET", "/keys"), NOBODY, no_strategy_in_0_2_2)


@point
def a_key_without_a_signature_is_nothing(w):
    answer = w.nobody("GET", "/keys", headers={"x-pubkey": w.alice.key})

    w.expect(answer, NOBODY, refused(500, "Invalid signature or public key supplied"))


@point
def the_raw_query_is_signed(w):
    w.expect(w.alice.signed("GET", "/keys?b=2&a=1"), gives(200))
    w.expect(w.alice.signed("GET", "/keys?x=a%20b"), gives(200))


@point
def a_query_signed_in_another_order_is_refused(w):
    nonce = fresh_nonce()
    text = f"GET\n/keys\n__nonce={nonce}&a=1".encode()

    w.expect(w.alice.signed("GET", "/keys?a=1", nonce=nonce, text=text), BAD_SIGNATURE)


@point
def the_raw_body_is_signed(w):
    spaced = '{ "name" :  "h\u00e9llo", "__nonce": %d }' % fresh_nonce()

    w.expect(w.alice.signed("POST", "/buckets", body=spaced.encode()), gives(200, name="h\u00e9llo"))


@point
def the_query_of_a_POST_is_not_signed(w):
    request = w.alice.sign("POST", "/buckets", {"name": "query"}, nonce=fresh_nonce())
    with_query = type(request)("POST", "/buckets?x=1", request.body, request.headers)

    w.expect(w.wire.send(with_query), gives(200, name="query"))


@point
def a_signature_of_something_else_is_refused(w):
    w.expect(w.alice.signed("GET", "/keys", text=b"GET\n/buckets\n"), BAD_SIGNATURE)


@point
def a_signature_of_another_key_is_refused(w):
    w.expect(w.alice.signed("GET", "/keys", pair=ECDSA(), key=w.alice.key), BAD_SIGNATURE)


@point
def a_signature_may_be_in_upper_case(w):
    w.expect(w.alice.signed("GET", "/keys", written=str.upper), gives(200))


@point
def a_signature_may_have_a_high_S_or_a_low_one(w):
    for choose in (max, min):
        def written(signature):
            r, s = ecdsa.util.sigdecode_der(binascii.unhexlify(signature), ORDER)
            return ecdsa.util.sigencode_der(r, choose(s, ORDER - s), ORDER).hex()

        w.expect(w.alice.signed("GET", "/keys", written=written), gives(200))


@point
def a_signature_that_is_not_DER_is_refused(w):
    def raw(signature):
        return ecdsa.util.sigencode_string(*ecdsa.util.sigdecode_der(binascii.unhexlify(signature), ORDER), ORDER).hex()

    w.expect(w.alice.signed("GET", "/keys", written=raw), BAD_SIGNATURE, has_status(500))


@point
def a_signature_that_is_not_hex_is_refused(w):
    invalid_in_0_2_2 = refused(500, "Invalid signature or public key supplied")

    w.expect(w.alice.signed("GET", "/keys", written=lambda signature: "zz"), BAD_SIGNATURE, invalid_in_0_2_2,
             refused(500, "Signature without r or s"))


@point
def a_key_that_nobody_has_registered_is_refused(w):
    w.expect(w.alice.signed("GET", "/keys", pair=ECDSA()), NOT_REGISTERED)


@point
def the_signature_is_checked_first_then_the_key_and_then_the_nonce(w):
    w.expect(w.alice.signed("GET", "/keys", pair=ECDSA(), text=b"else", nonce=None), BAD_SIGNATURE)
    w.expect(w.alice.signed("GET", "/keys", pair=ECDSA(), nonce=None), NOT_REGISTERED)


@point
def a_key_is_known_only_as_it_was_registered(w):
    pair = ECDSA()
    w.alice.basic("POST", "/keys", {"key": long_form(pair)})

    w.expect(w.alice.signed("GET", "/keys", pair=pair, key=long_form(pair)), gives(200))
    w.expect(w.alice.signed("GET", "/keys", pair=pair), NOT_REGISTERED)


# Nonces

@point
def a_nonce_may_be_an_integer_a_fraction_or_text(w):
    for kind in (int, lambda nonce: nonce + 0.25, str, lambda nonce: f"{nonce}.250000"):
        w.expect(w.alice.signed("POST", "/buckets", nonce=kind(fresh_nonce())), gives(200))
    w.expect(w.alice.signed("GET", "/keys", nonce=f"{fresh_nonce()}.25"), gives(200))


@point
def a_GET_without_a_nonce_is_refused(w):
    w.expect(w.alice.signed("GET", "/keys", nonce=None), BAD_NONCE, gives(200))


@point
def a_POST_without_a_nonce_is_refused(w):
    w.expect(w.alice.signed("POST", "/buckets", nonce=None), BAD_NONCE, gives(200))


@point
def an_equal_nonce_passes_on_another_request(w):
    nonce = fresh_nonce()

    w.expect(w.alice.signed("GET", "/keys", nonce=nonce), gives(200))
    w.expect(w.alice.signed("GET", "/buckets", nonce=nonce), gives(200))


@point
def a_request_that_was_overtaken_passes(w):
    nonce = fresh_nonce()
    w.alice.signed("GET", "/keys", nonce=nonce)

    w.expect(w.alice.signed("GET", "/keys", nonce=nonce - 1000), gives(200), BAD_NONCE)


@point
def a_nonce_far_below_the_last_one_is_refused(w):
    w.alice.signed("GET", "/keys")

    for nonce in (fresh_nonce() // 1000, 0, -5):
        w.expect(w.alice.signed("GET", "/keys", nonce=nonce), BAD_NONCE, gives(200))


@point
def the_same_request_does_not_pass_twice(w):
    request = w.alice.sign("POST", "/buckets", {"name": "once"})

    w.expect(w.wire.send(request), gives(200))
    w.expect(w.wire.send(request), BAD_NONCE, gives(200))


@point
def a_nonce_is_spent_also_when_the_call_fails(w):
    request = w.alice.sign("POST", "/buckets", {"storage": "lots"})
    failed = refused(400, "Bucket validation failed")

    w.expect(w.wire.send(request), failed)
    w.expect(w.wire.send(request), BAD_NONCE, *failed.old)


@point
def a_refused_nonce_is_answered_with_the_highest(w):
    highest = fresh_nonce()
    w.alice.signed("GET", "/keys", nonce=highest)

    answer = w.alice.signed("GET", "/keys", nonce=1)

    w.expect(answer, BAD_NONCE, gives(200))
    w.expect(answer.headers.get("x-nonce"), lambda header: float(header or 0) == highest, equals(None))


@point
def what_is_no_number_is_no_nonce(w):
    stranger = w.make_account()  # some of these would lock an account of the old servers
    not_saved_in_2016 = refused(500, "User validation failed")

    for nonce in ("abc", "nan", "inf", "1_000", "9" * 33):
        w.expect(stranger.signed("GET", "/keys", nonce=nonce), BAD_NONCE, not_saved_in_2016, gives(200))
    w.expect(stranger.signed("POST", "/buckets", nonce=True), BAD_NONCE, not_saved_in_2016, gives(200))


@point
def a_nonce_days_ahead_is_refused_and_locks_nobody_out(w):
    stranger = w.make_account()

    w.expect(stranger.signed("GET", "/keys", nonce=fresh_nonce() + 2 * DAY), BAD_NONCE, gives(200))
    w.expect(stranger.signed("GET", "/keys"), gives(200), BAD_NONCE)
