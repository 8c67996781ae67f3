"""6. Tokens."""

import datetime
import email.utils
import hashlib
import re
import threading

from pymdc.keypair import ECDSA

from .point import empty, equals, gives, has_status, refused, refused_so, section
from .wire import Wire
from .world import fresh_content, sign


def lists_tokens(w):
    return w.is_direct and w.alice.signed("GET", w.alice.bucket() + "/tokens").status == 200


point = section(6, "Tokens")
ours = section(6, "Tokens", is_there=lists_tokens)

SPENT = refused(401, "Invalid or expired token")
BAD_OPERATION = refused(400, "Token validation failed")
MISSING = refused(404, "Bucket not found")
PULL = {"operation": "PULL"}
RACERS = 8


def life_of(token):
    """Return for how many seconds a token is good, by the bridge's own clock."""
    expires = datetime.datetime.fromisoformat(token["expires"].replace("Z", "+00:00"))
    return (expires - email.utils.parsedate_to_datetime(token.headers["date"])).total_seconds()


def id_of(token):
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def about(seconds):
    return lambda life: abs(life - seconds) < 30


@point
def the_owner_gets_tokens(w):
    bucket = w.alice.bucket()

    for ask in (w.alice.signed, w.alice.basic):
        for operation in ("PUSH", "PULL"):
            token = ask("POST", bucket + "/tokens", {"operation": operation})

            w.expect(token, gives(200, bucket=bucket[9:], operation=operation, id=token["token"]))
            w.expect(bool(re.fullmatch("[0-9a-f]{64}", token["token"])), equals(True))


@point
def a_token_lives_five_minutes(w):
    w.expect(life_of(w.alice.signed("POST", w.alice.bucket() + "/tokens", PULL)), about(300))


@point
def the_owner_may_say_when_a_token_expires(w):
    token = w.alice.signed("POST", w.alice.bucket() + "/tokens", {**PULL, "expires_in": 3600})

    w.expect(life_of(token), about(3600), about(300))


@point
def a_token_lives_a_week_at_most(w):
    bucket = w.alice.bucket()

    for seconds in (0, 604801, "long"):
        w.expect(w.alice.signed("POST", bucket + "/tokens", {**PULL, "expires_in": seconds}), BAD_OPERATION, gives(200))


@point
def the_operation_must_be_PUSH_or_PULL(w):
    bucket = w.alice.bucket()

    for fields in ({"operation": "FETCH"}, {"operation": "push"}, {}):
        w.expect(w.alice.signed("POST", bucket + "/tokens", fields), BAD_OPERATION)


@point
def nobody_gets_no_token(w):
    no_strategy_in_0_2_2 = refused(500, "Invalid signature or public key supplied")

    w.expect(w.nobody("POST", w.alice.bucket() + "/tokens", PULL),
             refused(401, "No authentication strategy detected"), no_strategy_in_0_2_2)


@point
def an_unknown_bucket_has_no_tokens(w):
    w.expect(w.alice.signed("POST", f"/buckets/{'f' * 24}/tokens", PULL), MISSING)


@point
def a_malformed_bucket_has_no_tokens(w):
    w.expect(w.alice.signed("POST", "/buckets/zzz/tokens", PULL), MISSING, has_status(500))


@point
def a_bucket_lists_keys_that_get_tokens_registered_or_not(w):
    friend = ECDSA()
    bucket = w.alice.bucket(pubkeys=[friend.get_public_key()])

    token = w.wire.send(sign(friend, "POST", bucket + "/tokens", PULL))

    w.expect(token, gives(200, operation="PULL"), refused(500, "Public key not registered"))


@point
def a_key_that_is_not_listed_gets_no_token(w):
    stranger = ECDSA()

    answer = w.wire.send(sign(stranger, "POST", w.alice.bucket() + "/tokens", PULL))

    w.expect(answer, MISSING, refused(500, "Public key not registered"))


@point
def another_account_gets_no_token(w):
    w.expect(w.bob.signed("POST", w.alice.bucket() + "/tokens", PULL), MISSING)


@point
def a_bad_signature_gets_no_token(w):
    answer = w.alice.signed("POST", w.alice.bucket() + "/tokens", PULL, text=b"else")

    w.expect(answer, refused(401, "Invalid signature"))


@point
def the_nonce_of_a_listed_key_is_checked(w):
    friend = ECDSA()
    bucket = w.alice.bucket(pubkeys=[friend.get_public_key()])

    answer = w.wire.send(sign(friend, "POST", bucket + "/tokens", PULL, nonce=None))

    w.expect(answer, refused(401, "Invalid nonce supplied"), gives(200), refused(500, "Public key not registered"))


@point
def the_nonce_of_the_owner_is_checked(w):
    bucket = w.alice.bucket()

    answer = w.alice.signed("POST", bucket + "/tokens", PULL, nonce=5)

    w.expect(answer, refused(401, "Invalid nonce supplied"), MISSING, gives(200))


@point
def who_is_only_listed_may_not_say_when_a_token_expires(w):
    friend = ECDSA()
    bucket = w.alice.bucket(pubkeys=[friend.get_public_key()])

    answer = w.wire.send(sign(friend, "POST", bucket + "/tokens", {**PULL, "expires_in": 60}))

    w.expect(answer, refused(403, "Only the owner of a bucket may say"), gives(200),
             refused(500, "Public key not registered"))


@ours
def a_token_for_a_file_opens_that_file_only(w):
    bucket = w.alice.bucket()
    one, other = w.alice.store(bucket), w.alice.store(bucket, fresh_content())

    for file_hash, expected in ((one, gives(200)), (other, refused_so(401, "Token not valid for hash"))):
        token = w.alice.signed("POST", bucket + "/tokens", {**PULL, "file": one})["token"]
        w.expect(w.alice.ask_pointers(bucket, file_hash, token), expected)
    w.expect(w.alice.signed("POST", bucket + "/tokens", {**PULL, "file": "0" * 40}), refused_so(404, "File not found"))


@ours
def a_token_for_a_size_lets_in_nothing_larger(w):
    bucket, size = w.alice.bucket(), len(w.content)

    for most, expected in ((size, gives(200)), (size - 1, refused_so(413, "File is too large"))):
        token = w.alice.signed("POST", bucket + "/tokens", {"operation": "PUSH", "max_size": most})["token"]
        w.expect(w.alice.put(bucket, token=token), expected)


@ours
def the_owner_lists_the_tokens_that_wait_and_revokes_them(w):
    bucket = w.alice.bucket()
    file_hash, token, spent = w.alice.store(bucket), w.alice.token(bucket, "PULL"), w.alice.token(bucket, "PULL")
    pointer = w.alice.ask_pointers(bucket, file_hash, spent).json[0]

    listed = w.alice.signed("GET", bucket + "/tokens").json
    w.expect([(waiting["id"], waiting["operation"]) for waiting in listed], equals([(id_of(token), "PULL")]))
    for each in (token, spent):
        w.expect(w.alice.signed("DELETE", f"{bucket}/tokens/{id_of(each)}"), empty(204))
        w.expect(w.alice.signed("DELETE", f"{bucket}/tokens/{id_of(each)}"), refused_so(404, "Token not found"))
    w.expect(w.alice.ask_pointers(bucket, file_hash, token), SPENT)
    w.expect(w.wire.ask("GET", "/shards/" + pointer["hash"], headers={"x-token": pointer["token"]}), has_status(401))


@point
def a_token_works_once(w):
    bucket = w.alice.bucket()
    push, pull = w.alice.token(bucket), w.alice.token(bucket, "PULL")
    file_hash = w.alice.store(bucket, token=push)
    w.alice.ask_pointers(bucket, file_hash, pull)

    w.expect(w.alice.put(bucket, token=push), SPENT)
    w.expect(w.alice.ask_pointers(bucket, file_hash, pull), SPENT)


@point
def a_refused_request_spends_its_token_too(w):
    bucket = w.alice.bucket()
    token = w.alice.token(bucket)

    w.expect(w.alice.put(bucket, size="many", token=token), refused(400, "Missing or invalid x-filesize header sent"))
    w.expect(w.alice.put(bucket, token=token), SPENT)


@point
def of_requests_that_race_with_one_token_one_passes(w):
    bucket = w.alice.bucket()
    file_hash = w.alice.store(bucket)
    token, statuses = w.alice.token(bucket, "PULL"), []

    def pull():
        answer = Wire(w.wire.url).ask("GET", f"{bucket}/files/{file_hash}", headers={"x-token": token})
        statuses.append(answer.status)

    threads = [threading.Thread(target=pull) for _ in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    w.expect(statuses.count(200), equals(1), lambda passed: passed > 1)


@point
def a_missing_or_unknown_token_is_refused(w):
    bucket = w.alice.bucket()

    for token in ("", "0" * 64, "short"):
        w.expect(w.alice.put(bucket, token=token), SPENT)
        w.expect(w.alice.ask_pointers(bucket, "0" * 40, token), SPENT)
