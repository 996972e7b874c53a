"""Fit one calibrator: which kind depends on how much the calibration windows can carry.

Shapes: B windows, K breakpoints.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import expit

from hvac.arrays import AnyArray, AnyFloats, Floats
from hvac.decision.calibration import Calibrator
from hvac.errors import SplitError
from hvac.logistic_line import line_loss

# distinct equipment with a positive: below it a step function follows single machines
ISOTONIC_GROUPS = 100
PLATT_POSITIVES = 5


def fit_calibrator(
    score_B: AnyFloats,
    y_B: AnyArray,
    *,
    groups_B: AnyArray,
    w_B: AnyArray | None = None,
    method: Literal["auto", "isotonic", "platt", "shift"] = "auto",
) -> Calibrator:
    """Fit a calibrator on known (uncensored) windows.

    `auto`: isotonic where at least 100 groups have a positive, else Platt. Whatever the method, it
    is `shift` where only one kind of label or fewer than 5 positives are known, or where the risk
    would not rise with the score: a calibrator must not turn a ranking round. `shift`: slope 1, and
    an intercept such that the mean risk is the weighted rate, drawn off 0 and 1 as (n1 + 1) / (n +
    2) is.

    Sources: Zadrozny & Elkan 2002 (isotonic); Platt 1999 with his smoothed targets.

    Args:
        score_B: logits.
        y_B: labels.
        groups_B: the equipment of each window.
        w_B: the weights of the labels; 1 each by default.
        method: `auto`, `isotonic`, `platt` or `shift`.

    Raises:
        SplitError: if there are no rows.

    >>> shift = fit_calibrator(np.zeros(8), np.zeros(8), groups_B=np.arange(8))
    >>> shift.transform(np.zeros(1)).round(3).tolist()
    [0.1]
    """
    logit_B: Floats = np.asarray(score_B, np.float64)
    y_B = np.asarray(y_B, np.float64)
    if not len(y_B):
        raise SplitError(
            "calibration: expected windows with a known label in the cal part, found none"
        )
    assert np.all(np.isfinite(logit_B)), (
        "scores must be finite before they are calibrated"
    )
    w_B = np.ones(len(y_B)) if w_B is None else np.asarray(w_B, np.float64)
    w_B = w_B * (len(w_B) / w_B.sum())
    positives = int(y_B.sum())
    if method == "shift" or positives < PLATT_POSITIVES or positives == len(y_B):
        return _shift(logit_B, y_B, w_B)
    if method == "auto":
        many = len(np.unique(groups_B[y_B > 0])) >= ISOTONIC_GROUPS
        method = "isotonic" if many else "platt"
    fitted = (_isotonic if method == "isotonic" else _platt)(logit_B, y_B, w_B)
    return fitted or _shift(logit_B, y_B, w_B)


def _shift(score_B: Floats, y_B: Floats, w_B: Floats) -> Calibrator:
    from scipy.optimize import brentq

    rate = (y_B @ w_B + 1) / (len(y_B) + 2)
    centre = np.log(rate / (1 - rate))
    intercept = brentq(
        lambda b: float(np.average(expit(score_B + b), weights=w_B) - rate),
        centre - score_B.max() - 1e-3,
        centre - score_B.min() + 1e-3,
    )
    return Calibrator(method="shift", intercept=float(intercept))


def _platt(score_B: Floats, y_B: Floats, w_B: Floats) -> Calibrator | None:
    """Fit a logistic regression on smoothed targets; None where the slope is not positive."""
    from scipy.optimize import minimize

    centre = score_B.mean()
    spread = score_B.std()
    if not spread > 1e-12 * max(1.0, abs(centre)):
        return None
    z_B = (score_B - centre) / spread
    positives = y_B.sum()
    high = (positives + 1) / (positives + 2)
    low = 1 / (len(y_B) - positives + 2)
    target_B = np.where(y_B > 0, high, low)

    rate = np.average(target_B, weights=w_B)
    start = [0.0, np.log(rate / (1 - rate))]
    share_B = w_B / len(w_B)
    slope, intercept = minimize(
        line_loss, start, (z_B, target_B, share_B), jac=True, options={"gtol": 1e-8}
    ).x
    if not slope > 1e-6:
        return None
    return Calibrator(
        method="platt",
        slope=float(slope / spread),
        intercept=float(intercept - slope * centre / spread),
    )


def _isotonic(score_B: Floats, y_B: Floats, w_B: Floats) -> Calibrator | None:
    """Fit isotonic blocks as (mean score, mean label); None where one block is all there is."""
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(score_B, kind="stable")
    score_B = score_B[order]
    y_B = y_B[order]
    w_B = w_B[order]
    fitted_B = IsotonicRegression().fit_transform(score_B, y_B, sample_weight=w_B)
    starts_K = np.flatnonzero(np.r_[True, np.diff(fitted_B) > 1e-12])
    rows_K = np.diff(np.r_[starts_K, len(score_B)])
    total_K = np.add.reduceat(score_B * w_B, starts_K)
    centre_K = total_K / np.add.reduceat(w_B, starts_K)
    risk_K = _off_the_walls(fitted_B[starts_K], rows_K)
    apart_K = np.r_[True, np.diff(centre_K) > 0]
    if apart_K.sum() < 2:
        return None
    return Calibrator(
        method="isotonic",
        score_K=tuple(centre_K[apart_K].tolist()),
        risk_K=tuple(risk_K[apart_K].tolist()),
    )


def _off_the_walls(risk_K: Floats, rows_K: AnyArray) -> Floats:
    """Give an end block of all zeros (ones) Laplace's 1 / (n + 2).

    It moves only as far as its neighbour allows.
    """
    risk_K = risk_K.copy()
    if len(risk_K) < 2:
        return risk_K
    least = 1 / (rows_K[0] + 2)
    risk_K[0] = max(risk_K[0], min(least, risk_K[1]))
    most = 1 - 1 / (rows_K[-1] + 2)
    risk_K[-1] = min(risk_K[-1], max(most, risk_K[-2]))
    return risk_K
