"""Events of a unit: from the log, or from readings out of their limits.

An event out of limits has at least 3 of 7 observed days outside, and is over after 7 clean days.

Legend: T days, C points, N events. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from hvac.arrays import AnyArray, Bools, DayNumbers, Floats, Positions, Strings
from hvac.panel.grid import Panel, Unit
from hvac.panel.joins import folded, units_of

RUN_DAYS = 7
RUN_OUTSIDE = 3
CLEAN_DAYS = 7
SETTLE_DAYS = 7


class Events(NamedTuple):
    """Events of one unit, sorted by start.

    `known_N` is the first day on which the event can be known; `point_N` is '' for events of the
    whole equipment.
    """

    kind_N: Strings
    start_N: DayNumbers
    end_N: DayNumbers
    known_N: DayNumbers
    point_N: Strings

    def where(self, keep: AnyArray) -> Events:
        """Return some of the events: by a mask or by positions."""
        columns: list[Any] = [column[keep] for column in self]
        return Events(*columns)

    def of_kinds(self, kinds: tuple[str, ...]) -> Events:
        """Return the events of some kinds, however they are spelled."""
        spellings = set(map(folded, kinds))
        of_kind = [folded(kind) in spellings for kind in self.kind_N.tolist()]
        return self.where(np.array(of_kind, dtype=bool))

    def of_point(self, point_id: str | None) -> Events:
        """Return the events of a point and of the whole equipment; all of them for None."""
        if point_id is None:
            return self
        return self.where((self.point_N == "") | (self.point_N == point_id))


def no_events() -> Events:
    """Return the events of a unit without any."""
    days = np.empty(0, dtype=np.int32)
    texts = np.empty(0, dtype=np.str_)
    return Events(texts, days, days, days, texts)


def events_by_unit(table: pa.Table) -> dict[Unit, Events]:
    """Return the events of each unit of a table (EVENTS); a missing `end` is the start day."""
    start = _days(table["start"])
    end = _days(table["end"])
    kind = table["kind"].to_pylist()
    point = table["point_id"].to_pylist()
    rows: dict[Unit, list[tuple[int, int, str, str]]] = defaultdict(list)
    for i, unit in enumerate(units_of(table)):
        last_day = start[i] if end[i] is None else end[i]
        rows[unit].append((start[i], last_day, kind[i], point[i] or ""))
    return {unit: _events(sorted(rows[unit])) for unit in rows}


def _days(column: pa.ChunkedArray) -> list[int]:
    numbers = column.cast(pa.date32()).cast(pa.int32())
    days: list[int] = numbers.to_pylist()
    return days


def _events(rows: list[tuple[int, int, str, str]]) -> Events:
    start, end, kind, point = zip(*rows, strict=True)
    start_N = np.array(start, dtype=np.int32)
    end_N = np.array(end, dtype=np.int32)
    return Events(np.array(kind), start_N, end_N, start_N, np.array(point))


def limit_events(panel: Panel, lower_TC: Floats, upper_TC: Floats) -> Events:
    """Return the episodes out of limits, per point, as events of kind `limit_exceedance`.

    The onset is the first outside day of the run that has ≥ 3 outside days among 7 observed ones;
    the event becomes known on the third such day; it ends on the last outside day before 7 clean
    observed days.

    >>> value = np.array([[0.0], [9], [0], [9], [9]] + [[0.0]] * 8)
    >>> known = np.zeros(value.shape, np.int32)
    >>> limits = dict(lower_TC=value * 0 - 1, upper_TC=value * 0 + 1)
    >>> grids = dict(value_TC=value, observed_TC=value >= 0, known_TC=known, **limits)
    >>> panel = Panel(unit=Unit("f", "e"), points=("p",), first_day=100, **grids)
    >>> events = limit_events(panel, **limits)
    >>> int(events.start_N[0]), int(events.known_N[0]), int(events.end_N[0])
    (101, 104, 104)
    """
    with np.errstate(invalid="ignore"):
        outside_TC = (panel.value_TC < lower_TC) | (panel.value_TC > upper_TC)
    rows: list[tuple[int, int, int, str]] = []
    for c, name in enumerate(panel.points):
        row_N = np.flatnonzero(panel.observed_TC[:, c])
        day_N = row_N + panel.first_day
        known_N = np.maximum(day_N, panel.known_TC[row_N, c])
        for first, last, confirming in _episodes(outside_TC[row_N, c]):
            known = int(known_N[confirming].max())
            rows.append((int(day_N[first]), int(day_N[last]), known, name))
    if not rows:
        return no_events()
    start, end, known_days, point = zip(*sorted(rows), strict=True)
    start_N = np.array(start, dtype=np.int32)
    end_N = np.array(end, dtype=np.int32)
    known_N = np.array(known_days, dtype=np.int32)
    kind_N = np.full(len(rows), "limit_exceedance")
    return Events(kind_N, start_N, end_N, known_N, np.array(point))


def _episodes(outside: Bools) -> list[tuple[int, int, Positions]]:
    """Return the places of each episode among observed days.

    They are those of its first and last outside day, and of the three that confirm it.
    """
    episodes: list[tuple[int, int, Positions]] = []
    free_from = i = 0
    places = np.flatnonzero(outside)
    while i + RUN_OUTSIDE <= len(places):
        first = places[i]
        third = places[i + RUN_OUTSIDE - 1]
        if first < free_from or third - first >= RUN_DAYS:
            i += 1
            continue
        j = i + RUN_OUTSIDE - 1
        while j + 1 < len(places) and places[j + 1] - places[j] <= CLEAN_DAYS:
            j += 1
        last = int(places[j])
        episodes.append((int(first), last, places[i : i + RUN_OUTSIDE]))
        free_from = last + CLEAN_DAYS + 1
        i = j + 1
    return episodes


def inside_episode(end_day_B: DayNumbers, targets: Events) -> Bools:
    """Tell which windows end inside a target event, or at most 7 days after one [B].

    The anomaly is then known already.
    """
    inside_B = np.zeros(len(end_day_B), dtype=bool)
    for start, end in zip(targets.start_N, targets.end_N, strict=True):
        inside_B |= (end_day_B >= start) & (end_day_B <= end + SETTLE_DAYS)
    return inside_B
