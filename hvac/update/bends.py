"""A line through the log-odds of a class's risks, drawn towards that of the whole fleet.

Shapes: N rows of `Matured`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from hvac.arrays import Floats
from hvac.logistic_line import line_loss
from hvac.update.matured import Matured

INTERCEPT_SPREAD: Final = 0.5  # of a class about the fleet, in log-odds
SLOPE_SPREAD: Final = 0.25


class Bend(NamedTuple):
    """New log-odds = slope · those of the risk + intercept; the same at all horizons of a class.

    So risks that never fall with the horizon keep doing so.
    """

    slope: float = 1.0
    intercept: float = 0.0


STRAIGHT: Final = Bend()
Bends = Mapping[str, Bend]


def fit_bends(matured: Matured, *, with_slope: bool) -> dict[str, Bend]:
    """Fit a line for the fleet, and one for every class about it.

    It is the most likely line where classes lie about the fleet's, and the fleet's about no change,
    normally with the spreads above: without events nothing moves.

    >>> odds = np.zeros(400)
    >>> rows = Matured.of(
    ...     class_N=np.array(["ahu"] * 400), unit_N=np.arange(400).astype(str),
    ...     end_day_N=np.zeros(400, int), horizon_N=np.full(400, 30), log_odds_N=odds,
    ...     onset_N=np.arange(400) < 300, alarm_N=odds > 1)
    >>> round(fit_bends(rows, with_slope=False)["ahu"].intercept, 1)
    1.1
    """
    fleet = _fit(matured, STRAIGHT, with_slope=with_slope)
    bends = {}
    for name in np.unique(matured.class_N).tolist():
        of_class = matured.where(matured.class_N == name)
        bends[name] = _fit(of_class, fleet, with_slope=with_slope)
    return bends


def _fit(matured: Matured, prior: Bend, *, with_slope: bool) -> Bend:
    spread_2 = np.array([SLOPE_SPREAD, INTERCEPT_SPREAD])
    middle_2 = np.array(prior)
    weight_N = matured.weight_N / np.maximum(_horizons(matured), 1)

    def loss(line_2: Floats) -> tuple[float, Floats]:
        value, gradient_2 = line_loss(
            line_2, matured.log_odds_N, matured.onset_N, weight_N
        )
        away_2 = (line_2 - middle_2) / spread_2
        gradient_2 = gradient_2 + away_2 / spread_2
        if not with_slope:
            gradient_2 = gradient_2 * np.array([0.0, 1.0])
        return value + float(away_2 @ away_2) / 2, gradient_2

    bounds = [(0.1, 4.0), (-4.0, 4.0)]
    fitted = minimize(loss, middle_2, jac=True, bounds=bounds, method="L-BFGS-B")
    return Bend(float(fitted.x[0]), float(fitted.x[1]))


def _horizons(matured: Matured) -> int:
    """Count the horizons: the labels of one window at several of them are hardly more than one."""
    return len(np.unique(matured.horizon_N))


def bent_log_odds(matured: Matured, bends: Bends) -> Floats:
    """Return the log-odds that the bends make of those that were given; other classes keep theirs."""
    log_odds_N: Floats = matured.log_odds_N.copy()
    for name, bend in bends.items():
        rows_N = matured.class_N == name
        log_odds_N[rows_N] = bend.slope * log_odds_N[rows_N] + bend.intercept
    return log_odds_N


def log_losses(log_odds_N: Floats, matured: Matured) -> Floats:
    """Return the log-loss of every row."""
    losses: Floats = np.logaddexp(0, log_odds_N) - matured.onset_N * log_odds_N
    return losses


def risks(log_odds_N: Floats) -> Floats:
    """Return log-odds as probabilities."""
    return np.asarray(expit(log_odds_N))
