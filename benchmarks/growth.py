"""How time and memory grow with the size of a file, with the files in a bucket, and with the clients."""

import dataclasses
import os
import sys
import time
from collections.abc import Callable

from .cases import GIB, MIB, PLAIN, Case
from .measure import Bench

_SIZES = [1024 * 4**power for power in range(0, 12, 2)] + [4 * GIB]
_FILES = [10**power for power in range(1, 6)]
_CLIENTS = [2**power for power in range(7)]
_CALLS = 50
_LISTINGS = 3
_FILL = 2000  # files at a time, between two looks at the clock
_FILLERS = 8

_FILE = Case("size", "a file up, and down again", (PLAIN,), ("upload", "download"), None, in_bytes=True)
_LISTING = Case("listing", "all files of a bucket", (PLAIN,), ("list",), None)
_SMALL = Case("small", "4 KiB up, and down again", (PLAIN,), ("put", "get"), None)
_UPLOADS = Case("clients", "4 KiB up by many at once", (PLAIN,), ("put",), None)


@dataclasses.dataclass
class Chart:
    """
    Some lines over one axis.

    :ivar label: how a number of the axis is written.
    :ivar lines: the name of each to its points.
    """

    title: str
    unit: str
    label: Callable[[float], str]
    lines: dict[str, list[tuple[float, float]]]


def charts(folder, seconds):
    """
    Measure for some *seconds*, each of the three growths for a third and what those before have left, and return two
    charts for each.
    """
    found, began = [], time.monotonic()
    for number, growth in enumerate((_by_size, _by_files, _by_clients), 1):
        own = os.path.join(folder, growth.__name__)
        os.mkdir(own)
        found += growth(Bench(own), began + seconds * number / 3)
    return [chart for chart in found if all(chart.lines.values())]


def text(found):
    """Return the charts as lists."""
    return "\n\n".join(_text(chart) for chart in found)


def _text(chart):
    lines = (f"- {name}: {_points(chart, line)}" for name, line in chart.lines.items())
    return f"{chart.title}, {chart.unit}:\n\n" + "\n".join(lines)


def _points(chart, line):
    return "; ".join(f"{chart.label(x)} {y:.3g}" for x, y in line)


def _by_size(bench, deadline):
    points = [(size, bench.samples(_FILE, PLAIN, size)) for size in _until(deadline, _SIZES, _bytes)]
    times = {step: _line(points, step, "seconds", 1) for step in _FILE.steps}
    return [Chart("time by size", "s", _bytes, times), Chart("memory by size", "MiB", _bytes, _peaks(points))]


def _by_files(bench, deadline):
    points, stored = [], 0
    for files in _until(deadline, _FILES, str):
        stored += _fill(bench, deadline, files - stored)
        if stored < files:
            break
        points.append((files, bench.samples(_LISTING, PLAIN, _LISTINGS) + bench.samples(_SMALL, PLAIN, _CALLS)))
        stored += _CALLS + 1  # the first is to get warm
    times = {step: _line(points, step, "pace", 1000) for step in (*_LISTING.steps, *_SMALL.steps)}
    return [Chart("time by files in the bucket", "ms", _count, times),
            Chart("memory by files in the bucket", "MiB", _count, _peaks(points))]


def _by_clients(bench, deadline):
    points = []
    for clients in _until(deadline, _CLIENTS, str):
        case = dataclasses.replace(_UPLOADS, clients=clients)
        points.append((clients, bench.samples(case, PLAIN, max(_CALLS // 4, 4 * _CALLS // clients))))
    times = {"put": _line(points, "put", "pace", 1000)}
    return [Chart("time of each of many uploads by clients", "ms", _count, times),
            Chart("memory by clients", "MiB", _count, _peaks(points))]


def _until(deadline, values, label):
    for value in values:
        if time.monotonic() > deadline:
            print(f"no time for {label(value)}", file=sys.stderr)
            return
        yield value


def _fill(bench, deadline, files):
    """Store some more files, and return how many there was time for."""
    done = 0
    while done < files and time.monotonic() < deadline:
        some = min(_FILL, files - done)
        clients = _FILLERS if some > 10 * _FILLERS else 1
        work = max(1, some // clients - 1)  # each client stores one more, to get warm
        bench.samples(dataclasses.replace(_UPLOADS, clients=clients), PLAIN, work)
        done += clients * (work + 1)
    return done


def _line(points, step, quantity, factor):
    return [
        (x, factor * getattr(sample, quantity)) for x, samples in points for sample in samples if sample.step == step
    ]


def _peaks(points):
    return {
        name: [(x, max(getattr(sample, quantity) for sample in samples) / MIB) for x, samples in points]
        for name, quantity in (("client", "client_peak"), ("bridge", "server_peak"))
    }


def _bytes(number):
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:g} {unit}"
        number /= 1024
    return f"{number:g} GiB"


def _count(number):
    return f"{number:g}" if number < 10**4 else f"{number / 1000:g} 000"
