"""The client: where the bridge is, what goes over the wire, what is refused before it does."""

from __future__ import absolute_import, division, print_function

import logging
import os
import pydoc
import traceback

import pytest

import pymdc
from canned_server import answer
from pymdc.errors import APIError, InsecureTransport, Timeout, TransportError

BUNDLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "certificates", "localhost.crt")


def account(server_or_url, **options):
    options.setdefault("retries", 0)
    client = pymdc.Client(getattr(server_or_url, "url", server_or_url), **options)
    return pymdc.api.Keys(pymdc.api.Users("alice@example.com", "the password", client=client))


def test_the_address_is_the_configured_then_the_environments_then_the_default(monkeypatch):
    monkeypatch.delenv("PYMDC_API_URL", raising=False)
    assert pymdc.Client().api_url == "http://127.0.0.1:6382"

    monkeypatch.setenv("PYMDC_API_URL", "https://bridge.example/")
    assert pymdc.Client().api_url == "https://bridge.example"
    assert pymdc.Client("http://127.0.0.1:1").api_url == "http://127.0.0.1:1"


def test_what_is_given_no_client_uses_the_configured_one(canned, monkeypatch):
    monkeypatch.setattr(pymdc.rest, "_default", None)
    user = pymdc.api.Users("alice@example.com", "password")
    server = canned(answer("200 OK", b"[]"))

    pymdc.configure(api_url=server.url)

    assert pymdc.api.Keys(user).list() == []
    assert server.requests[0].startswith(b"GET /keys HTTP/1.1\r\n")


def test_the_help_of_configure_shows_each_option_of_a_client():
    shown = pydoc.plain(pydoc.render_doc(pymdc.configure))
    code = pymdc.Client.__init__.__code__
    options = code.co_varnames[1:code.co_argcount]

    assert [option for option in options if option + "=" not in shown.split("\n\n")[1]] == []
    assert [option for option in options if " {0}: ".format(option) not in shown] == []
    assert pymdc.configure.__defaults__ == pymdc.Client.__init__.__defaults__


def test_what_configure_is_given_reaches_the_client(monkeypatch):
    monkeypatch.setattr(pymdc.rest, "_default", None)
    given = {"timeout": (1, 2), "retries": 7, "raise_errors": True, "verify": False, "proxies": {"https": "http://p"},
             "allow_http": True, "sleep": lambda seconds: None, "clock": lambda: 0.0,
             "patience": 5}

    pymdc.configure("http://bridge.example", **given)

    client = pymdc.rest.default_client()
    assert (client.api_url, client.network.timeout) == ("http://bridge.example", (1, 2))
    assert (client.retries, client.raise_errors, client.network.verify) == (7, True, False)
    assert client.network.proxy("https://bridge.example") == "http://p"
    assert (client._sleep, client._clock, client._patience) == (given["sleep"], given["clock"], 5)


class Path(object):
    """A path as pathlib's, on every Python."""

    def __init__(self, path):
        self._path = path

    def __fspath__(self):
        return self._path


@pytest.mark.parametrize("wrap", [str, lambda path: path.encode("utf-8"), Path, u"{0}".format])
def test_a_ca_bundle_is_named_by_whatever_is_a_path(wrap):
    client = pymdc.Client("https://localhost:1", verify=wrap(str(BUNDLE)))

    assert client.network.verify == BUNDLE


def test_the_bundle_stays_the_same_when_the_folder_changes(tmpdir):
    tmpdir.join("ca.pem").write("")
    with tmpdir.as_cwd():
        client = pymdc.Client("https://localhost:1", verify="ca.pem")

    assert client.network.verify == str(tmpdir.join("ca.pem"))


def test_what_is_made_from_a_resource_inherits_its_client(canned):
    server = canned(answer("200 OK", b"[]"))
    user = pymdc.api.Users("alice@example.com", "password", client=pymdc.Client(server.url))

    pymdc.api.Bucket("6b02f2f51a05ce7722153a94", user).files.list()

    assert server.requests[0].startswith(b"GET /buckets/6b02f2f51a05ce7722153a94/files HTTP/1.1\r\n")


@pytest.mark.parametrize("url", [
    "bridge.example", "ftp://bridge.example", "http://", "https://bridge.example/?x=1", "http://h?", "http://h#",
    "https://alice:secret@bridge.example", "https://bridge.example:99999", "http://h:0", "http://h:8x", "http://.x",
    "http://*", "http://a..b", " http://h", "http://h/../x", "http://h/a b", "http://[::1", "", 5, 0, b"\xff",
])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="api_url") as refused:
        pymdc.Client(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("options", [
    {"timeout": 0}, {"timeout": (1, 2, 3)}, {"timeout": "fast"}, {"retries": -1}, {"retries": "many"},
    {"retries": True}, {"raise_errors": "no"}, {"allow_http": 1}, {"verify": ""}, {"verify": 0},
    {"verify": "/no/such/bundle"}, {"proxies": {"https": 5}}, {"timeout": (float("nan"), 1)},
    {"timeout": None}, {"proxies": "http://proxy"}, {"patience": -1}, {"patience": "long"}, {"patience": True},
    {"patience": None}, {"patience": float("nan")}, {"sleep": 3}, {"sleep": 0}, {"clock": 3}, {"clock": None},
])
def test_an_option_that_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match=list(options)[0]):
        pymdc.Client("http://127.0.0.1:1", **options)


@pytest.mark.parametrize("url", ["http://bridge.example", "http://127.0.0.1.example.com", "http://localhost.example"])
def test_no_password_and_no_token_goes_to_another_host_in_the_clear(url):
    client = pymdc.Client(url)
    user = pymdc.api.Users("alice@example.com", "password", client=client)
    bucket = pymdc.api.Bucket("6b02f2f51a05ce7722153a94", pymdc.keypair.ECDSA(), client=client)

    for call in (user.register, lambda: user.activate("0" * 64), pymdc.api.Keys(user).list,
                 lambda: bucket.files.token("PUSH"), lambda: bucket.files.upload(__file__, "0" * 64),
                 lambda: bucket.files.download("0" * 40, "copy", "0" * 64)):
        with pytest.raises(InsecureTransport, match="https"):
            call()


def test_names_go_to_another_host_in_the_clear_as_lists_do(canned):
    server = canned(answer("200 OK", b"[]"))
    client = pymdc.Client("http://bridge.example", proxies={"http": server.url}, retries=0)
    files = pymdc.api.Files("6b02f2f51a05ce7722153a94", pymdc.keypair.ECDSA(), client=client)

    assert files.list(prefix="a") == []


def test_plain_http_to_another_host_can_be_allowed(canned):
    server = canned(answer("200 OK", b"[]"))
    proxies = {"http": server.url}

    assert account("http://bridge.example", allow_http=True, proxies=proxies).list() == []
    assert server.requests[0].startswith(b"GET http://bridge.example/keys HTTP/1.1\r\n")


def test_no_proxy_stands_between_this_machine_and_itself(canned, monkeypatch):
    server, proxy = canned(answer("200 OK", b"[]")), canned(answer("502 Bad Gateway"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)

    assert account(server).list() == []
    assert not proxy.requests


def test_a_redirect_is_not_followed(canned):
    other = canned(answer("200 OK", b"[]"))
    server = canned(answer("307 Temporary Redirect", b"", "Location: {0}/keys".format(other.url)))

    said = account(server).list()

    assert said == {"error": "the bridge answered 307 Temporary Redirect and leads to {0}".format(other.url)}
    assert not other.requests


def test_no_cookie_of_a_bridge_comes_back_to_it(canned):
    server = canned(answer("200 OK", b"[]", "Set-Cookie: who=alice; Path=/; Domain=127.0.0.1", "Connection: close"))
    keys = account(server)

    assert [keys.list(), keys.list(), account(server).list()] == [[]] * 3

    assert len(server.requests) == 3 and b"cookie" not in b"".join(server.requests).lower()


def test_an_activation_that_redirects_has_succeeded(canned):
    server = canned(answer("302 Found", b"Found.", "Location: http://127.0.0.1/welcome"))

    assert pymdc.api.Users("a@example.com", "x", client=pymdc.Client(server.url)).activate("0" * 64) == {}


def test_a_netrc_is_not_asked(canned, monkeypatch, tmpdir):
    server = canned(answer("200 OK", b"[]"))
    netrc = tmpdir.join(".netrc")
    netrc.write("default login alice password stolen\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    pymdc.api.Buckets(pymdc.keypair.ECDSA(), client=pymdc.Client(server.url)).list()

    assert b"Authorization" not in server.requests[0]


@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
def test_an_empty_answer_is_an_empty_dict(canned, status):
    assert account(canned(answer(status))).list() == {}


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b'{"a":'])
def test_an_answer_that_is_not_json_is_a_transport_error(canned, body):
    with pytest.raises(TransportError, match="not JSON"):
        account(canned(answer("200 OK", body))).list()


def test_an_error_without_json_is_told_by_its_status(canned):
    said = account(canned(answer("404 Not Found", b"Cannot GET"))).list()

    assert said == {"error": "the bridge answered 404 Not Found: it has no such call"}


def test_raise_errors_makes_the_bridges_no_an_exception(canned):
    server = canned(answer("500 Internal Server Error", b'{"error": "Invalid email or password"}'))

    with pytest.raises(APIError) as refused:
        account(server, raise_errors=True).list()

    assert (refused.value.status, refused.value.method, refused.value.path) == (500, "GET", "/keys")
    assert refused.value.body == {"error": "Invalid email or password"}
    assert "Invalid email or password" in str(refused.value)


def test_nobody_there_says_how_to_start_a_bridge():
    with pytest.raises(TransportError, match="start one with python -m pymdc.bridge"):
        account("http://127.0.0.1:1").list()
    with pytest.raises(TransportError, match="check the address"):
        account("https://no-such-host.invalid").list()


def test_an_answer_that_is_cut_short_is_a_transport_error(canned):
    with pytest.raises(TransportError):
        account(canned(answer("200 OK", b'["one", "two"]')[:-3])).list()


def test_silence_is_a_timeout(canned):
    with pytest.raises(Timeout, match="silent"):
        account(canned(b""), timeout=(5, 0.2)).list()


def test_no_secret_is_logged_shown_or_chained(canned, caplog):
    password, token = "the password", "0123456789abcdef" * 4
    server = canned(b"HTTP/1.1 garbage\r\n\r\n")
    client = pymdc.Client(server.url, retries=1, sleep=lambda seconds: None)
    user = pymdc.api.Users("alice@example.com", password, client=client)
    pair = pymdc.keypair.ECDSA()
    bucket = pymdc.api.Bucket("6b02f2f51a05ce7722153a94", pair, client=client)
    shown = [repr(item) for item in (user, client, bucket, bucket.files, pymdc.api.Keys(user))]

    with caplog.at_level(logging.DEBUG):
        for call in (lambda: user.activate(token), user.register, pymdc.api.Keys(user).list, bucket.list,
                     lambda: bucket.files.upload(__file__, token)):
            with pytest.raises(TransportError) as failed:
                call()
            shown += traceback.format_exception(failed.type, failed.value, failed.tb) + [repr(failed.value.attempts)]
    shown = "".join(shown + [record.getMessage() for record in caplog.records])

    sent = b"".join(server.requests)
    assert token.encode("ascii") in sent and user._auth.password_hash.encode("ascii") in sent
    signature = sent.split(b"x-signature: ")[1].split(b"\r\n")[0].decode("ascii")
    for secret in (password, token, user._auth.password_hash, pair.get_private_key(), signature, "Basic "):
        assert secret not in shown
