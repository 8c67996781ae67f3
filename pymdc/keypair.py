"""Key pairs that sign requests."""

from __future__ import absolute_import, division, print_function

import binascii
import errno
import hashlib
import re
from functools import partial

import ecdsa
from ecdsa.util import sigdecode_der, sigencode_der_canonize

from . import _keyfile, _pem
from ._compat import text_type
from ._secret import KeepsSecrets
from .errors import InvalidKey

__all__ = ["ECDSA"]

_CURVE = ecdsa.SECP256k1
_HEX = re.compile(r"[0-9a-fA-F]+\Z")
_HEAD = "Metadisk key pair "  # before the key in its file, and then the public key, in its form
_HEAD_LINE = re.compile(_HEAD.encode("ascii") + br"([0-9a-f]{66,130})\s")


class ECDSA(KeepsSecrets):
    """
    A key pair of the curve secp256k1, or only its public half.

    With no argument a new pair is made.  A private key alone brings its public key along.

    :param str public_key: hex, compressed (66 characters) or uncompressed (130); the form is kept, since a bridge
        knows a key by its text.
    :param str private_key: hex, 64 characters.
    :raises InvalidKey: malformed, off the curve, out of range, or the two do not belong together.
    """

    def __init__(self, public_key=None, private_key=None):
        if public_key is None and private_key is None:
            self._signing_key = ecdsa.SigningKey.generate(_CURVE, hashfunc=hashlib.sha256)
        else:
            self._signing_key = None if private_key is None else _read_private_key(private_key)
        self._sign = self._signing_key and _signer(self._signing_key)
        own = self._signing_key and self._signing_key.get_verifying_key()
        self._verifying_key = own if public_key is None else _read_public_key(public_key)
        if own and own.to_string() != self._verifying_key.to_string():
            raise InvalidKey("the private key does not belong to the public key")
        self._form = "uncompressed" if public_key is not None and len(public_key) == 130 else "compressed"

    @classmethod
    def load(cls, path, password=None):
        """
        Return the key pair in a file, as :meth:`save` has made it, or another program: PKCS#8 in PEM.

        :param path: a file that nobody but its owner can read.
        :param password: that of an encrypted one: text (as UTF-8) or bytes.
        :raises InvalidKey: others can read the file, it holds no private key of secp256k1, or the password is wrong.
        :raises EnvironmentError: it cannot be read.
        :raises ImportError: it is encrypted, and the package cryptography is not there.
        """
        content = _keyfile.read(path)
        head = _HEAD_LINE.match(content)
        number = _pem.private_key(content, _password(password))
        return cls(head and head.group(1), "{0:064x}".format(number))

    def save(self, path, password=None):
        """
        Write the key pair to a new file that only its owner can read: PKCS#8 in PEM, after a line that names the public
        key.  A file that is there is left as it is; it is an error unless :meth:`load` returns this key pair from it.

        :param password: to encrypt it by, which needs the package cryptography: text (as UTF-8) or bytes.
        :raises InvalidKey: there is no private key.
        :raises EnvironmentError: there is a file already, or it cannot be written; nothing is left of it then.
        :raises ImportError: there is a password, and the package cryptography is not there.
        """
        content = "{0}{1}\n{2}".format(_HEAD, self.get_public_key(), self._private_text(_password(password)))
        try:
            _keyfile.write(path, content.encode("ascii"))
        except EnvironmentError as error:
            if error.errno != errno.EEXIST or not self._lies_at(path, password):
                raise

    def get_public_key(self, format="hex"):
        """
        Return the public key.

        :param str format: ``"hex"`` for the text by which a bridge knows it: lower-case hex, 66 characters, or 130 when
            made from the uncompressed form; ``"bin"`` for the bytes that it stands for; ``"pem"`` for text that other
            programs read.
        """
        if format == "pem":
            return _pem.public_text(self._verifying_key)
        return _formatted(self._verifying_key.to_string(self._form), format)

    def get_private_key(self, format="hex"):
        """
        Return the private key, or None when only the public key is known.

        :param str format: ``"hex"`` for 64 characters of lower-case hex; ``"bin"`` for 32 bytes; ``"pem"`` for PKCS#8,
            which other programs read.
        """
        if format == "pem":
            return self._signing_key and self._private_text()
        private_key = self._signing_key and self._signing_key.to_string()
        return _formatted(private_key, format)

    def sign(self, message):
        """
        Sign the SHA-256 of *message* (bytes, or text as UTF-8).

        :returns: hex of the DER encoding, low S; the same message always gives the same signature (RFC 6979).
        :raises InvalidKey: there is no private key.
        """
        if self._sign is None:
            raise InvalidKey("this key pair has no private key, so it cannot sign")
        return _hex(self._sign(_bytes(message)))

    def verify(self, message, signature):
        """Return whether *signature* (hex of DER, either case, high or low S) is this key's, of *message*."""
        message = _bytes(message)
        try:
            der = binascii.unhexlify(_bytes(signature))
            return self._verifying_key.verify(der, message, hashfunc=hashlib.sha256, sigdecode=sigdecode_der)
        except (ecdsa.BadSignatureError, ecdsa.der.UnexpectedDER, binascii.Error, TypeError, ValueError):
            return False

    def __eq__(self, other):
        if not isinstance(other, ECDSA):
            return NotImplemented
        return self._point() == other._point()

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self._point())

    def __repr__(self):
        return "<ECDSA {0}>".format(self.get_public_key())

    def _private_text(self, password=None):
        if self._signing_key is None:
            raise InvalidKey("this key pair has no private key, so there is nothing to save")
        if password is None:
            return _pem.private_text(self._signing_key)
        return _pem.encrypted_text(self._signing_key, password)

    def _lies_at(self, path, password):
        try:
            there = ECDSA.load(path, password)
        except (EnvironmentError, InvalidKey):
            return False
        return there.get_public_key() == self.get_public_key()

    def _point(self):
        return self._verifying_key.to_string("compressed")


def _signer(key):
    """Return the function that signs bytes with a private key of ecdsa's: the same signatures, whoever makes them."""
    try:
        import coincurve  # of the extra "fast": some fifteen times as fast, and constant in time
    except ImportError:
        return partial(key.sign_deterministic, hashfunc=hashlib.sha256, sigencode=sigencode_der_canonize)
    return coincurve.PrivateKey(key.to_string()).sign


def _read_private_key(text):
    raw = _unhex(text, (64,), "a private key is 64 hex characters")
    number = int(binascii.hexlify(raw), 16)
    if not 0 < number < _CURVE.order:
        raise InvalidKey("the private key is zero, or not below the order of secp256k1")
    return ecdsa.SigningKey.from_secret_exponent(number, _CURVE, hashfunc=hashlib.sha256)


def _read_public_key(text):
    raw = _unhex(text, (66, 130), "a public key is 66 hex characters (compressed) or 130 (uncompressed)")
    form = "compressed" if len(raw) == 33 else "uncompressed"
    try:
        return ecdsa.VerifyingKey.from_string(raw, _CURVE, hashfunc=hashlib.sha256, valid_encodings=(form,))
    except (ecdsa.keys.MalformedPointError, ValueError):
        pass  # raised from here, it would chain what ecdsa says, which quotes the key
    raise InvalidKey("the public key is not a point of secp256k1")


def _unhex(text, lengths, rule):
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if not isinstance(text, text_type) or len(text) not in lengths or not _HEX.match(text):
        raise InvalidKey(rule)
    return binascii.unhexlify(text.encode("ascii"))


def _hex(raw):
    return str(binascii.hexlify(raw).decode("ascii"))


def _bytes(value):
    value = value.encode("utf-8") if isinstance(value, text_type) else value
    if not isinstance(value, bytes):
        raise TypeError("text or bytes are needed, not {0!r}".format(type(value).__name__))
    return value


def _formatted(raw, format):
    if format not in ("hex", "bin"):
        raise ValueError("unknown key format {0!r}: 'hex', 'bin' and 'pem' are known".format(format))
    return raw and (raw if format == "bin" else _hex(raw))


def _password(value):
    if value is None:
        return None
    value = _bytes(value)
    if not value:
        raise ValueError("the password is empty: None is for none")
    return value


def __dir__():
    return __all__
