"""Accounts."""

from __future__ import absolute_import, division, print_function

from .._call import UNDONE, may_be_done
from .._signing import Basic
from ..errors import APIError, TransportError
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

    def change_password(self, new, callback=None):
        """
        Let the account have another password.

        Its keys stay.  Tokens and links end that were made by the old one, not by a key.  This object, and all that was
        made from it, goes on with the new one; any other program has to be told.

        :param new: text (taken as UTF-8, not normalized) or bytes.  Only its SHA-256 leaves this machine.
        :returns: the account as a dict.
        :raises TransportError: no answer came, and the new password does not work (yet).

        Source: ``PATCH /users/:email`` (docs/protocol, "Accounts").
        """
        new = Basic(self._auth.email, password_bytes(new))
        return self._run(callback, lambda: self._change_password(new))

    def delete(self, callback=None):
        """
        Delete the account, with its keys, its buckets and all their files, for good.

        :returns: an empty dict.
        :raises TransportError: no answer came; the account may have been deleted all the same.

        Source: ``DELETE /users/:email`` (docs/protocol, "Accounts").
        """
        return self._run(callback, lambda: self._request(
            "DELETE", "/users/{email}", {"email": self._auth.email}, repeat=UNDONE,
        ))

    def _change_password(self, new):
        failure = None
        try:
            user = self._set_password(new, self._auth)
        except (APIError, TransportError) as error:
            if not may_be_done(error):
                raise
            failure = error
        if failure is not None:
            user = self._confirm_password(new, failure)
        self._auth.take_over(new)
        return user

    def _confirm_password(self, new, failure):
        """Ask for the new password by the new one, which changes nothing: it is good if the bridge has it already."""
        try:
            return self._set_password(new, new)
        except (APIError, TransportError):
            pass
        raise failure

    def _set_password(self, new, auth):
        return self._request(
            "PATCH", "/users/{email}", {"email": new.email}, {"password": new.password_hash}, auth=auth, repeat=UNDONE,
        )

    def __repr__(self):
        return "<Users {0!r}>".format(self._auth.email)


def __dir__():
    return __all__
