"""Terminals, pipes, and what is shown in them."""

from __future__ import absolute_import, division, print_function

import errno
import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from pymdc._command.bar import Bar, size_text
from pymdc.testing import Fault
from shells import PASSWORD, finished


class Terminal(object):
    """A terminal of so many columns."""

    def __init__(self, columns=80):
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        self.shown = b""

    def type(self, text):
        os.write(self._master, text)

    def read(self):
        """Read what is shown next; nothing once nobody has it open."""
        try:
            block = os.read(self._master, 65536)
        except EnvironmentError as error:
            if error.errno != errno.EIO:
                raise
            block = b""
        self.shown += block
        return block

    def read_until(self, text):
        while text not in self.shown:
            assert self.read(), self.shown

    def leave(self):
        """Let it be gone, as a connection that broke takes it away."""
        os.close(self.slave)
        os.close(self._master)

    def watch(self, process):
        """Read until a process has ended, and return its code."""
        os.close(self.slave)
        while self.read():
            pass
        os.close(self._master)
        return process.wait()


@pytest.fixture
def terminal():
    return Terminal()


def test_a_bar_is_shown_while_files_move_and_wiped_in_the_end(shell, write, terminal):
    write("cat.jpg", b"a" * 1500)

    process = shell.start("put", "cat.jpg", stderr=terminal.slave)
    code = terminal.watch(process)

    assert (code, process.stdout.read()) == (0, b"cat.jpg\n")
    bar = b"[" + b"#" * 24 + b"] 100%   1.5 kB  cat.jpg"
    assert terminal.shown == bar + b"\r" + b" " * len(bar) + b"\r"


def test_the_bar_fits_the_terminal(shell, write):
    terminal = Terminal(columns=40)
    write(u"\u8c93" * 30, b"a" * 1500)

    terminal.watch(shell.start("put", u"\u8c93" * 30, stderr=terminal.slave))

    line = terminal.shown.split(b"\r")[0].decode("utf-8")
    assert line == u"[" + u"#" * 24 + u"] 100%   1.5 kB  "[:39 - 25]


def test_without_a_terminal_there_is_no_bar(shell, write):
    write("cat.jpg")

    assert shell("put", "cat.jpg").err == ""


def test_a_terminal_that_is_gone_ends_nothing(shell, user, terminal):
    content = os.urandom(20000000)
    shell.files(user).upload(io.BytesIO(content), filename="a.bin")
    process = shell.start("get", "a.bin", "--as", "-", stderr=terminal.slave)

    out = process.stdout.read(10000000)  # by then the first shard is told, and the last waits for who reads it
    terminal.read_until(b"a.bin")
    terminal.leave()

    assert out + process.stdout.read() == content
    assert process.wait() == 0


def test_lines_on_the_same_terminal_are_whole(shell, write, terminal):
    write("cat.jpg")

    terminal.watch(shell.start("put", "cat.jpg", stdout=terminal.slave, stderr=terminal.slave))

    assert b"\rcat.jpg\r\n" in terminal.shown


def test_a_password_is_asked_for_and_not_shown(stranger, bridge, user, address, terminal):
    process = stranger.start("login", address, "--bridge", bridge.url, stdin=terminal.slave, stdout=terminal.slave,
                             stderr=terminal.slave)
    terminal.read_until(b"Password: ")
    terminal.type(PASSWORD + b"\n")

    assert terminal.watch(process) == 0
    assert "{0} at {1}".format(address, bridge.url).encode("ascii") in terminal.shown
    assert PASSWORD not in terminal.shown


def test_a_new_password_is_asked_for_twice(stranger, bridge, address, terminal):
    process = stranger.start("login", "--register", address, "--bridge", bridge.url, stdin=terminal.slave,
                             stdout=terminal.slave, stderr=terminal.slave)
    terminal.read_until(b"Password: ")
    terminal.type(b"one\n")
    terminal.read_until(b"Once more: ")
    terminal.type(b"two\n")

    assert terminal.watch(process) == 1
    assert b"the two passwords are not the same" in terminal.shown


def test_what_the_terminal_cannot_show_is_escaped(shell, user, terminal):
    shell.files(user).upload(io.BytesIO(b"a"), filename=u"caf\xe9 \u8c93.txt")
    shell.environment["PYTHONIOENCODING"] = "latin-1"

    terminal.watch(shell.start("ls", stdout=terminal.slave))

    assert terminal.shown == b"caf\xe9 \\u8c93.txt\r\n"


def test_names_are_utf_8_in_a_pipe_whatever_the_locale_is(shell, user, write):
    shell.environment["LC_ALL"] = "C"
    name = u"caf\xe9 \u8c93.txt"
    path = write(name, b"a")

    assert shell("put", name).out == name + "\n"
    assert shell("ls").out == name + "\n"
    os.remove(path)
    assert shell("get", name).out == name + "\n"
    assert os.path.exists(path)


def test_what_would_control_a_terminal_is_escaped(behind_wire, wire):
    names = [u"a\x1b[2Jb", u"c\nd", u"\u202etxt.exe", u"\x9b2J"]
    listing = [{"filename": name, "hash": "0" * 40, "size": 1, "created": "2016"} for name in sorted(names)]
    wire.faults.append(Fault("answer", "GET", "/buckets/*/files", nth=0, status=200,
                             body=json.dumps(listing).encode("ascii"), headers={"x-metadisk": "direct"}))

    said = behind_wire("ls")

    assert sorted(said.out.splitlines()) == sorted(["a\\x1b[2Jb", "c\\nd", "\\u202etxt.exe", "\\x9b2J"])


def test_what_a_bridge_says_cannot_control_a_terminal(behind_wire, wire):
    wire.faults.append(Fault("answer", "GET", nth=0, status=400, body=b'{"error": "\\u001b[2Jno"}'))

    assert behind_wire("ls", code=1).err == "\\x1b[2Jno\n"


@pytest.mark.parametrize("command", [["ls"], ["get", "long.bin", "--as", "-"], ["get", "/"]])
def test_who_stops_reading_ends_it_without_a_word(shell, user, command):
    shell.files(user).upload(io.BytesIO(b"a" * 3000000), filename="long.bin")
    process = shell.start(*command)
    process.stdout.close()

    process.stdout = None
    said = finished(process)

    assert (said.code, said.err) == (1, "")


@pytest.mark.parametrize("command", [["ls"], ["get", "a.txt", "--as", "-"]])
def test_output_that_does_not_go_is_a_failure(shell, user, command):
    shell.files(user).upload(io.BytesIO(b"a"), filename="a.txt")

    with open("/dev/full", "wb") as full:
        said = finished(shell.start(*command, stdout=full))

    assert said.code == 1
    assert "No space left on device" in said.err
    assert len(said.err.splitlines()) == 1


def test_nothing_breaks_where_there_is_no_output_at_all(shell, user):
    shell.files(user).upload(io.BytesIO(b"a"), filename="a.txt")
    command = [sys.executable, "-m", "pymdc", "rm", "a.txt"]

    code = subprocess.call(["sh", "-c", '"$@" <&- >&- 2>&-', "sh"] + command, cwd=str(shell.folder),
                           env=shell.environment)

    assert code == 0
    assert shell.names(user) == []


def test_the_wait_for_a_bridge_is_told(behind_wire, wire):
    answer = Fault("answer", "GET", "/buckets/*/files", status=503, headers={"Retry-After": "3"})
    wire.faults.append(answer)

    assert "3" in behind_wire("ls").err


@pytest.mark.parametrize("size, text", [
    (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999949, "999.9 kB"), (999950, "1.0 MB"), (12345678, "12.3 MB"),
    (10 ** 12, "1.0 TB"), (10 ** 16, "10000.0 TB"),
])
def test_sizes_are_readable(size, text):
    assert size_text(size) == text


def test_the_bar_tells_of_all_files_together():
    lines = []

    class Stream(object):
        def flush(self):
            pass

    bar = Bar(400, Stream(), lambda stream, text, end: lines.append(text))
    with bar.file("a", 100) as progress:
        progress(100, 100)
    bar._last = None
    with bar.file("b", 300) as progress:
        progress(100, 300)

    assert [line[26:31].strip() for line in lines if line.strip()] == ["25%", "50%"]


def test_all_commands_explain_themselves(stranger):
    for command in ([], ["login"], ["ls"], ["put"], ["get"], ["rm"], ["share"], ["invite"]):
        assert stranger(*(command + ["--help"])).out.startswith("usage: python -m pymdc")


def test_a_command_is_needed_and_has_to_be_known(stranger):
    stranger(code=2)
    stranger("sell", code=2)
