"""``python -m benchmarks``: every case, by pymdc and by its peers, in one run."""

import argparse
import dataclasses
import itertools
import os
import random
import signal
import sys
import tempfile
import time

from . import growth, picture, processes, report, sizing
from .cases import CASES, MIB, QUICK, Scale
from .measure import Bench, Failed, needed


def main():
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=options.folder) as folder, processes.all_ended():
        run = _grow if options.growth else _size if options.sizing else _compare
        return run(options, folder)


def _options():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="in less than 3 minutes: 2 rounds, smaller, less certain")
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES], metavar="CASE",
                        help="; ".join(f"{case.name}: {case.what}" for case in CASES))
    parser.add_argument("--rounds", type=_positive, help="how often, by default 5")
    parser.add_argument("--megabytes", type=_positive, help="size of a large file in MiB, by default 1024")
    parser.add_argument("--calls", type=_positive, help="how many small transfers, by default 500")
    parser.add_argument("--growth", nargs="?", const=900, type=_positive, metavar="SECONDS",
                        help="in place of all that: time and memory as files and clients grow, for 900 seconds or so")
    parser.add_argument("--sizing", action="store_true",
                        help="in place of all that: one process and three, SQLite and PostgreSQL, a folder and S3")
    parser.add_argument("--folder", help="where the files go while it runs: a disk, not memory")
    parser.add_argument("--picture", metavar="FILE.svg", help="draw it")
    return parser.parse_args()


def _positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _interrupted(number, frame):
    """End in order, and let nothing interrupt that."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _grow(options, folder):
    charts = growth.charts(folder, options.growth)
    print(growth.text(charts))
    if options.picture:
        picture.draw_growth(charts, options.picture)


def _size(options, folder):
    if lacking := sizing.lacking():
        sys.exit("Missing: " + ", ".join(lacking))
    load, scale = os.getloadavg()[0], _scale(options)
    found = sizing.samples(folder, scale)
    print("\n\n".join([report.head(scale), report.about_load(itertools.chain(*found.values()), load),
                       sizing.text(found)]))
    if options.picture:
        picture.draw_sizing(found, options.picture)


def _compare(options, folder):
    load = os.getloadavg()[0]
    scale = _scale(options)
    cases = [case for case in CASES if not options.only or case.name in options.only]
    lacking = {(case.name, side): ", ".join(needed(side)) for case in cases for side in case.sides}
    results = report.Results({where: what for where, what in lacking.items() if what})
    _measure(Bench(folder), cases, scale, results)
    print(report.text(results, scale, load))
    if options.picture:
        picture.draw_targets(report.rows(results), options.picture)
    return 1 if results.failures else 0


def _scale(options):
    given = {"rounds": options.rounds, "calls": options.calls,
             "size": options.megabytes and options.megabytes * MIB}
    chosen = {name: value for name, value in given.items() if value}
    return dataclasses.replace(QUICK if options.quick else Scale(), **chosen)


def _measure(bench, cases, scale, results):
    for number in range(scale.rounds):
        for case, side in _in_random_order(cases, results.missing):
            began = time.monotonic()
            try:
                results.samples += bench.samples(case, side, case.work(scale))
            except Failed as failure:
                results.failures.append(f"{case.name} by {side}: {failure}")
            print(f"round {number + 1}: {case.name} by {side}, {time.monotonic() - began:.1f} s", file=sys.stderr)


def _in_random_order(cases, missing):
    """Yield each case with each side; those of one case follow each other: the machine changes by the minute."""
    for case in random.sample(cases, len(cases)):
        for side in random.sample(case.sides, len(case.sides)):
            if (case.name, side) not in missing:
                yield case, side


if __name__ == "__main__":
    sys.exit(main())
