"""Lay new readings into the states of units, at the cost of what is new.

A reading that changes what the first days settled, that meets another of the same day, or that is
older than the newest days cannot be laid in: its unit is to be read again from its record.

Legend: U units, C points, R newest days, N readings, one a point and day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import AnyArray, Bools, DayNumbers, Floats, Ints
from hvac.compiled import compiled
from hvac.days import EPOCH, NEVER
from hvac.features.recipe import Recipe
from hvac.features.residuals import GRACE_DAYS
from hvac.features.scene import Scene
from hvac.panel.daily_readings import (
    ALWAYS_KNOWN,
    DailyReadings,
    daily_readings,
    sorted_codes,
)
from hvac.panel.grid import Unit
from hvac.panel.rhythm import FIRST_DAYS, LEAST_READINGS
from hvac.panel.windows import BASELINE_DAYS
from hvac.state.unit_states import UnitStates

NOWHERE: Final = -1


class Updated(NamedTuple):
    """States with new readings, and the units that must be read again from their record.

    The states of those are left out.
    """

    states: UnitStates
    again: set[Unit]


def update(states: UnitStates, readings: pa.Table, recipe: Recipe) -> Updated:
    """Lay canonical readings into the states of units of one class.

    Args:
        states: of all units that have readings of the class's points so far.
        readings: new ones, of units of this class only.
        recipe: of the class.
    """
    if not readings.num_rows:
        return Updated(states, set())
    new = _new_readings(states, readings, recipe)
    unfit_N = new.row_N == NOWHERE
    there_N = ~unfit_N
    unfit_N[there_N] = _unfit(states, new.take(there_N))
    again = {new.units[code] for code in np.unique(new.unit_N[unfit_N]).tolist()}
    kept_U = np.array([unit not in again for unit in new.units], dtype=np.bool_)
    laid = _lay(states, new.take(kept_U[new.unit_N]))
    kept = [u for u, unit in enumerate(states.unit_U) if unit not in again]
    return Updated(
        laid if not again else laid.take(np.array(kept, dtype=np.int64)), again
    )


class _New(NamedTuple):
    """New readings with their places in the states.

    `unit_N` is a place among `units`, `row_N` one among the states (-1: there is none yet).
    """

    units: list[Unit]
    unit_N: Ints
    row_N: Ints
    column_N: Ints
    day_N: DayNumbers
    value_N: Floats
    lower_N: Floats
    upper_N: Floats
    known_N: DayNumbers

    @property
    def limited_N(self) -> Bools:
        """Tell which readings have a limit."""
        return np.isfinite(self.lower_N) | np.isfinite(self.upper_N)

    def take(self, keep_N: Bools) -> _New:
        """Return some of the readings."""
        columns: list[Any] = [part[keep_N] for part in self[1:]]
        return _New(self.units, *columns)


def _new_readings(states: UnitStates, readings: pa.Table, recipe: Recipe) -> _New:
    facilities, facility_N = sorted_codes(readings["facility_id"])
    equipment, equipment_N = sorted_codes(readings["equipment_id"])
    points, point_N = sorted_codes(readings["point_id"])
    code_N = facility_N * len(equipment) + equipment_N
    long = daily_readings(readings, code_N, point_N, recipe.windows.aggregate)
    of_class_N = np.isin(
        long.point, [n for n, name in enumerate(points) if name in recipe.points]
    )
    long = DailyReadings(*(column[of_class_N] for column in long))
    codes, unit_N = np.unique(long.unit, return_inverse=True)
    pairs = [divmod(code, len(equipment)) for code in codes.tolist()]
    units = [
        Unit(facilities[facility], equipment[machine]) for facility, machine in pairs
    ]
    place = {
        pair: u
        for u, pair in enumerate(zip(states.unit_U, states.point_U, strict=True))
    }
    if recipe.windows.by == "point":
        named = zip(unit_N.tolist(), long.point.tolist(), strict=True)
        rows = [
            place.get((units[unit], points[point]), NOWHERE) for unit, point in named
        ]
        row_N, column_N = (
            np.array(rows, dtype=np.int64),
            np.zeros(len(rows), dtype=np.int64),
        )
    else:
        row_of_unit = np.array(
            [place.get((unit, None), NOWHERE) for unit in units], dtype=np.int64
        )
        column = {name: c for c, name in enumerate(recipe.points)}
        column_of_point = np.array(
            [column.get(name, NOWHERE) for name in points], dtype=np.int64
        )
        row_N, column_N = row_of_unit[unit_N], column_of_point[long.point]
    return _New(units, unit_N, row_N, column_N, *(long.day, *long[3:]))


def _unfit(states: UnitStates, new: _New) -> Bools:
    """Tell which readings cannot be laid in."""
    fits, days = states.fits, states.value_UCR.shape[2]
    day_N, last_N = new.day_N, states.last_day_U[new.row_N]
    at = (new.row_N, new.column_N)
    first_N = last_N - days + 1
    late_N = day_N <= last_N
    ring_N = np.clip(day_N - first_N, 0, days - 1)
    taken_N = late_N & np.isfinite(states.value_UCR[*at, ring_N])
    first_ready_U = np.maximum(
        fits.ready_UC.min(axis=1), fits.start_U + BASELINE_DAYS - 1
    )
    related_U = np.minimum(first_ready_U, NEVER - GRACE_DAYS) + GRACE_DAYS
    unrelated_N = day_N <= related_U[new.row_N]
    known_on_N = np.maximum(day_N, new.known_N)
    newest_U = _newest(states, new)
    odd_limit_N = new.limited_N & (
        (known_on_N <= last_N) | (known_on_N > newest_U[new.row_N])
    )
    unsettled_N = ~_settled(states, new, late_N)
    return np.asarray(
        taken_N | (day_N < first_N) | unsettled_N | unrelated_N | odd_limit_N
    )


def _settled(states: UnitStates, new: _New, late_N: Bools) -> Bools:
    """Tell which readings come after all that their point's level and rhythm rest on."""
    fits = states.fits
    at = (new.row_N, new.column_N)
    counted_N = states.count_UC[at] >= BASELINE_DAYS
    based_N = np.where(
        fits.sparse_UC[at],
        new.day_N > fits.gap_known_UC[at],
        counted_N & (new.day_N > fits.ready_UC[at]),
    )
    seen_N = np.minimum(fits.seen_UC[at], NEVER - FIRST_DAYS)
    inside_UC = np.isfinite(states.value_UCR).sum(axis=2)
    before_N = (states.count_UC - inside_UC)[at]
    rhythm_N = (new.day_N >= seen_N + FIRST_DAYS) & (
        ~late_N | (before_N >= LEAST_READINGS)
    )
    return np.asarray(based_N & rhythm_N)


def _newest(states: UnitStates, new: _New) -> DayNumbers:
    """Return the last day of each unit with the new readings."""
    newest_U = states.last_day_U.copy()
    np.maximum.at(newest_U, new.row_N, new.day_N)
    return newest_U


def _lay(states: UnitStates, new: _New) -> UnitStates:
    """Return the states with readings that fit."""
    row_N, column_N = new.row_N, new.column_N
    newest_U = _newest(states, new)
    count_UC = states.count_UC.copy()
    np.add.at(count_UC, (row_N, column_N), 1)
    shift_U = (newest_U - states.last_day_U).astype(np.int64)
    value_UCR = _moved(states.value_UCR, shift_U, np.nan)
    known_UCR = _moved(states.known_UCR, shift_U, int(ALWAYS_KNOWN))
    lower_UCR, upper_UCR = states.lower_UCR.copy(), states.upper_UCR.copy()
    _carry(lower_UCR, shift_U)
    _carry(upper_UCR, shift_U)
    days = value_UCR.shape[2]
    oldest_N = newest_U[row_N].astype(np.int64) - days + 1
    value_UCR[row_N, column_N, new.day_N - oldest_N] = new.value_N
    known_UCR[row_N, column_N, new.day_N - oldest_N] = new.known_N
    from_N = np.maximum(new.day_N, new.known_N) - oldest_N
    order = np.lexsort((new.day_N, from_N))
    of_limits = row_N[order], column_N[order], from_N[order]
    _limit(lower_UCR, *of_limits, new.lower_N[order])
    _limit(upper_UCR, *of_limits, new.upper_N[order])
    return replace(
        states,
        last_day_U=newest_U,
        count_UC=count_UC,
        value_UCR=value_UCR,
        known_UCR=known_UCR,
        lower_UCR=lower_UCR,
        upper_UCR=upper_UCR,
    )


def pending_limits(readings: pa.Table, scenes: Sequence[Scene]) -> set[Unit]:
    """Return the units with a limit that is known only after their last day.

    A state would forget it: such a unit has none.
    """
    known = readings.filter(pc.is_valid(readings["known_at"]))
    known = known.filter(
        pc.or_(pc.is_valid(known["lower_limit"]), pc.is_valid(known["upper_limit"]))
    )
    if not known.num_rows:
        return set()
    last_day = {
        (scene.panel.unit, scene.panel.point_id): scene.panel.last_day
        for scene in scenes
    }
    series = known.group_by(["facility_id", "equipment_id", "point_id"])
    pending = set()
    for row in series.aggregate([("known_at", "max")]).to_pylist():
        unit = Unit(row["facility_id"], row["equipment_id"])
        last = last_day.get((unit, None), last_day.get((unit, row["point_id"]), NEVER))
        if (row["known_at_max"] - EPOCH).days > last:
            pending.add(unit)
    return pending


def _moved(array_UCR: AnyArray, shift_U: Ints, fill: float) -> AnyArray:
    """Return newest days moved on by as many days for each unit, the new ones filled."""
    moved_UCR = np.full_like(array_UCR, fill)
    days = array_UCR.shape[2]
    for shift in np.unique(shift_U).tolist():
        rows = np.flatnonzero(shift_U == shift)
        if shift < days:
            moved_UCR[rows, :, : days - shift] = array_UCR[rows, :, shift:]
    return moved_UCR


@compiled
def _carry(limit_UCR: Floats, shift_U: Ints) -> None:
    """Move limits on; a new day has the limit of the last one."""
    units, points, days = limit_UCR.shape
    for u in range(units):
        shift = min(shift_U[u], days)
        if shift == 0:
            continue
        for c in range(points):
            last = limit_UCR[u, c, days - 1]
            for r in range(days - shift):
                limit_UCR[u, c, r] = limit_UCR[u, c, r + shift]
            for r in range(days - shift, days):
                limit_UCR[u, c, r] = last


@compiled
def _limit(
    limit_UCR: Floats, row_N: Ints, column_N: Ints, from_N: Ints, limit_N: Floats
) -> None:
    """Lay limits from the day they are known on."""
    for n in range(len(row_N)):
        if np.isfinite(limit_N[n]):
            for r in range(max(from_N[n], 0), limit_UCR.shape[2]):
                limit_UCR[row_N[n], column_N[n], r] = limit_N[n]
