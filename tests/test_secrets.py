"""What holds a secret neither shows it nor writes it down."""

from __future__ import absolute_import, division, print_function

import base64
import copy
import io
import logging
import pickle
import traceback

import pytest

import pymdc
from canned_server import CannedServer
from pymdc._http.connection import Adapter
from pymdc._signing import Basic
from pymdc.errors import APIError

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


@pytest.fixture
def sent(monkeypatch):
    """What must not be seen of each request that goes over the wire: tokens, signatures, passwords."""
    secrets, exchange = set(), Adapter.exchange

    def listen(adapter, method, target, proxy, fields, body):
        secrets.update(str(fields[name]) for name in ("x-token", "x-signature") if name in fields)
        if "Authorization" in fields:
            pair = str(fields["Authorization"]).split()[1]
            secrets.update([pair, base64.b64decode(pair).decode("utf-8").partition(":")[2]])
        if "/activations/" in target.path:
            secrets.add(str(target.path.rpartition("/")[2]))
        return exchange(adapter, method, target, proxy, fields, body)

    monkeypatch.setattr(Adapter, "exchange", listen)
    return secrets


def logged(caplog):
    return "\n".join(record.getMessage() for record in caplog.records)


def told(secrets, text):
    """Return the secrets that *text* tells."""
    return sorted(secret for secret in secrets if secret in text)


def test_no_secret_is_in_the_log_of_a_whole_life(bridge, client, address, tmpdir, caplog, sent):
    key_pair, user = pymdc.keypair.ECDSA(), pymdc.api.Users(address, PASSWORD, client=client)

    with caplog.at_level(logging.DEBUG):
        user.register()
        user.activate(bridge.activation_link(address))
        pymdc.api.Keys(user).create(key_pair)
        bucket = pymdc.api.Bucket(pymdc.api.Buckets(user).create("life", 1, 1, [key_pair]), key_pair, client=client)
        stored = bucket.files.upload(io.BytesIO(b"content"), bucket.files.token("PUSH"))
        bucket.files.upload(io.BytesIO(b"content"), "0123456789abcdef" * 4)
        bucket.files.download(stored, str(tmpdir.join("copy")))
        bucket.files.download(stored, str(tmpdir.join("copy")), bucket.files.token("PULL"))
        user.activate("fedcba9876543210" * 4)
        bucket.delete()

    assert len(sent) >= 12 and "/activations/..." in logged(caplog)
    assert told(sent | {PASSWORD, key_pair.get_private_key()}, logged(caplog)) == []


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\n<html>",
    b"HTTP/1.1 500 No\r\n\r\n", b"HTTP/1.1 403 No\r\n\r\n{\"error\": \"no\"}",
])
def test_no_secret_is_in_what_a_future_raises_or_a_callback_gets(answer, caplog, sent):
    server, answers, shown = CannedServer(answer), [], []
    client = pymdc.Client(server.url, retries=0, raise_errors=True)
    user = pymdc.api.Users("alice@example.com", PASSWORD, client=client)
    bucket, token = pymdc.api.Bucket(ID, pymdc.keypair.ECDSA(), client=client), "0123456789abcdef" * 4

    with caplog.at_level(logging.DEBUG):
        for call, arguments in [
            (user.register, []), (user.activate, [token]), (pymdc.api.Keys(user).list, []), (bucket.list, []),
            (bucket.files.token, ["PUSH"]), (bucket.files.upload, [__file__, token]),
            (bucket.files.download, ["0" * 40, io.BytesIO(), token]),
        ]:
            error = call(*arguments, callback=answers.append).exception(60)
            shown += traceback.format_exception(type(error), error, getattr(error, "__traceback__", None))
            shown += [repr(error), str(error), repr(error.attempts)]
    server.close()

    assert len(sent) >= 5 and len(shown) >= 7 * 4
    assert told(sent | {PASSWORD, user._auth.password_hash}, "".join(shown) + repr(answers) + logged(caplog)) == []


@pytest.mark.parametrize("leads", [
    "/activations/{0}", "https://other.example/{0}", "//alice:{0}@other.example/", "?{0}",
])
def test_where_a_redirect_leads_is_told_without_what_it_holds(leads, caplog):
    token = "0123456789abcdef" * 4
    moved = "HTTP/1.1 301 Moved\r\nLocation: {0}\r\n\r\n".format(leads.format(token))
    server = CannedServer(moved.encode("ascii"))
    client = pymdc.Client(server.url, retries=0, raise_errors=True)

    with caplog.at_level(logging.DEBUG), pytest.raises(APIError, match="301 Moved and leads to http") as refused:
        pymdc.api.Users("alice@example.com", PASSWORD, client=client).activate(token)
    server.close()

    assert token not in str(refused.value) + repr(refused.value.body) + logged(caplog)
