"""
The hash of a file or shard: RIPEMD-160 over the lower-case hex SHA-256 of its bytes.

Source: docs/protocol, "Upload".
"""

from __future__ import absolute_import, division, print_function

import hashlib
import struct

__all__ = ["content_hash", "ripemd160"]


def content_hash(sha256):
    """Return the protocol's hash, 40 hex characters, for the bytes that a ``hashlib.sha256()`` object has seen."""
    return ripemd160(sha256.hexdigest().encode("ascii"))


def ripemd160(message):
    """Return the RIPEMD-160 of *message*, as 40 hex characters."""
    try:
        digest = hashlib.new("ripemd160")
    except ValueError:  # OpenSSL 3 without its legacy provider, or a Python built without it
        return _ripemd160(message)
    digest.update(message)
    return digest.hexdigest()


# The tables of the reference: H. Dobbertin, A. Bosselaers, B. Preneel, "RIPEMD-160: A Strengthened Version of
# RIPEMD", 1996, appendix A.  One row a round: which word of the block each step adds, and how far it rotates.
_LEFT_WORDS = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8),
    (3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12),
    (1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2),
    (4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13),
)
_RIGHT_WORDS = (
    (5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12),
    (6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2),
    (15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13),
    (8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14),
    (12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11),
)
_LEFT_SHIFTS = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12),
    (11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5),
    (11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12),
    (9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6),
)
_RIGHT_SHIFTS = (
    (8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6),
    (9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11),
    (9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5),
    (15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8),
    (8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11),
)
_LEFT_CONSTANTS = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_CONSTANTS = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)
_MASK = 0xFFFFFFFF
_FUNCTIONS = (
    lambda x, y, z: x ^ y ^ z,
    lambda x, y, z: (x & y) | (~x & z),
    lambda x, y, z: (x | ~y) ^ z,
    lambda x, y, z: (x & z) | (y & ~z),
    lambda x, y, z: x ^ (y | ~z),
)


def _ripemd160(message):
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
    padded = message + b"\x80" + b"\0" * ((55 - len(message)) % 64) + struct.pack("<Q", 8 * len(message))
    for start in range(0, len(padded), 64):
        block = struct.unpack("<16L", padded[start:start + 64])
        left = _line(state, block, _FUNCTIONS, _LEFT_WORDS, _LEFT_SHIFTS, _LEFT_CONSTANTS)
        right = _line(state, block, _FUNCTIONS[::-1], _RIGHT_WORDS, _RIGHT_SHIFTS, _RIGHT_CONSTANTS)
        state = tuple(
            (state[(i + 1) % 5] + left[(i + 2) % 5] + right[(i + 3) % 5]) & _MASK for i in range(5)
        )
    return "".join("{0:02x}".format(byte) for byte in bytearray(struct.pack("<5L", *state)))


def _line(state, block, functions, words, shifts, constants):
    """Run one of the two lines of eighty steps over a block, and return its five words."""
    a, b, c, d, e = state
    for function, row, turns, constant in zip(functions, words, shifts, constants):
        for word, turn in zip(row, turns):
            total = (a + function(b, c, d) + block[word] + constant) & _MASK
            rotated = ((total << turn) | (total >> (32 - turn))) + e
            a, e, d, c, b = e, d, ((c << 10) | (c >> 22)) & _MASK, b, rotated & _MASK
    return a, b, c, d, e
