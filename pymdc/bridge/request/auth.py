"""Who is asking: HTTP Basic, a signature with a nonce, a token."""

import base64
import binascii
import hashlib
import urllib.parse
from dataclasses import dataclass

import coincurve

from ..metadata import Asker
from ..metadata.askers import UNKNOWN_KEY, WRONG_PASSWORD, check_enabled
from ..refusal import Refusal
from . import fields, limits
from .call import Call

DAY = 86_400_000  # milliseconds

_SIGNED_OVER_BODY = ("POST", "PATCH")  # all others are over the query: the body of a PUT is a file
_STRATEGIES = ("authorization", "x-pubkey", "x-signature")


@dataclass
class Identity:
    """
    Who asks, for an account.

    :ivar email: the account's.
    :ivar asker: by what.
    :ivar key: the key that has signed, as it is written.
    :ivar owner: whether it is the account itself, not somebody whose key one of its buckets lists.
    """

    email: str
    asker: Asker
    key: str | None = None
    owner: bool = True


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def id_of_token(hashed: str) -> str:
    """Return what a token, given by its hash, is called where it must not be told."""
    return hashed[:32]


def identify(call: Call) -> Identity:
    """Return the account that asks, by whichever way; a nonce is spent."""
    identity = _identify(call)
    call.record["account"] = identity.email
    return identity


def _identify(call):
    basic = _basic(call.headers.get("authorization", ""))
    if basic is not None:
        account = _check_password(call, *basic)
        return Identity(account["email"], Asker(password=account["password"]))
    signature = _signature(call)
    key = call.metadata.keys.find(signature.point)
    _check_registered(signature, key)
    signature.spend_nonce(call)
    return Identity(key["email"], Asker(signature.point), signature.key)


def _check_registered(signature, key):
    if key is None or key["text"] != signature.key:
        raise Refusal(401, UNKNOWN_KEY)
    if not key["activated"]:
        raise Refusal(401, "User account has not been activated")
    check_enabled(key)


def identify_by_password(call: Call):
    """Return the row of the account that asks, as it was when its password was compared; a key is not enough."""
    basic = _basic(call.headers.get("authorization", ""))
    if basic is None:
        _signature(call)
        raise Refusal(401, "The password of the account is needed for this, not one of its keys")
    account = _check_password(call, *basic)
    call.record["account"] = account["email"]
    return account


def identify_for_bucket(call: Call, bucket_id: str, says_why=True) -> Identity:
    """
    Return who asks for something of a bucket: its owner, or whoever holds a key that the bucket lists.

    :param says_why: whether a key that can ask for nothing at all is told so; the servers of 2016 call it the bucket
        that was not found, and clients of the time go by that.
    """
    if _basic(call.headers.get("authorization", "")) is not None:
        identity = identify(call)
        call.metadata.buckets.find(bucket_id, identity.email)
        return identity
    signature = _signature(call)
    key = call.metadata.keys.find(signature.point)
    bucket = call.metadata.buckets.find(bucket_id)
    registered = key is not None and key["text"] == signature.key and key["activated"]
    owner = registered and key["email"] == bucket["email"]
    if not owner and signature.key not in call.metadata.buckets.find_with_keys(bucket_id)["pubkeys"]:
        if says_why:
            _check_registered(signature, key)
        raise Refusal(404, "Bucket not found")
    check_enabled(bucket)
    signature.spend_nonce(call)
    return Identity(bucket["email"], Asker(signature.point), signature.key, owner)


def fingerprint(point: str) -> str:
    """Return what a key is called in the log."""
    return hashlib.sha256(bytes.fromhex(point)).hexdigest()[:16]


def spend_proof(call: Call, public_key: str, email: str) -> bool:
    """
    Return whether the request is also signed with the key that it registers; the nonce is spent.

    What is signed has to name the account: another bridge could pass the request on, as one of somebody else.
    """
    account = call.fields.get("account")
    if not isinstance(account, str) or account.lower() != email:
        return False
    if call.headers.get("x-pubkey") != public_key or "x-signature" not in call.headers:
        return False
    _signature(call).spend_nonce(call)
    return True


def spend_token(call: Call) -> dict:
    """Return the token that the request presents; it is used up, whatever becomes of the request."""
    token = call.headers.get("x-token")
    row = token and call.metadata.tokens.spend(hash_token(token), call.now(), call.services.expiry_of_hold())
    if not row:
        raise Refusal(401, "Invalid or expired token")
    call.metadata.keep()
    call.services.metrics.tokens.labels(row["operation"], "spent").inc()
    return row


def comes_by_token(call: Call) -> bool:
    """Return whether a call presents a token, which wins, or nothing else that would say who asks."""
    return "x-token" in call.headers or not any(name in call.headers for name in _STRATEGIES)


@dataclass
class Signature:
    """
    A valid signature.

    :ivar text: what was signed.
    :ivar r: the part of the signature that only who holds the key can change.
    """

    key: str
    point: str
    text: bytes
    r: bytes

    def spend_nonce(self, call: Call):
        nonce = fields.nonce(_raw_nonce(call))
        if nonce is None:
            highest = call.metadata.nonces.highest(self.point)
        else:
            digest = hashlib.sha256(self.r + self.text).hexdigest()
            window = call.services.settings.nonce_window
            lasts = call.method != "GET"  # the answer to one who only reads may be had again after a power cut
            highest = call.metadata.nonces.see(self.point, nonce, digest, window, ceiling=call.now() + DAY, sync=lasts)
        if highest is not None:
            raise Refusal(401, "Invalid nonce supplied", {"x-nonce": f"{highest:.3f}"})
        call.metadata.keep()


def _signature(call: Call) -> Signature:
    key, signature = call.headers.get("x-pubkey"), call.headers.get("x-signature")
    if not key or not signature:
        raise Refusal(401, "No authentication strategy detected")
    payload = call.body if call.method in _SIGNED_OVER_BODY else call.query
    text = call.method.encode() + b"\n" + call.path + b"\n" + payload
    try:
        verifying_key = fields.verifying_key(key)
        r = _verify(verifying_key, binascii.unhexlify(signature.encode("ascii")), text)
    except (Refusal, ValueError):
        r = None
    if r is None:
        raise Refusal(401, "Invalid signature")
    point = verifying_key.format().hex()
    call.record["key"] = fingerprint(point)
    return Signature(key, point, text, r)


def _verify(key: coincurve.PublicKey, signature: bytes, text: bytes) -> bytes | None:
    """
    Return the r of a DER signature over the SHA-256 of *text*; None when it does not hold.

    A high S, which half of all clients send, is as good: anybody can make it of the low one, but with the same r.
    """
    try:
        parsed = coincurve.ecdsa.der_to_cdata(signature)
    except ValueError:
        return None
    _, low = coincurve.ecdsa.signature_normalize(parsed)
    if not key.verify(coincurve.ecdsa.cdata_to_der(low), text):
        return None
    return coincurve.ecdsa.serialize_compact(low)[:32]


def _raw_nonce(call: Call):
    if call.method not in _SIGNED_OVER_BODY:
        query = urllib.parse.parse_qs(call.query.decode("latin-1"), keep_blank_values=True)
        return query.get("__nonce", [None])[-1]
    return call.fields.get("__nonce")


def _basic(header: str) -> tuple[str, str] | None:
    """Return e-mail and password of a Basic header; None without one, or when its password is empty."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        email, _, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:
        raise Refusal(401, WRONG_PASSWORD) from None
    return (email, password) if password else None


def _check_password(call: Call, email: str, password: str):
    """Return the row of the account whose password this is."""
    email, password = email.lower(), password.lower()
    limits.check_guesses(call, email)
    account = call.metadata.accounts.find(email)
    if not _is_password(call, email, account and account["password"], password):
        raise Refusal(401, WRONG_PASSWORD)
    limits.forgive_guesses(call, email)
    if not account["activated"]:
        raise Refusal(401, "User account has not been activated")
    check_enabled(account)
    return account


def _is_password(call, email, hashed, password) -> bool:
    passwords = call.services.passwords
    remembered = passwords.remembered(hashed, password)
    if remembered:
        return True
    if remembered is False:  # a wrong one, even if it is refused below: who guesses learns so much from that
        limits.count_guess(call, email)
    with passwords.turn():
        # Not before: all those that wait their turn may be guesses.
        limits.check_guesses_of_address(call)
        if remembered is None:
            limits.check_guesses(call, email)
        if passwords.compare(hashed, password):
            return True
        limits.count_guess_of_address(call)
        if remembered is None:
            limits.count_guess(call, email)
    return False
