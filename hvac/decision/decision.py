"""Calibrators and thresholds of a class and its facilities, and how they turn scores into risks.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np

from hvac.arrays import AnyArray, AnyFloats, Bools, Floats
from hvac.decision.calibration import Calibrator, StoredCalibrator, running_maximum
from hvac.decision.pooling import CalPart
from hvac.decision.thresholds import StoredThreshold, Threshold
from hvac.features.table import Windows


class StoredDecision(TypedDict):
    """A `Decision` as JSON holds it; bundles of earlier versions have no counts of units."""

    calibrators: list[StoredCalibrator]
    thresholds: list[StoredThreshold]
    units: NotRequired[int]
    units_with_event: NotRequired[list[int]]
    facilities: NotRequired[dict[str, StoredDecision]]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A fitted calibrator and threshold per horizon.

    `facilities` holds the decisions of facilities that depart from the class. `units` and
    `units_with_event` (per horizon) count the units of the class that they rest on.
    """

    calibrators: tuple[Calibrator, ...]
    thresholds: tuple[Threshold, ...]
    facilities: Mapping[str, Decision] = field(default_factory=dict)
    units: int = 0
    units_with_event: tuple[int, ...] = ()

    @property
    def threshold_H(self) -> Floats:
        """Return the thresholds of the class, one per horizon."""
        return np.array([threshold.value for threshold in self.thresholds])

    def threshold_BH(self, facility_B: AnyArray) -> Floats:
        """Return the thresholds of each window: its facility's, else the class's."""
        threshold_BH = np.tile(self.threshold_H, (len(facility_B), 1))
        for decision, rows_B in self._among(facility_B):
            threshold_BH[rows_B] = decision.threshold_H
        return threshold_BH

    def risk(self, score_BH: AnyFloats, facility_B: AnyArray | None = None) -> Floats:
        """Return calibrated risks that never fall with the horizon.

        They are by each window's facility, by the class where it is unknown.
        """
        risk_BH = risk_of(self.calibrators, score_BH)
        for decision, rows_B in self._among(facility_B):
            risk_BH[rows_B] = risk_of(decision.calibrators, score_BH[rows_B])
        return risk_BH

    def own(self, facility: str) -> tuple[list[bool], list[bool]]:
        """Tell, per horizon, whether a facility's calibrator and threshold are not its class's."""
        departed = self.facilities.get(facility, self)
        calibrators = zip(departed.calibrators, self.calibrators, strict=True)
        thresholds = zip(departed.thresholds, self.thresholds, strict=True)
        return (
            [of_facility != of_class for of_facility, of_class in calibrators],
            [of_facility != of_class for of_facility, of_class in thresholds],
        )

    def _among(self, facility_B: AnyArray | None) -> Iterator[tuple[Decision, Bools]]:
        """Yield the decisions of the facilities that occur, and the windows of each."""
        if facility_B is not None:
            for name, decision in self.facilities.items():
                yield decision, np.asarray(facility_B == name, dtype=bool)

    def to_json(self) -> StoredDecision:
        """Return plain values."""
        stored: StoredDecision = {
            "calibrators": [calibrator.to_json() for calibrator in self.calibrators],
            "thresholds": [threshold.to_json() for threshold in self.thresholds],
            "units": self.units,
            "units_with_event": list(self.units_with_event),
        }
        if self.facilities:
            facilities = sorted(self.facilities.items())
            stored["facilities"] = {
                name: decision.to_json() for name, decision in facilities
            }
        return stored

    @classmethod
    def from_json(cls, stored: StoredDecision) -> Decision:
        """Read the decision that `to_json` wrote."""
        facilities = stored.get("facilities", {})
        return cls(
            calibrators=tuple(map(Calibrator.from_json, stored["calibrators"])),
            thresholds=tuple(
                Threshold(**threshold) for threshold in stored["thresholds"]
            ),
            facilities={
                name: cls.from_json(decision) for name, decision in facilities.items()
            },
            units=stored.get("units", 0),
            units_with_event=tuple(stored.get("units_with_event", ())),
        )


def risk_of(calibrators: tuple[Calibrator, ...], score_BH: AnyFloats) -> Floats:
    """Return calibrated risks that never fall with the horizon, by a calibrator per horizon."""
    columns = [
        calibrator.transform(score_BH[:, h]) for h, calibrator in enumerate(calibrators)
    ]
    return running_maximum(np.stack(columns, axis=1))


class Scored(NamedTuple):
    """Labelled windows of one class that are not tested, with cross-fitted scores."""

    score_BH: AnyFloats
    windows: Windows

    def where(self, keep_B: Bools) -> Scored:
        """Return some of the windows."""
        return Scored(self.score_BH[keep_B], self.windows.take(keep_B))

    def part(self, h: int) -> CalPart:
        """Return the windows whose label is known for one horizon."""
        y_BH, known_BH = self.windows.labels
        known_B = known_BH[:, h]
        return CalPart(
            self.score_BH[known_B, h],
            y_BH[known_B, h],
            self.windows.units[known_B],
            self.windows.weights[known_B, h],
        )
