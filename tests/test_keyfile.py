# -*- coding: utf-8 -*-
"""Key pairs on disk: who can read them, what is read, and what is said of anything else."""

from __future__ import absolute_import, division, print_function

import base64
import errno
import io
import os
import subprocess
import sys
import traceback

import pytest
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

import pymdc
from pymdc import _pem
from pymdc.errors import InvalidKey
from pymdc.keypair import ECDSA

PRIVATE = "5f" * 32
PUBLIC = ECDSA(private_key=PRIVATE).get_public_key()
UNCOMPRESSED = "04" + "".join("{0:02x}".format(byte) for byte in bytearray(
    ECDSA(private_key=PRIVATE)._verifying_key.to_string("raw")
))


@pytest.fixture
def path(tmpdir):
    return str(tmpdir.join("key.pem"))


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(_pem, "_ROUNDS", 1000)


def put(path, content, mode=0o600):
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def content_of(path):
    with open(path, "rb") as file:
        return file.read()


def of_cryptography(curve=ec.SECP256K1, format=PrivateFormat.PKCS8, password=None, encoding=Encoding.PEM):
    key = ec.derive_private_key(int(PRIVATE, 16), curve(), default_backend())
    return key.private_bytes(encoding, format, BestAvailableEncryption(password) if password else NoEncryption())


# There and back.

@pytest.mark.parametrize("public_key", [PUBLIC, UNCOMPRESSED])
@pytest.mark.parametrize("password", [None, "secret", u"s\xe9cret", b"\x00\xff", "x" * 1000])
def test_a_key_pair_comes_back_as_it_was_saved(path, public_key, password):
    saved = ECDSA(public_key, PRIVATE)

    saved.save(path, password)
    loaded = ECDSA.load(path, password)

    assert loaded.get_private_key() == PRIVATE
    assert loaded.get_public_key() == public_key
    assert loaded.verify("message", loaded.sign("message"))
    assert content_of(path).startswith(b"Metadisk key pair " + public_key.encode("ascii") + b"\n-----BEGIN ")
    assert (PRIVATE in content_of(path).decode("ascii")) is False


def test_text_and_bytes_of_a_password_are_one(path):
    ECDSA(private_key=PRIVATE).save(path, u"s\xe9cret")

    assert ECDSA.load(path, u"s\xe9cret".encode("utf-8")).get_private_key() == PRIVATE


def test_two_files_of_one_key_under_one_password_differ(tmpdir):
    paths = [str(tmpdir.join(name)) for name in "ab"]

    for each in paths:
        ECDSA(private_key=PRIVATE).save(each, "secret")

    assert content_of(paths[0]).splitlines()[3:] != content_of(paths[1]).splitlines()[3:]


@pytest.mark.parametrize("password", [None, b"secret"])
def test_others_read_the_file(path, password):
    ECDSA(private_key=PRIVATE).save(path, password)

    key = load_pem_private_key(content_of(path), password, default_backend())

    assert key.private_numbers().private_value == int(PRIVATE, 16)
    command = ["openssl", "pkey", "-in", path, "-noout", "-text", "-passin", "pass:secret"]
    assert b":".join([b"5f"] * 15) in subprocess.check_output(command, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("content", [
    of_cryptography(), of_cryptography(format=PrivateFormat.TraditionalOpenSSL),
    b"some words\n\n" + of_cryptography().replace(b"\n", b"\r\n") + b"more words\n",
    b"-----BEGIN EC PARAMETERS-----\nBgUrgQQACg==\n-----END EC PARAMETERS-----\n"
    + of_cryptography(format=PrivateFormat.TraditionalOpenSSL),
])
def test_what_others_have_written_is_read(path, content):
    put(path, content)

    assert ECDSA.load(path).get_private_key() == PRIVATE
    assert ECDSA.load(path).get_public_key() == PUBLIC


def test_what_others_have_encrypted_is_read(path):
    put(path, of_cryptography(password=b"secret"))

    assert ECDSA.load(path, "secret").get_private_key() == PRIVATE


def test_what_openssl_has_made_is_read(path):
    for command in ("ecparam -name secp256k1 -genkey", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
                    "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -aes256 -pass pass:secret"):
        put(path, subprocess.check_output(["openssl"] + command.split(), stderr=subprocess.STDOUT))

        assert ECDSA.load(path, "secret" if "pass:" in command else None).sign("message")


# Who can read it.

def test_the_file_is_its_owners_alone_from_the_beginning(path, monkeypatch):
    modes, link = [], os.link

    def noting(name, other):
        modes.append(os.stat(name).st_mode & 0o777)
        link(name, other)

    monkeypatch.setattr(os, "link", noting)
    umask = os.umask(0)
    try:
        ECDSA().save(path)
    finally:
        os.umask(umask)

    assert modes == [0o600] and os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(path).st_nlink == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_a_key_that_others_can_use_is_refused_with_the_command_that_helps(tmpdir, mode):
    path = str(tmpdir.join("it's a key.pem"))
    ECDSA(private_key=PRIVATE).save(path)
    os.chmod(path, mode)

    with pytest.raises(InvalidKey) as refused:
        ECDSA.load(path)

    command = str(refused.value).partition(": ")[2]
    assert command.startswith("chmod 600 ")
    subprocess.check_call(command, shell=True)
    assert ECDSA.load(path).get_private_key() == PRIVATE


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_that_only_its_owner_can_read_is_read(path, mode):
    ECDSA(private_key=PRIVATE).save(path)
    os.chmod(path, mode)

    assert ECDSA.load(path).get_private_key() == PRIVATE


# What is there already.

@pytest.mark.parametrize("content", [b"", b"something else", of_cryptography(ec.SECP256R1)])
def test_a_file_that_is_there_is_left_as_it_is(path, content):
    put(path, content)

    with pytest.raises(EnvironmentError) as refused:
        ECDSA(private_key=PRIVATE).save(path)

    assert refused.value.errno == errno.EEXIST and refused.value.filename == path
    assert content_of(path) == content
    assert os.listdir(os.path.dirname(path)) == ["key.pem"]


def test_a_key_is_not_saved_over_another(path):
    ECDSA(private_key=PRIVATE).save(path)

    with pytest.raises(EnvironmentError, match="there is a file already"):
        ECDSA().save(path)

    assert ECDSA.load(path).get_private_key() == PRIVATE


@pytest.mark.parametrize("password", [None, "secret"])
def test_saving_the_same_once_more_changes_nothing(path, password):
    ECDSA(private_key=PRIVATE).save(path, password)
    before = content_of(path)

    ECDSA(private_key=PRIVATE).save(path, password)

    assert content_of(path) == before


@pytest.mark.parametrize("before, after", [(None, "secret"), ("secret", None), ("secret", "other")])
def test_a_password_is_never_left_as_it_was_in_silence(path, before, after):
    ECDSA(private_key=PRIVATE).save(path, before)

    with pytest.raises(EnvironmentError, match="there is a file already"):
        ECDSA(private_key=PRIVATE).save(path, after)

    assert ECDSA.load(path, before).get_private_key() == PRIVATE


def test_the_same_key_in_another_form_is_another(path):
    ECDSA(PUBLIC, PRIVATE).save(path)

    with pytest.raises(EnvironmentError, match="there is a file already"):
        ECDSA(UNCOMPRESSED, PRIVATE).save(path)


def test_a_link_that_leads_nowhere_is_a_file(tmpdir, path):
    os.symlink(str(tmpdir.join("elsewhere")), path)

    with pytest.raises(EnvironmentError, match="there is a file already"):
        ECDSA().save(path)

    assert os.listdir(str(tmpdir)) == ["key.pem"]


@pytest.mark.parametrize("fault", [AttributeError("link"), OSError(errno.EPERM, "not permitted")])
def test_where_there_are_no_links_it_is_saved_all_the_same_and_over_nothing(path, monkeypatch, fault):
    def link(*names):
        raise fault

    monkeypatch.setattr(os, "link", link)
    ECDSA(private_key=PRIVATE).save(path)
    with pytest.raises(EnvironmentError, match="there is a file already"):
        ECDSA().save(path)

    assert ECDSA.load(path).get_private_key() == PRIVATE
    assert os.listdir(os.path.dirname(path)) == ["key.pem"]


def test_a_disk_that_is_full_leaves_nothing(path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentError, match="No space left"):
        ECDSA().save(path)

    assert os.listdir(os.path.dirname(path)) == []


# Paths.

@pytest.mark.parametrize("name", ["key.pem", u"schl\xfcssel.pem", u"schl\xfcssel".encode("utf-8"), "k" * 255])
def test_a_path_is_text_or_bytes_of_any_length_and_also_relative(tmpdir, monkeypatch, name):
    monkeypatch.chdir(tmpdir)

    ECDSA(private_key=PRIVATE).save(name)

    assert ECDSA.load(name).get_private_key() == PRIVATE


def test_a_path_may_be_an_object(tmpdir):
    ECDSA(private_key=PRIVATE).save(tmpdir.join("key.pem"))

    assert ECDSA.load(tmpdir.join("key.pem")).get_private_key() == PRIVATE


@pytest.mark.parametrize("bad", ["", b"", None, 5, io.BytesIO()])
def test_what_is_no_path_is_a_value_error(bad):
    for use in (ECDSA().save, ECDSA.load):
        with pytest.raises(ValueError, match="a path is needed"):
            use(bad)


@pytest.mark.parametrize("parts, number", [(("missing",), errno.ENOENT), ((), errno.EISDIR)])
def test_what_cannot_be_read_is_the_file_systems_error(tmpdir, parts, number):
    with pytest.raises(EnvironmentError) as failed:
        ECDSA.load(str(tmpdir.join(*parts)))

    assert failed.value.errno == number


def test_what_cannot_be_written_is_the_file_systems_error(tmpdir):
    with pytest.raises(EnvironmentError) as failed:
        ECDSA().save(str(tmpdir.join("missing", "key.pem")))

    assert (failed.value.errno, failed.value.filename) == (errno.ENOENT, str(tmpdir.join("missing", "key.pem")))


# What is no key.

SECRET = base64.b64encode(b"something secret, " * 4)
DER = of_cryptography(encoding=Encoding.DER)
PEM_LINES = of_cryptography().splitlines(True)


def public(format):
    key = ec.derive_private_key(int(PRIVATE, 16), ec.SECP256K1(), default_backend()).public_key()
    return key.public_bytes(Encoding.PEM, format)


BAD = [
    (b"", "no private key in PEM"),
    (SECRET, "no private key in PEM"),
    (PRIVATE.encode("ascii"), "no private key in PEM"),
    (b"\xff" * 100, "no private key in PEM"),
    (b"x" * 200000, "no private key in PEM"),
    (b"-----BEGIN PRIVATE KEY-----\n" + SECRET, "damaged"),
    (b"-----BEGIN PRIVATE KEY-----\n" + SECRET + b"\n-----END PRIVATE KEY-----\n", "damaged"),
    (b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "damaged"),
    (b"".join(PEM_LINES[:2] + PEM_LINES[3:]), "damaged"),
    (b"".join(PEM_LINES[:-1]), "damaged"),
    (of_cryptography(ec.SECP256R1), "secp256k1"),
    (of_cryptography(ec.SECP384R1, PrivateFormat.TraditionalOpenSSL), "secp256k1"),
    (b"-----BEGIN RSA PRIVATE KEY-----\n" + SECRET + b"\n-----END RSA PRIVATE KEY-----\n", "secp256k1"),
    (public(PublicFormat.SubjectPublicKeyInfo), "a public key"),
    (b"-----BEGIN EC PARAMETERS-----\nBgUrgQQACg==\n-----END EC PARAMETERS-----\n", "the parameters of a curve"),
    (b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + SECRET + b"\n-----END OPENSSH PRIVATE KEY-----\n", "OpenSSH"),
    (DER, "openssl pkey -inform DER"),
    (b"Metadisk key pair " + ECDSA().get_public_key().encode("ascii") + b"\n" + of_cryptography(), "does not belong"),
    (b"Metadisk key pair " + b"02" + b"f" * 64 + b"\n" + of_cryptography(), "not a point"),
    (b"Metadisk key pair " + b"f" * 70 + b"\n" + of_cryptography(), "66 hex characters"),
    (of_cryptography(password=b"secret"), "hand in its password"),
]


def in_pem(content, label=b"PRIVATE KEY"):
    return b"-----BEGIN " + label + b"-----\n" + base64.b64encode(content) + b"\n-----END " + label + b"-----\n"


for number in (b"\x00" * 32, b"\xff" * 32):  # out of range
    BAD.append((in_pem(DER.replace(b"\x5f" * 32, number)), "damaged"))


@pytest.mark.parametrize("content, words", BAD)
def test_what_is_no_private_key_of_the_curve_is_refused_in_words_that_do_not_repeat_it(path, content, words):
    put(path, content)

    with pytest.raises(InvalidKey, match=words) as refused:
        ECDSA.load(path)

    assert_silent(refused, content)


@pytest.mark.parametrize("content, password, words", [
    (of_cryptography(password=b"secret"), "another", "the password is another"),
    (of_cryptography(password=b"secret").replace(b"M", b"N"), "secret", "the password is another, or"),
    (of_cryptography(ec.SECP256R1, password=b"secret"), "secret", "secp256k1"),
    (of_cryptography(), "secret", "not encrypted"),
    (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + SECRET + b"\n-----END ENCRYPTED PRIVATE KEY-----\n", "secret", "dam"),
])
def test_what_a_password_does_not_open_is_refused_likewise(path, content, password, words):
    put(path, content)

    with pytest.raises(InvalidKey, match=words) as refused:
        ECDSA.load(path, password)

    assert_silent(refused, content)


def assert_silent(refused, content):
    """Neither the error nor what is chained to it repeats what was in the file."""
    shown = "".join(traceback.format_exception_only(refused.type, refused.value))
    assert PRIVATE not in shown and len(shown) < 200
    assert not any(content[start:start + 12].decode("latin-1") in shown for start in range(30, len(content) - 12, 12))
    assert getattr(refused.value, "__context__", None) is None and getattr(refused.value, "__cause__", None) is None


@given(st.binary(max_size=300), st.sampled_from([b"PRIVATE KEY", b"EC PRIVATE KEY", b"ENCRYPTED PRIVATE KEY"]))
def test_whatever_is_in_the_pem_is_read_or_refused(content, label):
    with pytest.raises(InvalidKey):
        _pem.private_key(in_pem(content, label), b"secret" if b"ENCRYPTED" in label else None)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_a_byte_that_is_flipped_is_refused_or_no_other_key_s(place, value):
    spoiled = DER[:place] + bytes(bytearray([value])) + DER[place + 1:]
    try:
        number = _pem.private_key(in_pem(spoiled))
    except InvalidKey:
        return
    assert 0 < number < 2 ** 256


# Passwords.

@pytest.mark.parametrize("password, error", [("", ValueError), (b"", ValueError), (5, TypeError), (["x"], TypeError)])
def test_a_password_is_text_or_bytes_and_not_empty(path, password, error):
    ECDSA().save(path)

    with pytest.raises(error):
        ECDSA().save(path + "2", password)
    with pytest.raises(error):
        ECDSA.load(path, password)

    assert not os.path.exists(path + "2")


def test_without_the_package_a_password_is_an_error_in_words(path, monkeypatch):
    ECDSA(private_key=PRIVATE).save(path, "secret")
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)

    for use in (lambda: ECDSA.load(path, "secret"), lambda: ECDSA().save(path + "2", "secret")):
        with pytest.raises(ImportError, match="pip install cryptography"):
            use()

    ECDSA().save(path + "2")
    assert ECDSA.load(path + "2")


def test_a_public_key_alone_is_not_saved(path):
    with pytest.raises(InvalidKey, match="no private key"):
        ECDSA(PUBLIC).save(path)

    assert not os.path.exists(path)


def test_what_was_loaded_is_what_signs(bridge, user, path):
    key_pair = ECDSA()
    key_pair.save(path)
    pymdc.api.Keys(user).create(key_pair)

    loaded = ECDSA.load(path)

    assert loaded == key_pair and hash(loaded) == hash(key_pair)
    assert pymdc.api.Buckets(loaded, client=user._client).list() == []
