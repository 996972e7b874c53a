"""Look at one machine after another: its rhythm, what is observed, what is odd, how far it learns.

Legend: T days of a panel, C points, W weeks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Bools, Floats
from hvac.panel.cutting import cut
from hvac.panel.grid import Panel, Unit
from hvac.panel.quality import SENTINELS, Doubt, doubts, has_sentinel
from hvac.panel.rhythm import LONGEST_DAILY_GAP, LONGEST_GAP, rhythm
from hvac.panel.windows import LEARNING, WindowConfig, fit_scale, learning_days_left

WEEK: Final = 7
# days between the days on which the 90 days before are looked at
LOOK_EVERY: Final = 30
WEEKLY_GAP: Final = 10.0
MONTHLY_GAP: Final = 24.0


@dataclass(frozen=True, kw_only=True)
class CheckedMachine:
    """What one machine's readings show.

    `observed_W` is the share of what its rhythm promises that is there, week by week from
    `first_day`; `rhythms` names how often each point is read; `doubts` what is odd at a point;
    `learning_until` is the day on which its baseline is expected, None where it is there.
    """

    unit: Unit
    class_name: str
    first_day: int
    last_day: int
    observed: float
    observed_W: Floats
    rhythms: dict[str, str]
    doubts: tuple[Doubt, ...]
    learning_until: int | None

    @property
    def worse_than(self) -> tuple[int, bool, float]:
        """Return what machines are sorted by, the worst first."""
        return -len(self.doubts), self.learning_until is None, self.observed


def look_at(panel: Panel, class_name: str, windows: WindowConfig) -> CheckedMachine:
    """Look at the whole record of one machine."""
    seen_C = panel.observed_TC.any(axis=0)
    share_TC = _share(panel)[:, seen_C]
    first_C = panel.observed_TC.argmax(axis=0)[seen_C]
    since_TC = np.arange(len(share_TC))[:, None] >= first_C
    return CheckedMachine(
        unit=panel.unit,
        class_name=class_name,
        first_day=panel.first_day,
        last_day=panel.last_day,
        observed=float(share_TC[since_TC].mean()),
        observed_W=_by_week(share_TC),
        rhythms=_rhythms(panel),
        doubts=_doubts(panel, windows),
        learning_until=_learning_until(panel, windows),
    )


def _share(panel: Panel) -> Floats:
    """Return which readings are there [T, C].

    A point that is read every n days counts as read for the n days around a reading.
    """
    observed_TC: Bools = panel.observed_TC
    share_TC = observed_TC.astype(np.float64)
    for c in range(observed_TC.shape[1]):
        gap = _gap(observed_TC[:, c])
        if gap > LONGEST_DAILY_GAP:
            rows = np.flatnonzero(observed_TC[:, c])
            reach = round(min(gap, LONGEST_GAP))
            for row in rows:
                share_TC[row : row + reach, c] = 1.0
    return share_TC


def _gap(observed_T: Bools) -> float:
    """Return the median days between two readings of a point; 0 where there are fewer than two."""
    rows = np.flatnonzero(observed_T)
    return float(np.median(np.diff(rows))) if len(rows) > 1 else 0.0


def _by_week(share_TC: Floats) -> Floats:
    share_T = share_TC.mean(axis=1)
    starts = np.arange(0, len(share_T), WEEK)
    days_W = np.diff(np.append(starts, len(share_T)))
    return np.asarray(np.add.reduceat(share_T, starts) / days_W)


def _rhythms(panel: Panel) -> dict[str, str]:
    """Name how often each point is read: daily, weekly, monthly, every few days, rarer, once."""
    counted = rhythm(panel)
    names = {}
    for c, point in enumerate(panel.points):
        rows = np.flatnonzero(panel.observed_TC[:, c])
        if len(rows):
            gap = max(float(counted.gap_C[c]), _gap(panel.observed_TC[:, c]))
            names[point] = rhythm_name(gap) if len(rows) > 1 else "once"
    return names


def rhythm_name(gap: float) -> str:
    """Return the name of a rhythm by the days between two readings.

    >>> [rhythm_name(gap) for gap in (1.0, 3.0, 7.0, 14.0, 30.0, 90.0)]
    ['daily', 'every few days', 'weekly', 'every few weeks', 'monthly', 'rarer']
    """
    names = {LONGEST_DAILY_GAP: "daily", 5.0: "every few days", WEEKLY_GAP: "weekly"}
    names |= {MONTHLY_GAP: "every few weeks", LONGEST_GAP: "monthly"}
    return next((name for most, name in names.items() if gap <= most), "rarer")


def _doubts(panel: Panel, windows: WindowConfig) -> tuple[Doubt, ...]:
    """Return what is odd anywhere in the record, each point and kind once."""
    scale = fit_scale(panel, windows.normalise)
    kinds: dict[Doubt, None] = {}
    for day in range(panel.last_day, panel.first_day + LOOK_EVERY, -LOOK_EVERY):
        kinds |= dict.fromkeys(doubts(panel, day, scale))
    return tuple(sorted(kinds))


def sentinels_by_unit(readings: pa.Table) -> dict[Unit, tuple[float, ...]]:
    """Return the marks for "no value" among the readings as written, of each unit that has any."""
    value_N = readings["value"].to_numpy()
    suspect_N = np.isin(value_N, SENTINELS)
    if not suspect_N.any():
        return {}
    ids = [readings[name] for name in (*Unit._fields, "point_id")]
    series = pc.binary_join_element_wise(*ids, "\x1f")
    suspects = pc.unique(series.filter(pa.array(suspect_N)))
    kept = pc.is_in(series, suspects)
    coded = series.filter(kept).combine_chunks().dictionary_encode()
    code_N = coded.indices.to_numpy()
    order = np.argsort(code_N, kind="stable")
    ends = np.cumsum(np.bincount(code_N, minlength=len(coded.dictionary)))
    marks: dict[Unit, set[float]] = defaultdict(set)
    values = np.split(value_N[kept.to_numpy()][order], ends[:-1])
    for name, value_M in zip(coded.dictionary.to_pylist(), values, strict=True):
        facility, equipment, _ = name.split("\x1f", 2)
        marks[Unit(facility, equipment)].update(sentinels_of(value_M))
    return {
        unit: tuple(sorted(marks_of)) for unit, marks_of in marks.items() if marks_of
    }


def sentinels_of(value_N: Floats) -> tuple[float, ...]:
    """Return the marks among a point's values that lie far from all others.

    >>> sentinels_of(np.array([20.0, 21.0, 22.0, 20.5, -9999.0]))
    (-9999.0,)
    """
    others_N = value_N[~np.isin(value_N, SENTINELS)]
    if len(others_N) < 2:
        return ()
    q25, centre, q75 = np.percentile(others_N, [25, 50, 75])
    spread = float(q75 - q25) or float(others_N.std()) or 1.0
    marks = []
    for mark in np.unique(value_N[np.isin(value_N, SENTINELS)]):
        if has_sentinel(value_N[value_N == mark], float(centre), spread):
            marks.append(float(mark))
    return tuple(marks)


def _learning_until(panel: Panel, windows: WindowConfig) -> int | None:
    newest = np.array([panel.last_day], dtype=np.int32)
    if cut(panel, newest, windows).status_B[0] != LEARNING:
        return None
    return panel.last_day + learning_days_left(panel, panel.last_day)


def worst_first(machines: Iterable[CheckedMachine]) -> list[CheckedMachine]:
    """Sort machines: those with doubts, those that learn, those with the least readings first."""
    return sorted(machines, key=lambda machine: (*machine.worse_than, machine.unit))
