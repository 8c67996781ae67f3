"""Proxies, certificates and TLS: what cannot pass is named, with what to do, and not repeated."""

from __future__ import absolute_import, division, print_function

import os
import re
import shutil
import socket
import threading

import pytest

import pymdc
from canned_server import answer
from one_call import HASH, TOKEN, client_of, listed, shard, shard_by_websocket
from pymdc._http.network import Network
from pymdc._transfer import channel
from pymdc._transfer.pointers import Pointers
from pymdc.errors import TransportError

BUNDLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "certificates", "localhost.crt")
LOGIN = "http://alice:secret@"


def told(call, url, **options):
    """Return the error of a call that fails, and see that it was tried once and tells no login."""
    with pytest.raises(TransportError) as failed:
        call(url, **options)
    assert not failed.value.passing
    assert len(failed.value.attempts) <= 1
    assert failed.value.hint
    assert "secret" not in str(failed.value)
    return str(failed.value)


WAYS = [listed, shard, shard_by_websocket]


def plain_http(call):
    """Return what lets a call go to another host by plain HTTP."""
    return {"allow_http": True} if call is listed else {}


WANTS_LOGIN = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def through(proxy):
    return {scheme: proxy for scheme in ("http", "https")}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("call", WAYS)
def test_a_proxy_that_wants_a_password_is_named(canned, call, scheme):
    proxy = canned(WANTS_LOGIN)
    login = through(proxy.url.replace("http://", LOGIN))

    said = told(call, scheme + "://bridge.example", proxies=login, **plain_http(call))

    assert "407" in said and "user:password@" in said
    assert len(proxy.requests) == 1


@pytest.fixture
def hasty_proxy():
    """The URL of a proxy that answers whatever it has read first, and leaves."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4)

    def serve():
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(WANTS_LOGIN)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield "http://127.0.0.1:{0}".format(listener.getsockname()[1])
    thread.join()
    listener.close()


def test_a_proxy_that_answers_early_is_understood(hasty_proxy):
    assert "407" in told(listed, "https://bridge.example", proxies=through(hasty_proxy))


@pytest.mark.parametrize("call", WAYS)
def test_a_proxy_that_refuses_to_lead_there_is_named(canned, call):
    proxy = canned(WANTS_LOGIN.replace(b"407", b"403"))

    assert "proxy" in told(call, "https://bridge.example", proxies=through(proxy.url))


@pytest.mark.parametrize("kind", ["socks5", "socks5h", "socks4"])
@pytest.mark.parametrize("call", WAYS)
def test_socks_without_its_package_is_named(call, kind):
    said = told(call, "https://bridge.example", proxies=through(kind + "://alice:secret@127.0.0.1:1"))

    assert "SOCKS" in said and "install" in said


@pytest.mark.parametrize("call", WAYS)
def test_a_ca_bundle_that_is_not_there_is_named(call, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/ca.pem")

    said = told(call, "https://localhost:1")

    assert "/nonexistent/ca.pem" in said and "verify=" in said


@pytest.mark.parametrize("call", WAYS)
def test_a_ca_bundle_that_has_gone_is_named(call, tmpdir):
    bundle = str(tmpdir.join("ca.pem"))
    shutil.copy(BUNDLE, bundle)
    options = Network((5, 5), verify=bundle) if call is not listed else client_of("https://localhost:1", verify=bundle)
    os.remove(bundle)

    with pytest.raises(TransportError, match="no CA bundle at " + bundle):
        if call is listed:
            pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=options).list()
        else:
            where = {"url": "https://localhost:1"} if call is shard else {"channel": "wss://localhost:1"}
            b"".join(channel.chunks(dict(where, hash=HASH, token=TOKEN), options))


@pytest.mark.parametrize("call", WAYS)
def test_a_ca_bundle_that_is_none_is_named(canned, call, tmpdir):
    tmpdir.join("ca.pem").write("no certificate")

    said = told(call, canned(b"x").url.replace("http", "https", 1), verify=str(tmpdir.join("ca.pem")))

    assert "CA bundle" in said


@pytest.mark.parametrize("call", WAYS)
def test_tls_spoken_to_a_plain_port_is_named(canned, call):
    server = canned(answer("400 Bad Request"))

    said = told(call, server.url.replace("http", "https", 1))

    assert "does not speak TLS" in said and "http://" in said
    assert len(server.requests) == 1


def test_a_shard_that_cannot_come_is_not_asked_for_again(canned):
    server = canned(answer("400 Bad Request"))
    client = client_of(server.url)
    pointer = {"hash": HASH, "token": TOKEN, "url": u"https" + server.url[4:]}
    pointers = Pointers(lambda: [pointer], True, client.network, client.tries)
    pointers.load()

    with pytest.raises(TransportError, match="does not speak TLS"):
        pointers.fetch(0, lambda: None, lambda data: None)
    assert len(server.requests) == 1


def test_a_signature_is_of_the_path_also_where_a_proxy_is_told_the_whole_address(canned):
    proxy = canned(answer("200 OK", b"[]"))

    listed("http://bridge.example", proxies=through(proxy.url), allow_http=True)

    asked = proxy.requests[0].decode("ascii")
    query = re.match(r"GET http://bridge\.example/buckets\?(\S+) ", asked).group(1)
    public_key, signature = (re.search(name + ": ([0-9a-f]+)", asked).group(1) for name in ("x-pubkey", "x-signature"))
    assert pymdc.keypair.ECDSA(public_key).verify("GET\n/buckets\n" + query, signature)


@pytest.mark.parametrize("proxy", ["http://", "://", "http://:3128", "ftp://127.0.0.1:1"])
@pytest.mark.parametrize("url", ["http://bridge.example", "https://bridge.example"])
@pytest.mark.parametrize("call", WAYS)
def test_a_proxy_whose_address_is_none_is_named(call, url, proxy):
    assert "the address of the proxy" in told(call, url, proxies=through(proxy), **plain_http(call))


def test_a_proxy_that_websockets_cannot_go_through_is_named():
    said = told(shard_by_websocket, "http://bridge.example", proxies=through("https://127.0.0.1:1"))

    assert "the address of the proxy" in said
