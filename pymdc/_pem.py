"""
Keys in PEM, as other programs read and write them.

Sources: RFC 7468 (PEM), RFC 5480 (public keys), RFC 5208 and 5915 (private keys), RFC 8018 (under a password).
"""

from __future__ import absolute_import, division, print_function

import base64
import hashlib
import os
import re

import ecdsa
from ecdsa import der

from .errors import InvalidKey

__all__ = ["encrypted_text", "private_key", "private_text", "public_text"]

_CURVE = ecdsa.SECP256k1
_ROUNDS = 600000  # of PBKDF2; whoever guesses at the password has to take them too
_EC_PUBLIC_KEY = der.encode_oid(1, 2, 840, 10045, 2, 1)
_PBES2 = der.encode_oid(1, 2, 840, 113549, 1, 5, 13)
_PBKDF2 = der.encode_oid(1, 2, 840, 113549, 1, 5, 12)
_HMAC_SHA256 = der.encode_oid(1, 2, 840, 113549, 2, 9)
_AES_256_CBC = der.encode_oid(2, 16, 840, 1, 101, 3, 4, 1, 42)
_NULL = b"\x05\x00"

_BLOCK = re.compile(br"-----BEGIN ((?:EC |ENCRYPTED )?PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_UNREADABLE = "the private key is damaged, or of another kind than those of the curve secp256k1"
_NOTHING = "there is no private key in PEM: what begins with -----BEGIN PRIVATE KEY-----, or is encrypted, is read"
_OTHERS = [  # what else it may be, by how it begins
    (br"\s*-----BEGIN [A-Z ]*PUBLIC KEY-----", "this is a public key, where a private one is needed"),
    (br"\s*-----BEGIN EC PARAMETERS-----", "these are the parameters of a curve, with no key"),
    (br"\s*-----BEGIN OPENSSH PRIVATE KEY-----", "this is a key in the form of OpenSSH: PKCS#8 is read"),
    (br"\s*-----BEGIN [A-Z ]*PRIVATE KEY-----", _UNREADABLE),
    (br"\x30", "this is no PEM, but maybe DER: openssl pkey -inform DER makes PEM of it"),
]


def public_text(key):
    """Return a ``VerifyingKey`` of ecdsa's in PEM."""
    return str(key.to_pem().decode("ascii"))


def private_text(key):
    """Return a ``SigningKey`` of ecdsa's in PEM."""
    return _block("PRIVATE KEY", _pkcs8(key))


def encrypted_text(key, password):
    """
    Return a ``SigningKey`` of ecdsa's in PEM, encrypted.

    :param bytes password: to try one takes some tenths of a second; so does this.
    :raises ImportError: the package cryptography is not there.
    """
    salt, vector = os.urandom(16), os.urandom(16)
    data = _aes(hashlib.pbkdf2_hmac("sha256", password, salt, _ROUNDS, 32), vector, _pkcs8(key))
    stretching = der.encode_sequence(
        der.encode_octet_string(salt), der.encode_integer(_ROUNDS), der.encode_sequence(_HMAC_SHA256, _NULL)
    )
    scheme = der.encode_sequence(
        der.encode_sequence(_PBKDF2, stretching),
        der.encode_sequence(_AES_256_CBC, der.encode_octet_string(vector)),
    )
    return _block("ENCRYPTED PRIVATE KEY", der.encode_sequence(
        der.encode_sequence(_PBES2, scheme), der.encode_octet_string(data),
    ))


def private_key(text, password=None):
    """
    Return the secret exponent that is in PEM.

    :param bytes text: may have other things around it.
    :param bytes password: for one that is encrypted.
    :raises InvalidKey: there is none, or it does not open.  Never repeats what was handed in.
    :raises ImportError: it is encrypted, and the package cryptography is not there.
    """
    found = _BLOCK.search(text)
    if not found:
        raise InvalidKey(next((words for pattern, words in _OTHERS if re.match(pattern, text)), _NOTHING))
    encrypted = found.group(1).startswith(b"ENCRYPTED") or b"ENCRYPTED" in found.group(2)
    if encrypted and password is None:
        raise InvalidKey("the private key is encrypted: hand in its password")
    if password is not None and not encrypted:
        raise InvalidKey("the private key is not encrypted, so no password belongs to it")
    if encrypted:
        return _opened(found.group(), password)
    return _read(found.group(2))


def _block(label, content):
    text = str(base64.b64encode(content).decode("ascii"))
    lines = "\n".join(text[start:start + 64] for start in range(0, len(text), 64))
    return "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n".format(label, lines)


def _pkcs8(key):
    """Return DER; that of ecdsa itself has a version which others refuse."""
    point = key.get_verifying_key().to_string("uncompressed")
    inner = der.encode_sequence(
        der.encode_integer(1), der.encode_octet_string(key.to_string()),
        der.encode_constructed(1, der.encode_bitstring(point, 0)),
    )
    return der.encode_sequence(
        der.encode_integer(0), der.encode_sequence(_EC_PUBLIC_KEY, _CURVE.encoded_oid), der.encode_octet_string(inner)
    )


def _read(content):
    key = None
    try:
        key = ecdsa.SigningKey.from_der(base64.b64decode(content))
    except Exception:  # whatever it meets, and that may quote the key
        pass
    if key is None or key.curve != _CURVE:
        raise InvalidKey(_UNREADABLE)
    return key.privkey.secret_multiplier


def _opened(block, password):
    backend, _, serialization = _cryptography()
    key = None
    try:
        key = serialization.load_pem_private_key(block, password, backend)
    except Exception:
        pass
    if key is None:
        raise InvalidKey("the password is another, or the private key is damaged")
    if getattr(getattr(key, "curve", None), "name", None) != "secp256k1":
        raise InvalidKey(_UNREADABLE)
    return key.private_numbers().private_value


def _aes(secret, vector, content):
    """Encrypt by AES in CBC mode, filled up to whole blocks as PKCS#7 has it."""
    backend, ciphers, _ = _cryptography()
    missing = 16 - len(content) % 16
    cipher = ciphers.Cipher(ciphers.algorithms.AES(secret), ciphers.modes.CBC(vector), backend).encryptor()
    return cipher.update(content + bytes(bytearray([missing] * missing))) + cipher.finalize()


def _cryptography():
    """Return what is used of a package that only who has a password needs."""
    try:
        from cryptography.hazmat.backends import default_backend
        from cryptography.hazmat.primitives import ciphers, serialization
    except ImportError:
        default_backend = None
    if default_backend is None:
        raise ImportError("a password needs the package cryptography: pip install cryptography")
    return default_backend(), ciphers, serialization
