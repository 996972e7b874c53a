"""Doubts about a unit's newest readings: points that stand still, jumped alone, or show a mark.

A change of the unit of measure (°C to °F), a stuck or disconnected sensor look like a machine in
trouble. Whoever reads a risk should know before walking there.

Legend: T days of the panel, C points.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np

from hvac.arrays import Floats, Positions
from hvac.panel.grid import Panel
from hvac.panel.windows import Scale

Kind = Literal["flat", "jump", "sentinel"]
LOOKBACK: Final = 90  # days before the end that are looked at
HISTORY: Final = 400  # days before the end that show what is usual
FLAT_READINGS: Final = 14
RARELY: Final = 0.1  # of the readings equal to the one before
JUMP_DAYS: Final = 30  # a jump lies in the last 30 days
JUMP_READINGS: Final = 5  # readings that follow a jump, at the least
JUMP_SPREADS: Final = 6.0  # robust spreads of the readings before a jump
AFTER_SPREADS: Final = 3.0  # robust spreads of the readings after it
TOGETHER_DAYS: Final = 2  # points that jump within so many days: the machine, not a sensor
SURE: Final = 900.0  # a mark of this size is no value; a smaller one must come twice
FAR: Final = 10.0  # spreads from the baseline beyond which a mark is no value
SENTINELS: Final = (
    *(-9999.0, 9999.0, -999.0, 999.0, -99.0, 99999.0),
    *(-32768.0, 32767.0, 65535.0, 255.0, -1.0),
)


class Doubt(NamedTuple):
    """What is odd about one point."""

    point_id: str
    kind: Kind


def doubts(panel: Panel, end_day: int, scale: Scale) -> list[Doubt]:
    """Return what is odd about the readings of the 90 days up to a day, by point.

    - `flat`: the last 14 readings or more are one value, at a point that hardly ever shows a value
    twice running.
    - `jump`: in the last 30 days the level moved from one reading to the next by 6 spreads or more,
      further than it ever moved before, and no other point moved with it.
    - `sentinel`: a value that devices write for "no value" (-9999, 65535, …), far from the point's
    baseline.
    """
    doubted: list[Doubt] = []
    jumps: dict[str, int] = {}
    row = end_day - panel.first_day
    past = np.s_[max(row + 1 - HISTORY, 0) : row + 1]
    known_TC = panel.observed_TC[past] & (panel.known_TC[past] <= end_day)
    for c, name in enumerate(panel.points):
        row_N = np.flatnonzero(known_TC[:, c]) + past.start
        value_N = panel.value_TC[row_N, c]
        recent_N = row_N > row - LOOKBACK
        if recent_N.sum() < JUMP_READINGS:
            continue
        if has_sentinel(value_N[recent_N], scale.centre_TC[row, c], scale.spread_TC[row, c]):
            doubted.append(Doubt(name, "sentinel"))
        elif _is_flat(value_N):
            doubted.append(Doubt(name, "flat"))
        elif (jump := _jump(row_N, value_N, row)) is not None:
            jumps[name] = jump
    jump_rows = np.array(list(jumps.values()))
    for name, jump in jumps.items():
        if (np.abs(jump_rows - jump) <= TOGETHER_DAYS).sum() == 1:
            doubted.append(Doubt(name, "jump"))
    return doubted


def has_sentinel(value_N: Floats, centre: float, spread: float) -> bool:
    """Tell whether values hold a mark far from the baseline; a small one must come twice."""
    mark_N = value_N[np.isin(value_N, SENTINELS)]
    far_N = np.abs(mark_N - centre) / spread > FAR
    small_N = np.abs(mark_N) < SURE  # 255 may be a value
    large_is_far = far_N[~small_N].any()
    return bool(large_is_far or (far_N & small_N).sum() > 1)


def _is_flat(value_N: Floats) -> bool:
    """Tell whether the last readings are one value at a point that else changes every time."""
    if len(value_N) < 2 * FLAT_READINGS:
        return False
    if (value_N[-FLAT_READINGS:] != value_N[-1]).any():
        return False
    same = np.diff(value_N) == 0
    last_change = int(np.flatnonzero(~same).max(initial=-1))
    standing = len(same) - last_change - 1
    earlier = same[: len(same) - standing]
    return bool(len(earlier) >= FLAT_READINGS and earlier.mean() <= RARELY)


def _jump(row_N: Positions, value_N: Floats, row: int) -> int | None:
    """Return the row of the day on which the level moved for good, None where it did not."""
    step_N = np.abs(np.diff(value_N))
    late_N = row_N[1:] > row - JUMP_DAYS
    late_N[len(late_N) - JUMP_READINGS + 1 :] = False
    if not late_N.any():
        return None
    at = int(np.argmax(np.where(late_N, step_N, -1.0)))
    if step_N[at] < step_N[:at].max(initial=0.0):
        return None
    before = value_N[max(at + 1 - JUMP_DAYS, 0) : at + 1]
    after = value_N[at + 1 :]
    if len(before) < FLAT_READINGS:
        return None
    moved = abs(float(np.median(after) - np.median(before)))
    largest = float(np.abs(np.diff(before)).max())
    usual = max(JUMP_SPREADS * _spread(before), AFTER_SPREADS * _spread(after), 1.5 * largest, 1e-9)
    if moved <= usual or step_N[at] <= 0.7 * moved:
        return None
    return int(row_N[at + 1])


def _spread(value_N: Floats) -> float:
    distance_N = np.abs(value_N - np.median(value_N))
    return 1.4826 * float(np.median(distance_N))
