"""The command line in processes of their own."""

from __future__ import absolute_import, division, print_function

import collections
import json
import os
import signal
import subprocess
import sys
import threading

import pymdc

PASSWORD = u"s\xe9cret".encode("utf-8")  # that of the fixture "user"

Said = collections.namedtuple("Said", "code out err")


class Shell(object):
    """Runs the command line in processes of their own, as a user who has this folder and nothing else."""

    def __init__(self, home):
        self.home = home
        self.folder = home.mkdir("work")
        self.config = home.join("config", "metadisk")
        kept = ("PATH", "PYTHONPATH", "TMPDIR")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        self.environment.update(HOME=str(home), XDG_CONFIG_HOME=str(home.join("config")), LC_ALL="C.UTF-8")

    def start(self, *arguments, **process):
        """Start a command, in a session of its own: it has no terminal but what it is given."""
        given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        given.update(process)
        given_text = [each if isinstance(each, bytes) else each.encode("utf-8") for each in arguments]
        return subprocess.Popen(
            [sys.executable, "-m", "pymdc"] + given_text,
            cwd=str(self.folder), env=self.environment, preexec_fn=_leave_terminal, **given
        )

    def __call__(self, *arguments, **process):
        """
        Run a command to its end, within a minute.

        :param bytes stdin: what it reads.
        :param int code: with which it has to end.
        """
        stdin, code = process.pop("stdin", b""), process.pop("code", 0)
        said = finished(self.start(*arguments, **process), stdin)
        assert said.code == code, said
        return said

    def login(self):
        """Return what is remembered, as a dict."""
        return json.loads(self.config.join("login.json").read())

    def files(self, user):
        """Return the bucket's files, as the library has them."""
        return pymdc.api.Bucket(self.login()["bucket"], user).files

    def names(self, user):
        return [file["filename"] for file in self.files(user).list()]


def finished(process, stdin=b""):
    """Wait for a process, and return how it ended and what it said, as text."""
    guard = threading.Timer(60, process.kill)
    guard.start()
    out, err = process.communicate(stdin)
    guard.cancel()
    return Said(process.returncode, (out or b"").decode("utf-8"), (err or b"").decode("utf-8"))


def _leave_terminal():
    os.setsid()
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
