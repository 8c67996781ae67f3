"""What callers may hand in for an id, a token, a key or a hash: text, or the dict that the bridge returned for it."""

from __future__ import absolute_import, division, print_function

import hashlib
import json
import re

from .._compat import integer_types, text_type
from .._options import is_number
from .._transfer.filename import spelled
from ..errors import InvalidKey
from ..keypair import ECDSA

__all__ = [
    "activation_token",
    "bucket_id_text",
    "email_text",
    "bytes_at_most",
    "file_hash_text",
    "gigabytes",
    "name_in",
    "name_text",
    "password_bytes",
    "public_key_text",
    "public_key_texts",
    "refuse_refusal",
    "seconds",
    "token_id_text",
    "token_text",
]

_HASH = re.compile(r"[0-9a-fA-F]{40}\Z")
_ACTIVATION = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_LINK = "/activations/"
_SEGMENT = re.compile(r"[0-9A-Za-z_-]{1,40}\Z")
_PUBLIC_KEY = re.compile(r"(0[23][0-9a-fA-F]{64}|04[0-9a-fA-F]{128})\Z")
_TOKEN, _TOKEN_ID = re.compile(r"[0-9a-fA-F]{64}\Z"), re.compile(r"[0-9a-fA-F]{32}\Z")
_MAX_GIGABYTES = 1e15


def bucket_id_text(value):
    bucket_id = _text(value, "id", "a bucket id")
    if not _SEGMENT.match(bucket_id):
        raise ValueError("a bucket id is 24 hex digits")
    return bucket_id


def token_text(value):
    token = _text(value, "token", "a token")
    if not re.match(r"[\x21-\x7e]+\Z", token):
        raise ValueError("a token is hex digits")
    return token


def token_id_text(value):
    """Return the id of a token, which can be told, of its dict, its text or its id."""
    if isinstance(value, dict) and "token" not in value:
        text = _text(value, "id", "a token")
    else:
        text = token_text(value)
    if _TOKEN.match(text):
        return hashlib.sha256(text.lower().encode("ascii")).hexdigest()[:32]
    if not _TOKEN_ID.match(text):
        raise ValueError("a token is 64 hex digits, and its id 32")
    return text.lower()


def seconds(value):
    if not is_number(value) or not value > 0:
        raise ValueError("expires_in must be a number of seconds, more than zero")
    return value


def bytes_at_most(value):
    if not isinstance(value, integer_types) or isinstance(value, bool) or value < 0:
        raise ValueError("max_size must be a whole number of bytes, zero or more")
    return value


def file_hash_text(value):
    file_hash = _text(value, "hash", "a file hash")
    if not _HASH.match(file_hash):
        raise ValueError("a file hash is 40 hex digits")
    return file_hash.lower()


def name_in(file):
    """Return the name that the bridge's dict of a file tells; None when it is none, or only a hash."""
    name = file.get("filename") if isinstance(file, dict) else None
    return name if name is None or isinstance(name, text_type) else spelled(name)


def public_key_text(value):
    """Return the text of a public key, in the case it was written: a bridge knows a key by its text."""
    if isinstance(value, ECDSA):
        return value.get_public_key()
    text = _text(value, "key", "a public key")
    if not _PUBLIC_KEY.match(text):  # maybe a private one, which must go nowhere
        raise InvalidKey("a public key is 66 hex characters (compressed) or 130 (uncompressed)")
    return text


def public_key_texts(values):
    refuse_refusal(values, "a list of key pairs")
    if not isinstance(values, (list, tuple)):
        raise ValueError("key_pairs must be a list of key pairs, not {0!r}".format(type(values).__name__))
    return [ECDSA(public_key_text(value)).get_public_key() for value in values]


def activation_token(value):
    """Return the token of an activation link; its host is never used."""
    text = _text(value, "token", "an activation token")
    digits = _ACTIVATION.search(text, text.find(_LINK) + 1)  # what stands before, like a host, may be hex digits too
    if digits:
        return digits.group()
    if not _SEGMENT.match(text):
        raise ValueError("an activation token, or the link that holds it, has 64 hex digits")
    return text


def email_text(value):
    return _text(value, "email", "an e-mail address")


def name_text(value):
    return _text(value, "name", "a name")


def gigabytes(value):
    if not is_number(value) or not 0 <= value <= _MAX_GIGABYTES:
        raise ValueError("storage and transfer must be numbers of GB, zero or more")
    return value


def password_bytes(value):
    if isinstance(value, text_type):
        try:
            value = value.encode("utf-8")
        except UnicodeError:
            value = None
    if not isinstance(value, bytes) or not value:
        raise ValueError("a password must be text (of whole characters) or bytes, and not empty")
    return value


def refuse_refusal(value, what):
    """Raise ValueError for the answer of a call that did not succeed, handed on where *what* is needed."""
    if isinstance(value, dict) and "error" in value:
        words, hint = json.dumps(value["error"]), getattr(value, "hint", None)
        text = "{0} is needed, but the bridge had said: {1}".format(what, words)
        raise ValueError(text + ("; " + hint if hint else ""))


def _text(value, key, what):
    refuse_refusal(value, what)
    if isinstance(value, dict):
        value = value.get(key)
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError("{0} must be UTF-8".format(what))
    if not isinstance(value, text_type) or not value:
        raise ValueError("{0} must be text and not empty, or the dict that the bridge returned for it".format(what))
    return value
