"""The conformance kit finds our bridge as the protocol says and the old ones as they were, and notices faults."""

import contextlib
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import uuid

import pytest

import pymdc
from faulty_bridge import FAULTS, faulty, hash_is_wrong, nothing_wrong, origin_is_not_echoed, transfers_are_not_direct
from pymdc.conformance import channel, command, upload, wire
from pymdc.conformance.point import AS_IN_2016, AS_SAID, NOT_THERE, OTHERWISE, POINTS
from pymdc.conformance.world import World
from servers_of_2016 import VERSIONS, Server
from wire import Basic

PROTOCOL = pathlib.Path(__file__).parents[2] / "docs" / "protocol.md"

SHORT = 0.2  # seconds: whom the stand-ins have not answered by then, they never will


def run(*arguments, **environment):
    """Run the command as one would."""
    return subprocess.run(
        [sys.executable, "-m", "pymdc.conformance", *arguments], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=120,
    )


def lines_beside(verdicts, outcomes):
    """Return the points that got another verdict; none may be left out."""
    assert len(outcomes) == len(POINTS)
    return [f"{outcome.point.rule}: {outcome}" for outcome in outcomes if outcome.verdict not in verdicts]


def test_our_bridge_is_as_the_protocol_says(local):
    outcomes = list(command.look(local.url, local.activation_token))

    assert lines_beside({AS_SAID}, outcomes) == []


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_each_server_of_2016_is_as_the_protocol_says_or_as_it_was(version):
    with contextlib.closing(Server(version)) as server:
        outcomes = list(command.look(server.url, server.activation_token, short=SHORT))

    assert lines_beside({AS_SAID, AS_IN_2016, NOT_THERE}, outcomes) == []
    assert "a wrong password is refused" in [each.point.rule for each in outcomes if each.verdict == AS_IN_2016]
    not_there = {each.point.section for each in outcomes if each.verdict == NOT_THERE}
    assert not_there == {"6. Tokens", "12. Direct transfers", "13. Names", "14. Accounts", "15. Links"}


@pytest.fixture
def old_server():
    with contextlib.closing(Server("0.5.1")) as server:
        yield server


def test_a_point_that_brings_a_server_down_fails_alone(old_server):
    old_server.crashes.append(("GET", "/nope", 0.3))

    outcomes = list(command.look(old_server.url, old_server.activation_token, only="1. General", short=SHORT))

    otherwise = [(each.point.rule, each.seen) for each in outcomes if each.verdict == OTHERWISE]
    assert otherwise == [("an unknown route is not found", "no answer")]


def test_a_server_that_is_brought_down_is_waited_for_within_a_point_too(old_server):
    rule = "a form that ends early is refused and not stored"
    old_server.crashes.append(("PUT", "/buckets/.*/files", 0.3))

    outcome, = command.look(old_server.url, old_server.activation_token, only=rule, short=SHORT)

    assert str(outcome) == AS_IN_2016 + ": no answer"


def test_a_server_that_stays_away_is_waited_for_once_and_no_point_holds_any_more(old_server, monkeypatch):
    came, until = [], wire.until
    monkeypatch.setattr(wire, "until", lambda holds, seconds: came.append(until(holds, seconds)) or came[-1])
    old_server.crashes.append(("GET", "/nope", 1000))

    outcomes = list(command.look(old_server.url, old_server.activation_token, short=SHORT, away=SHORT))

    rules = [outcome.point.rule for outcome in outcomes]
    later = outcomes[rules.index("an unknown route is not found"):]
    assert lines_beside({AS_SAID, AS_IN_2016}, outcomes) == [f"{each.point.rule}: {each}" for each in later]
    assert came.count(False) == 1


def test_a_farmer_who_is_brought_down_is_waited_for(old_server):
    world = World(old_server.url, old_server.activation_token, short=SHORT)
    pointer, = channel.pointers_to(world, b"here again")
    old_server.farmer.away = 0.3

    channel.pull(world, pointer["channel"], "{not", SHORT)
    end = channel.pull(world, pointer["channel"], channel.wanted(pointer))

    assert old_server.farmer.crashes == 1
    assert end.shard == b"here again"


def test_a_farmer_who_stays_away_is_waited_for_once(old_server, monkeypatch):
    world = World(old_server.url, old_server.activation_token, away=SHORT)
    pointer, = channel.pointers_to(world, b"gone")
    old_server.farmer.close()
    came, until = [], wire.until
    monkeypatch.setattr(channel, "until", lambda holds, seconds: came.append(until(holds, seconds)) or came[-1])

    for _ in range(2):
        channel.pull(world, pointer["channel"], channel.wanted(pointer))

    assert came == [False]


def test_each_point_uploads_content_of_its_own(old_server):
    uploaded = []

    for _ in command.look(old_server.url, old_server.activation_token, short=SHORT):
        uploaded.append(set(old_server.stored))
        del old_server.stored[:]

    hashes = [file_hash for of_point in uploaded for file_hash in of_point]
    (_, empty), *_ = upload.HASHES
    assert [file_hash for file_hash in set(hashes) if hashes.count(file_hash) > 1] == [empty]


def test_pointers_that_are_a_refusal_fail_their_points_and_end_no_run(old_server):
    old_server.lost_contracts = 1000

    outcomes = list(command.look(old_server.url, old_server.activation_token, only="pointers", short=SHORT))

    assert [(outcome.point.rule, outcome.verdict) for outcome in outcomes] == [
        ("pointers tell where each shard is", OTHERWISE), ("pointers tell size and url too", OTHERWISE),
        ("an unknown file has no pointers", AS_IN_2016 if old_server.version.mistakes else AS_SAID),
        ("pointers need no token of who could ask for one", NOT_THERE),
        ("tokens and pointers that the old password has asked for end", NOT_THERE),
    ]
    assert all("Failed to load the shard contracts" in outcome.seen for outcome in outcomes[:2])


@pytest.mark.parametrize("version", ["0.2.2", "0.5.1"])
def test_a_key_that_an_earlier_run_registered_is_no_fault(version):
    with contextlib.closing(Server(version)) as server:
        server.keys.update({"02" + "f" * 64: "earlier@example.com", "04" + "1" * 128: "earlier@example.com"})

        outcome, = command.look(server.url, server.activation_token, only="a key must be a point of the curve")

    assert outcome.verdict == AS_IN_2016
    assert "Public key is already registered" in outcome.seen


def test_each_section_of_the_protocol_has_points_and_each_point_a_rule_of_its_own():
    sections = {point.section for point in POINTS}
    protocol = PROTOCOL.read_text("utf-8")

    assert sections == set(re.findall("^## ([1-9][.] .*|1[2-9][.] .*)$", protocol, re.MULTILINE))  # 10 and 11 only tell
    assert len({point.rule for point in POINTS}) == len(POINTS)


def test_sections_come_in_their_order():
    sections = [int(point.section.partition(".")[0]) for point in command._chosen("")]

    assert sections == sorted(sections)
    assert sections[-1] == 15


def test_the_command_prints_a_line_for_each_point(local):
    ended = run(local.url, "--outbox", str(local.outbox), "--only", "1. General")

    *lines, _, total = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert all(re.fullmatch("1. General  +[a-zA-Z0-9 ]+  as the protocol says", line) for line in lines)
    assert total.startswith(f"{len(lines)} as the protocol says, 0 as the servers of 2016 did, 0 otherwise")


def test_an_account_that_is_given_is_used_and_left_as_it_was(local, wire):
    email, password = f"{uuid.uuid4().hex}@example.com", "as it is typed"
    account = Basic(local.url, email, hashlib.sha256(password.encode()).hexdigest())
    wire.post("/users", {"email": email, "password": hashlib.sha256(password.encode()).hexdigest()})
    wire.get("/activations/" + local.activation_token(email))
    account.post("/buckets", {"name": "mine"})
    account.post("/keys", {"key": pymdc.keypair.ECDSA().get_public_key()})
    before = [account.get(path).json() for path in ("/buckets", "/keys")]

    ended = run(local.url, "--email", email, PYMDC_CONFORMANCE_PASSWORD=password)

    assert ended.returncode == 0, ended.stdout
    assert "not tried: needs --outbox" in ended.stdout
    assert [account.get(path).json() for path in ("/buckets", "/keys")] == before


@pytest.mark.parametrize("arguments, text", [
    ([], "URL"),
    (["ftp://127.0.0.1", "--outbox", "."], "http"),
    (["{url}"], "an account is needed"),
    (["{url}", "--outbox", ".", "--only", "nonsense"], "no point has 'nonsense' in it"),
    (["{url}", "--email", "nobody@example.com", "--password", "x"], "Invalid email or password"),
    (["http://127.0.0.1:9", "--outbox", "."], "no answer"),
], ids=["no URL", "no bridge's URL", "no account", "no point", "wrong password", "no bridge"])
def test_wrong_use_ends_with_2_and_says_why(local, arguments, text):
    ended = run(*[argument.format(url=local.url) for argument in arguments])

    assert ended.returncode == 2
    assert text in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_old_python_is_told_in_one_line():
    pretend = (
        "import pymdc, runpy, sys; sys.version_info = (2, 7, 18); "
        "runpy.run_module('pymdc.conformance', run_name='__main__')"
    )

    ended = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True, timeout=60)

    assert ended.returncode == 2
    assert ended.stderr == "pymdc.conformance needs Python 3.10 or newer, and this is 2.7\n"


@pytest.mark.parametrize("fault, rule, verdict, seen", FAULTS, ids=[f"{row[0].__name__}: {row[1]}" for row in FAULTS])
def test_a_fault_is_reported_in_the_line_of_its_rule(local, fault, rule, verdict, seen):
    with faulty(local, fault) as url:
        outcomes = list(command.look(url, local.activation_token, only=rule))

    assert [(outcome.point.rule, outcome.verdict) for outcome in outcomes] == [(rule, verdict)]
    assert seen in outcomes[0].seen


def test_a_direct_bridge_without_ranges_lacks_them_and_is_not_at_fault(local):
    with faulty(local, nothing_wrong, strips=("range",)) as url:
        outcomes = list(command.look(url, local.activation_token, only=" range"))

    assert {(outcome.point.rule, outcome.verdict) for outcome in outcomes} == {
        ("one range of a file can be asked for", NOT_THERE),
        ("a range reaches over shards", NOT_THERE),
        ("several ranges or what is none stand for the whole", AS_SAID),
        ("a range behind the end is refused", NOT_THERE),
        ("a range of another content is the whole", NOT_THERE),
    }


def test_the_command_says_what_is_not_there_and_finds_no_fault_in_that(local):
    with faulty(local, transfers_are_not_direct) as url:
        ended = run(url, "--outbox", str(local.outbox), "--only", "12. Direct")

    *lines, _, total = ended.stdout.splitlines()
    assert ended.returncode == 0
    assert lines and all(line.endswith("  not there") for line in lines)
    assert f"0 otherwise, {len(lines)} not there, 0 not tried" in total


def test_a_fault_is_reported_in_no_other_line(local):
    with faulty(local, origin_is_not_echoed) as url:
        outcomes = list(command.look(url, local.activation_token, only="1. General"))

    assert [outcome.point.rule for outcome in outcomes if outcome.verdict != AS_SAID] == [
        "OPTIONS is answered for every origin", "the origin is echoed",
    ]


def test_the_command_ends_with_1_when_something_is_otherwise(local):
    with faulty(local, hash_is_wrong) as url:
        ended = run(url, "--outbox", str(local.outbox), "--only", "hash")

    assert ended.returncode == 1
    assert "the hash is as recorded" in ended.stdout
    assert "otherwise: 200" in ended.stdout
