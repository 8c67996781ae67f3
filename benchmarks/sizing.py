"""What more processes, PostgreSQL and a bucket are worth: one bridge in several settings, on this one machine."""

import dataclasses
import functools
import itertools
import os
import random
import statistics
import sys

from . import report
from .cases import FAST, GIB, Case, Side
from .measure import Bench
from .peers import BridgeOfMany, PostgreSQL, SeaweedFS, missing

_CLIENTS = 8
_KEYS = {
    "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true",
}
_HEAD = ("step", "database", "shards", "processes", "median", "lowest – highest", "CPU of the bridge",
         "… the database", "… the store")

SMALL = Case("small", "4 KiB up, and down again, and a signed GET", (FAST,), ("put", "get", "call"),
             lambda scale: scale.calls, clients=_CLIENTS)
LARGE = Case("large", "large files up, and down again", (FAST,), ("upload", "download"),
             lambda scale: scale.size // 16, in_bytes=True, clients=3)


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a bridge is served."""

    database: str
    store: str
    processes: int

    def __str__(self):
        return f"{self.database}, {self.store}, {self.processes} process{'es' if self.processes > 1 else ''}"

    @property
    def cases(self):
        """What is measured: small content is in the database, whatever the store is."""
        return (SMALL, LARGE) if self.store == "folder" else (LARGE,)


SETTINGS = [Setting(*each) for each in itertools.product(("SQLite", "PostgreSQL"), ("folder", "S3"), (1, 3))]


def lacking() -> list[str]:
    """Return what is missing, in words."""
    return missing(("coincurve", *PostgreSQL.needs, *SeaweedFS.needs))


def samples(folder, scale) -> dict:
    """Measure each setting as often as the scale says, in random order; return the samples by setting and step."""
    servers, found = _Servers(folder), {}
    bench = Bench(folder, {str(each): functools.partial(servers.start, each) for each in SETTINGS})
    for number in range(scale.rounds):
        for setting in random.sample(SETTINGS, len(SETTINGS)):
            for case in setting.cases:
                for sample in bench.samples(case, Side(FAST.client, str(setting)), case.work(scale)):
                    found.setdefault((sample.step, setting), []).append(sample)
            bench.end(str(setting))
            print(f"round {number + 1}: {setting}", file=sys.stderr)
    order = [(step, setting) for case in (SMALL, LARGE) for step in case.steps for setting in SETTINGS]
    return {key: found[key] for key in order if key in found}


class _Servers:
    """The database and the store, which the bridges share, each with a place of its own there."""

    def __init__(self, folder):
        self._database = PostgreSQL(os.path.join(folder, "postgresql"))
        self._store = SeaweedFS(os.path.join(folder, "store"))
        self._count = itertools.count()

    def start(self, setting, folder):
        """Start a bridge that nobody has used."""
        name = f"bridge{next(self._count)}"
        options = ["--workers", str(setting.processes)]
        if setting.database == "PostgreSQL":
            options += ["--database-url", self._database.new_database(name)]
        if setting.store == "S3":
            options += ["--store-url", f"s3://benchmark/{name}"]
        bridge = BridgeOfMany(f"{folder} {name}", options, {**_KEYS, "AWS_ENDPOINT_URL": self._store.facts["url"]})
        bridge.behind = {"database": self._database, "store": self._store}
        return bridge


def text(found) -> str:
    """Return a table of Markdown."""
    return report.table(_HEAD, [_cells(*key, group) for key, group in found.items()])


def _cells(step, setting, group):
    in_bytes = group[0].in_bytes
    unit, cpu_unit, cpu_factor = ("MB/s", "s/GiB", GIB) if in_bytes else ("a second", "ms", 1000)
    speeds = [sample.speed / (10**6 if in_bytes else 1) for sample in group]
    cpus = [[sample.server_cpu for sample in group]]
    cpus += [[sample.behind_cpu[name] for sample in group] for name in ("database", "store")]
    told = [f"{report.short(cpu_factor * statistics.median(each))} {cpu_unit}" for each in cpus]
    return (step, setting.database, setting.store, str(setting.processes),
            f"{report.short(statistics.median(speeds))} {unit}", report.spread(speeds), *told)
