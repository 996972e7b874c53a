"""From scores to decisions: calibrate, never let risks fall with the horizon, choose thresholds.

All of it rests on cross-fitted scores: every unit that is not tested is scored by a model that saw
nothing of it.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from hvac.config import Config
from hvac.decision.calibration import Calibrator, bent, running_maximum
from hvac.decision.departures import fit_shift
from hvac.decision.pooling import CalPart, correct, fit_calibrators
from hvac.decision.thresholds import Threshold, ThresholdConfig, choose_threshold
from hvac.features.table import Windows, concat, labels_only

Floats = npt.NDArray[np.float64]
Names = npt.NDArray[Any]
CUT_MACHINES = 20  # machines of one class and facility with a positive: below it the class's thresholds hold there
FEW_UNITS = (
    10  # units of one class with an event: below it the thresholds of all classes together hold
)


class DecisionConfig(Config):
    """Calibration (`auto`: a class's own where it has many machines, else pooled over classes) and
    thresholds.

    `by_facility`: a facility departs from its class's calibration as far as its machines can prove,
    and has thresholds of its own where it has many events. `folds`: into how many the units are
    dealt, so that each is scored by a model that saw nothing of it (a fusion has its own)."""

    calibration: Literal["auto", "isotonic", "platt", "shift"] = "auto"
    threshold: ThresholdConfig = ThresholdConfig()
    by_facility: bool = False
    folds: int = Field(default=3, ge=2)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A fitted calibrator and threshold per horizon; `facilities` holds those of facilities that
    have their own.

    `units` and `units_with_event` (per horizon) count the units of the class that they rest on.
    """

    calibrators: tuple[Calibrator, ...]
    thresholds: tuple[Threshold, ...]
    facilities: Mapping[str, Decision] = field(default_factory=dict)
    units: int = 0
    units_with_event: tuple[int, ...] = ()

    @property
    def threshold_H(self) -> Floats:
        """Cut-offs of the class, one per horizon."""
        return np.array([threshold.value for threshold in self.thresholds])

    def threshold_BH(self, facility_B: Names) -> Floats:
        """Cut-offs of each window: its facility's, the class's where the facility is unknown or has
        none.
        """
        threshold_BH = np.tile(self.threshold_H, (len(facility_B), 1))
        for own, rows_B in self._among(facility_B):
            threshold_BH[rows_B] = own.threshold_H
        return threshold_BH

    def risk(
        self, score_BH: npt.NDArray[np.floating[Any]], facility_B: Names | None = None
    ) -> Floats:
        """Calibrated risks that never fall with the horizon: by each window's facility, by the
        class where unknown.
        """
        risk_BH = _risk(self.calibrators, score_BH)
        for own, rows_B in self._among(facility_B):
            risk_BH[rows_B] = _risk(own.calibrators, score_BH[rows_B])
        return risk_BH

    def own(self, facility: str) -> tuple[list[bool], list[bool]]:
        """Whether a facility has calibrators and thresholds that are not its class's, per horizon."""
        other = self.facilities.get(facility, self)
        calibrated = [
            mine != fleet for mine, fleet in zip(other.calibrators, self.calibrators, strict=True)
        ]
        return calibrated, [
            mine != fleet for mine, fleet in zip(other.thresholds, self.thresholds, strict=True)
        ]

    def _among(self, facility_B: Names | None) -> Iterator[tuple[Decision, npt.NDArray[np.bool_]]]:
        """The decisions of the facilities that occur, and the windows of each."""
        for name, own in self.facilities.items() if facility_B is not None else ():
            yield own, np.asarray(facility_B == name, dtype=bool)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        calibrators = [calibrator.to_json() for calibrator in self.calibrators]
        said = {
            "calibrators": calibrators,
            "thresholds": [threshold._asdict() for threshold in self.thresholds],
            "units": self.units,
            "units_with_event": list(self.units_with_event),
        }
        own = {name: decision.to_json() for name, decision in sorted(self.facilities.items())}
        return said | ({"facilities": own} if own else {})

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Decision:
        """The decision that `to_json` wrote."""
        return cls(
            calibrators=tuple(Calibrator.from_json(each) for each in found["calibrators"]),
            thresholds=tuple(Threshold(**each) for each in found["thresholds"]),
            facilities={
                name: cls.from_json(each) for name, each in found.get("facilities", {}).items()
            },
            units=found.get("units", 0),
            units_with_event=tuple(found.get("units_with_event", ())),
        )


def _risk(calibrators: tuple[Calibrator, ...], score_BH: npt.NDArray[np.floating[Any]]) -> Floats:
    columns = [calibrator.transform(score_BH[:, h]) for h, calibrator in enumerate(calibrators)]
    return running_maximum(np.stack(columns, axis=1))


class Scored(NamedTuple):
    """Labelled windows of one class that are not tested, each scored by a model that saw nothing of
    its unit.
    """

    score_BH: npt.NDArray[np.floating[Any]]
    windows: Windows

    def where(self, keep_B: npt.NDArray[np.bool_]) -> Scored:
        """Some of the windows."""
        return Scored(self.score_BH[keep_B], self.windows.take(keep_B))

    def part(self, h: int) -> CalPart:
        """The windows whose label is known for one horizon."""
        y_BH, known_BH = self.windows.labels
        known_B = known_BH[:, h]
        weights = self.windows.weights[known_B, h]
        return CalPart(
            self.score_BH[known_B, h], y_BH[known_B, h], self.windows.units[known_B], weights
        )


def on_grid(windows: Windows, stride: int) -> npt.NDArray[np.bool_]:
    """Tell which windows lie on the grid that is evaluated: training windows may be closer
    together.
    """
    return np.asarray((windows.column("split") != "train") | (windows.end_day_B % stride == 0))


def fit_decisions(
    scored: Mapping[str, Scored],
    *,
    horizons: tuple[int, ...],
    config: DecisionConfig,
    calibrators: tuple[Calibrator, ...] | None = None,
    log_odds: bool = False,
) -> dict[str, Decision]:
    """Fit calibrators and thresholds of every class, on the cross-fitted scores of all windows that
    are not tested.

    Calibrators rest on all of them; the *cal* part, held back from training by the networks and
    later in time under a time split, then corrects all classes alike as far as its units prove
    something.

    Args:
        calibrators: one per horizon, kept as they are, for every class and facility (the base
            rate's scores are log-odds already).
        log_odds: whether the scores mean log-odds, which few units must not bend.

    Raises:
        SplitError: no window of a class has a known label for a horizon.
    """
    by_horizon = [
        (
            dict.fromkeys(scored, calibrators[h])
            if calibrators
            else _calibrators(scored, h, config, log_odds)
        )
        for h in range(len(horizons))
    ]
    fleet = _fleet(scored, by_horizon, horizons, config)
    decisions = {
        name: _decision(each, tuple(found[name] for found in by_horizon), fleet, horizons, config)
        for name, each in scored.items()
    }
    if calibrators or not config.by_facility:
        return decisions
    return {
        name: replace(each, facilities=dict(_facilities(each, scored[name], horizons, config)))
        for name, each in decisions.items()
    }


def _calibrators(
    scored: Mapping[str, Scored], h: int, config: DecisionConfig, log_odds: bool
) -> dict[str, Calibrator]:
    parts = {name: each.part(h) for name, each in scored.items()}
    fitted = fit_calibrators(parts, method=config.calibration, log_odds=log_odds)
    cal = {
        name: each.where(each.windows.column("split") == "cal").part(h)
        for name, each in scored.items()
    }
    return correct(fitted, cal) if config.calibration == "auto" else fitted


class AllClasses(NamedTuple):
    """Thresholds of all classes together and the units with events behind them, per horizon."""

    thresholds: tuple[Threshold, ...]
    with_event_H: tuple[int, ...]


def _fleet(
    scored: Mapping[str, Scored],
    by_horizon: list[dict[str, Calibrator]],
    horizons: tuple[int, ...],
    config: DecisionConfig,
) -> AllClasses:
    """Choose thresholds on the windows of all classes, for classes with few events."""
    risks = [
        _risk(tuple(found[name] for found in by_horizon), each.score_BH)
        for name, each in scored.items()
    ]
    windows, risk_BH = (
        concat([labels_only(each.windows) for each in scored.values()]),
        np.concatenate(risks),
    )
    return AllClasses(
        tuple(_threshold(windows, risk_BH, h, days, config) for h, days in enumerate(horizons)),
        tuple(units_with_event(windows, h) for h in range(len(horizons))),
    )


def units_with_event(windows: Windows, h: int) -> int:
    """Count the units that have a window with an event within one horizon."""
    y_BH, known_BH = windows.labels
    return len(np.unique(windows.units[y_BH[:, h] & known_BH[:, h]]))


def _facilities(
    fleet: Decision, scored: Scored, horizons: tuple[int, ...], config: DecisionConfig
) -> Iterator[tuple[str, Decision]]:
    """Every facility that departs from its class: the class's calibrators shifted, thresholds where
    it has many events.

    A facility with too few machines of the class to tell (`departures.LEAST_MACHINES`) is not among
    them."""
    facility_B = scored.windows.column("facility_id")
    for facility in sorted(set(facility_B.tolist())):
        inside = scored.where(facility_B == facility)
        parts = [inside.part(h) for h in range(len(horizons))]
        shift_H = [
            fit_shift(each, part) for each, part in zip(fleet.calibrators, parts, strict=True)
        ]
        if any(shift_H):
            calibrators = tuple(
                bent(each, 1.0, shift)
                for each, shift in zip(fleet.calibrators, shift_H, strict=True)
            )
            risk_BH = _risk(calibrators, inside.score_BH)
            many_H = [
                units_with_event(inside.windows, h) >= CUT_MACHINES for h in range(len(horizons))
            ]
            thresholds = tuple(
                (
                    _threshold(inside.windows, risk_BH, h, days, config)
                    if many_H[h]
                    else fleet.thresholds[h]
                )
                for h, days in enumerate(horizons)
            )
            yield (
                facility,
                replace(fleet, calibrators=calibrators, thresholds=thresholds, facilities={}),
            )


def _decision(
    scored: Scored,
    calibrators: tuple[Calibrator, ...],
    fleet: AllClasses,
    horizons: tuple[int, ...],
    config: DecisionConfig,
) -> Decision:
    """Choose a class's thresholds: on its own windows where 10 units have events, else those of all
    classes.

    Where all classes together have fewer, the alarm budget stands in for a policy that rests on
    events."""
    risk_BH = _risk(calibrators, scored.score_BH)
    thresholds, evidence = [], []
    for h, days in enumerate(horizons):
        own = units_with_event(scored.windows, h)
        evidence.append(own)
        if own >= FEW_UNITS or config.threshold.policy == "budget":
            thresholds.append(_threshold(scored.windows, risk_BH, h, days, config))
        elif fleet.with_event_H[h] >= FEW_UNITS:
            note = (
                f"{own} units of the class with an event are too few: the cut-off of all classes"
                " together"
            )
            thresholds.append(fleet.thresholds[h]._replace(note=note))
        else:
            budget = config.replace(threshold=config.threshold.replace(policy="budget"))
            few, policy = fleet.with_event_H[h], config.threshold.policy
            note = f"{few} units with an event are too few for '{policy}': 'budget' instead"
            thresholds.append(
                _threshold(scored.windows, risk_BH, h, days, budget)._replace(note=note)
            )
    units = len(np.unique(scored.windows.units))
    return Decision(
        calibrators=calibrators,
        thresholds=tuple(thresholds),
        units=units,
        units_with_event=tuple(evidence),
    )


def _threshold(
    windows: Windows, risk_BH: Floats, h: int, days: int, config: DecisionConfig
) -> Threshold:
    y_BH, known_BH = windows.labels
    k = known_BH[:, h]
    return choose_threshold(
        risk_BH[k, h],
        y_BH[k, h],
        config=config.threshold,
        units_B=windows.units[k],
        end_day_B=windows.end_day_B[k],
        horizon=days,
        w_B=windows.weights[k, h],
    )
