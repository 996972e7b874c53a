"""What the record shows of simulated equipment: readings with faults, sensor trouble and gaps.

Shapes: U units of one class in one facility, P points of the class, D reported days.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hvac.arrays import Bools, Floats
from hvac.filling import last_held
from hvac.simulate.faults import BURN_IN, Life, severity
from hvac.simulate.operation import YEAR, Base, Climate, record

REPORTED_WHEN_BROKEN = 0.3  # share of repair days on which a point still reports


class Trouble(NamedTuple):
    """Share of readings missing, stuck spells per point and year, share of outliers."""

    gap_share: float
    stuck_per_year: float
    outlier_share: float


def observe(
    rng: np.random.Generator,
    x_UPD: Floats,
    base: Base,
    trouble: Trouble,
    *,
    lives: Sequence[Life],
    weather: Climate,
    fault_size: float,
) -> tuple[Floats, Bools]:
    """Lay faults over the readings, then sensor trouble.

    Returns the rounded values and the mask of what was recorded. Sensor trouble is drawn from the
    generator alone: it does not depend on the faults. Repair days are mostly missing where the life
    has faults at all (not in a life without memory, whose readings know nothing of the events).
    """
    days = x_UPD.shape[-1]
    x_UPD = x_UPD + fault_size * _shifts(
        base, lives, 0.6 + 0.4 * weather.load(base.kind)
    )
    x_UPD = _stick(
        x_UPD, _spells(rng, x_UPD.shape, trouble.stuck_per_year / YEAR, (5, 30))
    )
    wild_UPD = rng.random(x_UPD.shape) < trouble.outlier_share
    height_UPD = rng.uniform(6, 15, x_UPD.shape)
    size_UPD = height_UPD * rng.choice([-1.0, 1.0], x_UPD.shape)
    x_UPD = x_UPD + wild_UPD * size_UPD * base.noise_UP[..., None]
    lost_UPD = rng.random(x_UPD.shape) < trouble.gap_share / 2
    silent_U1D = _spells(
        rng, (len(x_UPD), 1, days), trouble.gap_share / 2 / 10.0, (2, 18)
    )
    unreported_UPD = rng.random(x_UPD.shape) > REPORTED_WHEN_BROKEN
    down_UPD = _repair_days(lives, days)[:, None, :] & unreported_UPD
    return record(x_UPD, base.kind), ~(lost_UPD | silent_U1D | down_UPD)


def _shifts(base: Base, lives: Sequence[Life], shown_D: Floats) -> Floats:
    """Return what faults add [U, P, D], in the points' units; full load shows a fault best."""
    shift_UPD = np.zeros((*base.level_UP.shape, len(shown_D)))
    place = {point.name: index for index, point in enumerate(base.kind.points)}
    noise = [point.noise for point in base.kind.points]
    for unit, life in enumerate(lives):
        for fault in life.faults:
            begin = max(fault.start - BURN_IN, 0)
            stop = min(fault.stop - BURN_IN, len(shown_D))
            if begin >= stop:
                continue
            grown_D = severity(fault, np.arange(begin, stop) + BURN_IN)
            size_D = fault.size * grown_D * shown_D[begin:stop]
            for name, times in fault.mode.shifts.items():
                shift_UPD[unit, place[name], begin:stop] += (
                    times * noise[place[name]] * size_D
                )
    return shift_UPD


def _repair_days(lives: Sequence[Life], days: int) -> Bools:
    """Tell on which days after the onset a unit stands still for repair [U, D].

    There are none in a life without memory.
    """
    down_UD = np.zeros((len(lives), days), bool)
    for unit, life in enumerate(lives):
        for item in life.happenings:
            if item.mode == "repair" and life.remembers:
                begin = max(item.start + 1 - BURN_IN, 0)
                stop = max(item.end + 1 - BURN_IN, 0)
                down_UD[unit, begin:stop] = True
    return down_UD


def _spells(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    chance: float,
    length: tuple[int, int],
) -> Bools:
    """Draw spells along the last axis: they start with a chance per day and last some days.

    `length` is the shortest and the longest.
    """
    days = shape[-1]
    step = np.zeros((*shape[:-1], days + 1), np.int32)
    *rows, first = np.nonzero(rng.random(shape) < chance)
    spell = rng.integers(length[0], length[1] + 1, len(first))
    last = np.minimum(first + spell, days)
    np.add.at(step, (*rows, first), 1)
    np.add.at(step, (*rows, last), -1)
    return np.asarray(step[..., :-1].cumsum(axis=-1) > 0)


def _stick(x_UPD: Floats, stuck_UPD: Bools) -> Floats:
    """Repeat the last value before a stuck spell throughout it."""
    source_UPD = np.maximum(last_held(~stuck_UPD), 0)
    return np.take_along_axis(x_UPD, source_UPD, axis=-1)
