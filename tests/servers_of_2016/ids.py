"""What names a content, and what nobody can guess."""

from __future__ import absolute_import, division, print_function

import binascii
import hashlib
import os

from pymdc._digest import ripemd160


def hash_of(data):
    return ripemd160(hashlib.sha256(data).hexdigest().encode("ascii"))


def random_hex(size):
    return binascii.hexlify(os.urandom(size)).decode("ascii")
