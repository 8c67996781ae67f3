"""Several shards of a file on the way at once, where that is worth it."""

from __future__ import absolute_import, division, print_function

import threading

import pytest

from pymdc._transfer import crew, target
from pymdc._transfer.target import PartFile

COUNT, SIZE = 12, 5
PLACES = [(SIZE * index, SIZE * (index + 1)) for index in range(COUNT)]


class Shards(object):
    """
    Stands in for pointers.

    :param int together: how many have to be on the way before one of them comes in whole.
    :ivar threads: that have fetched some.
    """

    def __init__(self, together=1):
        self.threads = set()
        self.most = 0
        self._under_way = 0
        self._together = together
        self._all_there = threading.Event()
        self._lock = threading.Lock()

    def fetch(self, index, begin, write, verified):
        assert not verified  # the whole is hashed, and only what makes it wrong is looked for
        begin()
        write(b"%d" % (index % 10))
        self._come()
        assert self._all_there.wait(30), "only {0} were on the way".format(self.most)
        for _ in range(SIZE - 1):
            write(b".")
        with self._lock:
            self._under_way -= 1

    def _come(self):
        with self._lock:
            self.threads.add(threading.current_thread())
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            if self.most >= self._together:
                self._all_there.set()


class Stalled(object):
    """Stands in for pointers whose only shard goes on when it is told to, in one way or another."""

    def __init__(self, go_on):
        self.begun, self.told, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.failure = None
        self._go_on = go_on

    def fetch(self, index, begin, write, verified):
        begin()
        write(b"first")
        self.begun.set()
        assert self.told.wait(30)
        try:
            self._go_on(begin, write)
        except Exception as error:
            self.failure = error
            raise
        finally:
            self.ended.set()


@pytest.fixture
def seconds(monkeypatch):
    """Say how long each answer takes."""
    class Clock(object):
        now, step = 0, 0

        def __call__(self):
            self.now += self.step
            return self.now

    clock = Clock()
    monkeypatch.setattr(crew, "monotonic", clock)
    return lambda step: setattr(clock, "step", step)


def fetched(tmpdir, shards, count):
    """Fetch them all, and return the content."""
    with PartFile(str(tmpdir.join("copy")), "0" * 40) as part:
        team = crew.Crew(shards, part, PLACES, 0, 0)
        try:
            team.start(count)
            for index in range(COUNT):
                team.wait(index)
        finally:
            team.stop()
        part.file.seek(0)
        return part.file.read()


WHOLE = b"".join(b"%d...." % (index % 10) for index in range(COUNT))


def test_one_shard_after_the_other_is_fetched_where_answers_come_at_once(tmpdir, seconds):
    seconds(0.0005)
    shards = Shards()

    assert fetched(tmpdir, shards, 4) == WHOLE
    assert (len(shards.threads), shards.most) == (1, 1)


@pytest.mark.parametrize("count, together", [(1, 1), (2, 2), (4, 4), (100, COUNT)])
def test_as_many_as_may_be_are_on_the_way_where_answers_take_long(tmpdir, seconds, count, together):
    seconds(0.1)
    shards = Shards(together)

    assert fetched(tmpdir, shards, count) == WHOLE
    assert (len(shards.threads), shards.most) == (together, together)


@pytest.mark.parametrize("go_on", [lambda begin, write: write(b"second"), lambda begin, write: begin()])
def test_nothing_is_written_or_begun_again_once_it_is_stopped(tmpdir, go_on):
    shards = Stalled(go_on)
    with PartFile(str(tmpdir.join("copy")), "0" * 40) as part:
        team = crew.Crew(shards, part, [(0, 11)], 0, 0)
        team.start(4)
        assert shards.begun.wait(30)

        team.stop()
        shards.told.set()

        assert shards.ended.wait(30)
        assert shards.failure is not None
        part.file.seek(0)
        assert part.file.read() == b"first"


def test_what_is_being_written_when_it_is_stopped_is_waited_for(tmpdir, monkeypatch):
    writing, go_on, stopped = threading.Event(), threading.Event(), threading.Event()
    really_write = target.write_all

    def write_late(file, data):
        writing.set()
        assert go_on.wait(30)
        assert not stopped.is_set()
        really_write(file, data)

    monkeypatch.setattr(target, "write_all", write_late)
    with PartFile(str(tmpdir.join("copy")), "0" * 40) as part:
        team = crew.Crew(Shards(), part, [(0, SIZE)], 0, 0)
        team.start(1)
        assert writing.wait(30)
        stopping = threading.Thread(target=lambda: (team.stop(), stopped.set()))
        stopping.start()
        stopping.join(0.1)
        assert not stopped.is_set()
        go_on.set()
        stopping.join(30)

        assert stopped.is_set()
        part.file.seek(0)
        assert part.file.read() == b"0"


def test_a_failure_ends_it(tmpdir):
    class Broken(Exception):
        pass

    class Breaking(Shards):
        def fetch(self, index, begin, write, verified):
            if index == 3:
                raise Broken()
            super(Breaking, self).fetch(index, begin, write, verified)

    with pytest.raises(Broken):
        fetched(tmpdir, Breaking(), 4)
