"""docs/bridge.md is true."""

import dataclasses
import re
from pathlib import Path

import pytest

from pymdc.bridge.settings import Settings, numbers

TESTS = Path(__file__).parent
PAGE = (TESTS.parent.parent / "docs" / "bridge.md").read_text("utf-8")
PROMISES = re.search("\n## What it promises\n(.*?)\n## ", PAGE, re.DOTALL)[1]


@pytest.mark.parametrize("promise", re.findall("^- (.*)", PROMISES, re.MULTILINE))
def test_each_promise_names_tests_that_exist(promise):
    names = re.search("<!-- (.*) -->", promise)[1].split()
    source = "".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))

    assert [name for name in names if f"\ndef {name}(" not in source] == []


def test_each_option_is_told():
    told = set(re.findall(r"`PYMDC_BRIDGE_([A-Z_]+)`", PAGE.split("## What it promises")[0]))

    assert told == {field.name.upper() for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize("field", numbers(), ids=lambda field: field.name)
def test_the_default_of_each_number_is_told(field):
    row = re.search(rf"^\|.*`PYMDC_BRIDGE_{field.name.upper()}`.*$", PAGE, re.MULTILINE)[0]

    assert row.rstrip("| ").endswith(f"`{field.default:g}`")
