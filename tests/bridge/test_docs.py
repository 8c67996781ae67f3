"""docs/bridge.md is true, and so are the trails in CONTRIBUTING.md."""

import configparser
import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pymdc.bridge.settings import Settings, numbers

TESTS = Path(__file__).parent
ROOT = TESTS.parent.parent
PACKAGE = ROOT / "pymdc"
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "bridge.md").read_text("utf-8")
PROMISES = re.search("\n## What it promises\n(.*?)\n## ", PAGE, re.DOTALL)[1]


LISTING = """
import sys
import pytest
from test_docs import run_by

class Listing:
    def pytest_collection_finish(self, session):
        print(*run_by(session), file=sys.stderr)

sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", sys.argv[1]], plugins=[Listing()]))
"""


def run_by(session):
    """Return the names of the tests that a session runs: pytest takes them for tests, and none is skipped."""
    passed_over = ("skip", "skipif", "xfail")
    return {item.originalname for item in session.items if not any(map(item.get_closest_marker, passed_over))}


@pytest.fixture(scope="module")
def run(request):
    """The names of the tests of the bridge that a run of all of them runs."""
    names = run_by(request.session)
    if set(re.findall(r"\btest_\w+", PROMISES)) <= names:
        return names
    listing = subprocess.run(  # this run may be of some tests only
        [sys.executable, "-c", LISTING, str(TESTS)], cwd=TESTS, capture_output=True, text=True, timeout=120,
    )
    assert listing.returncode == 0, listing.stdout
    return set(listing.stderr.split())


@pytest.mark.parametrize("promise", re.findall("^- (.*)", PROMISES, re.MULTILINE))
def test_each_promise_names_tests_that_are_run(promise, run):
    names = re.search("<!-- (.*) -->", promise)[1].split()

    assert set(names) - run == set()


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


def test_each_extra_is_told():
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    extras = re.search("extras_require={(.*)}", (ROOT / "setup.py").read_text("utf-8"), re.DOTALL)[1]

    told = re.findall("^[|] (`.*?) [|]", page, re.MULTILINE)

    assert set(re.findall(r"`(\w+)`", "".join(told))) == set(re.findall(r'^        "(\w+)":', extras, re.MULTILINE))


@pytest.mark.parametrize("contract, column", [("library", 12), ("bridge", 238)])
def test_the_picture_of_the_rooms_is_that_of_the_contracts(contract, column):
    """It leaves out what is small, and shows the rest in the order of .importlinter."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts[f"importlinter:contract:{contract}"]["layers"].splitlines()
    level = {name: number for number, names in enumerate(layers) for name in re.findall(r"\w+", names)}
    picture = (ROOT / "docs" / "rooms.svg").read_text("utf-8")
    shown = re.findall(r"\w+", " ".join(re.findall(rf'<text x="{column}" y="\d+">([\w, ]+)</text>', picture)))

    levels = [level[name] for name in shown if name != "pymdc"]

    assert len(levels) > 8 and levels == sorted(levels)
