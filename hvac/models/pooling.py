"""Calibration of all classes together: one Platt line for the fleet, from which a class departs as far as it can prove.

A class's *cal* part often holds a dozen machines. A line fitted on these alone follows chance, and ruins the order of
equipment of different classes. So slope and intercept are shared, and every class's departure from them is drawn
towards zero by a normal prior (partial pooling; Gelman & Hill 2007, ch. 12). As windows of one machine overlap, a class
counts by its machines, not by its windows.

Legend: B windows, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from hvac.models.calibration import ISOTONIC_GROUPS, PLATT_POSITIVES, Calibrator, fit_calibrator

FloatArray = NDArray[np.float64]
PRIOR_STD = 0.2  # of a class's departure, in log-odds (slope: per standard deviation of the score)


class CalPart(NamedTuple):
    """Known (uncensored) windows of one class and horizon: scores, labels, equipment."""

    score_B: NDArray[np.floating[Any]]
    y_B: NDArray[Any]
    groups_B: NDArray[Any]

    @property
    def groups(self) -> int:
        """How many machines."""
        return len(np.unique(self.groups_B))

    @property
    def many(self) -> bool:
        """Whether it can carry a calibrator of its own."""
        return len(np.unique(self.groups_B[np.asarray(self.y_B) > 0])) >= ISOTONIC_GROUPS


def fit_calibrators(
    parts: Mapping[str, CalPart], *, method: Literal["auto", "isotonic", "platt", "shift"] = "auto"
) -> dict[str, Calibrator]:
    """A calibrator per class. `auto`: of its own (isotonic) where at least 100 machines have a positive, else pooled.

    Any other method is fitted to each class alone, as is everything where all classes together hold fewer than 5
    positives (or as few negatives), or where the shared risk would not rise with the score.

    Raises:
        SplitError: a class has no window.

    >>> rng = np.random.default_rng(0)
    >>> def part(rate, machines):
    ...     y_B = np.repeat(rng.random(machines) < rate, 8)
    ...     return CalPart(2 * y_B + rng.normal(size=len(y_B)), y_B, np.repeat(np.arange(machines), 8))
    >>> found = fit_calibrators({"few": part(0.3, 6), "more": part(0.3, 60)})
    >>> abs(found["few"].slope - found["more"].slope) < 0.5
    True
    """
    alone = {name: fit_calibrator(*part[:2], groups_B=part.groups_B, method=method) for name, part in parts.items()}
    pooled = {name: part for name, part in parts.items() if not part.many} if method == "auto" else {}
    return alone | (_pooled(pooled) if pooled else {})


def _pooled(parts: Mapping[str, CalPart]) -> dict[str, Calibrator]:
    score_KB = [np.asarray(part.score_B, np.float64) for part in parts.values()]
    y_KB = [np.asarray(part.y_B, np.float64) for part in parts.values()]
    positives, windows = sum(y_B.sum() for y_B in y_KB), sum(map(len, y_KB))
    joined = np.concatenate(score_KB)
    centre, spread = joined.mean(), joined.std()
    if min(positives, windows - positives) < PLATT_POSITIVES or not spread > 1e-12 * max(1.0, abs(centre)):
        return {}
    machines = np.array([part.groups for part in parts.values()], np.float64)
    low, high = 1 / (windows - positives + 2), (positives + 1) / (positives + 2)  # Platt's smoothed targets
    lines_K2 = _lines(
        [(score_B - centre) / spread for score_B in score_KB], [np.where(y_B > 0, high, low) for y_B in y_KB], machines
    )
    if not (lines_K2[:, 0] > 1e-6).all():
        return {}
    slopes = lines_K2[:, 0] / spread
    intercepts = lines_K2[:, 1] - slopes * centre
    return {
        name: Calibrator(method="platt", slope=float(slope), intercept=float(intercept))
        for name, slope, intercept in zip(parts, slopes, intercepts, strict=True)
    }


def _lines(z_KB: list[FloatArray], target_KB: list[FloatArray], machines_K: FloatArray) -> FloatArray:
    """Slope and intercept of every class [K, 2] that minimise log-loss by machines plus the prior."""
    from scipy.optimize import minimize

    rate = float(np.average([t.mean() for t in target_KB], weights=machines_K))

    def loss(at: FloatArray) -> tuple[float, FloatArray]:
        shared_2, own_K2 = at[:2], at[2:].reshape(-1, 2)
        value = float((own_K2**2).sum()) / (2 * PRIOR_STD**2)
        gradient_K2 = np.empty_like(own_K2)
        for k, (z_B, target_B) in enumerate(zip(z_KB, target_KB, strict=True)):
            slope, intercept = shared_2 + own_K2[k]
            logit_B = slope * z_B + intercept
            error_B = expit(logit_B) - target_B
            value += machines_K[k] * float((np.logaddexp(0, logit_B) - target_B * logit_B).mean())
            gradient_K2[k] = machines_K[k] * np.array([(error_B * z_B).mean(), error_B.mean()])
        return value, np.concatenate([gradient_K2.sum(axis=0), (gradient_K2 + own_K2 / PRIOR_STD**2).ravel()])

    start = np.concatenate([[0.5, np.log(rate / (1 - rate))], np.zeros(2 * len(z_KB))])
    at = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return np.asarray(at[:2] + at[2:].reshape(-1, 2))
