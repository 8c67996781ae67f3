"""What is measured, and what of it is held against whom."""

import dataclasses
from collections.abc import Callable

GIB = 2**30
MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much is done: bytes of a large file, calls with small ones, and how often all of it."""

    rounds: int = 5
    size: int = GIB
    calls: int = 500


QUICK = Scale(rounds=2, size=128 * MIB, calls=100)


@dataclasses.dataclass(frozen=True)
class Side:
    """Who does it, and with which server."""

    client: str
    server: str

    def __str__(self):
        return f"{self.client} to {self.server}"


@dataclasses.dataclass(frozen=True)
class Case:
    """
    Some steps that follow each other, done by each side.

    :ivar steps: tasks of a client, in order.
    :ivar work: how much one client does in each step, in bytes or calls.
    :ivar clients: how many do it at once.
    """

    name: str
    what: str
    sides: tuple[Side, ...]
    steps: tuple[str, ...]
    work: Callable[[Scale], int]
    in_bytes: bool = False
    clients: int = 1


PLAIN, FAST = Side("pymdc", "bridge"), Side("pymdc[fast]", "bridge")
BOTO3, MINIO = Side("boto3", "seaweedfs"), Side("minio", "seaweedfs")
CURL = Side("curl", "nginx")
BARE, PLAIN_BARE, FAST_BARE = Side("requests", "route"), Side("pymdc", "route"), Side("pymdc[fast]", "route")

CASES = (
    Case("large", "a large file up, and down again", (PLAIN, CURL, BOTO3, MINIO), ("upload", "download"),
         lambda scale: scale.size, in_bytes=True),
    Case("small", "4 KiB up, and down again to memory", (PLAIN, FAST, BOTO3, MINIO), ("put", "get"),
         lambda scale: scale.calls),
    Case("call", "a signed GET, and one that is not", (BARE, PLAIN_BARE, FAST_BARE, PLAIN), ("call",),
         lambda scale: 2 * scale.calls),
    Case("crowd", "4 KiB up by 16 clients at once", (PLAIN, BOTO3), ("put",),
         lambda scale: max(1, scale.calls // 8), clients=16),
    Case("memory", "8 large uploads at once", (PLAIN,), ("upload",),
         lambda scale: scale.size // 8, in_bytes=True, clients=8),
    Case("import", "the import of the library", (PLAIN_BARE, BARE), ("load",),
         lambda scale: max(1, scale.calls // 50)),
)


@dataclasses.dataclass(frozen=True)
class Figure:
    """One quantity of one step, as :class:`~.measure.Sample` has it."""

    case: str
    side: Side
    step: str
    quantity: str


@dataclasses.dataclass(frozen=True)
class Target:
    """
    A row of the table: one figure of pymdc's, over one of a peer's.

    :ivar theirs: None for memory, which stands for itself, in MiB.
    :ivar must: what has to be reached; *aim*: what is hoped for.
    :ivar less: whether less is better.
    """

    what: str
    ours: Figure
    theirs: Figure | None
    must: float
    aim: float
    less: bool = False


def _target(what, case, step, quantity, ours, theirs, must, aim, less=False):
    return Target(what, Figure(case, ours, step, quantity), Figure(case, theirs, step, quantity), must, aim, less)


def _bridge_cpu(what, case, step, must, aim):
    bare = Figure("call", BARE, "call", "server_cpu")
    return Target(what, Figure(case, PLAIN, step, "server_cpu"), bare, must, aim, less=True)


def _peak(what, case, step, quantity, must, aim):
    return Target(what, Figure(case, PLAIN, step, quantity), None, must, aim, less=True)


TARGETS = (
    _target("large upload / curl to nginx, synced", "large", "upload", "speed", PLAIN, CURL, 0.36, 0.5),
    _target("large upload / boto3 to SeaweedFS, not synced", "large", "upload", "speed", PLAIN, BOTO3, 2.1, 3),
    _target("large download / curl from nginx, synced", "large", "download", "speed", PLAIN, CURL, 0.75, 1),
    _target("large download / boto3 from SeaweedFS, neither verified nor synced", "large", "download", "speed",
            PLAIN, BOTO3, 1, 1.4),
    _target("4 KiB uploads a second / boto3", "small", "put", "speed", PLAIN, BOTO3, 0.8, 1.1),
    _target("… with coincurve", "small", "put", "speed", FAST, BOTO3, 1, 1.4),
    _target("4 KiB downloads a second / boto3", "small", "get", "speed", PLAIN, BOTO3, 0.75, 0.9),
    _target("… with coincurve", "small", "get", "speed", FAST, BOTO3, 1, 1.2),
    _target("CPU of the client, 4 KiB upload / boto3", "small", "put", "client_cpu", PLAIN, BOTO3, 1.1, 0.8, less=True),
    _target("… with coincurve", "small", "put", "client_cpu", FAST, BOTO3, 0.7, 0.4, less=True),
    _target("CPU of the client, 4 KiB download / boto3", "small", "get", "client_cpu", PLAIN, BOTO3, 1.1, 0.8,
            less=True),
    _target("… with coincurve", "small", "get", "client_cpu", FAST, BOTO3, 0.7, 0.4, less=True),
    _target("time of a signed GET / a bare requests.Session", "call", "call", "pace", PLAIN_BARE, BARE, 1.6, 1.4,
            less=True),
    _target("… with coincurve", "call", "call", "pace", FAST_BARE, BARE, 1, 0.7, less=True),
    _bridge_cpu("CPU of the bridge, signed GET / a bare Starlette route", "call", "call", 15, 10),
    _bridge_cpu("CPU of the bridge, 4 KiB upload / a bare Starlette route", "small", "put", 20, 14),
    _target("4 KiB uploads a second, 16 clients / boto3, 16 clients", "crowd", "put", "speed", PLAIN, BOTO3, 0.7, 1),
    _peak("peak memory of the client, large upload, MiB", "large", "upload", "client_peak", 40, 36),
    _peak("peak memory of the client, large download, MiB", "large", "download", "client_peak", 40, 36),
    _peak("peak memory of the bridge, 8 uploads at once, MiB", "memory", "upload", "server_peak", 96, 64),
    _target("import pymdc / import requests", "import", "load", "pace", PLAIN_BARE, BARE, 1.15, 0.7, less=True),
)
