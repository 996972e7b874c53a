"""Doubts about a unit's newest readings: points that stood still, jumped alone, or show a mark.

A change of the unit of measure (°C to °F), a stuck or disconnected sensor look like a machine in
trouble. Whoever reads a risk should know before walking there.

Legend: U units, C points, T days of the grids, N readings of a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from hvac.arrays import DayNumbers, Floats, Int8s, Ints
from hvac.compiled import compiled
from hvac.panel.grid import Panel
from hvac.panel.windows import Scale

Kind = Literal["flat", "jump", "sentinel"]
LOOKBACK: Final = 90  # days before the end that are looked at
HISTORY: Final = 180  # days before the end that show what is usual
FLAT_READINGS: Final = 14
RARELY: Final = 0.1  # of the readings equal to the one before
JUMP_DAYS: Final = 30  # a jump lies in the last 30 days
JUMP_READINGS: Final = 5  # readings that follow a jump, at the least
JUMP_SPREADS: Final = 6.0  # robust spreads of the readings before a jump
AFTER_SPREADS: Final = 3.0  # robust spreads of the readings after it
# points that jump within so many days: the machine, not a sensor
TOGETHER_DAYS: Final = 2
SURE: Final = 900.0  # a mark of this size is no value; a smaller one must come twice
FAR: Final = 10.0  # spreads from the baseline beyond which a mark is no value
SENTINELS: Final = (
    *(-9999.0, 9999.0, -999.0, 999.0, -99.0, 99999.0),
    *(-32768.0, 32767.0, 65535.0, 255.0, -1.0),
)
SENTINEL: Final = 1
FLAT: Final = 2
JUMP: Final = 3
KINDS: Final[dict[int, Kind]] = {SENTINEL: "sentinel", FLAT: "flat", JUMP: "jump"}


class Doubt(NamedTuple):
    """What is odd about one point."""

    point_id: str
    kind: Kind


def doubts(panel: Panel, end_day: int, scale: Scale) -> list[Doubt]:
    """Return what is odd about the readings of one unit in the 90 days up to a day, by point."""
    row = end_day - panel.first_day
    levels = scale.centre_TC[row], scale.spread_TC[row]
    code_UC = doubts_of_units(
        np.ascontiguousarray(panel.value_TC.T)[None],
        np.ascontiguousarray(panel.known_TC.T)[None],
        np.array([panel.first_day], dtype=np.int32),
        np.array([end_day], dtype=np.int32),
        *(np.ascontiguousarray(level_C)[None] for level_C in levels),
    )
    return named_doubts(code_UC[0], panel.points)


def named_doubts(code_C: Int8s, points: Sequence[str]) -> list[Doubt]:
    """Return the doubts about a unit's points; points that jumped come last."""
    codes = [
        (code, point)
        for code, point in zip(code_C.tolist(), points, strict=True)
        if code
    ]
    codes.sort(key=lambda doubt: doubt[0] == JUMP)
    return [Doubt(point, KINDS[code]) for code, point in codes]


def doubts_of_units(
    value_UCT: Floats,
    known_UCT: DayNumbers,
    first_day_U: DayNumbers,
    end_U: DayNumbers,
    centre_UC: Floats,
    spread_UC: Floats,
) -> Int8s:
    """Tell what is odd about the readings of the 90 days up to a day: keys of `KINDS`, or 0.

    - `flat`: 14 readings or more running are one value, at a point that else hardly ever shows a
    value twice running.
    - `jump`: in the last 30 days the level moved from one reading to the next by 6 spreads or more,
    further than it ever moved before, and no other point moved with it.
    - `sentinel`: a value that devices write for "no value" (-9999, 65535, …), far from the point's
    baseline.

    Args:
        value_UCT: readings, nan where a day was not read.
        known_UCT: the days on which they became known.
        first_day_U: of the grids.
        end_U: the day of each unit.
        centre_UC: usual levels on that day.
        spread_UC: usual spreads.
    """
    code_UC = np.zeros(centre_UC.shape, dtype=np.int8)
    row_U = end_U.astype(np.int64) - first_day_U
    _doubts(value_UCT, known_UCT, row_U, end_U, centre_UC, spread_UC, code_UC)
    return code_UC


@compiled
def _doubts(
    value_UCT: Floats,
    known_UCT: DayNumbers,
    row_U: Ints,
    end_U: DayNumbers,
    centre_UC: Floats,
    spread_UC: Floats,
    code_UC: Int8s,
) -> None:
    units, points, days = value_UCT.shape
    row_N = np.empty(HISTORY, np.int64)
    value_N = np.empty(HISTORY)
    jump_C = np.empty(points, np.int64)
    for u in range(units):
        row = row_U[u]
        jump_C[:] = -1
        for c in range(points):
            count, recent = 0, 0
            for t in range(max(row + 1 - HISTORY, 0), min(row + 1, days)):
                value = value_UCT[u, c, t]
                if np.isfinite(value) and known_UCT[u, c, t] <= end_U[u]:
                    row_N[count], value_N[count] = t, value
                    count += 1
                    recent += t > row - LOOKBACK
            if recent < JUMP_READINGS:
                continue
            newest_N = value_N[count - recent : count]
            if has_sentinel(newest_N, centre_UC[u, c], spread_UC[u, c]):
                code_UC[u, c] = SENTINEL
            elif _is_flat(value_N[:count], recent):
                code_UC[u, c] = FLAT
            else:
                jump_C[c] = _jump(row_N[:count], value_N[:count], row)
        for c in range(points):
            if jump_C[c] < 0:
                continue
            together = 0
            for other in range(points):
                near = abs(jump_C[other] - jump_C[c]) <= TOGETHER_DAYS
                together += jump_C[other] >= 0 and near
            if together == 1:
                code_UC[u, c] = JUMP


@compiled
def has_sentinel(value_N: Floats, centre: float, spread: float) -> bool:
    """Tell whether values hold a mark far from the baseline; a small one must come twice."""
    small = 0
    for value in value_N:
        for mark in SENTINELS:
            if value == mark and abs(mark - centre) / spread > FAR:
                if abs(mark) >= SURE:
                    return True
                small += 1  # 255 may be a value
    return small > 1


@compiled
def _is_flat(value_N: Floats, recent: int) -> bool:
    """Tell whether a point stood still that else changes every time.

    The longest run of one value that reaches into the `recent` last readings is looked at.
    """
    count = len(value_N)
    length, longest, same = 1, 1, 0
    for n in range(1, count):
        is_same = value_N[n] == value_N[n - 1]
        same += is_same
        length = length + 1 if is_same else 1
        if n >= count - recent and length > longest:
            longest = length
    others = count - longest
    if longest < FLAT_READINGS or others < FLAT_READINGS:
        return False
    return (same - (longest - 1)) / others <= RARELY


@compiled
def _jump(row_N: Ints, value_N: Floats, row: int) -> int:
    """Return the row of the day on which the level moved for good, -1 where it did not."""
    step_N = np.abs(np.diff(value_N))
    at = -1
    for n in range(len(step_N) - JUMP_READINGS + 1):
        if row_N[n + 1] > row - JUMP_DAYS and (at < 0 or step_N[n] > step_N[at]):
            at = n
    if at < 0 or (at > 0 and step_N[at] < step_N[:at].max()):
        return -1
    before_N = value_N[max(at + 1 - JUMP_DAYS, 0) : at + 1]
    after_N = value_N[at + 1 :]
    if len(before_N) < FLAT_READINGS:
        return -1
    moved = abs(np.median(after_N) - np.median(before_N))
    largest = np.abs(np.diff(before_N)).max()
    steady = max(JUMP_SPREADS * _spread(before_N), AFTER_SPREADS * _spread(after_N))
    if moved <= max(steady, 1.5 * largest, 1e-9) or step_N[at] <= 0.7 * moved:
        return -1
    return row_N[at + 1]  # type: ignore[no-any-return]


@compiled
def _spread(value_N: Floats) -> float:
    return 1.4826 * np.median(np.abs(value_N - np.median(value_N)))  # type: ignore[no-any-return]
