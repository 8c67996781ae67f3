"""The stand-ins for the servers of 2016 answer as those did."""

from __future__ import absolute_import, division, print_function

import json

import pytest
import requests

import pymdc
from member_of_2016 import content
from recordings import vectors

EXCHANGES = vectors("exchanges.json")["exchanges"]
RECORDED = {exchange["case"]: exchange["answers"] for exchange in EXCHANGES}
CUT = 300  # characters, after which a recorded answer is cut


def test_the_stand_in_keeps_the_shards_of_all_uploads_of_a_content(server, member, upload_anew):
    stored = [upload_anew(member.bucket.files, content(5000)) for _ in range(2)][-1]
    first, second = server.shards[stored["hash"]]
    token = member.bucket.files.token("PULL")["token"]
    ask = requests.Session()
    ask.trust_env = False

    answer = ask.get(server.url + "/buckets/{bucket}/files/{hash}".format(**stored), headers={"x-token": token})

    assert [pointer["hash"] for pointer in answer.json()][:4] == [first[0], second[0], first[1], second[1]]
    assert len(answer.json()) == len(first) + len(second)


def test_the_stand_in_forgets_about_an_upload_without_a_file_name(server, version, member):
    headers = {"x-token": member.bucket.files.token("PUSH")["token"], "x-filesize": "7"}
    ask = requests.Session()
    ask.trust_env = False

    with pytest.raises(requests.Timeout):
        ask.put(server.url + "/buckets/{0}/files".format(member.bucket.list()["id"]), headers=headers, timeout=0.3,
                files={"data": (None, b"content")})


def test_the_stand_in_verifies_signatures_and_knows_what_it_has_sent(server, version, member):
    headers = pymdc._signing.signature_headers(member.key_pair, "GET", "/keys", b"__nonce=2e12")
    ask = requests.Session()
    ask.trust_env = False

    first = ask.get(server.url + "/keys?__nonce=2e12", headers=headers)
    headers["If-None-Match"] = first.headers["ETag"]
    again = ask.get(server.url + "/keys?__nonce=2e12", headers=headers)
    forged = ask.get(server.url + "/keys?__nonce=3e12", headers=headers)
    unknown = ask.get(server.url + "/nope")

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    for answer, case in ((forged, "bad signature (other key)"), (unknown, "unknown route")):
        recorded = RECORDED[case].get(version, RECORDED[case]["0.2.4"])
        assert (answer.status_code, answer.text) == (recorded["status"], recorded["body"])


def test_the_stand_in_answers_registrations_and_keys_as_recorded(server, version):
    ask = requests.Session()
    ask.trust_env = False
    registrations = [exchange for exchange in EXCHANGES if exchange["case"].startswith("user create")]
    account = json.loads(registrations[0]["request_body"])
    basic = (account["email"], account["password"])

    for exchange in registrations:  # in their order, since an e-mail is free only once
        assert answered(ask, server, exchange) == recorded_answer(exchange, version)
    server.users[account["email"]]["activated"] = True
    for exchange in EXCHANGES:
        if exchange["case"].startswith("keys"):
            auth = None if "no auth" in exchange["case"] else basic
            assert answered(ask, server, exchange, auth) == recorded_answer(exchange, version)


def answered(ask, server, exchange, auth=None):
    body = exchange["request_body"] or ""
    answer = ask.request(
        exchange["method"], server.url + exchange["path"], data="" if body == "(0 bytes)" else body.encode("utf-8"),
        auth=auth,
    )
    return exchange["case"], answer.status_code, undated(answer.text)


def recorded_answer(exchange, version):
    answer = exchange["answers"].get(version, exchange["answers"]["0.2.4"])
    return exchange["case"], answer["status"], undated(answer["body"])


def undated(text):
    answer = json.loads(text) if 0 < len(text) < CUT else None
    return dict(answer, created=None) if isinstance(answer, dict) else answer
