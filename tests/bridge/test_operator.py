"""``python -m pymdc.bridge accounts``, beside a running bridge, on either database."""

import contextlib
import hashlib
import os
import re
import subprocess
import sys

import click.testing
import pytest

from pymdc.bridge import LocalBridge
from pymdc.bridge.accounts import accounts as commands
from pymdc.bridge.metadata.census import Census
from used_bridge import command
from wire import Basic, get, put, registered

EMAIL = "una@example.com"
LATER = "zoe@example.com"


@pytest.fixture
def bridge(tmp_path, server_url):
    with LocalBridge(tmp_path, database_url=server_url) as bridge:
        yield bridge


@pytest.fixture
def where(tmp_path, server_url):
    """What leads a command to the bridge's database."""
    return ("--data-dir", tmp_path) if server_url is None else ("--database-url", server_url)


@pytest.fixture
def una(bridge):
    return registered(bridge, EMAIL)


@pytest.fixture
def accounts(where):
    """A function that runs a command, and returns its exit code and what it has said."""
    def accounts(name, *arguments, **options):
        ended = run("accounts", name, *arguments, *where, **options)
        return ended.returncode, ended.stdout + ended.stderr
    return accounts


def run(*arguments, **options):
    return subprocess.run(line(*arguments), capture_output=True, text=True, timeout=60, **options)


def line(*arguments):
    return [sys.executable, "-m", "pymdc.bridge", *map(str, arguments)]


def hashed(password):
    return hashlib.sha256(password.encode()).hexdigest()


def test_the_list_tells_of_each_account(bridge, una, accounts):
    put(una.signed, una.bucket(), b"x" * 2_000_000)
    una.nobody.post("/users", {"email": LATER, "password": "ab" * 32})
    accounts("storage", LATER, "2.5")

    code, said = accounts("list")

    today = r"\d{4}-\d\d-\d\d"
    assert code == 0 and re.fullmatch(
        r"STATE +CREATED +BUCKETS +STORED, GB +OF, GB +E-MAIL\n"
        rf"active +{today} +1 +0\.002000 +- +una@example\.com\n"
        rf"waiting +{today} +0 +0\.000000 +2\.5 +zoe@example\.com\n", said)


def test_all_of_many_accounts_are_listed_in_order_and_once(memory, tmp_path, database_url):
    emails = sorted(f"{number}@example.com" for number in range(250))
    for email in reversed(emails):
        register(memory, email)

    said = listing(tmp_path, database_url)

    assert [each.split()[-1] for each in said.splitlines()[1:]] == emails


def test_who_has_read_enough_of_a_list_ends_it_without_complaint(memory, tmp_path, database_url):
    for number in range(800):
        register(memory, f"{number}@{'x' * 100}.example.com")

    with subprocess.Popen(line("accounts", "list", *place(tmp_path, database_url)), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        first = process.stdout.readline()
        process.stdout.close()
        complaint = process.stderr.read()

    assert first.startswith("STATE") and complaint == ""


def register(memory, email):
    account = {"email": email, "password": "x", "created": 1}
    registration = {"token": hashed(email), "redirect": None, "point": None, "text": None}
    memory.accounts.register(account, {**registration, "password": "x", "created": 1})


def listing(folder, database_url):
    ended = run("accounts", "list", *place(folder, database_url))
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def place(folder, database_url):
    return ("--data-dir", folder) if database_url.startswith("sqlite") else ("--database-url", database_url)


def test_an_account_is_shown_with_what_it_has(una, accounts):
    bucket = una.bucket()
    for number in range(3):
        put(una.signed, bucket, bytes([number]) * 1_000_000)

    code, said = accounts("show", EMAIL.upper())

    lines = [each.split(None, 1) for each in said.splitlines()[1:]]
    told = dict(lines)
    assert code == 0 and said.startswith(EMAIL + "\n") and told.pop("created").endswith("Z")
    assert told == {"state": "active", "keys": "1", "buckets": "1", "files": "3",
                    "stored": "0.003000 GB, of what --account-storage allows"}


@pytest.mark.parametrize("arguments", [("show",), ("storage", "5"), ("delete", "--yes")])
def test_an_account_that_is_none_is_named_with_the_next_step(una, accounts, arguments):
    name, *further = arguments

    code, said = accounts(name, "nobody\x9b@example.com", *further, input="secret\n")

    assert (code, said) == (1, "Error: no account 'nobody\\x9b@example.com' is here: see \"accounts list\"\n")


def test_an_account_is_activated_as_it_was_registered_last(bridge, accounts):
    for password in ("ab" * 32, "cd" * 32):
        Basic(bridge.url, EMAIL, password).post("/users", {"email": EMAIL, "password": password})

    (code, said), again = accounts("activate", EMAIL), accounts("activate", EMAIL)

    assert code == 0 and said.startswith(f"{EMAIL} is active, with the password that was registered last, 2")
    assert again == (0, f"{EMAIL} is active already\n")
    assert [Basic(bridge.url, EMAIL, password).get("/keys").status_code for password in ("ab" * 32, "cd" * 32)] == [
        401, 200]


@pytest.fixture
def meanwhile(where, monkeypatch):
    """A function that runs a command, and lets something be done when that has looked for its account."""
    def run(something, *arguments):
        find = Census.find

        def find_and_let(self, email):
            account = find(self, email)
            monkeypatch.setattr(Census, "find", find)
            something()
            return account

        monkeypatch.setattr(Census, "find", find_and_let)
        ended = click.testing.CliRunner().invoke(commands, [*arguments, *map(str, where)])
        return ended.exit_code, ended.output
    return run


def test_an_account_whose_link_is_followed_meanwhile_is_active(bridge, meanwhile):
    wire = Basic(bridge.url, EMAIL, "ab" * 32)
    wire.post("/users", {"email": EMAIL, "password": "ab" * 32})

    said = meanwhile(lambda: wire.get("/activations/" + bridge.activation_token(EMAIL)), "activate", EMAIL)

    assert said == (0, f"{EMAIL} was activated meanwhile\n")


@pytest.mark.parametrize("name", ["activate", "disable", "delete"])
def test_an_account_that_goes_meanwhile_is_gone(bridge, meanwhile, name):
    Basic(bridge.url, EMAIL, "ab" * 32).post("/users", {"email": EMAIL, "password": "ab" * 32})
    metadata = bridge._server.services.metadata
    if name != "activate":
        metadata.accounts.activate_newest(EMAIL)

    said = meanwhile(lambda: metadata.accounts.delete(EMAIL), name, EMAIL, *(["--yes"] if name == "delete" else []))

    assert said == (1, f"Error: {EMAIL} has gone meanwhile\n")


@pytest.mark.parametrize("name, words", [
    ("password", 'waits for its activation: say "accounts activate" first'),
    ("disable", 'waits for its activation: "accounts delete" ends that'),
])
def test_what_an_account_has_to_be_active_for_is_said(bridge, accounts, name, words):
    Basic(bridge.url, EMAIL, "ab" * 32).post("/users", {"email": EMAIL, "password": "ab" * 32})

    assert accounts(name, EMAIL, input="secret\n") == (1, f"Error: {EMAIL} {words}\n")


def test_a_password_is_the_first_line_of_standard_input(una, accounts):
    bucket = una.bucket()
    by_password = una.basic.post(f"/buckets/{bucket}/tokens", {"operation": "PUSH"}).json()["token"]
    by_key = una.token(bucket)

    code, said = accounts("password", EMAIL, input="s\xe9cret & more \nanother line\n")

    assert (code, said) == (0, f"{EMAIL} has another password; what was asked for by the old one has ended\n")
    assert Basic(una.nobody.url, EMAIL, hashed("s\xe9cret & more ")).get("/keys").status_code == 200
    assert una.basic.get("/keys").status_code == 401
    assert [put(una.nobody, bucket, b"x", {"x-token": token}).status_code for token in (by_password, by_key)] == [
        401, 200]


def test_a_password_is_asked_for_twice_on_a_terminal_and_not_shown(una, where):
    code, shown = on_a_terminal(line("accounts", "password", EMAIL, *where), "secret", "other", "secret", "secret")

    assert code == 0 and "New password" in shown and "secret" not in shown
    assert Basic(una.nobody.url, EMAIL, hashed("secret")).get("/keys").status_code == 200


def test_an_empty_password_is_refused(una, accounts):
    code, said = accounts("password", EMAIL, input="\n")

    assert code == 2 and "no password is on standard input" in said
    assert una.basic.get("/keys").status_code == 200


def test_an_account_that_is_disabled_and_enabled_is_as_it_was(una, accounts):
    bucket = una.bucket()
    file_hash = una.upload(bucket, b"content")

    disabled, again = accounts("disable", EMAIL), accounts("disable", EMAIL)
    refused, (_, shown) = get(una.signed, bucket, file_hash), accounts("show", EMAIL)
    enabled, once_more = accounts("enable", EMAIL), accounts("enable", EMAIL)

    assert disabled == (0, f'{EMAIL} is disabled; "accounts enable" undoes it\n')
    assert again[0] == 0 and "is disabled already, since 2" in again[1]
    assert refused.status_code == 403 and re.search("state +disabled, since 2", shown)
    assert (enabled, once_more) == ((0, f"{EMAIL} is enabled\n"), (0, f"{EMAIL} is not disabled\n"))
    assert get(una.signed, bucket, file_hash).content == b"content"


def test_an_account_has_the_storage_that_it_is_given(una, accounts):
    bucket = una.bucket()

    said = [accounts("storage", EMAIL, "0.00001")]
    refused = put(una.signed, bucket, b"x" * 20_000)
    _, shown = accounts("show", EMAIL)
    said.append(accounts("storage", EMAIL, "default"))

    assert said == [(0, f"{EMAIL} may store 1e-05 GB, and stores 0.000000 GB\n"),
                    (0, f"{EMAIL} may store what --account-storage allows, and stores 0.000000 GB\n")]
    assert refused.status_code == 413 and "1e-05 GB, its own figure" in shown
    assert put(una.signed, bucket, b"x" * 20_000).status_code == 200


@pytest.mark.parametrize("storage", ["nan", "1e10", "\x9b"])
def test_what_is_no_storage_is_refused(una, accounts, storage):
    code, said = accounts("storage", EMAIL, storage)

    assert code == 2 and "a number of GB from 0 to 1000000000" in said and "\x9b" not in said


def test_an_account_is_deleted_with_all_that_it_has(bridge, una, tmp_path, accounts):
    una.upload(una.bucket(), b"x" * 50_000)

    code, said = accounts("delete", EMAIL, "--yes")

    assert (code, said) == (0, f"deleted {EMAIL}, its 1 keys, 1 buckets and 1 files, 0.000050 GB\n")
    assert una.basic.get("/keys").status_code == una.signed.get("/buckets").status_code == 401
    assert accounts("show", EMAIL)[0] == 1
    bridge._server.services.tidy()
    assert not [path for path in (tmp_path / "shards").rglob("*-*") if path.is_file()]


def test_nothing_is_deleted_where_nobody_can_be_asked(una, accounts):
    code, said = accounts("delete", EMAIL, input="y\n")

    assert code == 2 and "say --yes" in said
    assert una.basic.get("/keys").status_code == 200


@pytest.mark.parametrize("answer, code, status", [("n", 1, 200), ("y", 0, 401)])
def test_on_a_terminal_it_asks_before_it_deletes(una, where, answer, code, status):
    ended, shown = on_a_terminal(line("accounts", "delete", EMAIL, *where), answer)

    assert ended == code and f"Delete {EMAIL}, its 1 keys, 0 buckets and 0 files, 0.000000 GB?" in shown
    assert una.basic.get("/keys").status_code == status


def on_a_terminal(command, *answers):
    """Run a command on a terminal of its own, and answer its questions; return its exit code and what was shown."""
    ours, its = os.openpty()
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    shown = since = b""
    with contextlib.suppress(OSError):  # of a terminal that nobody else has any more
        while block := os.read(ours, 1000):
            shown, since = shown + block, since + block
            if answers and since.endswith(b": "):
                os.write(ours, answers[0].encode() + b"\n")
                answers, since = answers[1:], b""
    os.close(ours)
    return process.wait(timeout=60), shown.decode()


def test_no_bridge_is_there_in_words(tmp_path):
    said = command("accounts", "list", "--data-dir", tmp_path)

    assert said.returncode == 2 and f"no bridge has its data in {tmp_path}" in said.stderr
