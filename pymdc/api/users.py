"""Accounts."""

from __future__ import absolute_import, division, print_function

from .._signing import Basic
from ..rest import UNDONE
from ._arguments import activation_token, email_text, password_bytes
from ._resource import Resource

__all__ = ["Users"]


class Users(Resource):
    """
    An account, there already or still to be registered.

    :param str email: upper and lower case are the same to a bridge.
    :param password: text (taken as UTF-8, not normalized) or bytes.  Only its SHA-256 leaves this machine.
    :param client: the :class:`pymdc.Client` to use; by default the one of :func:`pymdc.configure`.
    """

    def __init__(self, email, password, client=None):
        super(Users, self).__init__(Basic(email_text(email), password_bytes(password)), client)

    def register(self, callback=None):
        """
        Register the account; the bridge mails a link that activates it.

        :returns: the account as a dict.
        :raises TransportError: no answer came; the account may have been registered all the same.

        Source: ``POST /users`` (docs/protocol, "Users").
        """
        fields = {"email": self._auth.email, "password": self._auth.password_hash}
        return self._run(callback, lambda: self._request(
            "POST", "/users", fields=fields, auth=None, repeat=UNDONE, secret=True,
        ))

    def activate(self, token, callback=None):
        """
        Activate an account.

        :param str token: 64 hex digits, or the whole link of the mail; its host is not used.
        :returns: the account as a dict; an empty one when the bridge sends on to another page.
        :raises TransportError: no answer came; the account may have been activated all the same.

        Source: ``GET /activations/:token`` (docs/protocol, "Users").
        """
        return self._run(callback, lambda: self._request(
            "GET", "/activations/{token}", {"token": activation_token(token)}, auth=None, repeat=UNDONE, secret=True,
        ))

    def __repr__(self):
        return "<Users {0!r}>".format(self._auth.email)


def __dir__():
    return __all__
