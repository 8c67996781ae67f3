"""
The messages of BinaryJS, which the clients of 0.2 speak: BinaryPack arrays of type, payload and stream.

Source: docs/protocol, "Data channel".
"""

import struct

FIRST_BYTE = 0x93  # of every message: an array of three

_NEW = 1
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I"}
_TEXTS = {0xD8: ">H", 0xD9: ">I"}  # by the form of their length


def fields(message: bytes) -> dict:
    """
    Return the fields of a NEW, the message that asks for a shard.

    :raises ValueError: it is none.
    """
    reader = _Reader(message)
    if reader.take(2) != bytes([FIRST_BYTE, _NEW]):
        raise ValueError("not a NEW")
    head = reader.take(1)[0]
    if head & 0xF0 != 0x80:
        raise ValueError("without a map of what is wanted")
    pairs = {}
    for _ in range(head & 0x0F):
        name = reader.value()
        pairs[name] = reader.value()
    if reader.value() != 0 or reader.left():
        raise ValueError("not on stream 0")
    return pairs


def data(block: bytes) -> bytes:
    """Return the message that carries a block of a shard."""
    return b"\x93\x02" + struct.pack(">BI", 0xDB, len(block)) + block + b"\x00"


def end() -> bytes:
    """Return the message after the last block."""
    return b"\x93\x05\xc0\x00"


def error(text: str) -> bytes:
    """Return the message that refuses a shard."""
    encoded = text.encode()
    return b"\x93\x02\x82\xb7message\xd8" + struct.pack(">H", len(encoded)) + encoded + b"\xb5error\xc3\x00"


class _Reader:
    """Reads values that are not made of others."""

    def __init__(self, packed):
        self._packed, self._at = packed, 0

    def take(self, size) -> bytes:
        taken = self._packed[self._at:self._at + size]
        if len(taken) < size:
            raise ValueError("cut short")
        self._at += size
        return taken

    def left(self) -> int:
        return len(self._packed) - self._at

    def value(self):
        head = self.take(1)[0]
        if head < 0x80:
            return head
        if head & 0xF0 == 0xB0:
            return self.take(head & 0x0F).decode()
        if head in _CONSTANTS:
            return _CONSTANTS[head]
        if head in _NUMBERS:
            return self._number(_NUMBERS[head])
        if head in _TEXTS:
            return self.take(self._number(_TEXTS[head])).decode()
        raise ValueError("a type that no client sends")

    def _number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]
