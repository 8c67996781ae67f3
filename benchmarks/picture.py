"""What was measured, drawn as SVG: bars for the targets, lines for growth."""

import html
import itertools
import math
import statistics

_COLOURS = {"aim": "#2e7d32", "must": "#1565c0", "missed": "#c75b12"}
_LINES = ("#1565c0", "#c75b12", "#2e7d32")
_ROW, _BARS, _WIDTH, _MOST = 22, 430, 900, 2.5  # pixels; and the share of "must" at which a bar is cut
_PANEL, _MARGIN = (430, 270), (64, 34, 16, 44)  # width and height; left, top, right, bottom


def draw_targets(rows, path):
    """Draw a bar for each target: how much of what must be was reached."""
    reached = [row for row in rows if row.value is not None]
    bottom = 40 + _ROW * len(reached)
    parts = [_text(_BARS, 18, "what must be = 1; the dot is the aim; more is better", "start")]
    for number, row in enumerate(reached):
        parts += _bar(row, 36 + _ROW * number)
    parts.append(f'<path d="M{_x(1):.1f} 28V{bottom}" stroke="#333" stroke-dasharray="4 3"/>')
    _write(path, _WIDTH, bottom + 12, parts)


def draw_growth(charts, path):
    """Draw the charts, two beside each other, both axes logarithmic."""
    width, height = _PANEL
    parts = []
    for number, chart in enumerate(charts):
        left, top = number % 2 * width, number // 2 * height
        parts += [f'<g transform="translate({left} {top})">', *_chart(chart), "</g>"]
    _write(path, 2 * width, math.ceil(len(charts) / 2) * height, parts)


def draw_sizing(found, path):
    """Draw a bar for each step and setting: how much it does, beside the most of its step."""
    parts, top = [_text(_BARS, 18, "more is better; the longest bar of each step is 1", "start")], 12
    for step, group in itertools.groupby(found.items(), lambda item: item[0][0]):
        speeds = {setting: statistics.median(sample.speed for sample in samples) for (_, setting), samples in group}
        top += 1.5 * _ROW
        parts.append(_text(_BARS, top + 13, step, "start"))
        for setting, speed in speeds.items():
            top += _ROW
            parts += _speed(setting, speed, speed / max(speeds.values()), top)
    _write(path, _WIDTH, top + 1.5 * _ROW, parts)


def _speed(setting, speed, share, top):
    width, colour = 300 * share, _LINES[setting.processes > 1]
    told = f"{speed / 10**6:.0f} MB/s" if speed > 10**6 else f"{speed:.0f} a second"
    return [
        _text(_BARS - 10, top + 13, str(setting), "end"),
        f'<rect x="{_BARS}" y="{top}" width="{width:.1f}" height="17" fill="{colour}"/>',
        _text(_BARS + width + 8, top + 13, told, "start"),
    ]


def _bar(row, top):
    must, aim = row.target.must, row.target.aim
    score = must / row.value if row.target.less else row.value / must
    aimed = must / aim if row.target.less else aim / must
    return [
        _text(_BARS - 10, top + 13, row.target.what, "end"),
        f'<rect x="{_BARS}" y="{top}" width="{_x(score) - _BARS:.1f}" height="17" fill="{_COLOURS[row.verdict]}"/>',
        f'<circle cx="{_x(aimed):.1f}" cy="{top + 8.5}" r="3.5" fill="#fff" stroke="#333"/>',
        _text(_WIDTH - 8, top + 13, f"{row.value:.3g}", "end"),
    ]


def _x(score):
    return _BARS + (_WIDTH - _BARS - 60) * min(score, _MOST) / _MOST


def _chart(chart):
    width, height = _PANEL
    left, top, right, bottom = _MARGIN
    points = [point for line in chart.lines.values() for point in line]
    across = _scale([x for x, _ in points], left, width - right)
    up = _scale(_decades([y for _, y in points]), height - bottom, top)
    parts = [_text(left, 18, f"{chart.title}, {chart.unit}", "start")]
    for x in sorted({x for x, _ in points}):
        parts.append(_text(across(x), height - bottom + 18, chart.label(x), "middle"))
    for y in _decades([y for _, y in points]):
        parts.append(f'<path d="M{left} {up(y):.1f}H{width - right}" stroke="#ddd"/>')
        parts.append(_text(left - 6, up(y) + 4, f"{y:g}", "end"))
    for number, (name, line) in enumerate(chart.lines.items()):
        parts += _line(name, [(across(x), up(y)) for x, y in line], number)
    return parts


def _line(name, points, number):
    colour = _LINES[number]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    legend = _text(_MARGIN[0] + 110 * number, _PANEL[1] - 8, name, "start", colour)
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>', *dots, legend]


def _decades(values):
    """Return the powers of ten around *values*, two at least."""
    least, most = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0 ** exponent for exponent in range(least, max(most, least + 1) + 1)]


def _scale(values, start, end):
    """Return what takes a number between the least and the most of *values* to its place, on a logarithmic axis."""
    least, most = math.log(min(values)), math.log(max(values))
    return lambda value: start + (end - start) * (math.log(value) - least) / ((most - least) or 1)


def _text(x, y, text, anchor, colour="#333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{html.escape(text)}</text>'


def _write(path, width, height, parts):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">'
    )
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>", ""]))
