"""The data channel, in both dialects: docs/protocol, "Data channel"."""

import contextlib
import json
import os

import pytest
import websocket
from websocket import ABNF

from pymdc._transfer import binaryjs
from pymdc.bridge.handlers import channel

MIB = 1024 * 1024
NORMAL = b"\x03\xe8"
SIZES = [1, channel.BLOCK, channel.BLOCK + 1, 8 * MIB]


@pytest.fixture
def pointer_to(alice):
    """A function that stores content of one shard and returns a pointer to it."""
    def pointer_to(content):
        bucket_id = alice.bucket()
        pointer, = alice.pointers(bucket_id, alice.upload(bucket_id, content)).json()
        return pointer
    return pointer_to


@contextlib.contextmanager
def asked(pointer, question, opcode=ABNF.OPCODE_TEXT):
    connection = websocket.create_connection(pointer["channel"], timeout=30, fire_cont_frame=True)
    try:
        connection.send(question, opcode)
        yield connection
    finally:
        connection.shutdown()


def frames(connection, last):
    """Yield the frames up to the first that *last* is true of."""
    while True:
        _, frame = connection.recv_data_frame(control_frame=True)
        yield frame
        if last(frame):
            return


def is_close(frame):
    return frame.opcode == ABNF.OPCODE_CLOSE


def is_end(frame):
    return is_close(frame) or frame.data == b"\x93\x05\xc0\x00"


def plainly(pointer, **changes):
    return json.dumps({"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL", **changes})


def in_binaryjs(pointer):
    return binaryjs.question(pointer["token"], pointer["hash"])


@pytest.mark.parametrize("opcode", [ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY], ids=["text", "JSON in a binary frame"])
@pytest.mark.parametrize("size", SIZES)
def test_a_shard_is_one_message_in_fragments_and_nothing_follows_but_the_close(pointer_to, size, opcode):
    content = os.urandom(size)
    pointer = pointer_to(content)

    with asked(pointer, plainly(pointer), opcode) as connection:
        *fragments, close = frames(connection, is_close)

    assert b"".join(frame.data for frame in fragments) == content
    assert max(len(frame.data) for frame in fragments) <= channel.BLOCK
    assert [frame.opcode for frame in fragments] == [ABNF.OPCODE_BINARY] + [ABNF.OPCODE_CONT] * (len(fragments) - 1)
    assert [frame.fin for frame in fragments] == [0] * (len(fragments) - 1) + [1]
    assert close.data == NORMAL


def test_a_shard_without_bytes_is_an_empty_message(pointer_to, monkeypatch):
    pointer = pointer_to(b"x")

    async def no_blocks(*arguments):
        for block in ():
            yield block
    monkeypatch.setattr(channel.content, "blocks", no_blocks)

    with asked(pointer, plainly(pointer)) as connection:
        message, close = frames(connection, is_close)

    assert (message.opcode, message.fin, message.data, close.data) == (ABNF.OPCODE_BINARY, 1, b"", NORMAL)


@pytest.mark.parametrize("size", SIZES)
def test_who_begins_in_binaryjs_is_answered_in_it_and_closes_the_channel_himself(pointer_to, size):
    content = os.urandom(size)
    pointer = pointer_to(content)

    with asked(pointer, in_binaryjs(pointer), ABNF.OPCODE_BINARY) as connection:
        *data, end = frames(connection, is_end)
        connection.send_close(1000)
        answer, = frames(connection, is_close)

    messages = [binaryjs.parsed(frame.data) for frame in data]
    assert all((kind, stream) == (binaryjs.DATA, 0) for kind, _, stream in messages)
    assert b"".join(payload for _, payload, _ in messages) == content
    assert (binaryjs.parsed(end.data), answer.data) == ((binaryjs.END, None, 0), NORMAL)


def test_who_pauses_and_resumes_in_binaryjs_is_served_all_the_same(pointer_to):
    content = os.urandom(8 * MIB)
    pointer = pointer_to(content)

    with asked(pointer, in_binaryjs(pointer), ABNF.OPCODE_BINARY) as connection:
        for kind in (3, 4) * 20:
            connection.send_binary(bytes([0x93, kind, 0xC0, 0]))
        *data, _ = frames(connection, is_end)

    assert b"".join(binaryjs.parsed(frame.data)[1] for frame in data) == content


def test_a_client_of_binaryjs_who_does_not_close_is_left(pointer_to, monkeypatch):
    pointer = pointer_to(b"x")
    monkeypatch.setattr(channel, "FAREWELL", 0.05)

    with asked(pointer, in_binaryjs(pointer), ABNF.OPCODE_BINARY) as connection:
        *_, close = frames(connection, is_close)

    assert close.data == NORMAL


GOOD = binaryjs.question("0" * 40, "1" * 40)
META = b"\x83\xb5token\xa0\xb4hash\xa0\xb9operation\xb4PULL"


@pytest.mark.parametrize("question, words", [
    (GOOD, "The supplied token is not accepted"),
    (GOOD.replace(b"PULL", b"PUSH"), "Failed to handle the defined operation"),
    (GOOD.replace(b"token", b"Token"), "You did not supply a token"),
    (GOOD.replace(b"hash", b"Hash"), "You did not supply the data hash"),
    (b"\x93\x01\x81\xb5token\x07\x00", "You did not supply a token"),
    (b"\x93", "Failed to parse message"),
    (b"\x93\x01\xc0\x00", "Failed to parse message"),
    (b"\x93\x01" + META + b"\x00", "Failed to parse message"),
    (b"\x93\x05\xc0\x00", "Failed to parse message"),
    (GOOD[:-1] + b"\x02", "Failed to parse message"),
    (GOOD[:-1], "Failed to parse message"),
    (GOOD + b"\x00", "Failed to parse message"),
    (GOOD.replace(b"\xb4PULL", b"\xb4\xff\xff\xff\xff"), "Failed to parse message"),
    (GOOD.replace(b"\xd8\x00\x28", b"\xd9\xff\xff\xff\xff", 1), "Failed to parse message"),
    (b"\x93\x01" + b"\x81" * 60000, "Failed to parse message"),
])
def test_a_bad_question_in_binaryjs_is_refused_in_binaryjs(alice, local, question, words):
    with asked({"channel": local.url.replace("http", "ws")}, question, ABNF.OPCODE_BINARY) as connection:
        message, close = frames(connection, is_close)

    assert binaryjs.parsed(message.data) == (binaryjs.DATA, {"message": words, "error": True}, 0)
    assert close.data == NORMAL


@pytest.mark.parametrize("question", [b"", b"\xff{}", b"{", b"\xff\xfe{\x00}\x00", b"[]", b"\x92\x01\xc0"])
def test_other_bytes_are_refused_in_plain_text(local, question):
    with asked({"channel": local.url.replace("http", "ws")}, question, ABNF.OPCODE_BINARY) as connection:
        message, close = frames(connection, is_close)

    assert json.loads(message.data) == {"code": 400, "message": "Failed to parse message"}
    assert close.data == b"\x03\xf0"


@pytest.mark.parametrize("ask, opcode, code", [
    (plainly, ABNF.OPCODE_TEXT, 1011), (in_binaryjs, ABNF.OPCODE_BINARY, 1000),
], ids=["plain", "BinaryJS"])
def test_a_shard_that_cannot_be_read_to_its_end_never_looks_whole(pointer_to, monkeypatch, ask, opcode, code):
    pointer, blocks = pointer_to(os.urandom(MIB)), channel.content.blocks

    async def broken(*arguments):
        async for block in blocks(*arguments):
            yield block
            raise OSError("the disk is gone")
    monkeypatch.setattr(channel.content, "blocks", broken)

    with asked(pointer, ask(pointer), opcode) as connection:
        sent = list(frames(connection, is_close))

    assert int.from_bytes(sent[-1].data[:2], "big") == code
    if ask is plainly:
        assert [frame.fin for frame in sent[:-1]] == [0]
    else:
        assert binaryjs.parsed(sent[-2].data)[1]["error"] is True
