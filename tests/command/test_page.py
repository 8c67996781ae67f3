"""docs/command-line.md, executed as printed."""

from __future__ import absolute_import, division, print_function

import io
import os
import re
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "command-line.md")


@pytest.fixture
def python(shell):
    """A ``python`` that is found first, and is this one."""
    path = shell.home.mkdir("bin").join("python")
    path.write('#!/bin/sh\nexec "{0}" "$@"\n'.format(sys.executable))
    path.chmod(0o755)
    shell.environment["PATH"] = "{0}:{1}".format(path.dirpath(), shell.environment["PATH"])


def blocks():
    with io.open(PAGE, encoding="utf-8") as page:
        return re.findall(u"```sh\n(.*?)```", page.read(), re.DOTALL)


def test_the_page_runs_as_printed(shell, python, write, user):
    write("photo.jpg", b"a photo")
    write("photos/2016/cat.jpg", b"a cat")
    login, rest = blocks()[0], blocks()[1:]

    for block in rest:
        subprocess.check_call(["sh", "-ec", block], cwd=str(shell.folder), env=shell.environment)

    assert login.startswith("python -m pymdc login --register")
    assert shell.names(user) == ["backup/photo.jpg", "backup/photos/2016/cat.jpg", "photos.tar.gz"]
    assert shell.folder.join("restored", "photos", "2016", "cat.jpg").read() == "a cat"
    assert shell.folder.join("everything", "backup", "photo.jpg").read() == "a photo"
