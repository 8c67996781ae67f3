"""What was measured, as text: tables of Markdown."""

import os
import platform
import statistics

from .cases import CASES, GIB, MIB, TARGETS

_QUIET = 0.2  # cores that others may take before the figures are to be doubted
_REACHED = ("what", "reached", "lowest – highest", "must", "aim", "is")
_MEASURED = ("step", "by", "median", "lowest – highest", "client CPU", "server CPU", "client MiB", "server MiB")


class Results:
    """
    The samples of a run.

    :ivar missing: the side's name to what it would have needed.
    :ivar failures: what went wrong, in words.
    """

    def __init__(self, missing):
        self.samples = []
        self.missing = missing
        self.failures = []

    def of(self, figure):
        """Return the values of a figure, one a round."""
        wanted = (figure.case, figure.side, figure.step)
        return [getattr(sample, figure.quantity) for sample in self.samples
                if (sample.case, sample.side, sample.step) == wanted]


class Row:
    """A target, and what was reached."""

    def __init__(self, target, results):
        self.target = target
        ours = results.of(target.ours)
        if target.theirs is None:
            self.values = [value / MIB for value in ours]
            self.value = _median(self.values)
        else:
            theirs = results.of(target.theirs)
            self.values = [one / other for one, other in zip(ours, theirs)]
            self.value = _median(ours) / _median(theirs) if self.values else None
        self.missing = _missing(target, results)

    @property
    def verdict(self):
        if self.value is None:
            return f"without {self.missing}"
        return next((word for word, least in (("aim", self.target.aim), ("must", self.target.must))
                     if self.reaches(least)), "missed")

    def reaches(self, wanted):
        return self.value <= wanted if self.target.less else self.value >= wanted

    def cells(self):
        reached = ("–", "–") if self.value is None else (short(self.value), spread(self.values))
        sign = "≤" if self.target.less else "≥"
        bounds = (f"{sign} {self.target.must:g}", f"{sign} {self.target.aim:g}")
        return (self.target.what, *reached, *bounds, self.verdict)


def rows(results):
    """Return a row for each target that was measured, or would have been if nothing were missing."""
    found = [Row(target, results) for target in TARGETS]
    return [row for row in found if row.values or row.missing]


def text(results, scale, load):
    """
    Return the whole report.

    :param load: that of the machine before it began, as os.getloadavg() has it.
    """
    parts = [head(scale), about_load(results.samples, load)]
    parts += [f"Missing, so not compared: {what}." for what in sorted(set(results.missing.values()))]
    parts += [f"Failed: {what}" for what in results.failures]
    parts.append(table(_REACHED, [row.cells() for row in rows(results)]))
    parts.append(table(_MEASURED, [_measured(samples) for samples in _groups(results.samples)]))
    return "\n\n".join(parts)


def head(scale):
    return (
        f"{scale.rounds} rounds in random order; large is {scale.size // MIB} MiB; {scale.calls} calls. "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.release()}."
    )


def about_load(samples, load):
    others = [sample.others for sample in samples] or [0]
    told = (
        f"Load when it began: {load:.1f}. Meanwhile other programs, and the kernel for itself, kept "
        f"{statistics.median(others):.1f} cores busy (median; at most {max(others):.1f})."
    )
    doubt = " That is no quiet machine: doubt the ratios, that of 16 clients above all."
    return told + doubt * (statistics.median(others) > _QUIET)


def _missing(target, results):
    case = next(case for case in CASES if case.name == target.ours.case)
    sides = [figure.side for figure in (target.ours, target.theirs) if figure]
    return ", ".join(results.missing[case.name, side] for side in sides if (case.name, side) in results.missing)


def _groups(samples):
    """Return the samples of each step and side, in the order of the cases."""
    keys = [(case.name, step, side) for case in CASES for step in case.steps for side in case.sides]
    groups = {key: [] for key in keys}
    for sample in samples:
        groups[sample.case, sample.step, sample.side].append(sample)
    return [group for group in groups.values() if group]


def _measured(samples):
    first = samples[0]
    speed, cpu = ("MB/s", "s/GiB") if first.in_bytes else ("a second", "ms")
    speeds = [sample.speed / (10**6 if first.in_bytes else 1) for sample in samples]
    factor = GIB if first.in_bytes else 1000
    return (
        f"{first.case}: {first.step}", str(first.side), f"{short(_median(speeds))} {speed}", spread(speeds),
        *(f"{short(factor * _median([getattr(sample, side) for sample in samples]))} {cpu}"
          for side in ("client_cpu", "server_cpu")),
        _mebibytes([sample.client_peak for sample in samples]), _mebibytes([sample.server_peak for sample in samples]),
    )


def _mebibytes(peaks):
    return "–" if None in peaks else f"{max(peaks) / MIB:.0f}"


def _median(values):
    return statistics.median(values) if values else None


def spread(values):
    return f"{short(min(values))} – {short(max(values))}"


def short(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head, lines):
    widths = [max(map(len, column)) for column in zip(head, *lines)]
    ruled = [head, ["-" * width for width in widths], *lines]
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in ruled)
