"""From scores to decisions: calibrate on *cal*, never let risks fall with the horizon, choose thresholds on *cal*.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hvac.config import Config
from hvac.features.table import Windows
from hvac.models.calibration import Calibrator, running_maximum
from hvac.models.departures import fit_shift, shifted
from hvac.models.pooling import CalPart, fit_calibrators
from hvac.models.thresholds import Threshold, ThresholdConfig, choose_threshold

Floats = npt.NDArray[np.float64]
Names = npt.NDArray[Any]
CUT_MACHINES = 20  # machines of one class and facility with a positive: below it the class's thresholds hold there


class DecisionConfig(Config):
    """Calibration (`auto`: a class's own where it has many machines, else pooled over classes) and thresholds.

    `by_facility`: a facility departs from its class's calibration as far as its machines can prove, and has thresholds
    of its own where it has many events.
    """

    calibration: Literal["auto", "isotonic", "platt", "shift"] = "auto"
    threshold: ThresholdConfig = ThresholdConfig()
    by_facility: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A fitted calibrator and threshold per horizon; `facilities` holds those of facilities that have their own."""

    calibrators: tuple[Calibrator, ...]
    thresholds: tuple[Threshold, ...]
    facilities: Mapping[str, Decision] = field(default_factory=dict)

    @property
    def threshold_H(self) -> Floats:
        """Cut-offs of the class, one per horizon."""
        return np.array([threshold.value for threshold in self.thresholds])

    def threshold_BH(self, facility_B: Names) -> Floats:
        """Cut-offs of each window: its facility's, the class's where the facility is unknown or has none."""
        threshold_BH = np.tile(self.threshold_H, (len(facility_B), 1))
        for own, rows_B in self._among(facility_B):
            threshold_BH[rows_B] = own.threshold_H
        return threshold_BH

    def risk(self, score_BH: npt.NDArray[np.floating[Any]], facility_B: Names | None = None) -> Floats:
        """Calibrated risks that never fall with the horizon: by each window's facility, by the class where unknown."""
        risk_BH = _risk(self.calibrators, score_BH)
        for own, rows_B in self._among(facility_B):
            risk_BH[rows_B] = _risk(own.calibrators, score_BH[rows_B])
        return risk_BH

    def own(self, facility: str) -> tuple[list[bool], list[bool]]:
        """Whether a facility has calibrators and thresholds that are not its class's, per horizon."""
        other = self.facilities.get(facility, self)
        calibrated = [mine != fleet for mine, fleet in zip(other.calibrators, self.calibrators, strict=True)]
        return calibrated, [mine != fleet for mine, fleet in zip(other.thresholds, self.thresholds, strict=True)]

    def _among(self, facility_B: Names | None) -> Iterator[tuple[Decision, npt.NDArray[np.bool_]]]:
        """The decisions of the facilities that occur, and the windows of each."""
        for name, own in self.facilities.items() if facility_B is not None else ():
            yield own, np.asarray(facility_B == name, dtype=bool)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        calibrators = [calibrator.to_json() for calibrator in self.calibrators]
        said = {"calibrators": calibrators, "thresholds": [threshold._asdict() for threshold in self.thresholds]}
        own = {name: decision.to_json() for name, decision in sorted(self.facilities.items())}
        return said | ({"facilities": own} if own else {})

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Decision:
        """The decision that `to_json` wrote."""
        return cls(
            calibrators=tuple(Calibrator.from_json(each) for each in found["calibrators"]),
            thresholds=tuple(Threshold(**each) for each in found["thresholds"]),
            facilities={name: cls.from_json(each) for name, each in found.get("facilities", {}).items()},
        )


def _risk(calibrators: tuple[Calibrator, ...], score_BH: npt.NDArray[np.floating[Any]]) -> Floats:
    columns = [calibrator.transform(score_BH[:, h]) for h, calibrator in enumerate(calibrators)]
    return running_maximum(np.stack(columns, axis=1))


class Scored(NamedTuple):
    """The *cal* windows of one class with their scores s_BH."""

    score_BH: npt.NDArray[np.floating[Any]]
    cal: Windows


def fit_decisions(
    scored: Mapping[str, Scored],
    *,
    horizons: tuple[int, ...],
    config: DecisionConfig,
    calibrators: tuple[Calibrator, ...] | None = None,
) -> dict[str, Decision]:
    """Calibrators and thresholds of every class, from the known labels of the *cal* windows of all of them.

    Args:
        calibrators: one per horizon, kept as they are, for every class and facility (the base rate's scores are
            log-odds already).

    Raises:
        SplitError: no window of a class's *cal* part has a known label for a horizon.
    """
    by_horizon = [
        dict.fromkeys(scored, calibrators[h])
        if calibrators
        else fit_calibrators({name: _cal_part(each, h) for name, each in scored.items()}, method=config.calibration)
        for h in range(len(horizons))
    ]
    decisions = {
        name: _decision(each, tuple(found[name] for found in by_horizon), horizons, config)
        for name, each in scored.items()
    }
    if calibrators or not config.by_facility:
        return decisions
    return {
        name: replace(each, facilities=dict(_facilities(each, scored[name], horizons, config)))
        for name, each in decisions.items()
    }


def _facilities(
    fleet: Decision, scored: Scored, horizons: tuple[int, ...], config: DecisionConfig
) -> Iterator[tuple[str, Decision]]:
    """Every facility that departs from its class: the class's calibrators shifted, thresholds where it has many events.

    A facility with too few machines of the class to tell (`departures.LEAST_MACHINES`) is not among them.
    """
    facility_B = scored.cal.column("facility_id")
    for facility in sorted(set(facility_B.tolist())):
        rows_B = facility_B == facility
        inside = Scored(scored.score_BH[rows_B], scored.cal.take(rows_B))
        parts = [_cal_part(inside, h) for h in range(len(horizons))]
        shift_H = [fit_shift(each, part) for each, part in zip(fleet.calibrators, parts, strict=True)]
        if any(shift_H):
            calibrators = tuple(map(shifted, fleet.calibrators, shift_H))
            risk_BH = _risk(calibrators, inside.score_BH)
            many_H = [len(np.unique(part.groups_B[part.y_B > 0])) >= CUT_MACHINES for part in parts]
            thresholds = tuple(
                _threshold(inside.cal, risk_BH, h, days, config) if many_H[h] else fleet.thresholds[h]
                for h, days in enumerate(horizons)
            )
            yield facility, Decision(calibrators=calibrators, thresholds=thresholds)


def _cal_part(scored: Scored, h: int) -> CalPart:
    y_BH, known_BH = scored.cal.labels
    known_B = known_BH[:, h]
    return CalPart(scored.score_BH[known_B, h], y_BH[known_B, h], scored.cal.units[known_B])


def _decision(
    scored: Scored, calibrators: tuple[Calibrator, ...], horizons: tuple[int, ...], config: DecisionConfig
) -> Decision:
    risk_BH = _risk(calibrators, scored.score_BH)
    thresholds = tuple(_threshold(scored.cal, risk_BH, h, days, config) for h, days in enumerate(horizons))
    return Decision(calibrators=calibrators, thresholds=thresholds)


def _threshold(cal: Windows, risk_BH: Floats, h: int, days: int, config: DecisionConfig) -> Threshold:
    y_BH, known_BH = cal.labels
    k = known_BH[:, h]
    return choose_threshold(
        risk_BH[k, h], y_BH[k, h], config=config.threshold, units_B=cal.units[k], end_day_B=cal.end_day_B[k],
        horizon=days,
    )  # fmt: skip
