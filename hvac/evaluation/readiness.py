"""Whether a class's risks can be relied on: ready, poor, or not to be told, by written rules."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from hvac.json_values import Json, JsonObject, branch

State = Literal["ready", "cannot_tell", "poor"]
LEAST_EVENTS: Final = 30
GOOD_ECE: Final = 0.05
POOR_ECE: Final = 0.1


class Readiness(NamedTuple):
    """The state of one class at one horizon, and why: a key of the report's texts."""

    state: State
    reason: str


def readiness(
    figures: JsonObject, *, ece: float | None, against_context: str
) -> Readiness:
    """Tell whether a class's risks can be relied on.

    - `cannot_tell`: under 30 events, or an unknown interval.
    - `poor`: the interval of the ROC-AUC reaches down to 0.5 and its value is under 0.6, or the
      model is clearly worse than context alone, or the calibration error is over 0.1.
    - `ready`: the interval of the PR-AUC lies above the base rate's, that of the ROC-AUC above 0.5,
      and the calibration error is at most 0.05.
    - else `cannot_tell`.

    Args:
        figures: of the class (`metrics.json`, slices): `events`, `pr_auc`, `roc_auc`, `base_rate`.
        ece: calibration error of the model at this horizon.
        against_context: the conclusion on the model against context alone.

    >>> good = {"pr_auc": {"value": 0.5, "low": 0.4, "high": 0.6}, "events": {"value": 60}}
    >>> good |= {"roc_auc": {"value": 0.8, "low": 0.7, "high": 0.9}}
    >>> good |= {"base_rate": {"value": 0.1, "low": 0.05, "high": 0.15}}
    >>> readiness(good, ece=0.02, against_context="better").state
    'ready'
    """
    events = _number(figures, "events", "value")
    if events is None or events < LEAST_EVENTS:
        return Readiness("cannot_tell", "few_events")
    low = _number(figures, "roc_auc", "low")
    value = _number(figures, "roc_auc", "value")
    if low is None or value is None:
        return Readiness("cannot_tell", "no_interval")
    if low <= 0.5 and value < 0.6:
        return Readiness("poor", "like_chance")
    if against_context == "worse":
        return Readiness("poor", "below_context")
    if ece is not None and ece > POOR_ECE:
        return Readiness("poor", "miscalibrated")
    precision = _number(figures, "pr_auc", "low")
    rate = _number(figures, "base_rate", "high")
    ranks = (
        precision is not None and rate is not None and precision > rate and low > 0.5
    )
    if not ranks:
        return Readiness("cannot_tell", "wide_interval")
    if ece is None or ece > GOOD_ECE:
        return Readiness("cannot_tell", "rough_calibration")
    return Readiness("ready", "all_hold")


def _number(figures: JsonObject, name: str, part: str) -> float | None:
    value: Json = branch(figures, name).get(part)
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if known and value == value else None  # type: ignore[arg-type]
