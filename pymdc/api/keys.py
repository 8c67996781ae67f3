"""Public keys."""

from __future__ import absolute_import, division, print_function

from .._signing import Basic
from ..errors import APIError, InvalidKey, TransportError
from ..keypair import ECDSA
from ._arguments import public_key_text, refuse_refusal
from ._resource import Resource

__all__ = ["Keys"]

_TAKEN = "Public key is already registered"
_UNKNOWN = "Public key not registered"
_MOST_LISTS = 10  # of the buckets, before a rotation gives up


class Keys(Resource):
    """
    The public keys of one account.

    :param user: the account, as :class:`pymdc.api.Users`; or one of its key pairs.
    :param client: the :class:`pymdc.Client` to use; by default that of *user*.
    """

    def __init__(self, user, client=None):
        super(Keys, self).__init__(user, client)

    def list(self, callback=None):
        """Return the account's public keys, as a list of dicts.  Source: ``GET /keys``."""
        return self._run(callback, lambda: self._request("GET", "/keys"), listing=True)

    def create(self, key_pair, callback=None):
        """
        Register a public key.

        :param key_pair: a key pair, with or without its private key, or the public key as hex.  Where the private key
            is at hand, and a user asks, the request is also signed with it, which proves that the account holds it.
        :returns: the key as a dict.

        Source: ``POST /keys`` (docs/protocol, "Keys").
        """
        return self._run(callback, lambda: self._create(key_pair))

    def delete(self, key_pair, callback=None):
        """
        Take a public key off the account, and out of its buckets.

        :param key_pair: a key pair, or the public key as hex.
        :returns: an empty dict.

        Source: ``DELETE /keys/:key`` (docs/protocol, "Keys").
        """
        return self._run(callback, lambda: self._delete("/keys/{key}", {"key": public_key_text(key_pair)}))

    def rotate(self, old, new, callback=None):
        """
        Let a new key pair take the place of an old one.

        The new one is registered, and takes the place of the old one in all buckets of the account; once no bucket
        names the old one any more, that is deleted.  All after the registration is signed by the new one, so it is
        known to work before the old one goes.  Wherever this breaks off, the account has a key that works, and the
        same call goes on from there.

        Buckets of other accounts that list the old key, as a guest's, are for their owners to change.  Tokens that it
        has made and nobody has used lapse with it.

        :param old: a key pair, or the public key as hex; its private key is not needed.
        :param ECDSA new: a key pair with its private key; save it before.
        :returns: the new key as a dict.
        :raises ValueError: neither of them is a key of the account, or both are the same.

        Source: ``POST /keys``, ``PATCH /buckets/:id``, ``DELETE /keys/:key`` (docs/protocol, "Keys", "Buckets").
        """
        return self._run(callback, lambda: self._rotate(*_checked(old, new)))

    def _rotate(self, old, new):
        keys = self._listed_for(new)
        going = [key["key"] for key in keys if _is_of(old, key["key"])]
        created = next((key for key in keys if _is_of(new, key["key"])), None)
        if not going and not created:
            raise ValueError("the old key is not one of the account, nor is the new one: see keys.list()")
        created = created or self._create(new)
        by_new = Keys(new, self._client_in_use())
        by_new._replace_in_buckets(old, new)
        for text in going:
            by_new._delete("/keys/{key}", {"key": text})
        return created

    def _listed_for(self, new):
        """Return the keys of the account; where the key that asks is deleted already, the new one asks in its place."""
        try:
            return self._request("GET", "/keys")
        except APIError as error:
            if isinstance(self._auth, Basic) or error.body["error"] != _UNKNOWN:
                raise
        return self._request("GET", "/keys", auth=new)

    def _replace_in_buckets(self, old, new):
        """Put one key in the place of another, until no bucket lists that: others may be making some meanwhile."""
        for _ in range(_MOST_LISTS):
            listing = [bucket for bucket in self._request("GET", "/buckets") if _lists(bucket, old)]
            if not listing:
                return
            for bucket in listing:
                others = [text for text in bucket["pubkeys"] if not _is_of(old, text) and not _is_of(new, text)]
                fields = {"pubkeys": others + [new.get_public_key()]}
                self._request("PATCH", "/buckets/{bucket_id}", {"bucket_id": bucket["id"]}, fields=fields)
        raise TransportError("there are always buckets that list the old key, which was not deleted", passing=False)

    def _create(self, key_pair):
        if not isinstance(key_pair, ECDSA):
            key_pair = ECDSA(public_key_text(key_pair))
        public_key = key_pair.get_public_key()
        fields, prove = {"key": public_key}, None
        if isinstance(self._auth, Basic) and key_pair.get_private_key():
            # Without the account's name, a bridge could pass the proof on to another, as one of somebody else.
            fields["account"], prove = self._auth.email, key_pair
        try:
            return self._request("POST", "/keys", fields=fields, prove=prove)
        except APIError as error:
            if not error.maybe_done or error.body["error"] != _TAKEN:
                raise
            failure = error
        for key in self._request("GET", "/keys"):  # an attempt whose answer was lost may have registered it
            if key["key"] == public_key:
                return key
        raise failure


def _checked(old, new):
    """Return the two keys of a rotation."""
    old = ECDSA(public_key_text(old))
    if not isinstance(new, ECDSA) or new.get_private_key() is None:
        refuse_refusal(new, "a key pair")
        raise InvalidKey("the new key must be a key pair with its private key, or nobody could sign by it")
    if new == old:
        raise ValueError("the old key and the new one are the same")
    return old, new


def _lists(bucket, key_pair):
    return any(_is_of(key_pair, text) for text in bucket["pubkeys"])


def _is_of(key_pair, text):
    """Return whether this is the public key of a key pair, in either form; old bridges may hold what is no key."""
    try:
        return ECDSA(text) == key_pair
    except InvalidKey:
        return False


def __dir__():
    return __all__
