"""Residuals: how far each point lies from what the unit's other points predict.

Where a machine runs under several regimes (load, season, set points) the level of one point means
something only beside the others. Every point is predicted by a ridge regression on the unit's other
points, fitted on its own reference days.

Legend: T days of the panel, C points. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import DayNumbers, Floats
from hvac.days import NEVER
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.grid import Panel
from hvac.panel.windows import BASELINE_DAYS, Scale

RIDGE: Final = 0.1  # added to the variances of normalised points
CLIP: Final = 10.0  # normalised values beyond it weigh no more in the fit
LEAST_DAYS: Final = 30
GRACE_DAYS: Final = 14  # after the first point's baseline: not all are ready on the same day
SMALLEST: Final = 0.05  # of a point's usual spread: exact predictions do not blow residuals up


class Residuals(NamedTuple):
    """Residual of each point in units of its residuals on the reference days.

    A point is silent before `ready_C`. `known_TC` is the day on which all points of a day were
    known: a residual rests on all of them.
    """

    value_TC: Floats
    known_TC: DayNumbers
    ready_C: DayNumbers


def residuals(panel: Panel, scale: Scale) -> Residuals:
    """Subtract from each normalised point what the unit's other points predict for the same day.

    The reference days end 14 days after the first point has its baseline (and not before 90 days of
    record). Points that have theirs by then take part; nothing later enters the fit, and a point
    that joins later has no residual. Missing points count as usual (0) in a prediction; the
    residual of a point that was not read is nan.

    Returns:
        residuals [T, C], nan where undefined: one point only, or under 30 reference days.
    """
    first_ready = max(int(scale.ready_C.min()), panel.first_day + BASELINE_DAYS - 1)
    ready = min(first_ready + GRACE_DAYS, NEVER)
    usable_C = scale.ready_C <= min(ready, NEVER - 1)
    with np.errstate(invalid="ignore"):
        normal_TC = (panel.value_TC - scale.centre_TC) / scale.spread_TC
        x_TC = np.clip(normal_TC, -CLIP, CLIP)[:, usable_C]
    read_TC = np.isfinite(x_TC)
    value_TC = np.full(panel.value_TC.shape, np.nan)
    early_TC = read_TC & (panel.known_TC[:, usable_C] <= ready)
    early_TC[max(ready - panel.first_day + 1, 0) :] = False
    reference_T = early_TC.any(axis=1)
    if usable_C.sum() < 2 or reference_T.sum() < LEAST_DAYS:
        never_C = np.full(len(usable_C), NEVER, dtype=np.int32)
        return Residuals(value_TC, panel.known_TC, never_C)
    reference_TC = np.where(early_TC, x_TC, 0.0)[reference_T]
    centre_C = reference_TC.mean(axis=0)
    weight_CC = _weights(reference_TC - centre_C)
    left_TC = (reference_TC - centre_C) @ weight_CC
    spread_C = np.maximum(left_TC.std(axis=0), SMALLEST)
    residual_TC = (np.where(read_TC, x_TC, 0.0) - centre_C) @ weight_CC / spread_C
    value_TC[:, usable_C] = np.where(read_TC, residual_TC, np.nan)
    observed_known_TC = np.where(panel.observed_TC, panel.known_TC, ALWAYS_KNOWN)
    known_T1 = observed_known_TC.max(axis=1, keepdims=True)
    known_TC = np.broadcast_to(known_T1, panel.known_TC.shape)
    ready_C = np.where(usable_C, ready, NEVER)
    return Residuals(value_TC, known_TC, ready_C.astype(np.int32))


def _weights(centred_TC: Floats) -> Floats:
    """Return the matrix [C, C] that turns centred points into residuals.

    It comes from one inverse of their ridged covariance.
    """
    covariance_CC = centred_TC.T @ centred_TC / len(centred_TC)
    gram_CC = covariance_CC + RIDGE * np.eye(centred_TC.shape[1])
    precision_CC = np.linalg.inv(gram_CC)
    return np.asarray(precision_CC / np.diag(precision_CC))
