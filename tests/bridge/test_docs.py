"""docs/bridge.md is true, and so are the trails in CONTRIBUTING.md."""

import dataclasses
import re
from pathlib import Path

import pytest

from pymdc.bridge.settings import Settings, numbers

TESTS = Path(__file__).parent
ROOT = TESTS.parent.parent
PACKAGE = ROOT / "pymdc"
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "bridge.md").read_text("utf-8")
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


@pytest.mark.parametrize("trail", re.findall(r"^\*\*A [^*]*\.\*\*.*?(?=\n\n)", GUIDE, re.MULTILINE | re.DOTALL))
def test_each_step_of_a_trail_is_there(trail):
    """A module, then maybe what in it: a class, a function, a method of the class or of another one's instance."""
    for module, name in re.findall(r"`([\w/]+\.py)`(?:\s`([\w.]+)`)?", trail):
        paths = [root / module for root in (PACKAGE, PACKAGE / "bridge") if (root / module).exists()]
        source = "".join(path.read_text("utf-8") for path in paths)

        assert paths, module
        assert all(re.search(rf"\b(def|class) {part}\b", source) for part in filter(None, name.split("."))), name
