"""Who is logged in, and what of it stays on disk."""

from __future__ import absolute_import, division, print_function

import os
import signal
import stat
import sys

import pytest

import pymdc
from pymdc import _remembered as remembered
from pymdc.testing import Wire
from shells import PASSWORD, finished
from waiting import eventually

LINE = PASSWORD + b"\n"
COMMANDS = [["ls"], ["put", "x"], ["get", "x"], ["rm", "x"]]


@pytest.fixture
def shell(stranger, bridge, user, address):
    """A shell of somebody who has logged in."""
    stranger("login", address, "--bridge", bridge.url, stdin=LINE)
    return stranger


def keys_of(user):
    return [key["key"] for key in pymdc.api.Keys(user).list()]


def test_bridge_key_and_bucket_are_remembered_where_nobody_else_looks(shell, bridge, user, address):
    login, config = shell.login(), shell.config
    key, = config.listdir("key-*.pem")

    assert (login["bridge"], login["email"]) == (bridge.url, address)
    assert stat.S_IMODE(config.stat().mode) == 0o700
    assert [stat.S_IMODE(path.stat().mode) for path in config.listdir()] == [0o600, 0o600]
    assert keys_of(user) == [pymdc.keypair.ECDSA.load(str(key)).get_public_key()]
    assert [bucket["name"] for bucket in pymdc.api.Buckets(user).list()] == ["files"]


def test_the_password_is_not_kept_nor_said(stranger, bridge, user, address):
    said = stranger("login", address, "--bridge", bridge.url, stdin=LINE)

    kept = b"".join(path.read("rb") for path in stranger.config.listdir())
    assert PASSWORD not in kept
    assert PASSWORD.decode("utf-8") not in said.out + said.err
    assert said.out == u"logged in: 10 GB of storage in the bucket files\n"


def test_an_account_is_registered_and_its_link_pasted(stranger, bridge, address):
    process = stranger.start("login", "--register", address, "--bridge", bridge.url)
    process.stdin.write(LINE)
    process.stdin.flush()
    eventually(lambda: has_mail(bridge, address))

    said = finished(process, bridge.activation_link(address).encode("ascii") + b"\n")

    assert said.code == 0, said
    assert stranger("ls").out == ""


def has_mail(bridge, address):
    try:
        return bridge.activation_link(address)
    except LookupError:
        return None


def test_an_account_can_be_activated_elsewhere(stranger, bridge, address, client):
    register = ["login", "--register", address, "--bridge", bridge.url]
    said = stranger(*register, stdin=LINE, code=1)
    assert "follow the link that was mailed to " + address in said.err
    assert not stranger.config.check()

    pymdc.api.Users(address, PASSWORD, client=client).activate(bridge.activation_link(address))

    stranger(*register, stdin=LINE)


def test_a_wrong_password_leaves_nothing(stranger, bridge, user, address):
    said = stranger("login", address, "--bridge", bridge.url, stdin=b"another\n", code=1)

    assert "Invalid email or password; check both; a new account is made by --register" in said.err
    assert not stranger.config.check()


def test_no_password_is_told(stranger, bridge, address):
    assert "no password" in stranger("login", address, "--bridge", bridge.url, code=1).err


def test_a_second_login_keeps_key_and_bucket(shell, user):
    before = shell.login()

    shell("login", stdin=LINE)

    assert shell.login() == before
    assert len(keys_of(user)) == len(pymdc.api.Buckets(user).list()) == 1


def test_a_key_that_was_taken_off_the_account_does_not_come_back(shell, user):
    old, = keys_of(user)
    pymdc.api.Keys(user).delete(old)

    said = shell("ls", code=1)
    assert "Public key not registered; log in again: python -m pymdc login" in said.err
    shell("login", stdin=LINE)

    assert old not in keys_of(user)
    assert len(shell.config.listdir("key-*.pem.*.old")) == 1
    shell("ls")


def test_each_bridge_has_a_key_of_its_own(shell, bridge, user):
    with Wire(bridge.url) as other:
        shell("login", shell.login()["email"], "--bridge", other.url, stdin=LINE)

        assert shell.login()["bridge"] == other.url
        assert len(keys_of(user)) == 2


def test_a_bucket_is_chosen_by_name_or_id_and_made_when_it_is_new(shell, user):
    shell("login", "--bucket", u"Fotos \xe4", "--storage", "3", stdin=LINE)
    made = {bucket["name"]: bucket for bucket in pymdc.api.Buckets(user).list()}[u"Fotos \xe4"]
    assert shell.login()["bucket"] == made["id"]
    assert (made["storage"], made["transfer"]) == (3, 100)

    shell("login", "--bucket", "files", stdin=LINE)
    assert shell.login()["bucket"] != made["id"]

    shell("login", "--bucket", made["id"], "--storage", "4", stdin=LINE)
    assert shell.login()["bucket"] == made["id"]
    assert pymdc.api.Bucket(made["id"], user).list()["storage"] == 4


def test_two_buckets_of_one_name_are_told_apart_by_id(shell, user):
    twins = [pymdc.api.Buckets(user).create("twins", 1, 1)["id"] for _ in range(2)]
    before = shell.login()

    said = shell("login", "--bucket", "twins", stdin=LINE, code=1)

    assert all(each in said.err for each in twins)
    assert shell.login() == before


def test_a_bucket_that_is_gone_is_told_and_another_chosen(shell, user):
    gone = shell.login()["bucket"]
    pymdc.api.Bucket(gone, user).delete()

    assert "Bucket not found; log in with one that is there" in shell("ls", code=1).err
    assert "the account has no bucket with the id " + gone in shell("login", stdin=LINE, code=1).err

    shell("login", "--bucket", "files", stdin=LINE)
    shell("ls")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_who_is_not_logged_in_is_told_how(stranger, command):
    assert stranger(*command, code=1).err == "log in first: python -m pymdc login EMAIL\n"


def test_the_first_login_needs_an_address(stranger):
    assert "an e-mail address is needed" in stranger("login", code=2).err


def test_a_password_does_not_go_over_plain_http(stranger, address):
    said = stranger("login", address, "--bridge", "http://bridge.example", stdin=LINE, code=1)

    assert "use its https:// address" in said.err


def test_a_bridge_that_is_not_there_is_told(stranger, address):
    with Wire() as wire:
        url = wire.url

    assert "no bridge at " + url in stranger("login", address, "--bridge", url, stdin=LINE, code=1).err


@pytest.mark.parametrize("what, mode", [("", 0o755), ("key", 0o640)])
def test_what_others_can_read_is_refused_until_they_cannot(shell, what, mode):
    path = shell.config.listdir("key-*")[0] if what else shell.config
    before = path.stat().mode
    path.chmod(mode)

    said = shell("ls", code=1)
    assert "chmod {0:o} '{1}'".format(stat.S_IMODE(before), path) in said.err

    path.chmod(before)
    shell("ls")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'"\xff"', b'{"bridge": 1, "email": "a", "bucket": "b"}'])
def test_what_is_broken_is_told_and_mended_by_a_login(shell, bridge, address, content):
    shell.config.join("login.json").write(content, "wb")

    assert "login.json' is broken: log in first" in shell("ls", code=1).err

    shell("login", address, "--bridge", bridge.url, stdin=LINE)
    shell("ls")


def test_what_is_wrong_with_what_is_remembered_is_told_whatever_its_folder_is_called(stranger):
    base = os.path.join(str(stranger.home).encode("ascii"), u"j\xf6rg's".encode("utf-8"))
    folder, words = os.path.join(base, b"metadisk"), u"{0}/j\xf6rg'\\''s/metadisk".format(stranger.home)
    stranger.environment["XDG_CONFIG_HOME"] = base
    os.makedirs(folder, 0o700)
    with open(os.path.join(folder, b"login.json"), "wb"):
        pass

    assert u"'{0}/login.json' is broken: log in first".format(words) in stranger("ls", code=1).err
    os.chmod(folder, 0o750)
    assert u"chmod 700 '{0}'\n".format(words) in stranger("ls", code=1).err


def test_a_key_that_is_gone_is_told(shell):
    shell.config.listdir("key-*")[0].remove()

    assert "the key of this login is gone: log in again" in shell("ls", code=1).err


def test_the_environment_does_not_lead_elsewhere(shell, bridge):
    shell.environment["PYMDC_API_URL"] = bridge.url + "/"
    shell("ls")

    shell.environment["PYMDC_API_URL"] = "http://127.0.0.1:1"
    assert "PYMDC_API_URL is http://127.0.0.1:1, but you are logged in at " + bridge.url in shell("ls", code=1).err


def test_a_login_goes_where_the_environment_says(stranger, bridge, user, address):
    stranger.environment["PYMDC_API_URL"] = bridge.url

    stranger("login", address, stdin=LINE)

    assert stranger.login()["bridge"] == bridge.url


@pytest.mark.parametrize("chosen", [None, "", "relative"])
def test_without_a_choice_it_is_kept_below_the_home(stranger, bridge, user, address, chosen):
    del stranger.environment["XDG_CONFIG_HOME"]
    if chosen is not None:
        stranger.environment["XDG_CONFIG_HOME"] = chosen

    stranger("login", address, "--bridge", bridge.url, stdin=LINE)

    assert stranger.home.join(".config", "metadisk", "login.json").check()


@pytest.mark.parametrize("system, folder", [
    ("darwin", "/home/alice/Library/Application Support/metadisk"),
    ("win32", "/roaming/metadisk"),
])
def test_other_systems_have_places_of_their_own(monkeypatch, system, folder):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.setenv("APPDATA", "/roaming")
    monkeypatch.setattr(sys, "platform", system)

    assert remembered.folder() == folder


def test_an_interrupted_login_leaves_nothing(stranger, bridge, user, address):
    process = stranger.start("login", address, "--bridge", bridge.url)
    process.stderr.read(1)  # it has begun
    os.kill(process.pid, signal.SIGINT)

    said = finished(process)

    assert said.code == 130
    assert said.err.endswith("interrupted\n")
    assert not stranger.config.check()


def test_two_logins_at_once_leave_one_that_works(stranger, bridge, user, address):
    processes = [stranger.start("login", address, "--bridge", bridge.url) for _ in range(2)]
    for process in processes:
        process.stdin.write(LINE)
        process.stdin.flush()

    assert [finished(process).code for process in processes] == [0, 0]
    stranger("ls")
