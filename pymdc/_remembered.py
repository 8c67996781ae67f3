"""What is remembered from one run to the next: where one is logged in, and the key for it."""

from __future__ import absolute_import, division, print_function

import collections
import errno
import hashlib
import io
import json
import os
import sys

from . import Client, keypair
from ._compat import file_name, text_type
from ._folder import write_whole
from ._shown import quoted

__all__ = ["Broken", "Login", "NoLogin", "current", "folder", "key_pair", "key_path", "read", "write"]

_LOGIN = "login.json"
_LONGEST = 65536  # bytes of a file that may be a login
_FIRST = u"log in first: python -m pymdc login EMAIL"

#: The address of a bridge, the e-mail address of an account, and the id of the bucket that is used; as text.
Login = collections.namedtuple("Login", "bridge email bucket")


class NoLogin(ValueError):
    """Nobody is logged in, or not as it is needed."""


class Broken(NoLogin):
    """The file with the login holds none."""


def read():
    """
    Return the login; None where there is none.

    :raises NoLogin: it is broken, or others than its owner could change it.
    """
    path = os.path.join(folder(), _LOGIN)
    try:
        with io.open(path, "rb") as file:
            content = file.read(_LONGEST)
    except EnvironmentError as error:
        if error.errno != errno.ENOENT:
            raise
        return None
    _check_private(folder())
    try:
        fields = json.loads(content.decode("utf-8"))
        login = Login(**fields)
    except (TypeError, ValueError):
        login = ()
    if not login or not all(isinstance(field, text_type) for field in login):
        raise Broken(u"{0} is broken: {1}".format(file_name(quoted(path)), _FIRST))
    return login


def write(login):
    """Remember a login, in place of any other."""
    content = json.dumps(login._asdict(), indent=4, sort_keys=True)
    write_whole(os.path.join(_made_folder(), _LOGIN), content.encode("ascii"))


def key_path(bridge, email):
    """Return where the key for an account is: one for each, since what a bridge is sent could be sent on to another."""
    account = json.dumps([bridge, email.lower()]).encode("ascii")
    return os.path.join(folder(), "key-{0}.pem".format(hashlib.sha256(account).hexdigest()[:16]))


def key_pair(path, registered):
    """
    Return the key pair in a file if it is one of these public keys; else a new one, which is there from now on.

    What is not registered was taken off the account, maybe because others have it, and is set aside.
    """
    _made_folder()
    found = _loaded(path)
    if found is not None:
        if found.get_public_key() in registered:
            return found
        os.rename(path, "{0}.{1}.old".format(path, found.get_public_key()[:16]))
    made = keypair.ECDSA()
    try:
        made.save(path)
        return made
    except EnvironmentError as error:
        if error.errno != errno.EEXIST:
            raise
    return keypair.ECDSA.load(path)  # which another run has just made


def _loaded(path):
    try:
        return keypair.ECDSA.load(path)
    except EnvironmentError as error:
        if error.errno != errno.ENOENT:
            raise
    return None


def current(api_url=None):
    """
    Return the login, and the key pair for it.

    :param api_url: where the caller means to go, if not where the environment says.
    :raises NoLogin: nobody is logged in, or at another bridge, for which the key is not.
    """
    login = read()
    if login is None:
        raise NoLogin(_FIRST)
    _check_bridge(login, api_url)
    key = _loaded(key_path(login.bridge, login.email))
    if key is None:
        raise NoLogin(u"the key of this login is gone: log in again: python -m pymdc login")
    return login, key


def _check_bridge(login, api_url):
    meant = api_url or os.environ.get("PYMDC_API_URL")
    if not meant or Client(meant).api_url == login.bridge:
        return
    if api_url:
        raise NoLogin(u"the bridge is to be {0}, but you are logged in at {1}: give a key pair, or log in there: "
                      u"python -m pymdc login EMAIL".format(Client(meant).api_url, login.bridge))
    raise NoLogin(u"PYMDC_API_URL is {0}, but you are logged in at {1}: unset it, or log in there: "
                  u"python -m pymdc login EMAIL".format(Client(meant).api_url, login.bridge))


def folder():
    """Return where the user's system keeps such things."""
    chosen = os.environ.get("XDG_CONFIG_HOME")
    if chosen and os.path.isabs(chosen):
        base = chosen
    elif sys.platform == "win32":
        base = os.environ.get("APPDATA") or os.path.expanduser("~")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = os.path.expanduser("~/.config")
    return os.path.join(base, "metadisk")


def _made_folder():
    path = folder()
    try:
        os.makedirs(path, 0o700)
    except EnvironmentError as error:
        if error.errno != errno.EEXIST:
            raise
    _check_private(path)
    return path


def _check_private(path):
    if os.name == "posix" and os.stat(path).st_mode & 0o077:
        words = u"others than its owner can get at what is remembered: chmod 700 {0}"
        raise NoLogin(words.format(file_name(quoted(path))))
