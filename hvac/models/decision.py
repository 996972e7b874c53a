"""From scores to decisions: calibrate on *cal*, never let risks fall with the horizon, choose thresholds on *cal*.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hvac.config import Config
from hvac.features.table import Windows
from hvac.models.calibration import Calibrator, fit_calibrator, running_maximum
from hvac.models.thresholds import Threshold, ThresholdConfig, choose_threshold

Floats = npt.NDArray[np.float64]


class DecisionConfig(Config):
    """Calibration and thresholds."""

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


def fit_decision(
    score_BH: npt.NDArray[np.floating[Any]],
    cal: Windows,
    *,
    horizons: tuple[int, ...],
    config: DecisionConfig,
    calibrators: tuple[Calibrator, ...] | None = None,
) -> Decision:
    """Fit on the *cal* windows (known labels only) of one class; given calibrators are kept as they are.

    Raises:
        SplitError: no window of *cal* has a known label for a horizon.
    """
    y_BH, known_BH = cal.labels
    units_B, end_day_B = cal.units, cal.end_day_B
    calibrators = calibrators or tuple(
        fit_calibrator(score_BH[k, h], y_BH[k, h], groups_B=units_B[k], method=config.calibration)
        for h, k in enumerate(known_BH.T)
    )
    risk_BH = _risk(calibrators, score_BH)
    thresholds = tuple(
        choose_threshold(
            risk_BH[k, h], y_BH[k, h], config=config.threshold, units_B=units_B[k], end_day_B=end_day_B[k], horizon=days
        )
        for h, (days, k) in enumerate(zip(horizons, known_BH.T, strict=True))
    )
    return Decision(calibrators=calibrators, thresholds=thresholds)
