"""Risk into alarm: one threshold per horizon, chosen by F1, by cost, or by an alarm budget.

A horizon alarms where its risk reaches its threshold or a shorter horizon alarms: who must be
visited within 30 days must be within 60 (`alarms`). Shapes: B windows, K distinct risks in falling
order.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self, TypedDict

import numpy as np
from pydantic import Field, model_validator

from hvac.arrays import AnyArray, Bools, Floats
from hvac.config import Config
from hvac.decision.alarm_episodes import (
    false_episodes,
    infer_stride,
    merge_gap,
    unit_years,
)
from hvac.errors import SplitError

Policy = Literal["f1", "cost", "budget"]


class ThresholdConfig(Config):
    """How the threshold is chosen."""

    policy: Policy = "f1"
    """`f1`: best F1; `cost`: least cost; `budget`: false alarms within a budget."""
    miss_cost: float | None = Field(default=None, gt=0)
    """Cost of a missed window, for `cost`; only the ratio of the costs counts."""
    false_alarm_cost: float | None = Field(default=None, gt=0)
    """Cost of a window in false alarm, for `cost`."""
    false_alarms_per_unit_year: float = Field(default=1.0, ge=0)
    """False alarm episodes a unit may have in a year, for `budget`."""

    @model_validator(mode="after")
    def _costs_are_given(self) -> Self:
        if self.policy == "cost" and (
            self.miss_cost is None or self.false_alarm_cost is None
        ):
            raise ValueError("policy 'cost' needs miss_cost and false_alarm_cost")
        return self


class StoredThreshold(TypedDict):
    """A `Threshold` as JSON holds it."""

    value: float
    policy: Policy
    note: str


class Threshold(NamedTuple):
    """The threshold, the policy that gave it, and a note where that is not the configured one."""

    value: float
    policy: Policy
    note: str = ""

    def to_json(self) -> StoredThreshold:
        """Return plain values."""
        return {"value": self.value, "policy": self.policy, "note": self.note}


class _Steps(NamedTuple):
    """Counts when everything at or above each distinct risk is in alarm."""

    risk_K: Floats
    tp_K: Floats
    fp_K: Floats


def alarms(risk_BH: Floats, threshold_BH: Floats) -> Bools:
    """Return the alarms [B, H]: where a horizon's risk reaches its threshold, and at longer ones.

    Leading axes of the risks are kept.

    >>> alarms(np.array([[0.3, 0.4, 0.5]]), np.array([[0.3, 0.5, 0.9]])).tolist()
    [[True, True, True]]
    """
    return np.logical_or.accumulate(risk_BH >= threshold_BH, axis=-1)


def choose_threshold(
    risk_B: Floats,
    y_B: AnyArray,
    *,
    config: ThresholdConfig,
    units_B: AnyArray,
    end_day_B: AnyArray,
    horizon: int,
    w_B: AnyArray | None = None,
) -> Threshold:
    """Choose the threshold on known windows, whose labels weigh `w_B`; it is never nan.

    - `f1`: the highest F1 (equal ones: the higher threshold).
    - `cost`: the least miss_cost x FN + false_alarm_cost x FP (equal ones: the higher threshold);
      may be "never alarm".
    - `budget`: going down from the highest risk, the last threshold before the false alarm episodes
      per unit-year pass the budget. (Further down episodes merge and the count falls again: a unit
      always in alarm has one episode. Such a threshold is of no use, so it is never chosen.)
    - Without a positive, `f1` and `cost` are undefined: `budget` stands in and the note tells so.

    Raises:
        SplitError: if there are no rows.

    >>> risk_B, y_B = np.array([0.1, 0.4, 0.6, 0.9]), np.array([0, 0, 1, 1])
    >>> days = {"units_B": np.arange(4), "end_day_B": np.zeros(4, int), "horizon": 30}
    >>> choose_threshold(risk_B, y_B, config=ThresholdConfig(), **days).value
    0.6
    """
    if not len(risk_B):
        raise SplitError(
            f"thresholds: expected windows with a known {horizon}-day label in the cal part, found"
            " none"
        )
    risk_B = np.asarray(risk_B, np.float64)
    assert np.all(np.isfinite(risk_B)), (
        "risks must be finite before a threshold is chosen"
    )
    if config.policy != "budget" and np.any(y_B):
        steps = _steps(
            risk_B,
            y_B,
            np.ones(len(y_B)) if w_B is None else np.asarray(w_B, np.float64),
        )
        return Threshold(
            _best_f1(steps) if config.policy == "f1" else _least_cost(steps, config),
            config.policy,
        )
    false = false_episodes(
        risk_B, y_B, units_B=units_B, end_day_B=end_day_B, gap_days=merge_gap(horizon)
    )
    years = unit_years(len(risk_B), infer_stride(units_B, end_day_B))
    within_K = false.false_K <= config.false_alarms_per_unit_year * years
    return Threshold(
        _last_within(false.threshold_K, within_K), "budget", _note(config, within_K)
    )


def _note(config: ThresholdConfig, within_K: Bools) -> str:
    notes = []
    if config.policy != "budget":
        notes.append(
            f"no positive, so '{config.policy}' is undefined: 'budget' instead"
        )
    if not within_K[0]:
        notes.append("even the highest risk breaks the budget: no alarms")
    return "; ".join(notes)


def _steps(risk_B: Floats, y_B: AnyArray, w_B: Floats) -> _Steps:
    order = np.argsort(-risk_B, kind="stable")
    falls_after = np.diff(risk_B[order]) != 0
    last_K = np.flatnonzero(np.r_[falls_after, True])
    positive_B = np.asarray(y_B, np.float64) * w_B
    tp_K = np.cumsum(positive_B[order])[last_K]
    risk_K = risk_B[order][last_K]
    weight_K = np.cumsum(w_B[order])[last_K]
    return _Steps(risk_K, tp_K, weight_K - tp_K)


def _best_f1(steps: _Steps) -> float:
    f1_K = 2 * steps.tp_K / (steps.tp_K + steps.fp_K + steps.tp_K[-1])
    return float(steps.risk_K[np.argmax(f1_K)])


def _least_cost(steps: _Steps, config: ThresholdConfig) -> float:
    assert config.miss_cost is not None
    assert config.false_alarm_cost is not None
    positives = steps.tp_K[-1]
    cost_K = (
        config.miss_cost * (positives - steps.tp_K)
        + config.false_alarm_cost * steps.fp_K
    )
    if config.miss_cost * positives <= cost_K.min():
        return _above(steps.risk_K[0])
    return float(steps.risk_K[np.argmin(cost_K)])


def _last_within(risk_K: Floats, within_K: Bools) -> float:
    run = len(within_K) if within_K.all() else int(np.argmin(within_K))
    return float(risk_K[run - 1]) if run else _above(risk_K[0])


def _above(risk: float) -> float:
    """Return a threshold that no seen risk reaches: half-way to certainty."""
    if risk < 1:
        return float((risk + 1) / 2)
    return float(np.nextafter(risk, np.inf))
