"""9. Data channel, in the plain dialect, and the same shards over HTTP."""

import json
import urllib.parse

import websocket

from .files import big_file
from .point import equals, has_status, section
from .wire import PATIENCE, SHORT, until
from .world import hash_of

point = section(9, "Data channel")

NORMAL, REFUSED = 1000, 1008  # how a connection is closed


class End:
    """
    How a data channel ended.

    :ivar pieces: the binary messages that came.
    :ivar largest: bytes of the largest fragment of one.
    :ivar told: the texts that came, decoded.
    :ivar code: with which the connection was closed; None when there was none, or it dropped or fell silent.
    """

    def __init__(self):
        self.pieces, self.largest, self.told, self.code = [], 0, [], None

    @property
    def shard(self):
        return b"".join(self.pieces)

    def take(self, frame):
        if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
            self.code = int.from_bytes(frame.data[:2], "big")
        elif frame.opcode == websocket.ABNF.OPCODE_TEXT:
            self.told.append(json.loads(frame.data))
        elif frame.opcode == websocket.ABNF.OPCODE_BINARY:
            self.pieces.append(frame.data)
        else:
            self.pieces[-1] += frame.data
        self.largest = max(self.largest, len(frame.data))

    def __repr__(self):
        size, messages = len(self.shard), len(self.pieces)
        return f"{size} bytes in {messages} messages, {json.dumps(self.told)}, closed with {self.code}"


def pull(w, channel, message, patience=PATIENCE, opcode=websocket.ABNF.OPCODE_TEXT) -> End:
    """Send one message to a data channel and return what came of it."""
    end = End()
    try:
        connection = websocket.create_connection(channel, timeout=patience, fire_cont_frame=True)
        try:
            connection.send(message, opcode)
            while end.code is None:
                end.take(connection.recv_data_frame(control_frame=True)[1])
        finally:
            connection.shutdown()  # to close it in order would take seconds where nobody answers
    except (OSError, websocket.WebSocketException):
        pass  # not there, dropped, or silent
    if end.code is None:
        wait_for(w, channel)
    return end


def wait_for(w, channel):
    """Wait for a farmer, whom the question may have brought down; but only once for one who stays away."""
    farmer = urllib.parse.urlsplit(channel).netloc
    if farmer not in w.lost_farmers and not until(lambda: is_there(channel), w.away):
        w.lost_farmers.add(farmer)


def is_there(channel):
    try:
        websocket.create_connection(channel, timeout=SHORT).shutdown()
    except (OSError, websocket.WebSocketException):
        return False
    return True


def wanted(pointer, **changes):
    """Return the message that asks for a shard."""
    message = {"token": pointer["token"], "hash": pointer["hash"], "operation": "PULL", **changes}
    return json.dumps({name: value for name, value in message.items() if value is not None})


def pointers_to(w, content):
    bucket = w.alice.bucket()
    return w.alice.pointers(bucket, w.alice.store(bucket, content))


def whole(content):
    """The shard, and no word: some clients of 2016 append whatever comes to the file."""
    return lambda end: (end.shard, end.told, end.code) == (content, [], NORMAL)


def whole_in_0_6(content):
    """The farmers of 0.6 said so at the end."""
    return lambda end: (end.shard, end.told, end.code) == (content, [{"code": 200}], NORMAL)


def speaks_BinaryJS(end):
    """A farmer of 0.2 closes the connection when it is spoken to plainly."""
    return (end.shard, end.told, end.code) == (b"", [], NORMAL)


def error(text):
    return lambda end: (end.shard, end.told, end.code) == (b"", [{"code": 400, "message": text}], REFUSED)


def no_shard(end):
    """The farmers of 2016 dropped the connection after an error, fell silent, or crashed."""
    return end.shard == b"" and {"code": 200} not in end.told


@point
def a_channel_sends_the_shard_that_is_asked_for(w):
    pointer, = pointers_to(w, w.content)

    w.expect(pull(w, pointer["channel"], wanted(pointer)), whole(w.content), whole_in_0_6(w.content), speaks_BinaryJS)


@point
def the_shards_in_their_order_are_the_file(w):
    content = big_file()

    ends = [pull(w, pointer["channel"], wanted(pointer)) for pointer in pointers_to(w, content)]

    for end in ends:
        w.expect(end, whole(end.shard), whole_in_0_6(end.shard), speaks_BinaryJS)
    w.expect(hash_of(b"".join(end.shard for end in ends)), equals(hash_of(content)),
             lambda came: all(map(speaks_BinaryJS, ends)))


@point
def a_shard_is_one_message_in_fragments_of_256_KiB_at_most(w):
    pointer = pointers_to(w, big_file())[1]

    end = pull(w, pointer["channel"], wanted(pointer))

    w.expect((len(end.pieces), end.largest), lambda came: came[0] == 1 and came[1] <= 256 * 1024,
             lambda came: came[1] <= 64 * 1024)


@point
def a_JSON_text_in_a_binary_message_asks_for_a_shard_too(w):
    pointer, = pointers_to(w, w.content)

    end = pull(w, pointer["channel"], wanted(pointer), w.short, websocket.ABNF.OPCODE_BINARY)

    w.expect(end, whole(w.content), no_shard)


@point
def a_shard_can_be_asked_for_again(w):
    pointer, = pointers_to(w, w.content)
    pull(w, pointer["channel"], wanted(pointer))
    second, third, fourth = [pull(w, pointer["channel"], wanted(pointer), w.short) for _ in range(3)]

    for end in (second, third):
        w.expect(end, whole(w.content), no_shard, whole_in_0_6(w.content))
    w.expect(fourth, error("The supplied token is not accepted"), no_shard)


@point
def a_channel_refuses_an_unknown_token(w):
    pointer, = pointers_to(w, w.content)

    end = pull(w, pointer["channel"], wanted(pointer, token="0" * 40), w.short)

    w.expect(end, error("The supplied token is not accepted"), no_shard)


@point
def a_channel_refuses_the_token_of_another_shard(w):
    first, second = pointers_to(w, big_file())

    end = pull(w, first["channel"], wanted(first, hash=second["hash"]), w.short)

    w.expect(end, error("Token not valid for hash"), no_shard)


@point
def a_channel_says_what_is_missing(w):
    pointer, = pointers_to(w, w.content)

    for field, text in (("token", "You did not supply a token"), ("hash", "You did not supply the data hash")):
        w.expect(pull(w, pointer["channel"], wanted(pointer, **{field: None}), w.short), error(text), no_shard)


@point
def a_channel_refuses_another_operation(w):
    pointer, = pointers_to(w, w.content)

    end = pull(w, pointer["channel"], wanted(pointer, operation="PUSH"), w.short)

    w.expect(end, error("Failed to handle the defined operation"), no_shard)


@point
def a_channel_refuses_what_is_no_JSON(w):
    pointer, = pointers_to(w, w.content)

    w.expect(pull(w, pointer["channel"], "{not", w.short), error("Failed to parse message"), no_shard)


@point
def a_shard_comes_over_HTTP_where_a_pointer_has_a_url(w):
    pointer, = pointers_to(w, w.content)
    if "url" not in pointer:
        w.expect("no url", equals("a url"), equals("no url"))
        return

    shard = w.wire.fetch(pointer["url"], {"x-token": pointer["token"]})

    w.expect((shard.status, shard.body), equals((200, w.content)))
    w.expect(shard.headers.get("content-type"), equals("application/octet-stream"))


@point
def a_shard_comes_over_HTTP_only_with_its_token(w):
    first, second = pointers_to(w, big_file())
    if "url" not in first:
        w.expect("no url", equals("a url"), equals("no url"))
        return

    for headers in ({}, {"x-token": "0" * 40}, {"x-token": second["token"]}):
        w.expect(w.wire.fetch(first["url"], headers), has_status(401))
