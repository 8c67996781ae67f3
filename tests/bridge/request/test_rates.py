"""Rates: who guesses, registers or asks for mails is slowed, and nobody locks another out."""

import base64
import types

import pytest

import raw
from pymdc.bridge import LocalBridge
from pymdc.bridge.request import limits
from pymdc.bridge.settings import Settings
from wire import Basic, Wire, race, registered


def test_wrong_passwords_are_slowed_for_who_sends_them(limited, carol):
    wrong = Basic(limited.url, carol.email, "00" * 32)

    answers = race(20, lambda number: wrong.get("/keys"))

    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 10
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert carol.basic.get("/keys").status_code == 429
    assert carol.signed.get("/keys").status_code == 200


def test_wrong_passwords_of_one_address_do_not_lock_out_another(tmp_path):
    with LocalBridge(tmp_path, rates="on", behind_proxy=("127.0.0.1",)) as bridge:
        dora = registered(bridge, "dora@example.com")
        for _ in range(12):
            answer = Basic(bridge.url, dora.email, "00" * 32).get("/keys", headers={"X-Forwarded-For": "192.0.2.7"})

        assert answer.status_code == 429
        assert dora.basic.get("/keys", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 429
        assert dora.basic.get("/keys", headers={"X-Forwarded-For": "192.0.2.7, 192.0.2.8"}).status_code == 200


def test_only_a_proxy_of_ours_is_believed(tmp_path):
    with LocalBridge(tmp_path, rates="on", behind_proxy=("192.0.2.1",)) as bridge:
        dora = registered(bridge, "dora@example.com")
        for number in range(12):
            address = f"198.51.100.{number}"
            answer = Basic(bridge.url, dora.email, "00" * 32).get("/keys", headers={"X-Forwarded-For": address})

        assert answer.status_code == 429


@pytest.fixture
def proxied(tmp_path):
    """A bridge behind a proxy, which says who asks."""
    with LocalBridge(tmp_path / "data", rates="on", wrong_passwords_hourly=12, behind_proxy=("127.0.0.1",)) as bridge:
        yield bridge


def guess(bridge, email, *forwarded):
    """Send a wrong password, as if it came by these proxies, each with a header of its own; return the status."""
    pair = base64.b64encode(f"{email}:{'00' * 32}".encode()).decode()
    headers = [("Authorization", "Basic " + pair), *(("X-Forwarded-For", address) for address in forwarded)]
    answer, = raw.talk(bridge.url, raw.request("GET", "/keys", headers))
    return answer.status


def test_of_several_headers_the_last_says_who_asks(proxied):
    for number in range(10):
        assert guess(proxied, "dora@example.com", f"198.51.100.{number}", "192.0.2.7") == 401

    assert guess(proxied, "dora@example.com", "198.51.100.99", "192.0.2.7") == 429
    assert guess(proxied, "dora@example.com", "192.0.2.7", "192.0.2.8") == 401


def test_of_ipv6_a_whole_network_is_slowed(proxied):
    for number in range(10):
        assert guess(proxied, "dora@example.com", f"2001:db8:0:1::{number:x}") == 401

    assert guess(proxied, "dora@example.com", "2001:db8:0:1:ffff::1") == 429
    assert guess(proxied, "dora@example.com", "2001:db8:0:2::1") == 401


def test_an_address_is_slowed_whatever_accounts_it_tries(proxied):
    for number in range(12):
        assert guess(proxied, f"{number}@example.com", f"2001:db8::{number:x}") == 401

    assert guess(proxied, "other@example.com", "2001:db8::ff") == 429
    assert guess(proxied, "other@example.com", "192.0.2.7") == 401


def test_who_was_right_lately_does_not_wait_for_those_who_guess_at_his_address(proxied):
    dora, from_there = registered(proxied, "dora@example.com"), {"X-Forwarded-For": "192.0.2.7"}
    assert dora.basic.get("/keys", headers=from_there).status_code == 200

    for number in range(13):
        last = guess(proxied, f"{number}@example.com", "192.0.2.7")

    assert last == 429
    assert dora.basic.get("/keys", headers=from_there).status_code == 200


def test_one_s_own_password_forgives_no_guesses_at_others(limited, carol):
    dave = registered(limited, "dave@example.com")
    wrong = Basic(limited.url, carol.email, "00" * 32)
    assert [wrong.get("/keys").status_code for _ in range(9)] == [401] * 9

    assert dave.basic.get("/keys").status_code == 200

    assert [wrong.get("/keys").status_code for _ in range(2)] == [401, 429]


@pytest.mark.parametrize("option, ask", [
    ("registrations", lambda call: limits.count_registration(call)),
    ("mails", lambda call: limits.count_mail(call, "a@example.com")),
    ("wrong_passwords_hourly", lambda call: limits.count_guess_of_address(call)),
])
def test_a_limit_may_be_high_and_is_one_all_the_same(option, ask):
    taken = []
    rates = types.SimpleNamespace(take=lambda subject, burst, interval, now: taken.append((burst, interval)) or 0)
    settings = Settings(None, **{option: 10**6})
    call = types.SimpleNamespace(
        services=types.SimpleNamespace(settings=settings), metadata=types.SimpleNamespace(rates=rates), address="::1",
        now=lambda: 0,
    )

    ask(call)

    (burst, interval), = taken
    assert burst == 10**6 and interval >= 1


def test_a_right_password_forgives_the_wrong_ones(limited, carol):
    wrong = Basic(limited.url, carol.email, "00" * 32)

    for _ in range(3):
        assert [wrong.get("/keys").status_code for _ in range(9)] == [401] * 9
        assert carol.basic.get("/keys").status_code == 200


def test_mails_to_one_address_are_slowed(limited):
    nobody = Wire(limited.url)
    fields = {"email": "erin@example.com", "password": "ab" * 32}

    assert nobody.post("/users", fields).status_code == 200
    again = [nobody.post("/users", {**fields, "password": password}) for password in ("ab" * 32, "cd" * 32)]

    assert [(answer.status_code, answer.json()) for answer in again] == [
        (400, {"error": "Email is already registered"})] * 2
    assert "Retry-After" not in again[0].headers
    assert len(list(limited.outbox.glob("*.eml"))) == 1


def test_what_was_slowed_does_not_change_what_waits(limited):
    """Nobody could follow the link to what has no mail."""
    nobody, email = Wire(limited.url), "erin@example.com"
    nobody.post("/users", {"email": email, "password": "ab" * 32})

    nobody.post("/users", {"email": email, "password": "cd" * 32})
    nobody.get("/activations/" + limited.activation_token(email))

    assert Basic(limited.url, email, "ab" * 32).get("/keys").status_code == 200
    assert Basic(limited.url, email, "cd" * 32).get("/keys").status_code == 401


def test_a_second_mail_goes_out_when_it_may(tmp_path):
    with LocalBridge(tmp_path, rates="on", mails=2) as bridge:
        nobody, fields = Wire(bridge.url), {"email": "erin@example.com", "password": "ab" * 32}
        statuses = [nobody.post("/users", fields).status_code for _ in range(3)]

        assert statuses == [200, 400, 400]
        assert len(list(bridge.outbox.glob("*.eml"))) == 2


def test_a_registration_that_is_refused_costs_no_mail(limited, carol):
    nobody, fields = Wire(limited.url), {"email": "erin@example.com", "password": "ab" * 32}

    assert nobody.post("/users", {**fields, "pubkey": carol.key}).status_code == 400
    assert nobody.post("/users", fields).status_code == 200


def test_registrations_from_one_address_are_slowed(tmp_path):
    with LocalBridge(tmp_path, rates="on", registrations=3) as bridge:
        fields = [{"email": f"{name}@example.com", "password": "ab" * 32} for name in "abcde"]
        answers = [Wire(bridge.url).post("/users", each).status_code for each in fields]

    assert answers == [200, 200, 200, 429, 429]
