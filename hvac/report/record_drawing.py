"""The picture of a record as SVG: a row per machine, weeks across in shades, events as marks.

Legend: W weeks of a machine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from markupsafe import Markup

from hvac.arrays import Ints
from hvac.checks.machines import WEEK, CheckedMachine
from hvac.checks.record_faults import day_text
from hvac.days import EPOCH
from hvac.panel.grid import Unit

SHADES: Final = (
    "#f0e3d8",
    "#c9d9e4",
    "#8fb6d0",
    "#4c8dba",
    "#0b5a8a",
)  # little … all observed
EDGES: Final = (0.05, 0.35, 0.65, 0.95)
EVENT: Final = "#c8321e"
DOUBT: Final = "#b06a00"
LABEL: Final = 190  # pixels left of the days
ACROSS: Final = 760  # pixels of all days
ROW: Final = 11
TOP: Final = 24
MOST_TICKS: Final = 12


@dataclass(frozen=True, kw_only=True)
class RecordDrawing:
    """An SVG inside the page."""

    svg: Markup
    caption: str
    kind: str = "drawing"


UnitEvents = Mapping[Unit, Sequence[tuple[int, int, str]]]


def record_svg(
    machines: Sequence[CheckedMachine], events: UnitEvents, *, title: str
) -> Markup:
    """Return the picture of some machines, one below the other.

    Args:
        machines: at least one, in the order of the rows.
        events: first day, last day and kind of every unit's events.
        title: what a screen reader says of the picture.
    """
    scale = _Days(machines)
    height = TOP + ROW * len(machines) + 4
    parts = [
        f'<svg class="record" viewBox="0 0 {LABEL + ACROSS + 4} {height}" role="img"'
        f' aria-label="{escape(title)}">',
        *scale.ticks(height),
    ]
    for row, machine in enumerate(machines):
        parts += _row(machine, events.get(machine.unit, ()), TOP + ROW * row, scale)
    return Markup("".join([*parts, "</svg>"]))


class _Days:
    """Where days lie across the picture."""

    def __init__(self, machines: Sequence[CheckedMachine]) -> None:
        self.first = min(machine.first_day for machine in machines)
        self.last = max(machine.last_day for machine in machines) + 1

    def x(self, day: int) -> float:
        within = min(max(day, self.first), self.last) - self.first
        return round(LABEL + ACROSS * within / (self.last - self.first), 1)

    def ticks(self, height: int) -> Iterator[str]:
        """Yield a line at the first days of years, quarters or months, at most 12 of them."""
        for date in self._dates():
            x = self.x((date - EPOCH).days)
            yield f'<path d="M{x} {TOP - 4}V{height}" stroke="#dde1e4"/>'
            yield f'<text x="{x + 2}" y="{TOP - 8}">{date:%Y-%m}</text>'

    def _dates(self) -> list[dt.date]:
        start, stop = dt.date.fromisoformat(day_text(self.first)), self.last
        months = [
            date
            for year in range(start.year, start.year + (stop - self.first) // 365 + 2)
            for month in range(1, 13)
            if self.first <= ((date := dt.date(year, month, 1)) - EPOCH).days < stop
        ]
        steps = (1, 3, 6, 12, 24, 60, 120)
        step = next(
            (step for step in steps if len(months) / step <= MOST_TICKS), steps[-1]
        )
        return [
            date for date in months if (12 * date.year + date.month - 1) % step == 0
        ]


def _row(
    machine: CheckedMachine,
    events: Sequence[tuple[int, int, str]],
    top: int,
    scale: _Days,
) -> Iterator[str]:
    name = escape("/".join(machine.unit))
    colour = f' style="fill:{DOUBT}"' if machine.doubts else ""
    yield f'<text x="0" y="{top + ROW - 2}"{colour}><title>{name}</title>{_short(name)}</text>'
    for start, stop, shade in _runs(_shades(machine)):
        left = scale.x(machine.first_day + WEEK * start)
        right = scale.x(min(machine.first_day + WEEK * stop, machine.last_day + 1))
        yield (
            f'<path d="M{left} {top + 1}H{right}v{ROW - 2}H{left}z" fill="{SHADES[shade]}"/>'
        )
    for first, last, kind in events:
        left = scale.x(first)
        width = round(max(scale.x(last + 1) - left, 2.5), 1)
        what = f"{kind} {day_text(first)}"
        yield (
            f'<rect x="{left}" y="{top + 2}" width="{width}" height="{ROW - 4}" fill="{EVENT}">'
            f"<title>{name}: {escape(what)}</title></rect>"
        )


def _short(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:29]}…"


def _shades(machine: CheckedMachine) -> Ints:
    return np.searchsorted(np.array(EDGES), machine.observed_W, side="right")


def _runs(shade_W: Ints) -> Iterator[tuple[int, int, int]]:
    """Yield first week, week after the last, and shade of each run of equal shades."""
    changes = np.flatnonzero(np.diff(shade_W)) + 1
    starts = [0, *changes.tolist()]
    stops = [*changes.tolist(), len(shade_W)]
    for start, stop in zip(starts, stops, strict=True):
        yield start, stop, int(shade_W[start])
