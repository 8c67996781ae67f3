"""A forgotten password: the link in a mail, the page that it leads to, and that it works once."""

import hashlib
import re
import types
import urllib.parse

import pytest
import requests

from mailed import ask_for_reset, links, mails
from pymdc.bridge import LocalBridge
from pymdc.bridge.handlers import resets
from wire import Basic, Wire, put, race, registered

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FORM = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}
NEW = "cd" * 32
NO_GOOD = (400, {"error": "Invalid reset token"})


def post_form(bridge, path, **fields):
    return Wire(bridge.url).send("POST", path, urllib.parse.urlencode(fields).encode(), FORM)


def told(answer):
    return answer.status_code, answer.json()


@pytest.mark.both_databases
def test_a_link_sets_another_password_once(alice, local):
    link = ask_for_reset(local, alice.email)

    answer = alice.nobody.post(link, {"password": NEW})

    assert answer.status_code == 200 and answer.json()["email"] == alice.email and answer.json()["activated"] is True
    assert Basic(local.url, alice.email, NEW).get("/keys").json()[0]["key"] == alice.key
    assert alice.basic.get("/keys").status_code == 401
    assert alice.signed.get("/keys").status_code == 200
    assert told(alice.nobody.post(link, {"password": "ef" * 32})) == NO_GOOD
    assert told(alice.nobody.get(link)) == NO_GOOD


@pytest.mark.both_databases
def test_of_two_who_use_a_link_at_once_one_passes(alice, local):
    link = ask_for_reset(local, alice.email)
    passwords = [f"{number:02x}" * 32 for number in range(8)]

    results = race(8, lambda number: (alice.nobody.post(link, {"password": passwords[number]}).status_code,
                                      passwords[number]))

    passed, = [password for status, password in results if status == 200]
    assert sorted(status for status, _ in results) == [200] + [400] * 7
    assert Basic(local.url, alice.email, passed).get("/keys").status_code == 200
    assert [subject for subject, _ in mails(local, alice.email)].count(
        "The password of your Metadisk account was changed") == 1


@pytest.mark.both_databases
def test_earlier_links_are_good_until_one_is_used(alice, local):
    first, second, third = (ask_for_reset(local, alice.email) for _ in range(3))

    assert alice.nobody.post(second, {"password": NEW}).status_code == 200

    assert [told(alice.nobody.post(link, {"password": NEW})) for link in (first, third)] == [NO_GOOD] * 2


@pytest.mark.both_databases
def test_of_two_links_that_are_used_at_once_one_passes(alice, local):
    both = [ask_for_reset(local, alice.email) for _ in range(2)]

    statuses = race(2, lambda number: alice.nobody.post(both[number], {"password": NEW}).status_code)

    assert sorted(statuses) == [200, 400]


@pytest.mark.both_databases
def test_a_link_ends_when_the_password_is_changed_otherwise(alice, local):
    link = ask_for_reset(local, alice.email)

    alice.basic.patch("/users/" + alice.email, {"password": NEW})

    assert told(alice.nobody.post(link, {"password": "ef" * 32})) == NO_GOOD


@pytest.mark.parametrize("minutes, status", [(59, 200), (61, 400)])
@pytest.mark.both_databases
def test_a_link_is_good_for_an_hour(alice, local, later, minutes, status):
    link = ask_for_reset(local, alice.email)

    later(60 * minutes)

    assert alice.nobody.get(link).status_code == status
    assert alice.nobody.post(link, {"password": NEW}).status_code == status


def test_what_the_old_password_has_asked_for_ends(alice, local):
    bucket = alice.bucket()
    by_password = alice.basic.post(f"/buckets/{bucket}/tokens", {"operation": "PUSH"}).json()["token"]
    by_key = alice.token(bucket)

    alice.nobody.post(ask_for_reset(local, alice.email), {"password": NEW})

    statuses = [put(alice.nobody, bucket, b"x", {"x-token": token}).status_code for token in (by_password, by_key)]
    assert statuses == [401, 200]


def test_the_mail_says_what_to_do_and_the_next_one_that_it_was_done(alice, local):
    link = ask_for_reset(local, alice.email)
    alice.nobody.post(link, {"password": NEW})

    (changed, what_then), (asked, text), _ = mails(local, alice.email)
    assert asked == "Another password for your Metadisk account"
    assert local.url + link in text and "If it was not you, do nothing" in text
    assert changed == "The password of your Metadisk account was changed" and local.url + "/resets" in what_then


def test_the_answer_does_not_tell_who_has_an_account_and_others_get_no_mail(alice, local):
    Wire(local.url).post("/users", {"email": "inactive@example.com", "password": NEW})

    for address in (alice.email.upper(), "nobody@example.com", "inactive@example.com"):
        answer = Wire(local.url).post("/resets", {"email": address})
        assert told(answer) == (200, {})

    assert len(links(local, alice.email)) == 1
    assert not links(local, "nobody@example.com") and not links(local, "inactive@example.com")


@pytest.mark.parametrize("address", [None, "", "nobody", 5, ["a@example.com"], "a@b\r\nTo: c@example.com"])
def test_what_is_no_address_is_refused(local, address):
    answer = Wire(local.url).post("/resets", {"email": address})

    assert answer.status_code == 400 and "email is missing or is not" in answer.json()["error"]


@pytest.mark.parametrize("password", [None, "", "secret", "cd" * 31, 5])
def test_a_password_that_is_no_hash_is_refused_and_the_link_stays_good(alice, local, password):
    link = ask_for_reset(local, alice.email)

    answer = alice.nobody.post(link, {"password": password})

    assert told(answer) == (400, {"error": "Password must be hex encoded SHA-256 hash"})
    assert alice.nobody.post(link, {"password": NEW}).status_code == 200


@pytest.mark.parametrize("token", ["0" * 64, "test", "%00", "%ff", "0" * 5000])
def test_a_link_that_is_none_is_refused(local, token):
    wire = Wire(local.url)

    assert told(wire.get("/resets/" + token)) == told(wire.post("/resets/" + token, {"password": NEW})) == NO_GOOD


def test_there_is_a_mail_a_minute_and_five_a_day_and_what_came_before_is_good(tmp_path, later):
    with LocalBridge(tmp_path, rates="on") as bridge:
        account = registered(bridge)
        sent = []
        for minute in range(8):
            for _ in range(2):
                assert told(account.nobody.post("/resets", {"email": account.email})) == (200, {})
            sent.append(len(links(bridge, account.email)))
            later(61 * (minute + 1))

        assert sent == [1, 2, 3, 4, 5, 5, 5, 5]
        assert account.nobody.post(links(bridge, account.email)[-1], {"password": NEW}).status_code == 200

        later(24 * 60 * 60)
        account.nobody.post("/resets", {"email": account.email})
        assert len(links(bridge, account.email)) == 6


def from_network(bridge, account, number):
    """Ask for a link, through a proxy; return how many were mailed by now."""
    headers = {"X-Forwarded-For": f"192.0.2.{number}"}
    assert told(Wire(bridge.url).post("/resets", {"email": account.email}, headers=headers)) == (200, {})
    return len(links(bridge, account.email))


def test_who_has_had_all_mails_to_an_address_sent_keeps_its_owner_from_none(tmp_path, later):
    with LocalBridge(tmp_path, rates="on", behind_proxy=("127.0.0.1",)) as bridge:
        account = registered(bridge)
        for minute in range(7):
            sent = from_network(bridge, account, 1)
            later(61 * (minute + 1))

        assert sent == 5
        assert from_network(bridge, account, 1) == 5  # which takes up nothing of this minute
        assert from_network(bridge, account, 2) == 6


def test_so_many_mails_with_a_link_to_another_password_go_to_an_address_at_most(tmp_path, later):
    with LocalBridge(tmp_path, rates="on", behind_proxy=("127.0.0.1",), resets=1) as bridge:
        account = registered(bridge)
        sent = []
        for number in range(6):
            sent.append(from_network(bridge, account, number))
            later(61 * (number + 1))

    assert sent == [1, 2, 3, 4, 4, 4]


def test_the_answer_takes_as_long_whoever_has_an_account(tmp_path, monkeypatch):
    waited = []

    async def wait(seconds):
        waited.append(seconds)

    monkeypatch.setattr(resets, "time", types.SimpleNamespace(monotonic=lambda: 1000.0))
    monkeypatch.setattr(resets, "anyio", types.SimpleNamespace(sleep=wait))
    with LocalBridge(tmp_path, rates="on") as bridge:
        for address in (registered(bridge).email, "nobody@example.com"):
            assert told(Wire(bridge.url).post("/resets", {"email": address})) == (200, {})

    assert waited == [0.5, 0.5]


def test_the_host_of_a_request_leads_no_link_elsewhere(alice, local):
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Content-Type": "application/json"}

    Wire(local.url).send("POST", "/resets", b'{"email": "%s"}' % alice.email.encode(), headers)

    (_, text), *_ = mails(local, alice.email)
    assert local.url + links(local, alice.email)[0] in text and "evil.example" not in text


def test_who_asks_too_often_is_slowed_whatever_the_address(tmp_path):
    with LocalBridge(tmp_path, rates="on", registrations=2) as bridge:
        answers = [Wire(bridge.url).post("/resets", {"email": f"{number}@example.com"}) for number in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"]


def test_who_has_guessed_too_often_gets_in_by_a_new_password(tmp_path):
    with LocalBridge(tmp_path, rates="on", wrong_passwords=1) as bridge:
        account = registered(bridge)
        wrong = Basic(bridge.url, account.email, "00" * 32)
        assert [wrong.get("/keys").status_code for _ in range(2)] == [401, 429]

        account.nobody.post(ask_for_reset(bridge, account.email), {"password": NEW})

        assert Basic(bridge.url, account.email, NEW).get("/keys").status_code == 200


# The pages

def test_a_browser_is_led_from_the_address_to_the_new_password(alice, local):
    with requests.Session() as browser:
        browser.headers.update(BROWSER)
        asking = browser.get(local.url + "/resets")
        mailed = browser.post(local.url + "/resets", {"email": alice.email})
        link = local.url + links(local, alice.email)[0]
        form = browser.get(link)
        done = browser.post(link, {"password": "s\xe9cret & more", "again": "s\xe9cret & more"})
        again = browser.get(link)

    assert [page.status_code for page in (asking, mailed, form, done, again)] == [200, 200, 200, 200, 400]
    assert 'name="email"' in asking.text and alice.email in mailed.text
    assert 'name="password"' in form.text and f'value="{alice.email}"' in form.text
    assert "Your password is changed" in done.text and "not good any more" in again.text
    hashed = hashlib.sha256("s\xe9cret & more".encode()).hexdigest()
    assert Basic(local.url, alice.email, hashed).get("/keys").status_code == 200


def test_looking_at_a_link_spends_nothing(alice, local):
    link = ask_for_reset(local, alice.email)

    looks = [alice.nobody.get(link, headers=headers).status_code for headers in (BROWSER, {}, BROWSER)]

    assert looks == [200] * 3 and alice.nobody.send("HEAD", link).status_code == 405
    assert alice.nobody.post(link, {"password": NEW}).status_code == 200


@pytest.mark.parametrize("fields, words", [
    ({"password": "one", "again": "other"}, "not the same"), ({"password": "one"}, "not the same"),
    ({"password": "", "again": ""}, "is empty"), ({}, "is empty"),
])
def test_a_form_that_is_filled_in_wrongly_is_shown_again_and_the_link_stays_good(alice, local, fields, words):
    link = ask_for_reset(local, alice.email)

    page = post_form(local, link, **fields)

    assert page.status_code == 400 and words in page.text and 'name="password"' in page.text
    assert "one" not in re.sub("<style>.*</style>", "", page.text).split("<form")[1]
    assert post_form(local, link, password="one", again="one").status_code == 200


def test_an_address_that_is_none_is_asked_for_again(local):
    page = post_form(local, "/resets", email="nobody")

    assert page.status_code == 400 and "not an e-mail address" in page.text and 'name="email"' in page.text


def test_a_page_takes_nothing_from_elsewhere_and_sends_its_form_nowhere_else(alice, local):
    for page in (alice.nobody.get("/resets", headers=BROWSER), alice.nobody.get(ask_for_reset(local, alice.email))):
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script-src" not in policy
        assert policy.endswith("form-action 'self'")
        assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
        assert "<script" not in page.text and page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in alice.nobody.get("/resets", headers={"Origin": "https://x"}).headers


def test_a_name_is_shown_as_text(local):
    page = post_form(local, "/resets", email="a&b'c@example.com")

    assert "a&amp;b&#x27;c@example.com" in page.text and "a&b" not in page.text


def test_curl_may_call_json_a_form(alice, local):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = alice.nobody.send("POST", "/resets", b' {"email": "%s"}' % alice.email.encode(), headers)

    assert told(answer) == (200, {}) and len(links(local, alice.email)) == 1


def test_a_form_without_a_browser_is_answered_in_json(alice, local):
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}

    answer = alice.nobody.send("POST", ask_for_reset(local, alice.email), b"password=one&again=one", headers)

    assert answer.status_code == 200 and answer.json()["email"] == alice.email
