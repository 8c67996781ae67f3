"""File objects that take less than all, or nothing for now."""

from __future__ import absolute_import, division, print_function

import errno
import fcntl
import io
import os
import select
import threading

import pytest

from pymdc._transfer import fileobject
from pymdc._transfer.fileobject import flush, unbuffered, write_all

DATA = os.urandom(1000000)


class Delegate(object):
    """A wrapper that passes on what it is asked for, as those of tempfile do."""

    def __init__(self, file):
        self._file = file

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.fixture
def pipe():
    """The descriptor of a pipe that never waits, and a function that returns all that has arrived in it."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETFL, fcntl.fcntl(writing, fcntl.F_GETFL) | os.O_NONBLOCK)
    arrived = []

    def read():
        with io.open(reading, "rb", buffering=0) as source:
            for block in iter(lambda: source.read(5000), b""):
                arrived.append(block)

    reader = threading.Thread(target=read)

    def start_once():
        if not reader.ident:
            reader.start()

    def content():
        reader.join()
        return b"".join(arrived)

    os.write(writing, b"?" * 65536)  # it is full when the test begins
    yield writing, start_once, content


@pytest.mark.parametrize("make", [
    lambda descriptor: io.open(descriptor, "wb", buffering=0),
    lambda descriptor: io.open(descriptor, "wb"),
    lambda descriptor: os.fdopen(descriptor, "wb"),
    lambda descriptor: Delegate(io.open(descriptor, "wb", buffering=0)),
])
def test_a_pipe_that_takes_nothing_for_now_gets_all_bytes(pipe, make, monkeypatch):
    descriptor, start_reading, content = pipe
    file = make(descriptor)
    monkeypatch.setattr(fileobject.select, "poll", lambda poll=select.poll: start_reading() or poll())

    write_all(unbuffered(file), DATA)
    flush(file)

    file.close()
    assert content() == b"?" * 65536 + DATA


class Sink(object):
    def __init__(self, answers):
        self._answers = iter(answers)
        self.taken = b""

    def write(self, data):
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        self.taken += data[:answer]
        return answer


class Taken(IOError):
    characters_written = 3


@pytest.mark.parametrize("answers", [
    [None],  # as most wrappers, which do not say so
    [10],
    [4, 0, 6],
    [IOError(errno.EAGAIN, "not now"), 10],
    [4, IOError(errno.EWOULDBLOCK, "not now"), 6],
])
def test_what_was_not_taken_is_offered_again(answers):
    sink = Sink(answers)

    write_all(sink, b"0123456789")

    assert sink.taken == b"0123456789"


def test_what_was_taken_before_there_was_no_room_is_not_offered_again():
    sink = Sink([Taken(errno.EAGAIN, "not all"), 7])

    write_all(sink, b"0123456789")

    assert sink.taken == b"3456789"


@pytest.mark.parametrize("answer", [-1, 11, "10", 2.5, True])
def test_a_count_that_cannot_be_is_an_error(answer):
    class Liar(object):
        def write(self, data):
            return answer

    with pytest.raises(IOError, match="says that it has written"):
        write_all(Liar(), b"0123456789")


@pytest.mark.parametrize("nothing", [0, IOError(errno.EAGAIN, "not now")])
def test_a_file_object_that_never_takes_anything_is_an_error(monkeypatch, nothing):
    monkeypatch.setattr(fileobject, "_PATIENCE", 0)

    with pytest.raises(IOError, match="nothing could be written"):
        write_all(Sink([nothing] * 100), b"0123456789")


def test_another_error_of_a_write_is_that_error():
    with pytest.raises(IOError) as failed:
        write_all(Sink([IOError(errno.ENOSPC, "full")]), b"0123456789")

    assert failed.value.errno == errno.ENOSPC
