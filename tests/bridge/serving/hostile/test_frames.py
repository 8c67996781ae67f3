"""Websockets."""

import json

import raw
from siege import assert_refused, cases


@cases("changes", {
    "no key": {"Sec_WebSocket_Key": None}, "a short key": {"Sec_WebSocket_Key": "YQ=="},
    "a key that is no base64": {"Sec_WebSocket_Key": "!" * 24}, "an empty key": {"Sec_WebSocket_Key": ""},
    "no version": {"Sec_WebSocket_Version": None}, "an old version": {"Sec_WebSocket_Version": "8"},
    "version x": {"Sec_WebSocket_Version": "x"}, "a key that is not Latin": {"Sec_WebSocket_Key": b"\xff" * 16},
    "a path that leads nowhere": {"target": "/nope"}, "a path of HTTP": {"target": "/keys"},
    "bytes that are no text": {"X": b"\xff\xfe"}, "a strange origin": {"Origin": b"\xff\xfe"},
})
def test_a_handshake_that_is_none_is_refused(world, changes):
    with raw.Connection(world.url) as connection:
        connection.send(raw.handshake(**changes))
        answers = connection.answers()

    for answer in answers:
        assert_refused(answer)


@cases("headers", {
    "1 000": {f"X_{number}": "y" for number in range(1000)},
    "a long one": {"X": "y" * 20000}, "an extension that is none": {"Sec_WebSocket_Extensions": ";;,,=="},
    "a subprotocol that is none": {"Sec_WebSocket_Protocol": ",,;\""},
    "two keys": {"sec_websocket_key": "YWFhYWFhYWFhYWFhYWFhYQ=="},
    "a long path": {"target": "/?" + "x" * 20000},
    "a strange method": {"method": "POST"},
})
def test_odd_headers_of_a_handshake_are_no_harm(world, headers):
    method = headers.get("method", "GET").encode()
    opening = raw.handshake(**{name: value for name, value in headers.items() if name != "method"})
    with raw.Connection(world.url) as connection:
        connection.send(opening.replace(b"GET", method, 1))
        connection.finish()
        answer = connection.answer()

    if answer is not None and answer.status != 101:
        assert_refused(answer)


WANTED = json.dumps({"token": "x", "hash": "y", "operation": "PULL"}).encode()
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
# What is sent, and the code that the bridge closes with.
FRAMES = {
    "no mask": [raw.frame(TEXT, WANTED, mask=None), 1002],
    "reserved bit 1": [raw.frame(TEXT, WANTED, reserved=4), 1002],
    "reserved bit 2": [raw.frame(TEXT, WANTED, reserved=2), 1002],
    "reserved bit 3": [raw.frame(TEXT, WANTED, reserved=1), 1002],
    "opcode 3": [raw.frame(3, WANTED), 1002], "opcode 7": [raw.frame(7), 1002],
    "opcode 11": [raw.frame(11), 1002], "opcode 15": [raw.frame(15), 1002],
    "a ping in parts": [raw.frame(PING, b"x", final=False), 1002],
    "a close in parts": [raw.frame(CLOSE, b"\x03\xe8", final=False), 1002],
    "a ping of 126 bytes": [raw.frame(PING, b"x" * 126), 1002],
    "a close of one byte": [raw.frame(CLOSE, b"\x03"), 1002],
    "a close of code 999": [raw.frame(CLOSE, b"\x03\xe7"), 1002],
    "a close of code 1005": [raw.frame(CLOSE, b"\x03\xed"), 1002],
    "a close of code 65535": [raw.frame(CLOSE, b"\xff\xff"), 1002],
    "a close that is not UTF-8": [raw.frame(CLOSE, b"\x03\xe8\xff"), 1007],
    "a continuation first": [raw.frame(0, WANTED), 1002],
    "a text within a text": [raw.frame(TEXT, b"{", final=False) + raw.frame(TEXT, WANTED), 1002],
    "2^63 bytes announced": [raw.frame(TEXT, length=2 ** 63), 1009],
    "2^62 bytes announced": [raw.frame(TEXT, length=2 ** 62), 1009],
    "65 537 bytes announced": [raw.frame(TEXT, length=65537), 1009],
    "70 000 bytes in parts": [raw.frame(TEXT, b"x" * 35000, final=False) + raw.frame(0, b"x" * 35000), 1009],
    "text that is not UTF-8": [raw.frame(TEXT, b"\xff\xfe"), 1007],
    "half a surrogate pair": [raw.frame(TEXT, b'"\xed\xa0\x80"'), 1007],
    "no HTTP": [b"GET / HTTP/1.1\r\n\r\n", 1002],
    "no JSON": [raw.frame(TEXT, b"{"), 1008], "empty": [raw.frame(TEXT), 1008],
    "binary": [raw.frame(BINARY, WANTED), 1008], "no text": [raw.frame(BINARY, b"\xff\x01\x83"), 1008],
    "a list": [raw.frame(TEXT, b"[]"), 1008], "null": [raw.frame(TEXT, b"null"), 1008],
    "a number": [raw.frame(TEXT, b"5"), 1008], "NaN": [raw.frame(TEXT, b"NaN"), 1008],
    "5 000 digits": [raw.frame(TEXT, b"9" * 5000), 1008], "60 000 deep": [raw.frame(TEXT, b"[" * 60000), 1008],
    "a token of another type": [raw.frame(TEXT, WANTED.replace(b'"x"', b"[5]")), 1008],
    "a token of half a surrogate pair": [raw.frame(TEXT, WANTED.replace(b'"x"', b'"\\ud800"')), 1008],
    "a token of NULs": [raw.frame(TEXT, WANTED.replace(b'"x"', b'"\\u0000"')), 1008],
    "a hash of another type": [raw.frame(TEXT, WANTED.replace(b'"y"', b"{}")), 1008],
    "no operation": [raw.frame(TEXT, b'{"token": "x", "hash": "y"}'), 1008],
    "an operation of another type": [raw.frame(TEXT, WANTED.replace(b'"PULL"', b'["PULL"]')), 1008],
    "PUSH": [raw.frame(TEXT, WANTED.replace(b"PULL", b"PUSH")), 1008],
    "a token that is none": [raw.frame(TEXT, WANTED), 1008],
    "100 messages": [raw.frame(TEXT, WANTED) * 100, 1008],
    "100 pings before": [raw.frame(PING, b"x") * 100 + raw.frame(TEXT, WANTED), 1008],
}


@cases("data, code", FRAMES)
def test_a_message_that_is_none_closes_the_channel_in_words(world, data, code):
    with raw.Connection(world.url) as connection:
        connection.send(raw.handshake())
        assert connection.answer().status == 101
        connection.send(data)
        sent = [connection.frame()]
        while sent[-1] is not None and sent[-1][0] != CLOSE:
            sent.append(connection.frame())
        connection.send(raw.frame(CLOSE, b"\x03\xe8"))

    *texts, closing = [each for each in sent if each is None or each[0] != PONG]
    assert closing is not None and int.from_bytes(closing[1][:2], "big") == code
    if code == 1008:
        (opcode, payload), = texts
        assert opcode == TEXT and json.loads(payload)["code"] == 400 and json.loads(payload)["message"]


@cases("data", {
    "nothing": b"", "half a frame": raw.frame(TEXT, WANTED)[:9], "half a message": raw.frame(TEXT, WANTED, final=False),
    "a good close": raw.frame(CLOSE, b"\x03\xe8"), "an empty close": raw.frame(CLOSE), "a ping": raw.frame(PING, b"x"),
})
def test_who_leaves_a_channel_is_no_harm(world, data):
    with raw.Connection(world.url) as connection:
        connection.send(raw.handshake())
        assert connection.answer().status == 101
        connection.send(data)

    with raw.Connection(world.url) as connection:
        connection.send(raw.handshake()[:-4])
