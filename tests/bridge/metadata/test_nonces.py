"""No signed request passes twice, and requests may overtake each other."""

import hashlib
import uuid

import ecdsa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from pymdc.bridge.metadata import nonces
from pymdc.bridge.metadata.tables import seen, windows
from pymdc.bridge.settings import Settings
from wire import Signed, race

pytestmark = pytest.mark.both_databases

WINDOW = Settings.nonce_window
ORDER = ecdsa.SECP256k1.order


def der(r, s):
    return ecdsa.util.sigencode_der(r, s, ORDER).hex()


def test_a_request_that_is_sent_again_is_refused_and_told_the_highest_nonce(alice, now):
    alice.signed.get("/keys", nonce=now + 1000.5)

    again = alice.signed.send_again()

    assert (again.status_code, again.json()) == (401, {"error": "Invalid nonce supplied"})
    assert float(again.headers["x-nonce"]) == now + 1000.5


@pytest.mark.parametrize("method, path", [("GET", "/keys"), ("POST", "/buckets"), ("DELETE", "/keys/" + "0" * 66)])
def test_a_text_may_be_signed_twice_and_a_signature_sent_once_however_it_is_written(alice, now, method, path):
    nonce = now // 1000 * 1000

    def ask(written):
        body = b"{}" if method == "POST" else None
        answer = alice.signed.send(method, path, body=body, nonce=nonce, **{"x-signature": written})
        return answer.json()["error"] if answer.status_code >= 400 else None

    text = (f"{method}\n{path}\n" + (f'{{"__nonce": {nonce}}}' if method == "POST" else f"__nonce={nonce}")).encode()
    key = ecdsa.SigningKey.from_string(bytes.fromhex(alice.key_pair.get_private_key()), ecdsa.SECP256k1, hashlib.sha256)
    pairs = [key.sign(text, sigencode=lambda r, s, order: (r, s)) for _ in range(2)]

    for r, s in pairs:
        assert ask(der(r, s)) != "Invalid nonce supplied"
    for r, s in pairs:
        for again in (der(r, s), der(r, ORDER - s), der(r, s).upper(), der(r, ORDER - s).upper()):
            assert ask(again) == "Invalid nonce supplied"


def test_requests_within_the_window_may_overtake_each_other_and_share_a_nonce(alice, now):
    for nonce in (now + 59000, now, now + 1000, now + 58999):
        assert alice.signed.get("/keys", nonce=nonce).status_code == 200
    assert alice.signed.get("/buckets", nonce=now).status_code == 200
    assert alice.signed.get("/keys", nonce=now - 1000).status_code == 401


@pytest.mark.parametrize("nonce", [
    "1e400", "nan", "inf", "-1", "1_000", "%D9%A1", "", "0x10", "9" * 33, "true", "%5B%5D", "--1", "e", ".",
])
def test_what_is_no_number_is_no_nonce(alice, nonce):
    assert alice.signed.get("/keys", nonce=nonce).json() == {"error": "Invalid nonce supplied"}


def test_a_nonce_far_ahead_is_refused_and_locks_nobody_out(alice, now):
    assert alice.signed.get("/keys", nonce=now + 2 * 86400000).status_code == 401
    assert alice.signed.get("/keys").status_code == 200


def test_a_nonce_is_spent_also_when_the_call_fails(alice):
    assert alice.signed.post("/buckets", {"storage": "lots"}).status_code == 400
    assert alice.signed.send_again().status_code == 401


def test_a_deleted_and_registered_key_is_still_protected(alice):
    assert alice.signed.get("/keys").status_code == 200
    request = alice.signed.last
    alice.basic.delete("/keys/" + alice.key)
    alice.basic.post("/keys", {"key": alice.key})

    alice.signed.last = request

    assert alice.signed.send_again().status_code == 401


def test_both_written_forms_of_a_key_share_one_window(alice, now):
    long = alice.key_pair._verifying_key.to_string("uncompressed").hex()
    alice.basic.delete("/keys/" + alice.key)
    alice.basic.post("/keys", {"key": long})
    assert alice.signed.get("/keys", nonce=now + 70000, **{"x-pubkey": long}).status_code == 200

    alice.basic.delete("/keys/" + long)
    alice.basic.post("/keys", {"key": alice.key})

    assert alice.signed.get("/keys", nonce=now).status_code == 401


def test_of_racing_copies_of_a_request_one_passes(alice, now):
    alice.signed.get("/keys", nonce=now)
    bucket = Signed(alice.signed.url, alice.key_pair)
    bucket.deliver = lambda request: None
    bucket.post("/buckets", {"name": "once"}, nonce=now + 5)
    del bucket.deliver

    answers = race(50, lambda _: bucket.send_again().status_code)

    assert sorted(answers) == [200] + [401] * 49


REQUESTS = st.lists(st.tuples(st.integers(0, 4 * WINDOW), st.integers(0, 3)), max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=REQUESTS)
def test_no_sequence_of_requests_lets_one_pass_twice(memory, requests):
    point, passed, highest = uuid.uuid4().hex, set(), 0
    for nonce, text in requests + requests:
        text = f"{nonce}-{text}"
        told = memory.nonces.see(point, float(nonce), text, WINDOW, ceiling=1e15)

        assert told == (None if nonce > highest - WINDOW and text not in passed else highest)
        if told is None:
            passed.add(text)
            highest = max(highest, nonce)
    check_count(memory, point)


def check_count(memory, point):
    """See whether as many texts are kept of a key as it is said."""
    with memory._database.read() as db:
        kept = db.execute(select(func.count()).where(seen.c.point == point)).scalar()
        assert db.execute(select(windows.c.texts).where(windows.c.point == point)).scalar() in (kept, None)


def test_a_nonce_as_far_ahead_as_it_may_be_passes_and_none_beyond(memory):
    assert memory.nonces.see("point", 1000.0, "a", WINDOW, ceiling=1000.0) is None
    assert memory.nonces.see("point", 1000.5, "b", WINDOW, ceiling=1000.0) == 1000


def test_what_is_kept_of_a_key_is_bounded(memory, monkeypatch):
    monkeypatch.setattr(nonces, "MAX_TEXTS", 50)

    for number in range(200):
        assert memory.nonces.see("point", 1000.0 + number, str(number), WINDOW, ceiling=1e15) is None

    assert memory.nonces.see("point", 1000.0, "again", WINDOW, ceiling=1e15) == 1199
    for number in range(200):
        assert memory.nonces.see("point", 1000.0 + number, str(number), WINDOW, ceiling=1e15) is not None
    check_count(memory, "point")


def test_what_has_no_place_any_more_reopens_no_window(memory, monkeypatch):
    """The oldest go where the window would keep more; where it keeps less, nothing below it comes back."""
    monkeypatch.setattr(nonces, "MAX_TEXTS", 2)
    for number in range(40):
        assert memory.nonces.see("point", 1000.0 + 10 * number, str(number), 15, ceiling=1e15) is None

        assert memory.nonces.see("point", 1000.0 + 10 * number - 15, "late", 15, ceiling=1e15) == 1000 + 10 * number
    check_count(memory, "point")


def test_what_is_beyond_the_window_is_forgotten(memory):
    for number in range(200):
        assert memory.nonces.see("point", number * WINDOW, str(number), WINDOW, ceiling=1e15) is None

    with memory._database.read() as db:
        kept = db.execute(select(func.count()).select_from(seen)).scalar()
    assert kept <= nonces.FORGET_EVERY
