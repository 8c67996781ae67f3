"""``login``."""

from __future__ import absolute_import, division, print_function

import os
import re

from .. import Client, api
from .._compat import file_name, text_type
from .._remembered import Broken, Login, key_pair, key_path, read, write
from ..errors import APIError
from . import dialogue
from .failure import Failure, Misuse

__all__ = ["login"]

_BUCKET = u"files"
_NEW = {"storage": 10, "transfer": 100}  # GB
_ID = re.compile(u"[0-9a-f]{24}\\Z")


def login(options, screen):
    """Use an account, or register it, give it a key, and remember that with the bucket that is to be used."""
    before = _before()
    bridge = options.bridge or os.environ.get("PYMDC_API_URL") or (before.bridge if before else None)
    client = Client(bridge, raise_errors=True)
    email = file_name(options.email) if options.email else before and before.email
    if not email:
        raise Misuse("an e-mail address is needed, for nobody is logged in yet")
    screen.remark(u"{0} at {1}".format(email, client.api_url))
    user = api.Users(email, dialogue.password(options.register), client=client)
    _enter(user, email, options.register, screen)
    key = _registered_key(user, key_path(client.api_url, email))
    now = Login(text_type(client.api_url), email, _BUCKET)
    if before and key_path(*before[:2]) == key_path(*now[:2]):
        now = before
    bucket = _bucket(key, client, file_name(options.bucket) if options.bucket else now.bucket, options)
    write(now._replace(bucket=bucket["id"]))
    screen.line(u"logged in: {0} GB of storage in the bucket {1}".format(bucket["storage"], bucket["name"]))
    return True


def _before():
    try:
        return read()
    except Broken:
        return None


def _enter(user, email, register, screen):
    """See to it that the account is there, active, and has this password."""
    if register:
        try:
            user.register()
        except APIError as error:
            if error.body["error"] != "Email is already registered":
                raise
    if not _is_active(user):
        screen.remark(u"a link was mailed to {0}: follow it, or paste it here, then press Enter".format(email))
        _activate(user, email)


def _activate(user, email):
    line = dialogue.line()
    if line:
        user.activate(line)
    if not _is_active(user):
        raise Failure(u"not active yet: follow the link that was mailed to {0}, then log in".format(email))


def _is_active(user):
    try:
        api.Keys(user).list()
        return True
    except APIError as error:
        if error.body["error"] != "User account has not been activated":
            raise
    return False


def _registered_key(user, path):
    """Return the key pair of this machine for the account, which knows it from now on."""
    keys = api.Keys(user)
    registered = _texts(keys)
    key = key_pair(path, registered)
    if key.get_public_key() not in registered:
        try:
            keys.create(key)
        except APIError:
            if key.get_public_key() not in _texts(keys):  # another run may just have registered it
                raise
    return key


def _texts(keys):
    return [key["key"] for key in keys.list()]


def _bucket(key, client, wanted, options):
    """Return the bucket with this name or id, of which a name makes a new one."""
    limits = {"storage": options.storage, "transfer": options.transfer}
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    buckets = api.Buckets(key, client=client)
    found = [bucket for bucket in buckets.list() if wanted in (bucket["id"], bucket["name"])]
    if len(found) > 1:
        ids = u" or ".join(bucket["id"] for bucket in found)
        raise Failure(u"more than one bucket is called {0}: say its id, --bucket {1}".format(wanted, ids))
    if not found and _ID.match(wanted):
        raise Failure(u"the account has no bucket with the id {0}: say the name of one, --bucket NAME".format(wanted))
    if not found:
        return buckets.create(wanted, key_pairs=[key], **dict(_NEW, **limits))
    return api.Bucket(found[0], key, client=client).update(**limits) if limits else found[0]
