"""Calibration of all classes together: one Platt line, from which classes depart.

A class often holds a few dozen machines. A line fitted on these alone follows chance, and ruins the
order of equipment of different classes. So slope and intercept are shared, and every class's
departure from them is drawn towards zero by a normal prior (partial pooling; Gelman & Hill 2007,
ch. 12). As windows of one machine overlap, a class counts by its machines, not by its windows.
Legend: B windows, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import logit

from hvac.arrays import AnyArray, AnyFloats, Floats
from hvac.decision.calibration import Calibrator, bent
from hvac.decision.calibrator_fit import (
    ISOTONIC_GROUPS,
    PLATT_POSITIVES,
    fit_calibrator,
)
from hvac.logistic_line import line_loss

PRIOR_STD = 0.2  # of a class's departure, in log-odds (slope: per standard deviation of the score)


class CalPart(NamedTuple):
    """Known (uncensored) windows of one class and horizon."""

    score_B: AnyFloats
    y_B: AnyArray
    groups_B: AnyArray
    w_B: AnyArray | None = None

    @property
    def weights(self) -> Floats:
        """Return the weights of the labels, 1 each where none are given."""
        if self.w_B is None:
            return np.ones(len(self.y_B))
        return np.asarray(self.w_B, np.float64)

    @property
    def groups(self) -> int:
        """Return how many machines there are."""
        return len(np.unique(self.groups_B))

    @property
    def many(self) -> bool:
        """Tell whether it can carry a calibrator of its own."""
        positive_B = np.asarray(self.y_B) > 0
        return len(np.unique(self.groups_B[positive_B])) >= ISOTONIC_GROUPS


def fit_calibrators(
    parts: Mapping[str, CalPart],
    *,
    method: Literal["auto", "isotonic", "platt", "shift"] = "auto",
    log_odds: bool = False,
) -> dict[str, Calibrator]:
    """Fit a calibrator per class.

    `auto`: of its own (isotonic) where at least 100 machines have a positive, else pooled. Where
    scores are log-odds already, the fleet's line is drawn towards slope 1 and intercept 0: few
    machines must not bend risks that were right. Any other method is fitted to each class alone, as
    is everything where all classes together hold fewer than 5 positives (or as few negatives), or
    where the shared risk would not rise with the score.

    Raises:
        SplitError: if a class has no window.

    >>> rng = np.random.default_rng(0)
    >>> def part(rate, machines):
    ...     y_B = np.repeat(rng.random(machines) < rate, 8)
    ...     score_B = 2 * y_B + rng.normal(size=len(y_B))
    ...     return CalPart(score_B, y_B, np.repeat(np.arange(machines), 8))
    >>> calibrators = fit_calibrators({"few": part(0.3, 6), "more": part(0.3, 60)})
    >>> abs(calibrators["few"].slope - calibrators["more"].slope) < 0.5
    True
    """
    alone = {
        name: fit_calibrator(
            *part[:2], groups_B=part.groups_B, w_B=part.w_B, method=method
        )
        for name, part in parts.items()
    }
    pooled = (
        {name: part for name, part in parts.items() if not part.many}
        if method == "auto"
        else {}
    )
    return alone | (_pooled(pooled, log_odds) if pooled else {})


def _pooled(parts: Mapping[str, CalPart], log_odds: bool) -> dict[str, Calibrator]:
    untouched = {name: Calibrator(method="shift") for name in parts} if log_odds else {}
    score_KB = [np.asarray(part.score_B, np.float64) for part in parts.values()]
    y_KB = [np.asarray(part.y_B, np.float64) for part in parts.values()]
    positives = sum(y_B.sum() for y_B in y_KB)
    windows = sum(map(len, y_KB))
    joined = np.concatenate(score_KB)
    centre = joined.mean()
    spread = joined.std()
    if min(
        positives, windows - positives
    ) < PLATT_POSITIVES or not spread > 1e-12 * max(1.0, abs(centre)):
        return untouched
    machines = np.array([part.groups for part in parts.values()], np.float64)
    # Platt's smoothed targets
    low = 1 / (windows - positives + 2)
    high = (positives + 1) / (positives + 2)
    lines_K2 = _lines(
        [(score_B - centre) / spread for score_B in score_KB],
        [np.where(y_B > 0, high, low) for y_B in y_KB],
        [part.weights / part.weights.sum() for part in parts.values()],
        machines,
        towards=(spread, centre) if log_odds else None,
    )
    if not (lines_K2[:, 0] > 1e-6).all():
        return untouched
    slopes = lines_K2[:, 0] / spread
    intercepts = lines_K2[:, 1] - slopes * centre
    return {
        name: Calibrator(method="platt", slope=float(slope), intercept=float(intercept))
        for name, slope, intercept in zip(parts, slopes, intercepts, strict=True)
    }


def _lines(
    z_KB: list[Floats],
    target_KB: list[Floats],
    share_KB: list[Floats],
    machines_K: Floats,
    *,
    towards: tuple[float, float] | None,
) -> Floats:
    """Return slope and intercept of every class [K, 2].

    They minimise log-loss by machines plus the prior.

    Args:
        z_KB: standardised scores of every class.
        target_KB: labels.
        share_KB: weight of each window within its class, summing to 1.
        machines_K: machines of each class.
        towards: slope and intercept that leave the scores as they are, which the shared line is
            drawn to; None: no.
    """
    from scipy.optimize import minimize

    rates = [
        float(target_B @ share_B)
        for target_B, share_B in zip(target_KB, share_KB, strict=True)
    ]
    rate = float(np.average(rates, weights=machines_K))

    def loss(at: Floats) -> tuple[float, Floats]:
        shared_2 = at[:2]
        own_K2 = at[2:].reshape(-1, 2)
        value = float((own_K2**2).sum()) / (2 * PRIOR_STD**2)
        gradient_K2 = np.empty_like(own_K2)
        for k, (z_B, target_B, share_B) in enumerate(
            zip(z_KB, target_KB, share_KB, strict=True)
        ):
            loss_of_class, gradient_2 = line_loss(
                shared_2 + own_K2[k], z_B, target_B, share_B
            )
            value += machines_K[k] * loss_of_class
            gradient_K2[k] = machines_K[k] * gradient_2
        shared_gradient_2 = gradient_K2.sum(axis=0)
        if towards is not None:
            away_2 = _away(shared_2, *towards)
            value += float(away_2 @ away_2) / (2 * PRIOR_STD**2)
            slope_away, away = away_2 / PRIOR_STD**2
            shared_gradient_2 += [
                slope_away / towards[0] - away * towards[1] / towards[0],
                away,
            ]
        return value, np.concatenate(
            [shared_gradient_2, (gradient_K2 + own_K2 / PRIOR_STD**2).ravel()]
        )

    log_odds = np.log(rate / (1 - rate))
    start = np.concatenate([[0.5, log_odds], np.zeros(2 * len(z_KB))])
    at = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return np.asarray(at[:2] + at[2:].reshape(-1, 2))


def _away(line_2: Floats, spread: float, centre: float) -> Floats:
    """Return how far a line on standardised scores lies from the line that leaves scores as is.

    That line has slope 1 and intercept 0 on the scores themselves.
    """
    slope = line_2[0] / spread
    return np.array([slope - 1, line_2[1] - slope * centre])


def correct(
    calibrators: Mapping[str, Calibrator], parts: Mapping[str, CalPart]
) -> dict[str, Calibrator]:
    """Correct the calibrators of all classes alike, by a held-back part of the windows.

    On the calibrated log-odds of the part a slope and an intercept are fitted, drawn towards 1 and
    0 by a normal prior. The part counts by its units with and without events: n = 4 n1 n0 / (n1 +
    n0), which is the number of units where half of them have events. Five machines move next to
    nothing, some hundred what they prove.

    >>> five = CalPart(np.zeros(5), np.array([1, 1, 1, 1, 0]), np.arange(5))
    >>> round(correct({"pump": Calibrator(method="shift")}, {"pump": five})["pump"].intercept, 3)
    0.037
    """
    calibrated = [_calibrated(calibrators[name], parts[name]) for name in calibrators]
    odds, labels, weights = zip(*calibrated, strict=True)
    odds_B = np.concatenate(odds)
    y_B = np.concatenate(labels)
    w_B = np.concatenate(weights)
    groups = [
        f"{name}\x1f{group}" for name in calibrators for group in parts[name].groups_B
    ]
    strength = balanced_units(np.array(groups), y_B)
    if not strength:
        return dict(calibrators)
    slope, intercept = _correction(odds_B, y_B, w_B / w_B.sum(), strength)
    return {
        name: bent(calibrator, slope, intercept)
        for name, calibrator in calibrators.items()
    }


def _calibrated(calibrator: Calibrator, part: CalPart) -> tuple[Floats, Floats, Floats]:
    odds_B = logit(calibrator.transform(part.score_B))
    y_B = np.asarray(part.y_B, np.float64)
    return odds_B, y_B, part.weights


def balanced_units(groups_B: AnyArray, y_B: AnyArray) -> float:
    """Return 4 n1 n0 / (n1 + n0) for n1 units with an event and n0 without.

    It is 0 where either is missing.
    """
    with_event = len(np.unique(groups_B[y_B > 0]))
    without = len(np.unique(groups_B)) - with_event
    return (
        4 * with_event * without / (with_event + without)
        if with_event and without
        else 0.0
    )


def _correction(
    odds_B: Floats, y_B: Floats, share_B: Floats, strength: float
) -> tuple[float, float]:
    from scipy.optimize import minimize

    def loss(at: Floats) -> tuple[float, Floats]:
        value, gradient_2 = line_loss(at, odds_B, y_B, share_B)
        away_2 = at - [1.0, 0.0]
        penalty = float(away_2 @ away_2) / (2 * PRIOR_STD**2)
        return strength * value + penalty, strength * gradient_2 + away_2 / PRIOR_STD**2

    slope, intercept = minimize(
        loss,
        [1.0, 0.0],
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.1, None), (None, None)],
    ).x
    return float(slope), float(intercept)
