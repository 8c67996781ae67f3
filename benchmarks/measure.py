"""Measuring: one side does the steps of a case, and what that took of client, server and machine is told."""

import contextlib
import dataclasses
import json
import mmap
import os
import subprocess
import sys
import time

from . import processes
from .cases import Side
from .clients import CLIENTS, SMALL
from .peers import PEERS, ROOT, missing

_PATIENCE = 900  # seconds for one step of one client
_BLOCK = 2**20


class Failed(Exception):
    """A client has not done what it was told."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """
    One step of one side.

    :ivar work: bytes or calls, of all its clients.
    :ivar client_cpu: CPU seconds for a byte or call; *server_cpu*: likewise.
    :ivar client_peak: peak of one client's memory, in bytes, or None when it cannot be told; *server_peak*: likewise.
    :ivar others: how many cores were busy with anything else meanwhile.
    :ivar behind_cpu: CPU seconds for a byte or call of the servers behind the server, by their names.
    """

    case: str
    side: Side
    step: str
    in_bytes: bool
    work: int
    seconds: float
    client_cpu: float
    server_cpu: float
    client_peak: int | None
    server_peak: int
    others: float
    behind_cpu: dict[str, float]

    @property
    def speed(self):
        """Bytes or calls a second."""
        return self.work / self.seconds

    @property
    def pace(self):
        """Seconds for a byte or call."""
        return self.seconds / self.work


class Bench:
    """
    Where it is measured: the peers, each started when it is first needed, and the files that go up and down.

    :param kinds: what starts each peer, by its name.

    Whoever makes one ends its processes with :func:`.processes.all_ended`, and removes *folder*.
    """

    def __init__(self, folder, kinds=PEERS):
        self._folder, self._kinds = folder, kinds
        self._peers = {}

    def peer(self, name):
        """Return a server that runs."""
        if name not in self._peers:
            self._peers[name] = self._kinds[name](os.path.join(self._folder, name))
        return self._peers[name]

    def end(self, name):
        """End a server; when it is needed again, it is a new one."""
        self._peers.pop(name).close()

    def samples(self, case, side, work):
        """Let one side do a case, each of its clients so much *work*, and return a sample for each step."""
        peer = self.peer(side.server)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(_Client(side.client, peer.newcomer())) for _ in range(case.clients)]
            self._do_all(case, clients, SMALL if case.in_bytes else 1)  # what is imported, opened or made but once
            return self._do_all(case, clients, work, lambda step: _Watch(case, side, step, peer, work))

    def _do_all(self, case, clients, work, watch=None):
        found = []
        for step in case.steps:
            orders = [self._order(step, work, number) for number in range(len(clients))]
            os.sync()  # or what others have left unwritten is written at this step's cost
            if case.in_bytes:
                _touch(2 * work * case.clients)
            watching = watch and watch(step)
            answers = _answers(clients, orders)
            if watching:
                found.append(watching.sample(clients, answers))
        if case.in_bytes:
            _answers(clients, [{"task": "remove"}] * len(clients))
            self._remove_copies()
        return found

    def _order(self, step, work, number):
        if step == "upload":
            return {"task": step, "path": self._source(work, number)}
        if step == "download":
            return {"task": step, "path": os.path.join(self._folder, f"copy-{number}")}
        return {"task": step, "calls": work}

    def _source(self, size, number):
        path = os.path.join(self._folder, f"source-{size}-{number}")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                for start in range(0, size, _BLOCK):
                    file.write(os.urandom(min(_BLOCK, size - start)))
        return path

    def _remove_copies(self):
        for name in os.listdir(self._folder):
            if name.startswith("copy-"):
                os.remove(os.path.join(self._folder, name))


def needed(side):
    """Return what is missing for a side, in words."""
    return missing(CLIENTS[side.client].needs + PEERS[side.server].needs)


class _Client:
    """A client in a process of its own."""

    def __init__(self, name, facts):
        self.name = name
        self._process = processes.start(
            [sys.executable, "-m", "benchmarks.clients", name], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self._say(facts)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        processes.end(self._process)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def begin(self, order):
        """Let it do a task."""
        self._say(order)

    def answer(self):
        """Wait for the task's end, and return what it took."""
        line = processes.line(self._process, _PATIENCE)
        if not line:
            last = self._process.stderr.read().strip().splitlines()[-1:]
            raise Failed("".join(last) or f"{self.name} has ended")
        return json.loads(line)

    def peak(self):
        """Return the peak of its memory in bytes; None where that is another process's."""
        return processes.peak([self._process.pid]) if CLIENTS[self.name].in_process else None

    def _say(self, message):
        with contextlib.suppress(BrokenPipeError):  # it has ended: waiting for its answer tells why
            print(json.dumps(message), file=self._process.stdin, flush=True)


class _Watch:
    """What a step takes from here on."""

    def __init__(self, case, side, step, peer, work):
        self._about = {"case": case.name, "side": side, "step": step, "in_bytes": case.in_bytes}
        self._work = work * case.clients
        self._server = peer.processes()
        processes.forget_peak(self._server)
        self._behind = peer.behind
        self._began = time.monotonic(), processes.cpu_of_all(), processes.cpu(self._server), self._of_behind()

    def sample(self, clients, answers):
        """Return what it has taken, with what the clients say of themselves."""
        began, of_all, of_server, of_behind = self._began
        server = processes.cpu(self._server) - of_server
        behind = {name: seconds - of_behind[name] for name, seconds in self._of_behind().items()}
        client = sum(answer["cpu"] for answer in answers)
        others = processes.cpu_of_all() - of_all - server - client - sum(behind.values())
        peaks = [client.peak() for client in clients]
        return Sample(
            **self._about, work=self._work,
            seconds=max(answer["ended"] for answer in answers) - min(answer["started"] for answer in answers),
            client_cpu=client / self._work, server_cpu=server / self._work,
            client_peak=None if None in peaks else max(peaks), server_peak=processes.peak(self._server),
            others=max(0, others / (time.monotonic() - began)),
            behind_cpu={name: seconds / self._work for name, seconds in behind.items()},
        )

    def _of_behind(self):
        return {name: processes.cpu_with_ended(each.processes()) for name, each in self._behind.items()}


def _answers(clients, orders):
    for client, order in zip(clients, orders):
        client.begin(order)
    return [client.answer() for client in clients]


def _touch(size):
    """
    Touch so much free memory, from which the system will take pages for files.  A virtual machine gives its host back
    what is free for a while, and to get a GiB of it again has cost from nothing to 3 s of CPU, where it fell.
    """
    with mmap.mmap(-1, size) as memory:
        for start in range(0, size, _BLOCK):
            memory[start:start + _BLOCK] = bytes(min(_BLOCK, size - start))
