"""The names that others rely on."""

from __future__ import absolute_import, division, print_function

import importlib
import io
import os
import re
import subprocess
import sys

import pytest

import pymdc
import pymdc.testing

MODULES = ["pymdc", "pymdc.answers", "pymdc.api", "pymdc.api.buckets", "pymdc.api.files", "pymdc.api.keys",
           "pymdc.api.users", "pymdc.errors", "pymdc.keypair", "pymdc.testing"]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REFERENCE = os.path.join(ROOT, "docs", "api.rst")


@pytest.mark.parametrize("name", MODULES)
def test_all_is_sorted_and_there(name):
    module = importlib.import_module(name)

    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, public) for public in module.__all__)


@pytest.mark.skipif(sys.version_info < (3, 7), reason="older Pythons ask no module for its names")
@pytest.mark.parametrize("name", MODULES[:-1])
def test_what_completion_shows_is_for_users(name):
    module = importlib.import_module(name)

    assert dir(module) == module.__all__


def reference():
    with io.open(REFERENCE, encoding="utf-8") as text:
        return text.read()


def test_each_public_name_is_in_the_reference():
    told = set(re.findall(r"(?m)^\.\. auto(?:class|function):: pymdc\.(\S+)$", reference()))
    errors = re.search(r"automodule:: pymdc\.errors\n +:members: ((?:[\w, ]+\n?)+)", reference()).group(1)
    classes = ["api." + name for name in pymdc.api.__all__ if not name.islower()]

    assert set(re.findall(r"\w+", errors)) == set(pymdc.errors.__all__)
    assert told == set(classes + ["testing." + name for name in pymdc.testing.__all__] + [
        "Client", "bridge.LocalBridge", "configure", "content_hash", "filesystem.MetadiskFileSystem", "keypair.ECDSA",
    ])


def test_each_shape_of_an_answer_is_in_the_reference_with_its_keys():
    with io.open(os.path.join(ROOT, "pymdc", "answers.pyi"), encoding="utf-8") as stubs:
        shapes = re.findall(r"(?m)^class (\w+)\(TypedDict.*\):\n((?:    .*\n)+)", stubs.read())

    rows = dict(re.findall(r"(?m)^``(\w+)`` +(.+(?:\n  .+)*)", reference()))

    assert {name: re.findall(r"``(\w+)``", keys) for name, keys in rows.items()} == {
        name: [key for key in re.findall(r"(?m)^    (\w+):", keys) if key != "error"] for name, keys in shapes
        if name != "Used"
    }


def test_every_class_lives_in_its_module_and_in_api():
    assert pymdc.api.keys.Keys is pymdc.api.Keys
    assert pymdc.api.users.Users is pymdc.api.Users
    assert pymdc.api.files.Files is pymdc.api.Files
    assert pymdc.api.buckets.Buckets is pymdc.api.Buckets
    assert pymdc.api.buckets.Bucket is pymdc.api.Bucket


def test_nobody_is_told_to_install_what_is_somebody_elses():
    """On the package index the name of this package is that of another program."""
    paths = [os.path.join(ROOT, name) for name in ("CONTRIBUTING.md", "README.md", "setup.py")]
    for top in ("docs", "pymdc"):
        paths += [os.path.join(at, name) for at, _, names in os.walk(os.path.join(ROOT, top)) for name in names]

    for path in paths:
        if path.endswith((".md", ".py", ".rst")):
            with io.open(path, encoding="utf-8") as text:
                assert not re.search(r"""pip install[^`\n]*["' ](pymdc|metadisk)\b""", text.read()), path


def test_where_no_bridge_can_run_one_line_says_what_to_do(tmpdir):
    """On an old Python, and on a new one without the extra, which a uvicorn that does not import stands for."""
    tmpdir.join("uvicorn.py").write("raise ImportError('No module named uvicorn')")
    environment = dict(os.environ, PYTHONPATH=str(tmpdir) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    advice = "needs Python 3.10" if sys.version_info < (3, 10) else 'pip install ".[bridge]"'

    for command in (["-m", "pymdc.bridge"], ["-c", "import pymdc.bridge"]):
        process = subprocess.Popen([sys.executable] + command, stderr=subprocess.PIPE, env=environment)
        said = process.communicate()[1].decode("ascii").splitlines()

        assert process.returncode != 0
        assert advice in said[-1]
        assert len(said) == 1 or "ImportError" in said[-1] and command[0] == "-c"
