"""A line through the log-odds of a class's risks, drawn towards that of the whole fleet.

Shapes: N rows of `Matured`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from hvac.arrays import Floats, Ints
from hvac.days import DAYS_PER_YEAR
from hvac.logistic_line import line_loss
from hvac.update.matured import Matured

INTERCEPT_SPREAD: Final = 0.5  # of a class about the fleet, in log-odds
SLOPE_SPREAD: Final = 0.25
FLEET_SLOPE_SPREAD: Final = 0.5  # of the fleet about no change
HALF_LIFE: Final = DAYS_PER_YEAR  # in which a label loses half of its weight
LOWEST_2: Final = (0.1, -4.0)  # slope and intercept
HIGHEST_2: Final = (4.0, 4.0)


class Bend(NamedTuple):
    """New log-odds turn about a place of each horizon: slope · (L − about) + about + intercept.

    A sensor's scale turns the risks of all horizons about those of its zero, which differ. `about`
    is by horizon in days, that of the nearest for one without (its labels have not matured), and 0
    where there is none at all.
    """

    slope: float = 1.0
    intercept: float = 0.0
    about: Mapping[int, float] = {}

    def line(self, horizon: int) -> tuple[float, float]:
        """Return slope and intercept at a horizon.

        >>> Bend(0.5, 0.1, {30: -2.0}).line(30), Bend(0.5, 0.1).line(30)
        ((0.5, -0.9), (0.5, 0.1))
        """
        nearest = min(self.about, key=lambda known: abs(known - horizon), default=0)
        about = self.about.get(nearest, 0.0)
        return self.slope, (1 - self.slope) * about + self.intercept


STRAIGHT: Final = Bend()
Bends = Mapping[str, Bend]


class Freedom(NamedTuple):
    """What of a line is fitted: the slope too, and whether each class has its own."""

    slope: bool
    classes: bool


def fit_bends(matured: Matured, freedom: Freedom) -> dict[str, Bend]:
    """Fit a line for the fleet, and where wanted one for every class about it.

    It is the most likely line where classes lie about the fleet's, and the fleet's about no change,
    normally with the spreads above: without events nothing moves. Labels lose half of their weight
    in a year.

    >>> odds = np.zeros(400)
    >>> rows = Matured.of(
    ...     class_N=np.array(["ahu"] * 400), unit_N=np.arange(400).astype(str),
    ...     end_day_N=np.zeros(400, int), horizon_N=np.full(400, 30), log_odds_N=odds,
    ...     onset_N=np.arange(400) < 300, alarm_N=odds > 1)
    >>> round(fit_bends(rows, Freedom(slope=False, classes=True))["ahu"].intercept, 1)
    1.1
    """
    if not len(matured.class_N):
        return {}
    horizons, place_N = np.unique(matured.horizon_N, return_inverse=True)
    # the labels of one window at several horizons are hardly more than one
    rows = matured._replace(weight_N=_weights(matured) / len(horizons))
    about_H = _means(rows, place_N) if freedom.slope else np.zeros(len(horizons))
    about_N = about_H[place_N]
    about = {
        int(horizon): float(at)
        for horizon, at in zip(horizons, about_H, strict=True)
        if freedom.slope
    }
    no_change_2 = np.array(STRAIGHT[:2])
    fleet_2 = _fit(rows, about_N, no_change_2, FLEET_SLOPE_SPREAD, freedom)
    bends = {}
    for name in np.unique(matured.class_N).tolist():
        line_2, here_N = fleet_2, matured.class_N == name
        if freedom.classes:
            of_class = rows.where(here_N)
            line_2 = _fit(of_class, about_N[here_N], fleet_2, SLOPE_SPREAD, freedom)
        bends[name] = Bend(float(line_2[0]), float(line_2[1]), about)
    return bends


def _weights(matured: Matured) -> Floats:
    """Return the weights of rows by their age."""
    age_N = matured.known_from_N.max() - matured.known_from_N
    return np.asarray(matured.weight_N * 0.5 ** (age_N / HALF_LIFE))


def _means(rows: Matured, horizon_N: Ints) -> Floats:
    """Return the mean log-odds of every horizon."""
    sum_H = np.bincount(horizon_N, rows.weight_N * rows.log_odds_N)
    return np.asarray(sum_H / np.bincount(horizon_N, rows.weight_N))


def _fit(
    rows: Matured,
    about_N: Floats,
    middle_2: Floats,
    slope_spread: float,
    freedom: Freedom,
) -> Floats:
    """Return slope and intercept, drawn towards those in the middle."""
    spread_2 = np.array([slope_spread, INTERCEPT_SPREAD])
    free_2 = np.array([float(freedom.slope), 1.0])
    turned_N = rows.log_odds_N - about_N

    def loss(line_2: Floats) -> tuple[float, Floats]:
        value, gradient_2 = line_loss(
            line_2, turned_N, rows.onset_N, rows.weight_N, about_N
        )
        away_2 = (line_2 - middle_2) / spread_2
        gradient_2 = (gradient_2 + away_2 / spread_2) * free_2
        return value + float(away_2 @ away_2) / 2, gradient_2

    bounds = [*zip(LOWEST_2, HIGHEST_2, strict=True)]
    fitted = minimize(loss, middle_2, jac=True, bounds=bounds, method="L-BFGS-B")
    return np.asarray(fitted.x)


def bent_log_odds(matured: Matured, bends: Bends) -> Floats:
    """Return the log-odds that the bends make of those that were given; other classes keep theirs.

    They never fall with the horizon, as those of a bundle do not.
    """
    log_odds_N: Floats = matured.log_odds_N.copy()
    for name, bend in bends.items():
        for horizon in np.unique(matured.horizon_N).tolist():
            rows_N = (matured.class_N == name) & (matured.horizon_N == horizon)
            slope, intercept = bend.line(horizon)
            log_odds_N[rows_N] = slope * log_odds_N[rows_N] + intercept
    if any(bend.about for bend in bends.values()):
        return _never_falling(matured, log_odds_N)
    return log_odds_N


def _never_falling(matured: Matured, log_odds_N: Floats) -> Floats:
    """Raise log-odds to those of the same window at shorter horizons."""
    order = np.lexsort((matured.horizon_N, matured.end_day_N, matured.unit_N))
    unit_N, day_N = matured.unit_N[order], matured.end_day_N[order]
    same_N = (unit_N[1:] == unit_N[:-1]) & (day_N[1:] == day_N[:-1])
    raised_N = log_odds_N[order]
    for _ in np.unique(matured.horizon_N)[1:]:
        shorter_N = np.where(same_N, raised_N[:-1], -np.inf)
        raised_N[1:] = np.maximum(raised_N[1:], shorter_N)
    result_N = np.empty_like(raised_N)
    result_N[order] = raised_N
    return result_N


def log_losses(log_odds_N: Floats, matured: Matured) -> Floats:
    """Return the log-loss of every row."""
    losses: Floats = np.logaddexp(0, log_odds_N) - matured.onset_N * log_odds_N
    return losses


def risks(log_odds_N: Floats) -> Floats:
    """Return log-odds as probabilities."""
    return np.asarray(expit(log_odds_N))
