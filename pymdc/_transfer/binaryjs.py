"""
The messages of BinaryJS, which the farmers of 0.2 speak: BinaryPack arrays of type, payload and stream.

Source: docs/protocol, "Data channel".
"""

from __future__ import absolute_import, division, print_function

import struct

from .._compat import text_type

__all__ = ["CLOSE", "DATA", "END", "NEW", "OVERHEAD", "PAUSE", "RESUME", "parsed", "question", "unpacked"]

NEW, DATA, PAUSE, RESUME, END, CLOSE = range(1, 7)
OVERHEAD = 8  # bytes of a message with data that are not the data
_MAX_DEPTH = 3  # a message is an array, its payload may be a map, which holds nothing nested
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_LENGTHS = {0xD8: ("!H", True), 0xDA: ("!H", False), 0xDB: ("!L", False)}  # how long, and whether it is text


def question(token, shard_hash):
    """Return the message that asks for a shard."""
    pairs = (("token", token), ("hash", shard_hash), ("operation", "PULL"))
    meta = b"".join(_packed(text) for pair in pairs for text in pair)
    return b"\x93\x01\x83" + meta + b"\x00"


def parsed(message):
    """
    Return type, payload and stream of a message.

    :raises ValueError: it is none.
    """
    parts = unpacked(message)
    if not isinstance(parts, list) or len(parts) != 3 or not _is_number(parts[0]) or not _is_number(parts[2]):
        raise ValueError("not an array of type, payload and stream")
    return tuple(parts)


def unpacked(data):
    """
    Return what a BinaryPack text stands for: bytes, text, a number, a list, a dict, None, True or False.

    :raises ValueError: it is cut short, too long, nested too deep, or of a type that no farmer sends.
    """
    value, end = _value(data, 0, _MAX_DEPTH)
    if end != len(data):
        raise ValueError("more than one value")
    return value


def _packed(text):
    data = text.encode("utf-8")
    return (struct.pack("!B", 0xB0 + len(data)) if len(data) < 16 else struct.pack("!BH", 0xD8, len(data))) + data


def _value(data, start, depth):
    """Return the value that begins at *start*, and where it ends."""
    head, start = _head(data, start), start + 1
    if depth == 0:
        raise ValueError("nested too deep")
    if head < 0x80:
        return head, start
    if head in _CONSTANTS:
        return _CONSTANTS[head], start
    kind, count = head & 0xF0, head & 0x0F
    if kind == 0x80:
        return _map(data, start, count, depth)
    if kind == 0x90:
        return _array(data, start, count, depth)
    if kind in (0xA0, 0xB0):
        return _content(data, start, count, kind == 0xB0)
    if head not in _LENGTHS:
        raise ValueError("a type that no farmer sends")
    form, is_text = _LENGTHS[head]
    size = struct.calcsize(form)
    count, = struct.unpack(form, _content(data, start, size, False)[0])
    return _content(data, start + size, count, is_text)


def _array(data, start, count, depth):
    values = []
    for _ in range(count):
        value, start = _value(data, start, depth - 1)
        values.append(value)
    return values, start


def _map(data, start, count, depth):
    pairs = {}
    for _ in range(count):
        key, start = _value(data, start, depth - 1)
        if not isinstance(key, text_type):
            raise ValueError("a key that is not text")
        pairs[key], start = _value(data, start, depth - 1)
    return pairs, start


def _content(data, start, count, is_text):
    content = memoryview(data)[start:start + count].tobytes()
    if len(content) != count:
        raise ValueError("cut short")
    return content.decode("utf-8") if is_text else content, start + count  # a UnicodeError is a ValueError


def _head(data, start):
    if start >= len(data):
        raise ValueError("cut short")
    return bytearray(data[start:start + 1])[0]


def _is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)
