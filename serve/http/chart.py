"""Line charts as inline SVG: 90 days of a point, its limits, the forecast with its band, events; no
script, no font.

Days are days since 1970-01-01.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from hvac.days import EPOCH
from hvac.words import short_number

WIDTH = 720
HEIGHT = 220
LEFT = 64
RIGHT = 12
TOP = 12
BOTTOM = 26
TREND_WIDTH = 96
TREND_HEIGHT = 28
Points = Sequence[tuple[int, float]]
Week = tuple[
    int, int, str
]  # first and last day, and how much it counts: `clear` or `strong`


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The content of one chart; limits are (day, value) steps, `events` (day, words).

    `weeks` are shaded; `usual` is a range (day, low, high), `peers` a line.
    """

    title: str
    measured: Points
    lower: Points = ()
    upper: Points = ()
    forecast: Points = ()
    band: Sequence[tuple[int, float, float]] = ()
    events: Sequence[tuple[int, str]] = field(default=())
    weeks: Sequence[Week] = ()
    usual: Sequence[tuple[int, float, float]] = ()
    peers: Points = ()


def draw_chart(drawing: Drawing) -> str:
    """Draw a chart as an SVG element with a name; "" where no value is finite."""
    days = [day for day, _ in (*drawing.measured, *drawing.forecast)]
    days += [day for day, _, _ in drawing.band]
    values = [
        v
        for _, v in (
            *drawing.measured,
            *drawing.forecast,
            *drawing.lower,
            *drawing.upper,
        )
    ]
    values += [v for _, low, high in drawing.band for v in (low, high)]
    values += [v for _, v in drawing.peers]
    values = [value for value in values if math.isfinite(value)]
    if not days or not values:
        return ""
    low, high = _padded(min(values), max(values))
    frame = _Frame(min(days), max(days), low, high)
    parts = [
        (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(drawing.title)}"'
            ' class="chart">'
        ),
        *(_week(frame, week) for week in drawing.weeks if week[1] >= frame.first),
        *(_band(frame, drawing.usual, "usual") if drawing.usual else ()),
        *_grid(frame),
        *(_band(frame, drawing.band, "band") if drawing.band else ()),
        *(
            f'<polyline class="peers" points="{_path(frame, run)}"/>'
            for run in _runs(drawing.peers)
        ),
        *(
            f'<polyline class="limit" points="{_path(frame, _steps(line, frame))}"/>'
            for line in (drawing.lower, drawing.upper)
            if line
        ),
        *(
            _event(frame, day, words)
            for day, words in drawing.events
            if frame.first <= day <= frame.last
        ),
        *(
            f'<polyline class="measured" points="{_path(frame, run)}"/>'
            for run in _runs(drawing.measured)
        ),
        *(
            f'<circle class="dot" cx="{frame.x(d):.1f}" cy="{frame.y(v):.1f}" r="1.6"/>'
            for d, v in drawing.measured
        ),
        *(
            [f'<polyline class="forecast" points="{_path(frame, drawing.forecast)}"/>']
            if drawing.forecast
            else []
        ),
        "</svg>",
    ]
    return "".join(parts)


@dataclass(frozen=True)
class _Frame:
    first: int
    last: int
    low: float
    high: float

    def x(self, day: float) -> float:
        share = (day - self.first) / max(self.last - self.first, 1)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - min(max(share, 0.0), 1.0) * (HEIGHT - TOP - BOTTOM)


def _padded(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _path(frame: _Frame, points: Points) -> str:
    return " ".join(f"{frame.x(day):.1f},{frame.y(value):.1f}" for day, value in points)


def _runs(points: Points) -> list[list[tuple[int, float]]]:
    """Split measured days into runs without a gap of more than a week: a line does not invent what
    was not measured.
    """
    runs: list[list[tuple[int, float]]] = []
    for day, value in points:
        if not runs or day - runs[-1][-1][0] > 7:
            runs.append([])
        runs[-1].append((day, value))
    return runs


def _steps(line: Points, frame: _Frame) -> Points:
    """Turn a limit into steps that go on to the right edge."""
    steps: list[tuple[int, float]] = []
    for day, value in line:
        if steps and steps[-1][1] != value:
            steps.append((day, steps[-1][1]))
        if not steps or steps[-1][1] != value:
            steps.append((day, value))
    return [*steps, (frame.last, steps[-1][1])]


def _grid(frame: _Frame) -> list[str]:
    parts = []
    for value in _ticks(frame.low, frame.high):
        y = frame.y(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short_number(value)}</text>'
        )
    step = max(30, math.ceil((frame.last - frame.first) / 6))
    for day in range(frame.first, frame.last + 1, step):
        date = EPOCH + dt.timedelta(days=day)
        words = f"{date:%Y-%m-%d}" if day == frame.first else f"{date:%m-%d}"
        anchor = "start" if day == frame.first else "middle"
        parts.append(
            f'<text x="{frame.x(day):.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{words}</text>'
        )
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Return three to six round values."""
    raw = (high - low) / 4
    size = 10 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= raw)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step) + 1)]


def _band(
    frame: _Frame, band: Sequence[tuple[int, float, float]], name: str
) -> list[str]:
    upper = [(day, high) for day, _, high in band]
    lower = [(day, low) for day, low, _ in reversed(band)]
    return [f'<polygon class="{name}" points="{_path(frame, [*upper, *lower])}"/>']


def draw_trend(points: Points) -> str:
    """Draw a risk over time as a line without axes; "" of fewer than two days.

    Its height is from 0 to 100 %.
    """
    if len(points) < 2:
        return ""
    frame = _Frame(points[0][0], points[-1][0], 0.0, 1.0)
    scale_x = (TREND_WIDTH - 4) / max(frame.last - frame.first, 1)
    drawn = " ".join(
        f"{2 + (day - frame.first) * scale_x:.1f},{TREND_HEIGHT - 2 - risk * (TREND_HEIGHT - 4):.1f}"
        for day, risk in points
    )
    return (
        f'<svg viewBox="0 0 {TREND_WIDTH} {TREND_HEIGHT}" class="trend" aria-hidden="true">'
        f'<polyline points="{drawn}"/></svg>'
    )


def _week(frame: _Frame, week: Week) -> str:
    first, last, size = week
    left = frame.x(max(first - 0.5, frame.first))
    width = frame.x(min(last + 0.5, frame.last)) - left
    return (
        f'<rect class="week {size}" x="{left:.1f}" width="{width:.1f}" y="{TOP}"'
        f' height="{HEIGHT - TOP - BOTTOM}"/>'
    )


def _event(frame: _Frame, day: int, words: str) -> str:
    x = frame.x(day)
    line = f'<line class="event" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    return f"<g>{line}<title>{escape(words)}</title></g>"
