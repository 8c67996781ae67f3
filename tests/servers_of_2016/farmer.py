"""Who keeps the shards, in either dialect of the data channel."""

from __future__ import absolute_import, division, print_function

import json
import re
import threading

from scripted_farmer import BINARY, CLOSE, TEXT, read_frame, send_frame, shake_hands

from .door import PATIENCE, Door
from .ids import hash_of, random_hex

_BLOCK = 65536  # bytes of a message on the data channel


class Farmer(object):
    """
    Keeps shards, and gives them out by tokens that are good once.

    :ivar away: seconds that it is away each time an error brings it down.
    :ivar list restarts: seconds that it is away each time it goes down in the middle of a shard.
    :ivar list questions: opcode of the first message of each connection.
    """

    def __init__(self, version):
        self.version = version
        self.away = 0
        self.restarts = []
        self.questions = []
        self._shards, self._tokens = {}, {}
        self._ended = threading.Event()
        self._door = Door(self._converse)

    @property
    def crashes(self):
        return self._door.crashes

    def keep(self, shard):
        self._shards[hash_of(shard)] = shard
        return hash_of(shard)

    def pointer(self, shard_hash):
        token = random_hex(20)
        self._tokens[token] = shard_hash
        return {"hash": shard_hash, "token": token, "operation": "PULL",
                "channel": "ws://127.0.0.1:{0}".format(self._door.port)}

    def come_back(self):
        self._door.open_again()

    def sizes(self):
        return sorted(len(shard) for shard in self._shards.values())

    def close(self):
        self._ended.set()
        self._door.close()

    def _converse(self, connection):
        stream = connection.makefile("rwb")
        shake_hands(stream)
        opcode, question = read_frame(stream)
        self.questions.append(opcode)
        if self.version.dialect == "binaryjs":
            self._speak_binaryjs(stream, opcode, question)
        else:
            self._speak_plainly(stream, opcode, question)

    def _speak_plainly(self, stream, opcode, question):
        if opcode != TEXT:
            self._door.crash(self.away)
            return
        asked = _fields(question)
        shard, complaint = None, "Failed to parse message"
        if asked is not None:
            shard, complaint = self._shard_for(asked.get("token"), asked.get("hash"))
        if complaint:
            self._complain(stream, complaint)
        elif asked.get("operation") == "PULL":
            self._send_plainly(stream, shard)
        elif asked.get("operation") == "PUSH" and self.version.verdict:
            send_frame(stream, TEXT, b'{"code":200,"message":"Consignment completed successfully"}')
            self._hang_up(stream)
        else:
            self._complain(stream, None)

    def _complain(self, stream, text):
        """Fall silent after an error, or go down: an operation that it does not know brings it down without a word."""
        if self.version.channel_error == "silence":
            self._ended.wait(PATIENCE)
            return
        if text:
            send_frame(stream, TEXT, json.dumps({"code": 400, "message": text}).encode("ascii"))
        self._door.crash(self.away)

    def _send_plainly(self, stream, shard):
        if self._send_blocks(stream, shard, lambda block: block):
            if self.version.verdict:
                send_frame(stream, TEXT, self.version.verdict)
            self._hang_up(stream)

    def _speak_binaryjs(self, stream, opcode, question):
        asked = re.match(
            br"\x93\x01\x83\xb5token\xd8\x00\x28(.{40})\xb4hash\xd8\x00\x28(.{40})\xb9operation\xb4PULL\x00\Z",
            question,
        )
        if opcode != BINARY:
            self._hang_up(stream)
            return
        if not asked:
            self._door.crash(self.away)
            return
        shard, complaint = self._shard_for(*[text.decode("ascii") for text in asked.groups()])
        if complaint:
            text = b"\xd8" + bytes(bytearray([0, len(complaint)])) + complaint.encode("ascii")
            send_frame(stream, BINARY, b"\x93\x02\x82\xb7message" + text + b"\xb5error\xc3\x00")
            self._hang_up(stream)
        elif self._send_blocks(stream, shard, _as_data):
            send_frame(stream, BINARY, b"\x93\x05\xc0\x00")
            read_frame(stream)  # it waits for the client to close

    def _shard_for(self, token, shard_hash):
        if token is None:
            return None, "You did not supply a token"
        if token not in self._tokens:
            return None, "The supplied token is not accepted"
        if shard_hash is None:
            return None, "You did not supply the data hash"
        if self._tokens[token] != shard_hash:
            return None, "Token not valid for hash"
        return self._shards[self._tokens.pop(token)], None

    def _send_blocks(self, stream, shard, message):
        """Send a shard, unless this is where the farmer goes down; return whether all was sent."""
        size = len(shard) // 2 if self.restarts else len(shard)
        for start in range(0, size, _BLOCK):
            send_frame(stream, BINARY, message(shard[start:min(start + _BLOCK, size)]))
        if not self.restarts:
            return True
        self._tokens.clear()
        self._door.crash(self.restarts.pop())
        return False

    @staticmethod
    def _hang_up(stream):
        send_frame(stream, CLOSE, b"\x03\xe8")
        read_frame(stream)


def _fields(question):
    """Return the object that a message is, or None."""
    try:
        fields = json.loads(question.decode("utf-8"))
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _as_data(block):
    size = len(block)
    if size < 16:
        head = [0xA0 + size]
    elif size < 65536:
        head = [0xDA, size >> 8, size & 0xFF]
    else:
        head = [0xDB, size >> 24, size >> 16 & 0xFF, size >> 8 & 0xFF, size & 0xFF]
    return b"\x93\x02" + bytes(bytearray(head)) + block + b"\x00"
