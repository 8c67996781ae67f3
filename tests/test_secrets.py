"""What holds a secret neither shows it nor writes it down."""

from __future__ import absolute_import, division, print_function

import copy
import pickle

import pytest

import pymdc
from pymdc._signing import Basic

ID = "6b02f2f51a05ce7722153a94"
PASSWORD, PROXY_PASSWORD = "correct horse", "battery staple"


def holders():
    """Everything of the public face that holds a secret, or something that does, by its name."""
    key_pair = pymdc.keypair.ECDSA()
    client = pymdc.Client("http://127.0.0.1:1", proxies={"http": "http://alice:battery%20staple@proxy.example"})
    user = pymdc.api.Users("alice@example.com", PASSWORD, client=client)
    bucket = pymdc.api.Bucket(ID, key_pair, client=client)
    by_password = pymdc.api.Bucket(ID, user)
    return {
        "key pair": key_pair, "client": client, "user": user, "keys": pymdc.api.Keys(user),
        "keys by key": pymdc.api.Keys(key_pair), "buckets": pymdc.api.Buckets(key_pair), "bucket": bucket,
        "bucket by password": by_password, "files": bucket.files, "files by password": by_password.files,
        "network": client.network, "basic": Basic("alice@example.com", PASSWORD),
    }


NAMES = sorted(holders())


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_what_holds_a_secret_is_itself(name):
    holder = holders()[name]

    assert copy.copy(holder) is holder
    assert copy.deepcopy([holder])[0] is holder


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", NAMES)
def test_what_holds_a_secret_is_not_pickled(name, protocol):
    with pytest.raises(TypeError, match="is not picklable"):
        pickle.dumps({"of": holders()[name]}, protocol)


@pytest.mark.parametrize("name", NAMES)
def test_what_holds_a_secret_does_not_show_it(name):
    known = holders()
    secrets = [PASSWORD, "battery", known["user"]._auth.password_hash, known["key pair"].get_private_key()]

    shown = "{0!r} {0} {1}".format(known[name], [known[name]])

    assert not [secret for secret in secrets if secret in shown]


def test_keys_and_buckets_say_whose_they_are():
    known = holders()

    assert repr(known["keys"]) in ("<Keys of 'alice@example.com'>", "<Keys of u'alice@example.com'>")
    assert repr(known["buckets"]) == "<Buckets of {0}>".format(known["key pair"].get_public_key())
