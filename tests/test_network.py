"""One request: nothing is trusted with memory, nothing is followed, and it costs little more than itself."""

from __future__ import absolute_import, division, print_function

import gzip
import io
import re
import sys
import threading
import time

import pytest
import urllib3

import pymdc
from canned_server import answer
from one_call import CALLS, HASH, TOKEN, activated, client_of, listed, registered, shard, shard_by_websocket
from pymdc._http import connection, reply
from pymdc._http.network import Network
from pymdc._transfer import channel
from pymdc._transfer.pointers import Pointers
from pymdc.errors import APIError, TransportError


@pytest.mark.parametrize("call", CALLS)
def test_no_call_asks_for_a_compressed_answer(canned, call):
    server = canned(answer("404 Not Found"))

    with pytest.raises((APIError, TransportError)):
        call(server.url)

    asked = [line for line in server.requests[0].split(b"\r\n") if line.lower().startswith(b"accept-encoding")]
    assert asked == [b"Accept-Encoding: identity"]


def zipped(content):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        file.write(content)
    return packed.getvalue()


@pytest.mark.parametrize("encoding", [
    "gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip",
])
@pytest.mark.parametrize("call", [listed, activated, shard])
def test_a_compressed_answer_is_refused_and_not_asked_for_again(canned, call, encoding):
    server = canned(answer("200 OK", zipped(b"[]"), "Content-Encoding: " + encoding))

    with pytest.raises(TransportError, match="compressed"):
        call(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_an_answer_that_only_says_that_it_is_not_compressed_is_read(canned, encoding):
    assert listed(canned(answer("200 OK", b"[]", "Content-Encoding: " + encoding)).url) == []


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "302 Found"])
def test_an_answer_is_read_up_to_a_limit(canned, monkeypatch, status):
    monkeypatch.setattr(reply, "MAX_ANSWER", 1000)
    body = b'{"error": "' + b"x" * 987 + b'"}'
    fits, large = canned(answer(status, body)), canned(answer(status, body + b" "))

    if status == "200 OK":
        assert listed(fits.url)
    else:
        with pytest.raises(APIError):
            listed(fits.url)
    with pytest.raises(TransportError, match="does not end"):
        listed(large.url)
    assert len(large.requests) == 1


def test_the_limit_is_256_mib():
    assert reply.MAX_ANSWER == 256 * 1024 * 1024


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_ten_times_100_continue_are_read(canned):
    assert listed(canned(CONTINUE * 10 + answer("200 OK", b"[]")).url) == []


@pytest.mark.parametrize("said", [
    CONTINUE * 11 + answer("200 OK", b"[]"),
    CHUNKED + b"2\r\n[]\r\n0\r\n" + b"x: y\r\n" * 3000 + b"\r\n",
], ids=["continue", "trailers"])
def test_what_would_not_end_is_an_error_and_not_asked_for_again(canned, said):
    server = canned(said)

    with pytest.raises(TransportError, match="cannot be talked to"):
        listed(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("said", [
    answer("200 OK", b"[]", *["x: y"] * 200),
    answer("200 OK", b"[]", "x: " + "y" * 70000),
    CHUNKED + b"2;" + b"x" * 70000 + b"\r\n[]\r\n0\r\n\r\n",
], ids=["many", "long", "of a chunk"])
def test_headers_are_bounded(canned, said):
    with pytest.raises(TransportError):
        listed(canned(said).url, retries=0)


@pytest.mark.parametrize("said, words", [
    (None, "closed before an answer came"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
    (b"HTTP/3.0 200 OK\r\n\r\n", "not HTTP"),
    (b"HTTP/1.1 20", "not HTTP"),
    (b"HTTP/1.1 200 OK\r\nContent-", "broke off in its headers"),
    (answer("200 OK", b"[]", *["x: y"] * 200), "too many headers"),
    (answer("200 OK", b"[]", "x: " + "y" * 70000), "a line of the answer does not end"),
    (answer("200 OK", b"[]", "Content-Length: 3"), "contradict"),
    (answer("200 OK", b"[]")[:-1], "cut short"),
    (CHUNKED + b"5\r\n[", "cut short"),
    (CHUNKED + b"2\r\n[]\r\n", "cut short"),
    (CHUNKED + b"zz\r\n[]\r\n", "not in chunks"),
], ids=repr)
def test_an_answer_that_is_none_is_told_in_words(canned, said, words):
    with pytest.raises(TransportError, match=words) as failed:
        listed(canned(said).url, retries=0)

    assert not re.search("[a-z][A-Z]", str(failed.value)), "the name of a class"


@pytest.mark.parametrize("said, words", [
    (None, "was closed"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "no data channel's"),
    (answer("200 OK"), "no data channel is opened"),
], ids=repr)
def test_a_data_channel_that_is_none_is_told_in_words(canned, said, words):
    with pytest.raises(TransportError, match=words) as failed:
        shard_by_websocket(canned(said).url)

    assert not re.search("[a-z][A-Z]", str(failed.value)), "the name of a class"


def test_an_answer_in_many_chunks_is_read(canned):
    assert listed(canned(CHUNKED + b"1\r\n \r\n" * 3000 + b"2\r\n[]\r\n0\r\n\r\n").url) == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("call", CALLS + [shard_by_websocket])
def test_nothing_is_followed(canned, call, status):
    elsewhere = canned(answer("200 OK", b"[]"))
    where = elsewhere.url.replace("http", "ws", 1) if call is shard_by_websocket else elsewhere.url
    server = canned(answer(status, b"", "Location: {0}/keys".format(where)))

    if call is activated and status.startswith("302"):
        assert call(server.url) == {}
    else:
        with pytest.raises((APIError, TransportError)) as refused:
            call(server.url)
        assert call in (shard, shard_by_websocket) or "leads to " + elsewhere.url in str(refused.value)
    assert elsewhere.requests == []


@pytest.mark.parametrize("location", ["http://[::1", "http://[", "//[x", "http://a]b/", "http://\x1b[2J", u"\xff\xfe"])
@pytest.mark.parametrize("call", [listed, registered])
def test_a_location_that_is_no_address_is_told_in_words(canned, call, location):
    with pytest.raises(APIError, match="the bridge answered 302 Found and leads to ") as refused:
        call(canned(answer("302 Found", b"", "Location: " + location)).url)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("call", [listed, activated, shard, shard_by_websocket])
def test_no_cookie_comes_back(canned, call):
    one = answer("404 Not Found", b"", "Set-Cookie: told=alice; Domain=127.0.0.1; Path=/", "Set-Cookie: also=alice")
    server = canned(one)
    client = client_of(server.url)
    shared = client.network

    for _ in range(2):
        with pytest.raises((APIError, TransportError)):
            if call in (shard, shard_by_websocket):
                where = {"url": server.url} if call is shard else {"channel": server.url.replace("http", "ws", 1)}
                b"".join(channel.chunks(dict(where, hash=HASH, token=TOKEN), shared))
            elif call is listed:
                pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=client).list()
            else:
                pymdc.api.Users("alice@example.com", "password", client=client).activate("0" * 64)

    assert len(server.requests) == 2
    assert not any(b"cookie:" in request.lower() for request in server.requests)


def test_a_websocket_sends_no_cookie_that_a_farmer_has_set(canned):
    shaken = b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1\r\nSet-Cookie: told=alice; Domain=127.0.0.1\r\n\r\n"
    server = canned(shaken)

    for _ in range(2):
        with pytest.raises(TransportError):
            shard_by_websocket(server.url)

    assert len(server.requests) == 2
    assert not any(b"cookie:" in request.lower() for request in server.requests)


@pytest.mark.parametrize("url", [
    u"http://h/a\r\nX: y", u"ws://h/a\nb", u"ws://h/a b", u"http://h\t/", u"ws://h/\x00", u"ws://h/\x7f",
    u"ws://h/\x85", u"http://h/\u2028", u" ws://h", u"http://h/\xa0", u"", u"ws://h\r",
])
def test_an_address_that_would_say_more_is_no_pointers(url):
    kind = "url" if url.strip().startswith("http") else "channel"
    pointers = Pointers(lambda: [{"hash": HASH, "token": TOKEN, kind: url}], False, Network((5, 5)), None)

    with pytest.raises(TransportError, match="not a list of pointers"):
        pointers.load()


@pytest.mark.parametrize("rest", ["/a\r\nX: y", "/a b", "/\x00", "/a\n"])
def test_a_websocket_is_not_opened_to_such_an_address(canned, rest):
    server = canned(b"")

    with pytest.raises(TransportError, match="address"):
        shard_by_websocket(server.url + rest)
    assert server.requests == []


def test_the_time_to_connect_is_no_limit_on_the_answer(canned):
    def after_a_while(request):
        threading.Event().wait(0.3)
        return answer("200 OK", b"[]")

    assert listed(canned(after_a_while).url, timeout=(0.1, 60), retries=0) == []


def functions_run(work):
    """Return how many functions of Python *work* runs."""
    count = []
    sys.setprofile(lambda frame, event, argument: count.append(event) if event == "call" else None)
    try:
        work()
    finally:
        sys.setprofile(None)
    return len(count)


def test_a_call_costs_little_more_than_the_request_that_it_is(canned):
    server = canned(answer("200 OK", b"[]"))
    pool = urllib3.PoolManager()
    buckets = pymdc.api.Buckets(pymdc.api.Users("alice@example.com", "password", client=client_of(server.url)))
    ways = [lambda: pool.request("GET", server.url + "/buckets"), buckets.list]
    for way in ways:
        way()

    bare, ours = map(functions_run, ways)

    assert ours < 2 * bare


@pytest.mark.parametrize("call", [listed, registered])
def test_a_small_request_goes_out_in_one_piece(canned, call, monkeypatch):
    send, pieces = connection._Watchful._send_block, []
    monkeypatch.setattr(
        connection._Watchful, "_send_block", lambda self, block: (pieces.append(block), send(self, block))
    )

    call(canned(answer("200 OK", b"[]")).url)

    assert len([piece for piece in pieces if not piece.startswith(b"HEAD ")]) == 1


@pytest.mark.parametrize("call", [listed, registered])
def test_a_small_request_goes_out_before_anything_is_waited_for(canned, call, monkeypatch):
    waits = []
    monkeypatch.setattr(connection._Watchful, "_wait_to_send", waits.append)

    call(canned(answer("200 OK", b"[]")).url)

    assert waits == []


def test_each_host_and_scheme_has_a_way_of_its_own(monkeypatch):
    for name, value in (("http_proxy", "http://proxy:1"), ("https_proxy", "http://proxy:2"), ("no_proxy", "near")):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(name, value)
    network = Network((1, 1))

    places = ("http://far", "http://near", "https://far", "http://far:80")
    ways = [network.proxy(place + "/path?/query") for place in places]

    assert ways == ["http://proxy:1", None, "http://proxy:2", "http://proxy:1"]


def test_the_times_of_an_answer_go_by_its_own_clock_and_by_when_it_came(monkeypatch):
    said = {"Date": "Fri, 31 Dec 1999 23:59:00 GMT", "Retry-After": "Fri, 31 Dec 1999 23:59:15 GMT"}
    monkeypatch.setattr(time, "time", lambda: 946684800.0)  # which is 2000
    came = reply.Reply(urllib3.HTTPResponse(headers=said, status=503), "http://localhost/")

    monkeypatch.setattr(time, "time", lambda: 0.0)

    assert (came.retry_after, came.clock_ahead) == (15.0, 60.0)
