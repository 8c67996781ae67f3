"""The fields of requests: each function returns the value in the form that is kept, or refuses it by name."""

import functools
import itertools
import json
import math
import posixpath
import re
import secrets
import threading
import urllib.parse

import coincurve

from ..refusal import Refusal
from ..settings import MAX_TOKEN_LIFE

MAX_FIELDS = 1000
MAX_PARAMETERS = 100
LONGEST = 8192  # characters; no field may be so long
MAX_NAME = 255
MAX_PATH = 1000  # bytes of a name with its folders, of which each has MAX_NAME at most
MAX_ENDING = 20  # characters of a name behind its last dot
MAX_EMAIL = 254
MAX_REDIRECT = 2000
MAX_PUBLIC_KEYS = 1000
MAX_GIGABYTES = 10**9

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>()\[\],:;\\\"]+@[^@\s\x00-\x1f\x7f<>()\[\],:;\\\"]+")
_PASSWORD = re.compile(r"[0-9a-fA-F]{64}")
_POINT = re.compile(r"0[23][0-9a-fA-F]{64}|04[0-9a-fA-F]{128}")
_NUMBER = re.compile(r" *\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)? *")
_NONCE = re.compile(r"[0-9.eE+-]{1,32}")
_RANGE = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-fA-F]{40}")
#: What controls, and what turns the direction of a text.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_decoding = threading.Lock()  # what a body of a mebibyte says can take 30 in memory until most of it is dropped


def json_object(body: bytes) -> dict:
    """Decode a request body.  An empty one is an object without fields."""
    if not body:
        return {}
    with _decoding:
        try:
            decoded = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError):  # not UTF-8, not JSON, NaN, a number of 5 000 digits, nested too deep
            raise Refusal(400, "Body is not valid JSON") from None
        if not isinstance(decoded, dict):
            raise Refusal(400, "Body is not a JSON object")
        if len(decoded) > MAX_FIELDS:
            raise Refusal(400, f"Body has more than {MAX_FIELDS} fields")
        return {name: _flat(value) for name, value in decoded.items()}


def _flat(value):
    """Return what a field can mean: none is nested deeper than a list of texts."""
    if isinstance(value, list):
        return [item if isinstance(item, str) else None for item in value[:MAX_PUBLIC_KEYS + 1]]
    if isinstance(value, str):
        return value[:LONGEST]
    return {} if isinstance(value, dict) else value


def email(value) -> str:
    text = value.lower() if isinstance(value, str) else ""  # which can be longer than it was
    # "=?" begins an encoded word: the mail would go to another address than the one that is registered.
    if len(text) > MAX_EMAIL or not _EMAIL.fullmatch(text) or "=?" in text or not _storable(text):
        raise Refusal(400, "User validation failed: email is missing or is not an e-mail address")
    return text


def password(value) -> str:
    if not isinstance(value, str) or not _PASSWORD.fullmatch(value):
        raise Refusal(400, "Password must be hex encoded SHA-256 hash")
    return value.lower()


def redirect(value) -> str | None:
    """Return the URL that an activation asks to lead to.  Whether it may is decided then."""
    if value in (None, ""):
        return None
    fits = isinstance(value, str) and len(value) <= MAX_REDIRECT and all(ord(character) > 32 for character in value)
    if not fits or not _storable(value):
        raise Refusal(400, "User validation failed: redirect is not a URL")
    return value


def public_key(value) -> str:
    """Check that *value* is a point of the curve, as hex, and return it as it was written."""
    point(value)
    return value


def point(text) -> str:
    """Return the point that a public key stands for: its compressed form, in lower-case hex, however it was written."""
    return verifying_key(text).format().hex()


def verifying_key(text) -> coincurve.PublicKey:
    """Return the public key that a text stands for."""
    if isinstance(text, str) and _POINT.fullmatch(text):
        try:
            return _parsed(text)
        except ValueError:
            pass
    raise Refusal(400, "Invalid public key supplied: not a point of secp256k1 in hex")


@functools.lru_cache(maxsize=1000)  # the same keys come again and again, and a point takes a square root
def _parsed(text):
    return coincurve.PublicKey(bytes.fromhex(text))


def _public_keys(field, value):
    if not isinstance(value, list) or len(value) > MAX_PUBLIC_KEYS:
        raise Refusal(400, f"Bucket validation failed: pubkeys must be a list of at most {MAX_PUBLIC_KEYS} public keys")
    try:
        return list(dict.fromkeys(public_key(text) for text in value))
    except Refusal:
        raise Refusal(400, "Invalid public key supplied") from None


def bucket(body: dict) -> dict:
    """Return the fields of a bucket that *body* gives a value."""
    checks = {"name": _bucket_name, "storage": _gigabytes, "transfer": _gigabytes, "pubkeys": _public_keys}
    return {field: check(field, body[field]) for field, check in checks.items() if body.get(field) is not None}


def _bucket_name(field, value):
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -math.inf < value < math.inf:
        value = str(value)  # as the bridges of 2016 did
    if not isinstance(value, str) or len(value) > MAX_NAME or not _storable(value):
        raise Refusal(400, f"Bucket validation failed: name must be text of at most {MAX_NAME} characters")
    return value


def _gigabytes(field, value):
    if isinstance(value, str) and _NUMBER.fullmatch(value):  # the command lines of 2016 send what was typed
        value = float(value)
        value = int(value) if value.is_integer() else value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= MAX_GIGABYTES:
        raise Refusal(400, f"Bucket validation failed: {field} must be a number of GB from 0 to {MAX_GIGABYTES}")
    return value


def token(body: dict) -> dict:
    """Return what a token shall be; its ``life`` in milliseconds.  What is not said is None."""
    return {
        "operation": operation(body.get("operation")),
        "life": token_life(body.get("expires_in")),
        "file": _file_of_token(body),
        "filename": _filename_of_token(body),
        "max_size": _max_size(body),
    }


def operation(value) -> str:
    if value not in ("PUSH", "PULL") or not isinstance(value, str):
        raise Refusal(400, "Token validation failed")
    return value


def token_life(value) -> int | None:
    """Return for how many milliseconds a token shall be good; *value* is in seconds."""
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 1 <= value <= MAX_TOKEN_LIFE:
        raise Refusal(400, f"Token validation failed: expires_in must be seconds, from 1 to {MAX_TOKEN_LIFE}")
    return int(value * 1000)


def _file_of_token(body):
    value = body.get("file")
    if value is None:
        return None
    if body["operation"] != "PULL" or not isinstance(value, str) or not _HASH.fullmatch(value):
        raise Refusal(400, "Token validation failed: file must be the hash of one, 40 hex digits, and goes with PULL")
    return value.lower()


def _filename_of_token(body):
    value = body.get("filename")
    if value is None:
        return None
    if body.get("file") is None or not isinstance(value, str) or not value:
        raise Refusal(400, "Token validation failed: filename must be text, and goes with file")
    return path(value)


def _max_size(body):
    value = body.get("max_size")
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if body["operation"] != "PUSH" or not number or not 0 <= value < 10**15 or value != int(value):
        raise Refusal(400, "Token validation failed: max_size must be a number of bytes, and goes with PUSH")
    return int(value)


def query(raw: bytes) -> dict[str, str]:
    """Return the parameters of a query, of which none may be there twice."""
    try:
        pairs = urllib.parse.parse_qsl(
            raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:
        raise Refusal(400, f"The query is not percent-encoded UTF-8, of at most {MAX_PARAMETERS} parameters") from None
    parameters = {}
    for name, value in pairs:
        if name in parameters:
            raise Refusal(400, f"Parameter given twice: {name[:100]}")
        parameters[name] = value
    return parameters


def own_query(raw: bytes, names) -> dict[str, str]:
    """As :func:`query`, of one that has some of these names; any other may be of a client of 2016, and says nothing."""
    given = urllib.parse.parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    return query(raw) if any(name in names for name, _ in given) else {}


def whole_number(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise Refusal(400, f"Parameter {name} is not a whole number, of at most 15 digits")
    return int(text)


def content_hash(value, what: str = "Parameter hash") -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise Refusal(400, f"{what} is not 40 hex digits")
    return value.lower()


def switch(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise Refusal(400, f"Parameter {name} is neither 0 nor 1")
    return text == "1"


def file_size(text: str | None) -> int:
    if text is None or not re.fullmatch(r"[0-9]{1,15}(\.0*)?", text):
        raise Refusal(400, "Missing or invalid x-filesize header sent")
    return int(text.split(".")[0])


def byte_range(text: str, size: int) -> tuple[int, int]:
    """
    Return where the bytes of a ``Range`` begin and end, of so many.

    Several ranges, or what is none, stand for all of them.  Source: RFC 9110, section 14.
    """
    match = _RANGE.fullmatch(text)
    first, last = match.groups() if match else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)) or not size:
        return 0, size
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size:
        raise Refusal(416, "The range begins behind the end of the file", {"Content-Range": f"bytes */{size}"})
    return start, end


def content_length(text: str | None) -> int:
    if text is None:
        raise Refusal(411, "Content-Length is needed: how long the form is")
    return int(text)


def once(form: bytes) -> str | None:
    """Return what tells one click on a page from another."""
    text = query(form).get("once", "")
    if text and not re.fullmatch(r"[0-9a-f]{32}", text):
        raise Refusal(400, "Parameter once is not 32 hex digits")
    return text or None


def is_form(headers) -> bool:
    """Return whether these headers announce a form of HTML, of names and values."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"


def numbered(filename: str):
    """Yield a base name, then with a number before its ending, ``costs (2).csv``, and at last with one nobody has."""
    yield filename
    stem, ending = posixpath.splitext(filename)
    if len(ending) > MAX_ENDING:
        stem, ending = filename, ""
    for mark in itertools.chain(range(2, 100), [secrets.token_hex(8)]):
        rest = f" ({mark}){ending}"
        yield stem.encode()[:MAX_NAME - len(rest.encode())].decode(errors="ignore") + rest


def filename(value: bytes) -> str:
    """Return the base name that an upload's file is kept under; empty when it has none."""
    try:
        name = re.split(r"[/\\]", value.decode("utf-8"))[-1]
    except UnicodeDecodeError:
        raise Refusal(400, "The file name is not UTF-8") from None
    if len(name) > MAX_NAME:
        raise Refusal(400, f"The file name is longer than {MAX_NAME} characters")
    if name in (".", ".."):
        raise Refusal(400, "The file name is that of a folder")
    if re.search("[\x00-\x1f\x7f]", name):
        raise Refusal(400, "The file name holds a control character")
    return name


def path(text: str) -> str:
    """Return the name of a file, with folders that ``/`` separates, as ``\\`` does; empty when it has none."""
    if not text:
        return text
    text = text.replace("\\", "/")
    parts = text.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise Refusal(400, "The file name has an empty part, or one that is . or ..")
    if UNSEEN.search(text) or not _storable(text):
        raise Refusal(400, "The file name holds a control character, or one that turns the direction of text")
    if len(text.encode("utf-8")) > MAX_PATH or any(len(part.encode("utf-8")) > MAX_NAME for part in parts):
        raise Refusal(400, f"The file name is longer than {MAX_PATH} bytes, or a part of it than {MAX_NAME}")
    return text


def another_name(body: dict) -> dict:
    """Return what gives content one more name: ``hash``, ``filename``, and ``mimetype`` if that is to be another."""
    name, kind = body.get("filename"), body.get("mimetype")
    if not isinstance(name, str) or not name:
        raise Refusal(400, "File validation failed: filename is missing")
    found = {"hash": content_hash(body.get("hash"), "File validation failed: hash"), "filename": path(name)}
    if kind is not None:
        found["mimetype"] = _type(kind) if isinstance(kind, str) else None
        if found["mimetype"] is None:
            raise Refusal(400, "File validation failed: mimetype is not a type such as image/png")
    return found


def mimetype(value: bytes) -> str:
    """Return the type of a Content-Type, lower case, without its parameters."""
    return _type(value.decode("latin-1")) or "text/plain"


def _type(text):
    text = text.split(";")[0].strip().lower()
    return text if re.fullmatch(r"[\x21-\x7e]{1,255}", text) else None


def nonce(value) -> float | None:
    """Return a nonce as a number, or None when it is none.  A float: 2^53 ms is in the year 287 000."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value)
    if not _NONCE.fullmatch(text):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _storable(text: str) -> bool:
    """Whether every database can keep *text*: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not re.search("[\ud800-\udfff]", text)


def _no_constant(name):
    raise ValueError(name)
