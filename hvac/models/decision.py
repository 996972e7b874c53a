"""From scores to decisions: calibrate on *cal*, never let risks fall with the horizon, choose thresholds on *cal*.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hvac.config import Config
from hvac.features.table import Windows
from hvac.models.calibration import Calibrator, running_maximum
from hvac.models.pooling import CalPart, fit_calibrators
from hvac.models.thresholds import Threshold, ThresholdConfig, choose_threshold

Floats = npt.NDArray[np.float64]


class DecisionConfig(Config):
    """Calibration (`auto`: a class's own where it has many machines, else pooled over classes) and thresholds."""

    calibration: Literal["auto", "isotonic", "platt", "shift"] = "auto"
    threshold: ThresholdConfig = ThresholdConfig()


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A fitted calibrator and threshold per horizon."""

    calibrators: tuple[Calibrator, ...]
    thresholds: tuple[Threshold, ...]

    @property
    def threshold_H(self) -> Floats:
        """Cut-offs, one per horizon."""
        return np.array([threshold.value for threshold in self.thresholds])

    def risk(self, score_BH: npt.NDArray[np.floating[Any]]) -> Floats:
        """Calibrated risks that never fall with the horizon."""
        return _risk(self.calibrators, score_BH)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        calibrators = [calibrator.to_json() for calibrator in self.calibrators]
        return {"calibrators": calibrators, "thresholds": [threshold._asdict() for threshold in self.thresholds]}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Decision:
        """The decision that `to_json` wrote."""
        return cls(
            calibrators=tuple(Calibrator.from_json(each) for each in found["calibrators"]),
            thresholds=tuple(Threshold(**each) for each in found["thresholds"]),
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
        calibrators: one per horizon, kept as they are, for every class (the base rate's scores are log-odds already).

    Raises:
        SplitError: no window of a class's *cal* part has a known label for a horizon.
    """
    by_horizon = [
        dict.fromkeys(scored, calibrators[h])
        if calibrators
        else fit_calibrators({name: _cal_part(each, h) for name, each in scored.items()}, method=config.calibration)
        for h in range(len(horizons))
    ]
    return {
        name: _decision(each, tuple(found[name] for found in by_horizon), horizons, config)
        for name, each in scored.items()
    }


def _cal_part(scored: Scored, h: int) -> CalPart:
    y_BH, known_BH = scored.cal.labels
    known_B = known_BH[:, h]
    return CalPart(scored.score_BH[known_B, h], y_BH[known_B, h], scored.cal.units[known_B])


def _decision(
    scored: Scored, calibrators: tuple[Calibrator, ...], horizons: tuple[int, ...], config: DecisionConfig
) -> Decision:
    y_BH, known_BH = scored.cal.labels
    units_B, end_day_B = scored.cal.units, scored.cal.end_day_B
    risk_BH = _risk(calibrators, scored.score_BH)
    thresholds = tuple(
        choose_threshold(
            risk_BH[k, h], y_BH[k, h], config=config.threshold, units_B=units_B[k], end_day_B=end_day_B[k], horizon=days
        )
        for h, (days, k) in enumerate(zip(horizons, known_BH.T, strict=True))
    )
    return Decision(calibrators=calibrators, thresholds=thresholds)
