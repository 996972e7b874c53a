"""Events of a unit: from the log, or from limits (≥ 3 of 7 observed days outside; over after 7
clean days).

Legend: T days, C points, N events. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hvac.panel.grid import Days, Panel, Unit
from hvac.panel.joins import folded

RUN_DAYS = 7
RUN_OUTSIDE = 3
CLEAN_DAYS = 7
SETTLE_DAYS = 7


class Events(NamedTuple):
    """Events of one unit, sorted by start. `known_N` is the first day on which the event can be
    known.
    """

    kind_N: npt.NDArray[np.str_]
    start_N: Days
    end_N: Days
    known_N: Days
    point_N: npt.NDArray[np.str_]

    def where(self, keep: npt.NDArray[Any]) -> Events:
        """Some of the events: by a mask or by positions."""
        columns: list[Any] = [column[keep] for column in self]
        return Events(*columns)

    def of_kinds(self, kinds: tuple[str, ...]) -> Events:
        """The events of some kinds, however they are spelled."""
        wanted = set(map(folded, kinds))
        return self.where(
            np.array([folded(kind) in wanted for kind in self.kind_N.tolist()], dtype=bool)
        )

    def of_point(self, point_id: str | None) -> Events:
        """Events that concern a point: its own and those of the whole equipment."""
        if point_id is None:
            return self
        return self.where((self.point_N == "") | (self.point_N == point_id))


def no_events() -> Events:
    """A unit without events."""
    days, texts = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.str_)
    return Events(texts, days, days, days, texts)


def events_by_unit(table: pa.Table) -> dict[Unit, Events]:
    """Canonical events table → events of each unit. A missing `end` is the start day."""
    rows: dict[Unit, list[tuple[int, int, str, str]]] = defaultdict(list)
    start = table["start"].cast(pa.date32()).cast(pa.int32()).to_pylist()
    end = table["end"].cast(pa.date32()).cast(pa.int32()).to_pylist()
    point = table["point_id"].to_pylist()
    keys = zip(table["facility_id"].to_pylist(), table["equipment_id"].to_pylist(), strict=True)
    for i, (key, kind) in enumerate(zip(keys, table["kind"].to_pylist(), strict=True)):
        rows[Unit(*key)].append(
            (start[i], start[i] if end[i] is None else end[i], kind, point[i] or "")
        )
    return {unit: _events(sorted(listed)) for unit, listed in rows.items()}


def _events(rows: list[tuple[int, int, str, str]]) -> Events:
    start, end, kind, point = zip(*rows, strict=True)
    start_N = np.array(start, dtype=np.int32)
    return Events(np.array(kind), start_N, np.array(end, dtype=np.int32), start_N, np.array(point))


def limit_events(
    panel: Panel, lower_TC: npt.NDArray[np.float64], upper_TC: npt.NDArray[np.float64]
) -> Events:
    """Episodes out of limits, per point, as events of kind `limit_exceedance`.

    The onset is the first outside day of the run that has ≥ 3 outside days among 7 observed ones;
    the event becomes known on the third such day; it ends on the last outside day before 7 clean
    observed days.

    >>> value = np.array([[0.0], [9], [0], [9], [9]] + [[0.0]] * 8)
    >>> shape = dict(observed_TC=np.ones_like(value, bool), known_TC=np.zeros(value.shape, np.int32),
    ...              lower_TC=value * 0 - 1, upper_TC=value * 0 + 1)
    >>> panel = Panel(unit=Unit("f", "e"), points=("p",), first_day=100, value_TC=value, **shape)
    >>> events = limit_events(panel, panel.lower_TC, panel.upper_TC)
    >>> int(events.start_N[0]), int(events.known_N[0]), int(events.end_N[0])
    (101, 104, 104)
    """
    with np.errstate(invalid="ignore"):
        outside_TC = (panel.value_TC < lower_TC) | (panel.value_TC > upper_TC)
    rows: list[tuple[int, int, int, str]] = []
    for c, name in enumerate(panel.points):
        days = np.flatnonzero(panel.observed_TC[:, c]) + panel.first_day
        known = np.maximum(days, panel.known_TC[days - panel.first_day, c])
        for start, end, confirming in _episodes(outside_TC[days - panel.first_day, c]):
            rows.append((int(days[start]), int(days[end]), int(known[confirming].max()), name))
    return _limit_table(sorted(rows))


def _limit_table(rows: list[tuple[int, int, int, str]]) -> Events:
    if not rows:
        return no_events()
    start, end, known, point = zip(*rows, strict=True)
    start_N, end_N, known_N = (np.array(column, dtype=np.int32) for column in (start, end, known))
    return Events(np.full(len(rows), "limit_exceedance"), start_N, end_N, known_N, np.array(point))


def _episodes(outside: npt.NDArray[np.bool_]) -> list[tuple[int, int, npt.NDArray[np.intp]]]:
    """(first outside, last outside, confirming three) positions of each episode, over observed days
    only.
    """
    found: list[tuple[int, int, npt.NDArray[np.intp]]] = []
    free_from, i = 0, 0
    hits = np.flatnonzero(outside)
    while i + RUN_OUTSIDE <= len(hits):
        first, third = hits[i], hits[i + RUN_OUTSIDE - 1]
        if first < free_from or third - first >= RUN_DAYS:
            i += 1
            continue
        j = i + RUN_OUTSIDE - 1
        while j + 1 < len(hits) and hits[j + 1] - hits[j] <= CLEAN_DAYS:
            j += 1
        found.append((int(first), int(hits[j]), hits[i : i + RUN_OUTSIDE]))
        free_from, i = int(hits[j]) + CLEAN_DAYS + 1, j + 1
    return found


def inside_episode(end_day_B: Days, targets: Events) -> npt.NDArray[np.bool_]:
    """Windows that end inside a target event, or ≤ 7 days after one: the anomaly is already known."""
    inside_B = np.zeros(len(end_day_B), dtype=bool)
    for start, end in zip(targets.start_N, targets.end_N, strict=True):
        inside_B |= (end_day_B >= start) & (end_day_B <= end + SETTLE_DAYS)
    return inside_B
