"""The four splits: by time, by equipment, by facility, by both.

They are purged, so that no label window crosses a border.

Legend: B windows. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hvac.arrays import DayNumbers, Strings
from hvac.days import EPOCH, NEVER, date_of
from hvac.errors import SplitError
from hvac.panel.grid import Unit
from hvac.panel.split_config import UNIT_SHARES, SplitConfig
from hvac.panel.unit_parts import (
    MIN_UNITS,
    Half,
    Part,
    deal,
    facility_parts,
    halves,
    unit_parts,
)

SPLITS = ("train", "tune", "cal", "test")
PURGED = "purged"
Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Splitter:
    """The split of every window: train, tune, cal, test or `purged` (out of every part)."""

    config: SplitConfig
    part: Mapping[Unit, Part]
    half: Mapping[Unit, Half]
    t1: int
    t2: int
    purge: int

    def assign(self, unit: Unit, end_day_B: DayNumbers) -> Strings:
        """Return the split of each window of a unit [B]."""
        by_time = self.config.kind in ("time", "both")
        part_B = self._by_time(end_day_B) if by_time else np.full(len(end_day_B), "any")
        if self.config.kind != "time":
            part = self.part[unit]
            part_B = np.where((part_B == "any") | (part_B == part), part, PURGED)
        return np.where(part_B == "validation", self.half.get(unit, PURGED), part_B)

    def _by_time(self, day_B: DayNumbers) -> Strings:
        train = day_B <= self.t1 - self.purge
        validation = (day_B > self.t1) & (day_B <= self.t2 - self.purge)
        parts = ["train", "validation", "test"]
        return np.select([train, validation, day_B > self.t2], parts, PURGED)

    @property
    def training_end(self) -> int:
        """Return the last day whose readings training may see when it fits limits."""
        return self.t1 if self.config.kind in ("time", "both") else NEVER

    def trains(self, unit: Unit) -> bool:
        """Tell whether any window of the unit can be a training window."""
        return self.config.kind == "time" or self.part[unit] == "train"


def later_than(day: int) -> Splitter:
    """Return a splitter under which every window after a day tests, and none is used before it.

    >>> later_than(20_000).assign(Unit("F1", "AHU-1"), np.array([20_000, 20_001])).tolist()
    ['purged', 'test']
    """
    config = SplitConfig(kind="time")
    return Splitter(config=config, part={}, half={}, t1=day, t2=day, purge=day + 1)


def make_splitter(
    config: SplitConfig,
    classes: Mapping[Unit, str],
    *,
    spans: Mapping[Unit, Sequence[Span]],
    lookback: int,
    purge: int,
    onsets: Mapping[Unit, DayNumbers] = {},
) -> Splitter:
    """Decide every unit's part and the two borders.

    Args:
        classes: class of every unit; units are dealt within each class, by a seeded hash of their
            ids, evenly among those with an event and those without, and among facilities.
        spans: first and last days of the stretches of every unit's record; borders lie at 60 and 80
            % of the window ends in them.
        lookback: days of a window.
        purge: the longest horizon.
        onsets: days of each unit's predicted events. Under a split by time only those until T2
            count.

    Raises:
        SplitError: the record is too short for the purge, or has too few units; the message names a
            split that fits.
    """
    days: list[Span] = []
    for unit_spans in spans.values():
        days += unit_spans
    by_time = config.kind in ("time", "both")
    t1, t2 = _borders(config, days, lookback)
    smallest = min(Counter(classes.values()).values())
    if by_time:
        record = min(first for first, _ in days), max(last for _, last in days)
        _check_days(
            t1, t2, days=record, lookback=lookback, purge=purge, smallest=smallest
        )
    if config.kind == "time" and smallest < 2:
        raise SplitError(
            "a time split needs at least 2 units in every class (one to tune, one to calibrate); a"
            " class has only 1: pool classes with windows.class: all, or add equipment"
        )
    until = t2 if by_time else NEVER
    failing = {unit for unit, onset_N in onsets.items() if (onset_N <= until).any()}
    dealt = deal(config, classes, failing)
    by_facility = config.kind == "facility"
    part = (
        facility_parts(config, classes, dealt)
        if by_facility
        else unit_parts(config, dealt)
    )
    half = halves(config, dealt, part, failing)
    return Splitter(config=config, part=part, half=half, t1=t1, t2=t2, purge=purge)


def _borders(
    config: SplitConfig, days: Sequence[Span], lookback: int
) -> tuple[int, int]:
    """Return T1 and T2: as given, else the days until which 60 and 80 % of the windows end."""
    first = min(start for start, _ in days)
    change = np.zeros(max(stop for _, stop in days) - first + 2, dtype=np.int64)
    for start, stop in days:
        if stop >= start + lookback - 1:
            change[start + lookback - 1 - first] += 1
            change[stop - first + 1] -= 1
    windows_until = np.cumsum(np.cumsum(change))
    borders = []
    for share, given in zip(UNIT_SHARES, (config.t1, config.t2), strict=True):
        quantile = first + int(
            np.searchsorted(windows_until, share * windows_until[-1])
        )
        borders.append(quantile if given is None else (given - EPOCH).days)
    return borders[0], borders[1]


def _check_days(
    t1: int, t2: int, *, days: Span, lookback: int, purge: int, smallest: int
) -> None:
    """Raise SplitError where a part of a time split would have no window."""
    first, last = days
    if first + lookback - 1 <= t1 - purge and t1 < t2 - purge and t2 < last:
        return
    advice = (
        "use splits.kind: equipment"
        if smallest >= MIN_UNITS
        else "bring a longer record"
    )
    raise SplitError(
        f"a time split needs training windows (lookback {lookback} days) that end {purge} days"
        f" before t1={date_of(t1)}, validation windows between t1 and {purge} days before"
        f" t2={date_of(t2)}, and a test after t2; the record runs from {date_of(first)} to"
        f" {date_of(last)} ({last - first + 1} days), which is too short for that: {advice}, or"
        " set splits.t1 and splits.t2"
    )
