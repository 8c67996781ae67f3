"""BinaryJS, the data channel's dialect of 0.2: its messages, and conversations with farmers who speak it."""

from __future__ import absolute_import, division, print_function

import binascii
import os
import struct

import hypothesis
import hypothesis.strategies as st
import pytest

from canned_server import CannedServer
from pymdc._transfer import binaryjs, channel, websocket
from pymdc._http.network import Network
from pymdc.errors import Timeout, TransportError
from recordings import vectors
from scripted_farmer import BINARY, CLOSE, PING, TEXT, ScriptedFarmer, payload

RECORDED = [vector for vector in vectors("channel.json")["vectors"] if vector["dialect"] == "binaryjs"]
PULLS = [vector for vector in RECORDED if vector["case"].startswith("PULL") and "shard" in vector["case"]]
REFUSALS = [vector for vector in RECORDED if vector["case"].startswith("PULL") and vector not in PULLS]
WORDLESS, = [vector["frames"] for vector in RECORDED if vector["case"] == "text frame with JSON"]
TOKEN, HASH = "b" * 40, "a" * 40
ASK = {"dir": "send"}
END = b"\x93\x05\xc0\x00"
NORMAL = b"\x03\xe8"


def data_message(data, stream=0):
    """DATA as docs/protocol has it."""
    if len(data) < 16:
        head = struct.pack("!B", 0xA0 + len(data))
    elif len(data) < 65536:
        head = struct.pack("!BH", 0xDA, len(data))
    else:
        head = struct.pack("!BL", 0xDB, len(data))
    return b"\x93\x02" + head + data + struct.pack("!B", stream)


def sent(opcode, data, fin=1):
    return {"dir": "recv", "opcode": opcode, "hex": binascii.hexlify(data).decode("ascii"), "fin": fin}


def messages(*texts):
    return [ASK] + [sent(BINARY, text) for text in texts]


@pytest.fixture
def farmer():
    """A function that starts a farmer of 0.2: in plain text it says nothing, then it plays what it is given."""
    farmers = []

    def start(*scripts):
        farmers.append(ScriptedFarmer(WORDLESS, *scripts))
        return farmers[-1]

    yield start
    for farmer in farmers:
        farmer.close()


def fetch(farmer, network=None):
    pointer = {"hash": HASH, "token": TOKEN, "channel": farmer.url}
    return b"".join(channel.chunks(pointer, network or Network((5, 5))))


def named(chosen):
    return {"argvalues": chosen, "ids": [vector["case"] for vector in chosen]}


def question_of(vector):
    return binascii.unhexlify(vector["frames"][0]["hex"])


@pytest.mark.parametrize("vector", **named(PULLS))
def test_the_question_is_the_recorded_one(vector):
    kind, meta, stream = binaryjs.parsed(question_of(vector))

    assert (kind, stream) == (binaryjs.NEW, 0)
    assert binaryjs.question(meta["token"], meta["hash"]) == question_of(vector)


@pytest.mark.parametrize("vector", **named(PULLS))
def test_a_recorded_shard_is_received(farmer, vector):
    farmer = farmer(vector["frames"])

    received = fetch(farmer)

    said = [payload(frame) for frame in vector["frames"] if frame["dir"] == "recv" and "opcode" in frame]
    assert received == b"".join(binaryjs.parsed(message)[1] for message in said[:-1])
    assert [opcode for opcode, _ in farmer.messages] == [TEXT, CLOSE, BINARY]
    assert farmer.messages[-1][1] == binaryjs.question(TOKEN, HASH)


@pytest.mark.parametrize("vector", **named(REFUSALS))
def test_a_recorded_refusal_is_told_in_its_words(farmer, vector):
    refusal = binaryjs.parsed(payload(vector["frames"][1]))[1]

    with pytest.raises(TransportError) as refused:
        fetch(farmer(vector["frames"]))

    assert refusal["error"] is True
    assert refusal["message"] in str(refused.value)


def test_the_client_asks_and_closes_and_says_nothing_else(farmer):
    farmer, network = farmer(messages(data_message(b"shard"), END) + [ASK]), Network((5, 5))

    fetch(farmer, network)
    fetch(farmer, network)  # which the farmer begins only when it has heard all of the first

    assert farmer.messages[2:4] == [(BINARY, binaryjs.question(TOKEN, HASH)), (CLOSE, NORMAL)]


@pytest.mark.parametrize("size", [1, 15, 16, 255, 256, 65535, 65536, 8 * 1024 * 1024])
def test_a_shard_of_any_length_comes_in_one_message(farmer, size):
    shard = os.urandom(size)

    assert fetch(farmer(messages(data_message(shard), END))) == shard


def framed(message, lengths):
    """A message in frames of these lengths, with a ping between each two; the last one takes the rest."""
    script, opcode = [], BINARY
    for length in lengths:
        script += [sent(opcode, message[:length], fin=0), sent(PING, b"?")]
        message, opcode = message[length:], 0
    return script + [sent(opcode, message)]


@hypothesis.given(st.lists(st.binary(max_size=100), max_size=10), st.lists(st.integers(0, 40), max_size=5))
@hypothesis.settings(max_examples=20)
def test_a_shard_comes_in_any_messages_and_frames(parts, lengths):
    script = [ASK]
    for part in parts:
        script += framed(data_message(part), lengths)
    farmer = ScriptedFarmer(WORDLESS, script + framed(END, lengths))
    try:
        assert fetch(farmer) == b"".join(parts)
    finally:
        farmer.close()


def test_an_empty_shard_is_not_asked_for_twice():
    farmer = ScriptedFarmer(WORDLESS)
    try:
        pointer = {"hash": channel.EMPTY, "token": TOKEN, "channel": farmer.url}
        assert list(channel.chunks(pointer, Network((5, 5)))) == []
        assert farmer.count == 1
    finally:
        farmer.close()


def test_what_a_farmer_says_of_his_stream_is_passed_over(farmer):
    script = messages(b"\x93\x03\xc0\x00", data_message(b"one "), b"\x93\x04\xc0\x00", b"\x93\x01\xc0\x01",
                      data_message(b""), data_message(b"shard"), END)

    assert fetch(farmer(script)) == b"one shard"


@pytest.mark.parametrize("script", [
    messages(data_message(b"some")) + [sent(CLOSE, NORMAL)],
    messages(data_message(b"some")) + [{"dir": "recv", "tcp": "closed"}],
    messages(data_message(b"some")) + [sent(CLOSE, b"\x03\xf3")],
    [ASK, sent(CLOSE, NORMAL)],
    [ASK, sent(TEXT, b'{"code": 200}')],
    messages(data_message(b"of another", stream=7)),
    messages(b"\x93\x06\xc0\x00"),
    messages(b"\x93\x02\xb4text\x00"),
    messages(b"\x93\x02\x05\x00"),
    messages(b"\x93\x02\xdb\xff\xff\xff\xffx\x00"),
    messages(b"\x93\x07\xc0\x00"),
    messages(b"\xff\xfe\xfd"),
    messages(b"\x93\x02\x82\xb5error\xc3\xb7message\xd8\x00\x28" + TOKEN.encode("ascii") + b"\x00"),
], ids=lambda script: script[1]["hex"][:16])
def test_what_is_no_shard_is_an_error_of_ours_that_keeps_the_token(farmer, script):
    with pytest.raises(TransportError) as broken:
        fetch(farmer(script))

    assert not isinstance(broken.value, Timeout)
    assert TOKEN not in str(broken.value)


ENDLESS = {
    "plain pings": [[ASK] + [sent(PING, b"")] * 30000],
    "plain empty messages": [[ASK] + [sent(BINARY, b"")] * 30000],
    "plain empty fragments": [[ASK, sent(BINARY, b"", fin=0)] + [sent(0, b"", fin=0)] * 30000],
    "pings": [WORDLESS, [ASK] + [sent(PING, b"")] * 30000],
    "empty messages": [WORDLESS, [ASK, sent(BINARY, b"", fin=0)] + [sent(0, b"", fin=0)] * 30000],
    "empty data": [WORDLESS, messages(*[data_message(b"")] * 30000)],
    "pause and resume": [WORDLESS, messages(*[b"\x93\x03\xc0\x00", b"\x93\x04\xc0\x00"] * 15000)],
}


@pytest.mark.parametrize("name", sorted(ENDLESS))
def test_a_farmer_who_never_comes_to_the_point_is_left(name, monkeypatch):
    monkeypatch.setattr(websocket, "MAX_IDLE", 100)
    farmer = ScriptedFarmer(*ENDLESS[name])
    try:
        with pytest.raises(TransportError, match="sends nothing"):
            fetch(farmer)
    finally:
        farmer.close()


def test_a_farmer_who_sends_more_than_a_shard_is_left(farmer, monkeypatch):
    monkeypatch.setattr(channel, "MAX_SHARD", 100000)
    part = sent(0, b"x" * 60000, fin=0)

    with pytest.raises(TransportError, match="longer than a shard"):
        fetch(farmer([ASK, dict(part, opcode=BINARY)] + [part] * 5))
    with pytest.raises(TransportError, match="more than a shard"):
        fetch(farmer(messages(*[data_message(b"x" * 60000)] * 5)))
    with pytest.raises(TransportError, match="announced a message of 200000 bytes"):
        fetch(farmer([ASK, sent(BINARY, b"x" * 200000)]))


def test_a_silent_farmer_is_a_timeout(farmer):
    with pytest.raises(Timeout):
        fetch(farmer(messages(data_message(b"some"))), Network((5, 0.2)))


def test_a_farmer_is_asked_in_the_dialect_it_is_known_for(farmer):
    farmer, network = farmer(messages(data_message(b"shard"), END)), Network((5, 5))

    assert [fetch(farmer, network) for _ in range(3)] == [b"shard"] * 3
    assert farmer.count == 4


def test_a_farmer_who_is_replaced_is_understood_at_the_second_try(farmer):
    plain = [ASK, sent(BINARY, b"shard"), sent(TEXT, b'{"code": 200}')]
    farmer, network = farmer(messages(data_message(b"shard"), END), [ASK], plain), Network((5, 0.2))
    fetch(farmer, network)

    with pytest.raises(Timeout):
        fetch(farmer, network)
    assert fetch(farmer, network) == b"shard"


def test_a_plain_farmer_is_never_spoken_to_in_binaryjs():
    farmer = ScriptedFarmer([ASK, sent(BINARY, b"shard"), sent(CLOSE, NORMAL)], [ASK, sent(CLOSE, NORMAL)])
    network = Network((5, 5))
    try:
        fetch(farmer, network)
        with pytest.raises(TransportError, match="without a word"):
            fetch(farmer, network)
        assert {opcode for opcode, _ in farmer.messages} == {TEXT}
    finally:
        farmer.close()


@pytest.mark.parametrize("packed, value", [
    (b"\x05", 5), (b"\xc0", None), (b"\xc2", False), (b"\xc3", True), (b"\xa0", b""), (b"\xa2\x00\xff", b"\x00\xff"),
    (b"\xda\x00\x01x", b"x"), (b"\xdb\x00\x00\x00\x01x", b"x"), (b"\xb0", u""), (b"\xb2\xc3\xa9", u"\xe9"),
    (b"\xd8\x00\x01x", u"x"), (b"\x90", []), (b"\x92\x01\xc0", [1, None]), (b"\x80", {}),
    (b"\x81\xb1k\xa1v", {u"k": b"v"}),
])
def test_a_value_is_unpacked(packed, value):
    unpacked = binaryjs.unpacked(packed)

    assert unpacked == value
    assert type(unpacked) is type(value)


@pytest.mark.parametrize("packed", [
    b"", b"\xa1", b"\xda\x00", b"\xda\x00\x02x", b"\xdb\xff\xff\xff\xff", b"\xb1\xff", b"\xd8\x00\x01\xff", b"\x91",
    b"\x81\xb1k", b"\x81\x01\x02", b"\x81\x80\x00", b"\x91" * 100000, b"\x00\x00", b"\xc1", b"\xdd\xff\xff\xff\xff",
    b"\xe0",
], ids=lambda packed: binascii.hexlify(packed[:6]).decode("ascii"))
def test_what_is_no_value_is_refused(packed):
    with pytest.raises(ValueError):
        binaryjs.unpacked(packed)


PIECES = [b"\x93", b"\x02", b"\x00", b"\x82", b"\xb1k", b"\xd8\x00", b"\xda\x00\x03", b"\xdb", b"abc"]
BYTES = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES)).map(b"".join))


@hypothesis.given(BYTES)
def test_any_bytes_are_unpacked_or_refused(data):
    for read in (binaryjs.unpacked, binaryjs.parsed):
        try:
            read(data)
        except ValueError:
            pass


@hypothesis.given(st.binary(max_size=70000), st.integers(0, 127))
def test_data_is_unpacked_as_it_was_packed(data, stream):
    assert binaryjs.parsed(data_message(data, stream)) == (binaryjs.DATA, data, stream)


FRAMES = st.builds(
    lambda first, second, rest: struct.pack("!BB", first, second) + rest,
    st.sampled_from([0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0x83, 0xC2]),
    st.sampled_from([0, 1, 2, 4, 5, 0x82, 126, 127, 255]),
    st.one_of(st.binary(max_size=6), st.sampled_from([b"\x03\xe8", END, b"\x93\x02\xa1x\x00", b'{"code":200}'])),
)
HEADS = st.builds(
    lambda first, lines: b"\r\n".join([first] + lines + [b"", b""]),
    st.sampled_from([b"HTTP/1.1 101 X", b"HTTP/1.1 200 OK", b"HTTP/1.1 302 X", b"HTTP/1.1", b"HTTP/1.1 x", b"\xff"]),
    st.lists(st.sampled_from([
        b"Upgrade: websocket", b"Connection: Upgrade", b"Connection: \xc3\xa9", b"Sec-WebSocket-Accept: \xc3\xa9",
        b"Sec-WebSocket-Accept: x", b"Location: ELSEWHERE/", b"Set-Cookie: \x00=;;", b"\xff: y", b": ", b"X",
    ])),
)


@hypothesis.given(st.lists(FRAMES, max_size=4), st.booleans())
@hypothesis.settings(max_examples=60)
def test_whatever_a_farmer_sends_is_bytes_or_an_error_of_ours(frames, plain):
    script = [ASK, {"dir": "recv", "raw": b"".join(frames)}, {"dir": "recv", "tcp": "closed"}]
    farmer = ScriptedFarmer(*[script] if plain else [WORDLESS, script])
    try:
        fetch(farmer)
    except TransportError as error:
        assert TOKEN not in str(error)
    finally:
        farmer.close()


@hypothesis.given(HEADS)
@hypothesis.example(b"HTTP/1.1 302 X\r\nLocation: ELSEWHERE/\r\n\r\n")
@hypothesis.settings(max_examples=60)
def test_whatever_a_farmer_answers_first_is_an_error_of_ours(head):
    elsewhere = CannedServer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    server = CannedServer(head.replace(b"ELSEWHERE", b"ws" + elsewhere.url[4:].encode("ascii")))
    try:
        with pytest.raises(TransportError):
            list(channel.chunks({"hash": HASH, "token": TOKEN, "channel": "ws" + server.url[4:]}, Network((5, 1))))
        assert elsewhere.requests == []
    finally:
        server.close()
        elsewhere.close()
