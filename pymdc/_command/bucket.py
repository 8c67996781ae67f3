"""The bucket that is used."""

from __future__ import absolute_import, division, print_function

from .. import Client, api
from .._remembered import current

__all__ = ["open_bucket"]


def open_bucket():
    """
    Return the bucket of the login, as :class:`pymdc.api.Bucket`.

    :raises NoLogin: nobody is logged in.
    """
    login, key = current()
    return api.Bucket(login.bucket, key, client=Client(login.bridge, raise_errors=True))
