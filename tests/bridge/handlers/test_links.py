"""Links: what looking at one shows, and what of it is told to nobody."""

import logging

import pytest
import requests

from links import BROWSER, GONE, ONCE, fetch, follow, id_of, invite, send, share, store, ticket, token_of, waiting
from pymdc.bridge.request.call import Call

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize("look", [
    lambda link: requests.get(link, headers=BROWSER), requests.get, requests.head,
    lambda link: requests.get(link, headers={"Range": "bytes=0-99"}),
    lambda link: requests.get(link, headers={"Accept": "application/json"}),
    lambda link: requests.get(link + "/"), requests.options,
])
def test_looking_at_a_link_spends_nothing(alice, bucket, look):
    links = [share(alice, bucket, store(alice, bucket, b"photo")), invite(alice, bucket)]

    for link in links:
        for _ in range(3):
            assert look(link).ok

    assert set(waiting(alice, bucket)) == set(map(id_of, links))


def test_a_link_says_what_it_is_good_for(alice, bucket):
    download = share(alice, bucket, store(alice, bucket, b"photo", "2016/photo.jpg"))
    upload = invite(alice, bucket, max_size=7)

    def told(link):
        return requests.get(link, headers={"Accept": "application/json"}).json()
    expires = {token["operation"]: token["expires"] for token in alice.basic.get(f"/buckets/{bucket}/tokens").json()}
    assert told(download) == {
        "operation": "PULL", "filename": "photo.jpg", "size": 5, "expires": expires["PULL"]}
    assert told(upload) == {"operation": "PUSH", "max_size": 7, "expires": expires["PUSH"]}


@pytest.mark.parametrize("make", [
    lambda account, bucket: account.token(bucket, "PULL"), lambda account, bucket: "0" * 64,
    lambda account, bucket: "x", lambda account, bucket: "%00",
])
def test_what_is_no_link_leads_nowhere(local, alice, bucket, make):
    link = f"{local.url}/links/{make(alice, bucket)}"

    for answer in (requests.get(link, headers={"Accept": "application/json"}), follow(link), follow(link, ONCE),
                   send(link, b"photo"), requests.get(link + "/photo.jpg")):
        assert (answer.status_code, answer.json()) == (404, GONE)
    for answer in (requests.get(link, headers=BROWSER), requests.get(link), follow(link, headers=BROWSER)):
        assert answer.status_code == 404
        assert "This link leads nowhere" in answer.text


def test_links_and_tickets_are_for_no_other_origin(local, alice, bucket):
    link = share(alice, bucket, store(alice, bucket, b"photo"))
    from_elsewhere = {"Origin": "https://evil.example"}

    answers = [
        requests.get(link, headers={**from_elsewhere, "Accept": "application/json"}),
        requests.options(link, headers=from_elsewhere), follow(link, headers=from_elsewhere),
        fetch(link + "/x", **from_elsewhere),
    ]

    assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == [None] * 4
    assert requests.get(local.url, headers=from_elsewhere).headers["Access-Control-Allow-Origin"]


def test_a_browser_is_answered_with_pages(alice, bucket):
    link = invite(alice, bucket, max_size=10)

    large, empty, good, late = (send(link, content, name, **BROWSER) for content, name in (
        (b"x" * 11, "a"), (b"", ""), (b"x", "<b>&.txt"), (b"x", "b")))

    assert [answer.status_code for answer in (large, empty, good, late)] == [413, 400, 200, 404]
    assert all(answer.headers["Content-Type"] == "text/html; charset=utf-8" for answer in (large, empty, good, late))
    assert "<bdi>&lt;b&gt;&amp;.txt</bdi>, 1 byte" in good.text
    assert "File is too large" in large.text and "No file in the request" in empty.text


def test_no_link_is_in_what_python_shows_of_a_request():
    call = Call(None, "GET", b"/links/secret", b"", {"x-token": "secret"}, {"token": "secret"}, "::1", None, {})

    assert "secret" not in repr(call)


def test_no_link_and_no_ticket_reaches_the_log(alice, bucket, caplog):
    caplog.set_level(logging.DEBUG)
    link, back = share(alice, bucket, store(alice, bucket, b"photo")), invite(alice, bucket)
    url = ticket(link, ONCE)
    secrets = [token_of(link), token_of(back), url.split("/")[-2], ONCE]

    for call in (lambda: fetch(url), lambda: follow(link), lambda: requests.get(link), lambda: send(back, b"x"),
                 lambda: send(back, b"x"), lambda: fetch(url + "x", "bytes=9-")):
        call()

    ours = [record for record in caplog.records if record.name.startswith("pymdc.bridge")]
    told = "\n".join(str({**vars(record), "message": record.getMessage()}) for record in ours)
    assert "/links/{token}" in told and "/links/{token}/{name}" in told
    assert not [secret for secret in secrets if secret in told]
