"""The wheel and the sdist in the folder PYMDC_TEST_DIST, on this Python, which has the wheel installed."""

from __future__ import absolute_import, division, print_function

import glob
import importlib
import os
import re
import subprocess
import sys
import zipfile

import pytest

import pymdc

INSTALLED = os.path.dirname(os.path.dirname(os.path.abspath(pymdc.__file__)))
MODERN = () if sys.version_info >= (3, 10) else ("pymdc.bridge.", "pymdc.conformance.", "pymdc.filesystem.")
NOT_BY_NAME = (".__init__", ".__main__", ".migrations.env")  # comes with its modules; run, not imported


def built(pattern):
    """Return the path of the one file in the folder whose name is like that."""
    path, = glob.glob(os.path.join(os.environ["PYMDC_TEST_DIST"], pattern))
    return path


def metadata():
    with zipfile.ZipFile(built("*.whl")) as wheel:
        name, = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        return wheel.read(name).decode("utf-8")


def install(path, folder):
    """Let pip install a file into an empty folder, and return what it says."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), path]
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_PYTHON_VERSION_WARNING="1")
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    said = pip.communicate()[0].decode("utf-8")
    assert pip.returncode == 0, said
    return said


def files(folder):
    """Return the paths of the files of the package in a folder, but for those that Python has compiled."""
    package = os.path.join(str(folder), "pymdc")
    paths = (os.path.join(at, name) for at, _, names in os.walk(package) for name in names)
    return sorted(os.path.relpath(path, package) for path in paths if not path.endswith((".pyc", ".pyo")))


def modules():
    """Return the names of the modules that this Python can import."""
    names = ["pymdc." + path[:-len(".py")].replace(os.sep, ".") for path in files(INSTALLED) if path.endswith(".py")]
    return [name for name in names if not name.startswith(MODERN) and not name.endswith(NOT_BY_NAME)]


def test_these_tests_are_of_what_is_installed():
    assert INSTALLED.startswith(os.path.abspath(sys.prefix) + os.sep)


@pytest.mark.parametrize("name", modules())
def test_a_module_imports_nothing_that_is_not_declared(name):
    importlib.import_module(name)


def test_pip_has_nothing_to_say_while_it_installs_the_wheel(tmpdir):
    """Not on an old Python either, for which it cannot compile the modules of the bridge."""
    assert install(built("*.whl"), tmpdir) == ""


def test_the_sdist_installs_what_the_wheel_installs(tmpdir):
    install(built("*.whl"), tmpdir.join("wheel"))
    install(built("*.tar.gz"), tmpdir.join("sdist"))

    assert files(tmpdir.join("sdist")) == files(tmpdir.join("wheel"))


def test_the_metadata_name_the_licence_as_an_expression():
    assert re.findall(r"(?m)^License.*: .*", metadata()) == ["License-Expression: MIT", "License-File: LICENSE"]


def test_the_description_links_to_no_file_beside_it():
    """On an index there is none."""
    description = metadata().partition("\n\n")[2]

    assert u"# pymdc" in description
    assert re.findall(r"\]\((?!https?://)[^)]*\)", description) == []
