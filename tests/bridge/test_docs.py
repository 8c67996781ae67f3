"""docs/bridge.md is true."""

import dataclasses
import re
from pathlib import Path

import pytest

from pymdc.bridge import limits, protocol
from pymdc.bridge.settings import Settings

TESTS = Path(__file__).parent
PAGE = (TESTS.parent.parent / "docs" / "bridge.md").read_text("utf-8")
PROMISES = re.search("\n## What it promises\n(.*?)\n## ", PAGE, re.DOTALL)[1]


@pytest.mark.parametrize("promise", re.findall("^- (.*)", PROMISES, re.MULTILINE))
def test_each_promise_names_tests_that_exist(promise):
    names = re.search("<!-- (.*) -->", promise)[1].split()
    source = "".join(path.read_text("utf-8") for path in TESTS.glob("test_*.py"))

    assert [name for name in names if f"\ndef {name}(" not in source] == []


def test_each_option_is_told():
    told = set(re.findall(r"`PYMDC_BRIDGE_([A-Z_]+)`", PAGE.split("## What it promises")[0]))

    assert told == {field.name.upper() for field in dataclasses.fields(Settings)}


def test_the_limits_are_those_of_the_code():
    assert limits.WRONG_PASSWORDS == (10, 60_000)
    assert limits.REGISTRATIONS == (60, 1000)
    assert limits.MAILS == (1, 60_000)
    assert protocol.MAX_HEADERS == 64 * 1024
