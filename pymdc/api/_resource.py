"""The common ground of the resources."""

from __future__ import absolute_import, division, print_function

from .. import _of_2016, rest
from .._call import Call
from .._secret import KeepsSecrets
from .._signing import Basic
from ..errors import APIError
from ..keypair import ECDSA
from ._arguments import refuse_refusal

__all__ = ["Resource"]


class Resource(KeepsSecrets):
    """Something of a bridge, and who is asking for it."""

    def __init__(self, auth, client, anybody=False):
        if isinstance(auth, Resource):
            auth, client = auth._auth, client or auth._client
        if not isinstance(auth, (Basic, ECDSA)) and not (anybody and auth is None):
            refuse_refusal(auth, "a key pair or a user")
            raise ValueError("a key pair or a user is needed, not {0!r}".format(type(auth).__name__))
        if client is not None and not isinstance(client, rest.Client):
            raise ValueError("client must be a pymdc.Client, not {0!r}".format(type(client).__name__))
        self._auth = auth
        self._client = client

    def __repr__(self):
        who = self._auth.get_public_key() if isinstance(self._auth, ECDSA) else repr(self._auth.email)
        return "<{0} of {1}>".format(type(self).__name__, who)

    def _run(self, callback, work, listing=False):
        return self._client_in_use().run(work, callback, listing)

    def _request(self, method, route, ids=None, fields=None, **options):
        options.setdefault("auth", self._auth)
        call = Call(method, route, ids=ids, fields=fields, **options)
        return self._client_in_use().request(call)

    def _client_in_use(self):
        return self._client or rest.default_client()

    def _delete(self, route, ids, fields=None):
        """Delete something; what is not found may be what an attempt whose answer was lost has deleted."""
        try:
            return self._request("DELETE", route, ids, fields)
        except APIError as error:
            if error.maybe_done and _of_2016.is_gone(error):
                return {}
            raise
