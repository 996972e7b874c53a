"""The test part, prepared once for every model, and its known windows at one horizon.

Shapes: B windows, H horizons, U units, R replicates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats, Ints
from hvac.decision.alarm_episodes import infer_stride
from hvac.evaluation.alarms import Grid, Onsets
from hvac.evaluation.bootstrap import UnitWeights, unit_sums, unit_weights


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The test part, prepared once and shared by every model; made by `held_out`.

    `turn_B` tells windows apart that different models score (None: one model scores all of them).
    """

    y_BH: AnyArray
    known_BH: Bools
    end_day_B: Ints
    units: AnyArray
    events: Onsets
    horizons: tuple[int, ...]
    weights: UnitWeights
    stride: int
    label_weight_BH: Floats
    turn_B: Ints | None = None


@dataclass(frozen=True, kw_only=True)
class HorizonRows:
    """The known windows of one horizon."""

    risk_B: Floats
    y_B: Floats
    alarm_B: Bools
    grid: Grid
    events: Onsets
    horizon: int
    reference_B: Floats
    weight_B: Floats
    w_RU: Floats
    turn_B: Ints

    @property
    def all_w_RU(self) -> Floats:
        """Return the weights with the sample itself, every unit once, as a first row."""
        once_1U = np.ones((1, self.w_RU.shape[1]))
        return np.concatenate([once_1U, self.w_RU])

    def weighted_sums(self, value_BK: Floats) -> Floats:
        """Sum each column, weighted, on the sample (first) and on every replicate: [K, 1 + R]."""
        value_BK = value_BK * self.weight_B[:, None]
        sums_UK = unit_sums(value_BK, self.grid.unit_B, units=len(self.grid.units))
        sums_KR: Floats = (self.all_w_RU @ sums_UK).T
        return sums_KR


def held_out(
    y_BH: AnyArray,
    *,
    known_BH: Bools,
    units_B: AnyArray,
    end_day_B: AnyArray,
    events: Onsets,
    horizons: tuple[int, ...],
    weights: UnitWeights | None = None,
    label_weight_BH: AnyArray | None = None,
    turn_B: Ints | None = None,
) -> HeldOut:
    """Prepare a test part.

    Args:
        y_BH: labels, one row per window and one column per horizon.
        known_BH: which labels are known; the others are left out.
        units_B: each window's unit.
        end_day_B: each window's last day, in days since 1970-01-01.
        events: the onsets, also of other units.
        horizons: days ahead.
        weights: how often each unit is drawn, from `unit_weights(units_B)` (2,000 replicates, seed
            0 by default).
        label_weight_BH: how many windows each label stands for; one each by default.
        turn_B: which model scored each window, where several did. Their risks are not on one
            scale, so ranking (`pr_auc`, `roc_auc`, recall and lift at the top) is measured within
            turns and averaged by their positives.
    """
    shape = (len(units_B), len(horizons))
    assert y_BH.shape == known_BH.shape == shape, (
        "one column per horizon, one row per window"
    )
    if label_weight_BH is None:
        label_weight_BH = np.ones(y_BH.shape)
    return HeldOut(
        y_BH=y_BH,
        known_BH=np.asarray(known_BH, bool),
        end_day_B=np.asarray(end_day_B, np.int64),
        units=np.unique(units_B),
        events=events,
        horizons=tuple(horizons),
        weights=weights or unit_weights(units_B),
        stride=infer_stride(units_B, end_day_B),
        label_weight_BH=np.asarray(label_weight_BH, np.float64),
        turn_B=turn_B,
    )


def horizon_rows(
    risk_BH: AnyArray,
    test: HeldOut,
    i: int,
    alarm_B: Bools,
    reference_B: Floats,
) -> HorizonRows:
    """Take the known windows of the i-th horizon."""
    known_B = test.known_BH[:, i]
    unit_B = test.weights.unit_index_B[known_B]
    turn_B = np.zeros(len(unit_B), np.int64)
    if test.turn_B is not None:
        turn_B = test.turn_B[known_B]
    return HorizonRows(
        risk_B=np.asarray(risk_BH[known_B, i], np.float64),
        y_B=np.asarray(test.y_BH[known_B, i], np.float64),
        alarm_B=alarm_B[known_B],
        grid=Grid(unit_B, test.end_day_B[known_B], test.units, test.stride),
        events=test.events,
        horizon=test.horizons[i],
        reference_B=reference_B[known_B],
        weight_B=test.label_weight_BH[known_B, i],
        w_RU=test.weights.w_RU,
        turn_B=turn_B,
    )
