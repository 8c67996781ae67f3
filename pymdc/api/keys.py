"""Public keys."""

from __future__ import absolute_import, division, print_function

from .._signing import Basic
from ..errors import APIError
from ..keypair import ECDSA
from ._arguments import public_key_text
from ._resource import Resource

__all__ = ["Keys"]

_TAKEN = "Public key is already registered"


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


def __dir__():
    return __all__
