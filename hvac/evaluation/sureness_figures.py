"""What bands and withheld alarms are worth on test windows.

Legend: B windows, H horizons, U units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict

import numpy as np

from hvac.arrays import Bools, Floats
from hvac.certainty.certainty import Sureness
from hvac.certainty.withholding import false_alarms
from hvac.decision.thresholds import alarms
from hvac.evaluation.bootstrap import Replicated, interval, unit_weights
from hvac.evaluation.model_metrics import StoredFigure
from hvac.features.table import Windows

KEPT: Final = 0.85  # share of windows with the narrowest bands


class SurenessFigures(TypedDict):
    """Figures of one class and horizon.

    `width` is the mean width of the band; `needs_look` the share of windows of which that is said;
    `brier` of all windows, and how much it falls (`brier_gain`) where only the 85 % with the
    narrowest bands are kept; `false_alarms` a unit-year, of all alarms and of those that are kept.
    """

    width: float
    needs_look: float
    brier: float
    brier_gain: StoredFigure
    false_alarms: float
    false_alarms_kept: float
    promised: bool
    calibration: float | None


def sureness_figures(
    windows: Windows,
    risk_BH: Floats,
    threshold_BH: Floats,
    sure: Sureness,
    promised_H: Bools,
    horizons: tuple[int, ...],
    *,
    calibration_H: Sequence[float | None] = (),
    replicates: int = 1000,
) -> dict[str, SurenessFigures]:
    """Return the figures of every horizon, by days.

    Args:
        windows: labelled, of the test part.
        risk_BH: their risks.
        threshold_BH: their thresholds.
        sure: how sure the risks are.
        promised_H: whether the bundle makes a promise on false alarms.
        horizons: in days.
        calibration_H: how uncertain the calibration is by itself, where that is known.
        replicates: draws of units for the interval.
    """
    alarm_BH = alarms(risk_BH, threshold_BH)
    figures: dict[str, SurenessFigures] = {}
    for h, days in enumerate(horizons):
        known_B = windows.labels[1][:, h]
        if not known_B.any():
            continue
        part = windows.take(known_B)
        y_B = part.labels[0][:, h]
        width_B = (sure.high_BH - sure.low_BH)[known_B, h]
        error_B = (risk_BH[known_B, h] - y_B) ** 2
        narrow_B = width_B <= np.quantile(width_B, KEPT)
        look_B = sure.needs_look_BH[known_B, h]
        rates = []
        for alarm_B in (alarm_BH[known_B, h], alarm_BH[known_B, h] & ~look_B):
            counts = false_alarms(
                alarm_B, y_B, units_B=part.units, end_day_B=part.end_day_B, horizon=days
            )
            rates.append(float(counts.false_U.sum() / counts.years_U.sum()))
        figures[str(days)] = {
            "width": float(width_B.mean()),
            "needs_look": float(look_B.mean()),
            "brier": float(error_B.mean()),
            "brier_gain": _gain(part, error_B, narrow_B, replicates),
            "false_alarms": rates[0],
            "false_alarms_kept": rates[1],
            "promised": bool(promised_H[h]),
            "calibration": calibration_H[h] if h < len(calibration_H) else None,
        }
    return figures


def _gain(
    windows: Windows, error_B: Floats, narrow_B: Bools, replicates: int
) -> StoredFigure:
    """Return how much the mean error falls where only narrow bands are kept, with its interval."""
    weights = unit_weights(windows.units, replicates=replicates)
    units = weights.w_RU.shape[1]

    def means(kept_B: Bools) -> tuple[float, Floats]:
        total_U = np.bincount(weights.unit_index_B, error_B * kept_B, minlength=units)
        count_U = np.bincount(weights.unit_index_B, kept_B, minlength=units)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_R = (weights.w_RU @ total_U) / (weights.w_RU @ count_U)
            return float(total_U.sum() / count_U.sum()), mean_R

    everything, all_R = means(np.ones(len(error_B), dtype=bool))
    kept, kept_R = means(narrow_B)
    gain = interval(Replicated(everything - kept, all_R - kept_R))
    return {"value": gain.value, "low": gain.low, "high": gain.high}
