"""The data channel, against the recorded words of the farmers of 2016 and against our own bridge."""

from __future__ import absolute_import, division, print_function

import binascii
import json
import os
import ssl

import pytest

import pymdc
from canned_server import CannedServer
from pymdc._transfer import channel
from pymdc._http.network import Network
from pymdc.errors import Timeout, TransportError
from recordings import vectors
from scripted_farmer import BINARY, CLOSE, PING, TEXT, ScriptedFarmer, payload

CERTIFICATE = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "certificates", "localhost.crt"
)
RECORDED = vectors("channel.json")["vectors"]
PLAIN = [vector for vector in RECORDED if vector["dialect"] == "plain"]
PULLS = [vector for vector in PLAIN if vector["case"].startswith("PULL") and "shard" in vector["case"]]
REFUSALS = [vector for vector in PLAIN if vector["server"].endswith("0.3.0") and vector not in PULLS]
SILENCES = [vector for vector in PLAIN if vector["server"].endswith("0.6.6") and vector["case"] in (
    "PULL garbage token", "PULL wrong hash",
)]


def named(chosen):
    return {"argvalues": chosen, "ids": [vector["server"][-5:] + " " + vector["case"] for vector in chosen]}


@pytest.fixture
def farmer():
    farmers = []

    def start(*scripts):
        farmers.append(ScriptedFarmer(*scripts))
        return farmers[-1]

    yield start
    for farmer in farmers:
        farmer.close()


def fetch(farmer, silence=5):
    pointer = {"hash": "a" * 40, "token": "b" * 40, "channel": farmer.url}
    return b"".join(channel.chunks(pointer, Network((5, silence))))


def sent(opcode, data):
    return {"dir": "recv", "opcode": opcode, "hex": binascii.hexlify(data).decode("ascii")}


ASK = {"dir": "send"}


@pytest.mark.parametrize("vector", **named(PULLS))
def test_a_recorded_shard_is_received(farmer, vector):
    farmer = farmer(vector["frames"])

    received = fetch(farmer)

    assert received == b"".join(payload(frame) for frame in vector["frames"] if frame.get("opcode") == BINARY)
    opcode, message = farmer.messages[0]
    assert opcode == TEXT
    assert json.loads(message.decode("ascii")) == {"hash": "a" * 40, "token": "b" * 40, "operation": "PULL"}


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_no_farmer_sends_a_client_on_with_its_token(scheme):
    other = CannedServer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshard")
    moved = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {0}\r\n\r\n".format(other.url.replace("http", scheme))
    farmer = CannedServer(moved.encode("ascii"))
    pointer = {"hash": "a" * 40, "token": "b" * 40}
    pointer["url" if scheme == "http" else "channel"] = farmer.url.replace("http", scheme)

    with pytest.raises(TransportError) as refused:
        list(channel.chunks(pointer, Network((5, 5))))
    farmer.close()
    other.close()

    assert farmer.requests and not other.requests
    assert "b" * 40 not in str(refused.value)


def test_no_cookie_of_a_farmer_comes_back_to_him_or_to_another(farmer):
    shard = [ASK, sent(BINARY, b"shard"), sent(CLOSE, b"\x03\xe8")]
    first, second = farmer(shard), farmer(shard)
    first.headers = b"Set-Cookie: who=alice; Domain=127.0.0.1\r\n"

    assert [fetch(each) for each in (first, first, second)] == [b"shard"] * 3

    assert len(first.heads + second.heads) == 3
    assert b"cookie" not in b"".join(first.heads + second.heads).lower()


@pytest.mark.parametrize("vector", **named(REFUSALS))
def test_a_recorded_refusal_is_an_error(farmer, vector):
    with pytest.raises(TransportError) as refused:
        fetch(farmer(vector["frames"]))

    texts = [json.loads(frame["text"])["message"] for frame in vector["frames"] if frame.get("opcode") == TEXT
             and frame["dir"] == "recv"]
    assert all(text in str(refused.value) for text in texts)


@pytest.mark.parametrize("vector", **named(SILENCES))
def test_a_recorded_silence_is_a_timeout(farmer, vector):
    with pytest.raises(Timeout):
        fetch(farmer(vector["frames"]), silence=0.2)


@pytest.mark.parametrize("script", [
    [ASK, sent(TEXT, b"not json")],
    [ASK, sent(TEXT, b"[]")],
    [ASK, sent(TEXT, b'{"code": 500}')],
    [ASK, sent(BINARY, b"some"), sent(CLOSE, b"\x03\xf3")],
    [ASK, sent(BINARY, b"some"), sent(CLOSE, b"")],
    [ASK, sent(BINARY, b"some"), {"dir": "recv", "tcp": "closed"}],
    [ASK, {"dir": "recv", "tcp": "closed"}],
    [ASK, sent(7, b"a reserved opcode")],
])
def test_an_end_that_is_none_is_a_transport_error(farmer, script):
    with pytest.raises(TransportError):
        fetch(farmer(script))


def test_pings_and_fragments_may_come_in_between(farmer):
    script = [ASK, sent(PING, b"?"), dict(sent(BINARY, b"one "), fin=0), sent(PING, b"?"), sent(0, b"shard"),
              sent(TEXT, b'{"code":200}')]

    assert fetch(farmer(script)) == b"one shard"


class SecureFarmer(ScriptedFarmer):
    """A farmer behind TLS, as localhost."""

    def _play(self, connection):
        context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_SERVER", ssl.PROTOCOL_SSLv23))
        context.load_cert_chain(CERTIFICATE, CERTIFICATE.replace(".crt", ".key"))
        super(SecureFarmer, self)._play(context.wrap_socket(connection, server_side=True))


@pytest.mark.parametrize("trusted", [True, False])
def test_a_farmer_behind_tls_has_to_be_trusted(trusted):
    farmer = SecureFarmer([ASK, sent(BINARY, b"x" * 300000), sent(TEXT, b'{"code": 200}')])
    pointer = {"hash": "a" * 40, "token": "b" * 40, "channel": "wss://localhost:" + farmer.url.rpartition(":")[2]}
    try:
        if trusted:
            assert b"".join(channel.chunks(pointer, Network((5, 5), verify=CERTIFICATE))) == b"x" * 300000
        else:
            with pytest.raises(TransportError, match="vouches"):
                list(channel.chunks(pointer, Network((5, 5), verify=True)))
    finally:
        farmer.close()


def test_a_farmer_that_is_not_there_is_a_transport_error():
    with pytest.raises(TransportError):
        list(channel.chunks({"hash": "a", "token": "b", "channel": "ws://127.0.0.1:1"}, Network((5, 5))))


@pytest.mark.parametrize("head", [b"x" * 1000000, b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 100000])
def test_a_handshake_that_does_not_end_is_given_up(head):
    server = CannedServer(head)
    try:
        with pytest.raises(TransportError) as given_up:
            list(channel.chunks({"hash": "a", "token": "b", "channel": "ws" + server.url[4:]}, Network((5, 5))))
        assert not isinstance(given_up.value, Timeout)
    finally:
        server.close()


def test_our_bridge_serves_shards_over_the_websocket_too(bucket, photo, tmpdir, monkeypatch):
    uploaded, request = bucket.files.upload(photo), pymdc.api.Files._request

    def without_urls(self, method, route, *args, **options):
        answer = request(self, method, route, *args, **options)
        if isinstance(answer, list):
            return [{name: pointer[name] for name in ("hash", "token", "operation", "channel")} for pointer in answer]
        return answer

    monkeypatch.setattr(pymdc.api.Files, "_request", without_urls)
    downloaded = bucket.files.download(uploaded, str(tmpdir.join("copy")))

    assert downloaded["size"] == uploaded["size"]
    assert tmpdir.join("copy").read_binary() == open(photo, "rb").read()
