"""docs/errors.md has each text that pymdc says no with, and no other."""

import re
from pathlib import Path

import pytest

from refusing import texts, unknown_classes

PAGE = (Path(__file__).parent.parent.parent / "docs" / "errors.md").read_text("utf-8")
TERMS = re.findall(r"`([^`]+)`", "\n".join(re.findall(r"^(`.*`)$", PAGE, re.MULTILINE)))
#: What nobody is told: another module makes something else of it.
INTERNAL = {
    "_transfer/binaryjs.py", "bridge/request/binaryjs.py", "bridge/metadata/lane.py", "bridge/metadata/together.py",
    "bridge/_requirements.py",
}
INTERNAL_TEXTS = {
    "Tunnel connection failed: 407", "unsupported proxy",  # what permanent_fault translates
    "an upgrade with a body", "an upgrade behind a request that is not answered yet", "a handshake that is not ASCII",
    "no file", "not in the database",  # a shard that is lost
    "pg_dump copies a database of PostgreSQL",  # which no command asks for
    "…: …",  # a folder, and what the system says of it
}
#: Where somebody else's words are told.
OTHERS_WORDS = {
    "_command/screen.py", "_http/failure.py", "_pem.py", "_transfer/target.py", "bridge/commands.py",
    "bridge/mail/postman.py", "bridge/mail/relay.py", "bridge/metadata/commits.py",
    "bridge/metadata/postgresqlengine.py", "bridge/parameters.py", "bridge/request/fields.py",
    "bridge/serving/websocket.py", "errors.py", "filesystem/account.py", "filesystem/listing.py",
    "filesystem/writing.py",
}


@pytest.fixture(scope="module")
def said():
    return texts()


def is_internal(places):
    return {place.partition(":")[0] for place in places} <= INTERNAL


def covers(term, text):
    """Return whether a term of the page stands for a text of the source: ``…`` for whatever is there."""
    return re.fullmatch(".+".join(map(re.escape, term.split("…"))), text)


def test_each_text_is_told(said):
    wanted = {text: places for text, places in said.items() if text and not is_internal(places)}

    missing = {text: places for text, places in wanted.items() if not any(covers(term, text) for term in TERMS)}

    assert missing.keys() <= INTERNAL_TEXTS, missing


def test_each_text_that_is_told_is_said(said):
    assert not [term for term in TERMS if not any(covers(term, text) for text in filter(None, said))]


def test_words_of_others_are_told_where_they_have_to_be(said):
    assert {place.partition(":")[0] for place in said[None]} == OTHERS_WORDS


def test_each_class_of_errors_is_looked_for():
    assert unknown_classes() == {
        "APIError", "PymdcError", "RefusedLookup",  # tell what a bridge has said
        "CallersError", "NotSent", "OutputLost", "Undone",  # are told in other words
        "NotThere", "NotTried", "Otherwise",  # verdicts of pymdc.conformance
    }
