"""From scores to decisions: calibrate, never let risks fall with the horizon, choose thresholds.

All of it rests on cross-fitted scores: every unit that is not tested is scored by a model that saw
none of its windows. Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from hvac.arrays import Bools, Floats
from hvac.config import Config
from hvac.decision.abstain_config import AbstainConfig
from hvac.decision.calibration import Calibrator, bent
from hvac.decision.decision import Decision, Scored, risk_of
from hvac.decision.departures import fit_shift
from hvac.decision.pooling import correct, fit_calibrators
from hvac.decision.thresholds import Threshold, ThresholdConfig, choose_threshold
from hvac.features.table import Windows, concat, labels_only

# machines of one class and facility with a positive: below it the class's thresholds hold there
CUT_MACHINES = 20
# units of one class with an event: below it the thresholds of all classes together hold
FEW_UNITS = 10


class DecisionConfig(Config):
    """How scores are calibrated, and thresholds chosen."""

    calibration: Literal["auto", "isotonic", "platt", "shift"] = "auto"
    """`auto`: a class's own where 100 machines have an event, else pooled over classes."""
    threshold: ThresholdConfig = ThresholdConfig()
    """How thresholds are chosen."""
    by_facility: bool = False
    """Whether facilities depart from their class as far as their machines can prove."""
    abstain: AbstainConfig = AbstainConfig()
    """When "needs a look" is said in place of an alarm."""
    folds: int = Field(default=3, ge=2)
    """Folds of units for the cross-fitted scores (a fusion has its own number)."""


def on_grid(windows: Windows, stride: int) -> Bools:
    """Tell which windows lie on the grid that is evaluated.

    Training windows may be closer together.
    """
    held_out_B = windows.column("split") != "train"
    on_grid_B = windows.end_day_B % stride == 0
    return np.asarray(held_out_B | on_grid_B)


def fit_decisions(
    scored: Mapping[str, Scored],
    *,
    horizons: tuple[int, ...],
    config: DecisionConfig,
    calibrators: tuple[Calibrator, ...] | None = None,
    log_odds: bool = False,
) -> dict[str, Decision]:
    """Fit calibrators and thresholds of every class, on cross-fitted scores of untested windows.

    Calibrators rest on all of these windows. The *cal* part, held back from training by the
    networks and later in time under a time split, then corrects all classes alike as far as its
    units prove something.

    Args:
        scored: by class.
        horizons: days ahead.
        config: how to calibrate and choose.
        calibrators: one per horizon, kept as they are, for every class and facility (the base
            rate's scores are log-odds already).
        log_odds: whether the scores mean log-odds, which few units must not bend.

    Raises:
        SplitError: if no window of a class has a known label for a horizon.
    """
    by_class: dict[str, tuple[Calibrator, ...]] = dict.fromkeys(
        scored, calibrators or ()
    )
    if not calibrators:
        for h in range(len(horizons)):
            for name, fitted in _calibrators(scored, h, config, log_odds).items():
                by_class[name] += (fitted,)
    fleet = _fleet(scored, by_class, horizons, config)
    decisions = {}
    for name, of_class in scored.items():
        decision = _decision(of_class, by_class[name], fleet, horizons, config)
        if config.by_facility and not calibrators:
            facilities = dict(_facilities(decision, of_class, horizons, config))
            decision = replace(decision, facilities=facilities)
        decisions[name] = decision
    return decisions


def _calibrators(
    scored: Mapping[str, Scored], h: int, config: DecisionConfig, log_odds: bool
) -> dict[str, Calibrator]:
    parts = {}
    cal_parts = {}
    for name, of_class in scored.items():
        parts[name] = of_class.part(h)
        cal_B = of_class.windows.column("split") == "cal"
        cal_parts[name] = of_class.where(cal_B).part(h)
    fitted = fit_calibrators(parts, method=config.calibration, log_odds=log_odds)
    return correct(fitted, cal_parts) if config.calibration == "auto" else fitted


class AllClasses(NamedTuple):
    """Thresholds of all classes together and the units with events behind them, per horizon."""

    thresholds: tuple[Threshold, ...]
    with_event_H: tuple[int, ...]


def _fleet(
    scored: Mapping[str, Scored],
    calibrators: Mapping[str, tuple[Calibrator, ...]],
    horizons: tuple[int, ...],
    config: DecisionConfig,
) -> AllClasses:
    """Choose thresholds on the windows of all classes, for classes with few events."""
    risks = [
        risk_of(calibrators[name], of_class.score_BH)
        for name, of_class in scored.items()
    ]
    risk_BH = np.concatenate(risks)
    windows = concat([labels_only(of_class.windows) for of_class in scored.values()])
    thresholds = []
    with_event = []
    for h, days in enumerate(horizons):
        thresholds.append(_threshold(windows, risk_BH, h, days, config))
        with_event.append(units_with_event(windows, h))
    return AllClasses(tuple(thresholds), tuple(with_event))


def units_with_event(windows: Windows, h: int) -> int:
    """Count the units that have a window with an event within one horizon."""
    y_BH, known_BH = windows.labels
    positive_B = y_BH[:, h] & known_BH[:, h]
    return len(np.unique(windows.units[positive_B]))


def _facilities(
    fleet: Decision, scored: Scored, horizons: tuple[int, ...], config: DecisionConfig
) -> Iterator[tuple[str, Decision]]:
    """Yield every facility that departs from its class, with its decision.

    It has the class's calibrators, shifted, and its own thresholds where it has many events. A
    facility with too few machines of the class (`departures.LEAST_MACHINES`) is left out.
    """
    facility_B = scored.windows.column("facility_id")
    for facility in sorted(set(facility_B.tolist())):
        inside = scored.where(facility_B == facility)
        shift_H = []
        calibrators: tuple[Calibrator, ...] = ()
        for h, calibrator in enumerate(fleet.calibrators):
            shift_H.append(fit_shift(calibrator, inside.part(h)))
            calibrators += (bent(calibrator, 1.0, shift_H[h]),)
        if not any(shift_H):
            continue
        risk_BH = risk_of(calibrators, inside.score_BH)
        thresholds = list(fleet.thresholds)
        for h, days in enumerate(horizons):
            if units_with_event(inside.windows, h) >= CUT_MACHINES:
                thresholds[h] = _threshold(inside.windows, risk_BH, h, days, config)
        decision = replace(
            fleet, calibrators=calibrators, thresholds=tuple(thresholds), facilities={}
        )
        yield facility, decision


def _decision(
    scored: Scored,
    calibrators: tuple[Calibrator, ...],
    fleet: AllClasses,
    horizons: tuple[int, ...],
    config: DecisionConfig,
) -> Decision:
    """Choose a class's thresholds: on its windows where 10 units have events, else on all.

    On all: on the windows of all classes. Where these have fewer too, the alarm budget stands in
    for a policy that rests on events.
    """
    risk_BH = risk_of(calibrators, scored.score_BH)
    policy = config.threshold.policy
    budget = config.replace(threshold=config.threshold.replace(policy="budget"))
    thresholds = []
    with_event = []
    for h, days in enumerate(horizons):
        units = units_with_event(scored.windows, h)
        if units >= FEW_UNITS or policy == "budget":
            threshold = _threshold(scored.windows, risk_BH, h, days, config)
        elif fleet.with_event_H[h] >= FEW_UNITS:
            note = (
                f"{units} units of the class with an event are too few: the cut-off of all classes"
                " together"
            )
            threshold = fleet.thresholds[h]._replace(note=note)
        else:
            few = fleet.with_event_H[h]
            note = f"{few} units with an event are too few for '{policy}': 'budget' instead"
            threshold = _threshold(scored.windows, risk_BH, h, days, budget)._replace(
                note=note
            )
        thresholds.append(threshold)
        with_event.append(units)
    return Decision(
        calibrators=calibrators,
        thresholds=tuple(thresholds),
        units=len(np.unique(scored.windows.units)),
        units_with_event=tuple(with_event),
    )


def _threshold(
    windows: Windows, risk_BH: Floats, h: int, days: int, config: DecisionConfig
) -> Threshold:
    y_BH, known_BH = windows.labels
    known_B = known_BH[:, h]
    return choose_threshold(
        risk_BH[known_B, h],
        y_BH[known_B, h],
        config=config.threshold,
        units_B=windows.units[known_B],
        end_day_B=windows.end_day_B[known_B],
        horizon=days,
        w_B=windows.weights[known_B, h],
    )
