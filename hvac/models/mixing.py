"""How calibrated log-odds of several models become one, by weights.

The weights are learned on scores of units the models did not see. Legend: B windows, H horizons, K
blocks, R rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import expit

from hvac.arrays import Bools, Floats, Strings
from hvac.logistic_line import line_loss
from hvac.models.blocks import log_odds, two_classes
from hvac.models.folds import Folds

Rule = Literal["weights", "mean", "best_block"]
PLATT_PENALTY = 1e-3
SLOPES = (0.05, 3.0)  # of the mixed log-odds
LEAST_WEIGHT = 1e-3


class Mix(NamedTuple):
    """How calibrated log-odds of blocks become one.

    Weights of the blocks come first, then a slope and an intercept of each horizon.
    """

    weight_K: Floats
    slope_H: Floats
    intercept_H: Floats

    def __call__(self, odds_KBH: Floats) -> Floats:
        """Mix the blocks' log-odds [K, B, H] into one: [B, H]."""
        return np.asarray(
            self.slope_H * np.tensordot(self.weight_K, odds_KBH, axes=1)
            + self.intercept_H
        )


class Labels(NamedTuple):
    """Labels of windows with their weights (0: unknown)."""

    y_BH: Bools
    w_BH: Floats

    def take(self, rows_B: Bools) -> Labels:
        """Return some of the windows."""
        return Labels(self.y_BH[rows_B], self.w_BH[rows_B])


def log_loss_B(odds_BH: Floats, labels: Labels) -> Floats:
    """Return each window's weighted log-loss.

    The mean over windows is the mean over horizons.
    """
    against_BH = np.where(labels.y_BH, -odds_BH, odds_BH)
    loss_BH = np.logaddexp(0, against_BH) * labels.w_BH
    total_H = labels.w_BH.sum(axis=0)
    scale_H = np.divide(
        len(odds_BH), total_H, out=np.zeros_like(total_H), where=total_H > 0
    )
    return np.asarray((loss_BH * scale_H).mean(axis=1))


def choose_rule(loss_RB: dict[Rule, Floats], units_B: Strings) -> Rule:
    """Choose the mix with the lowest loss; the best block alone only where it is clearly better.

    Clearly better: the mean over units of the paired difference exceeds its standard error.

    >>> units = np.array(["a", "b", "c"])
    >>> loss = {"weights": np.array([1.0, 2, 3]), "best_block": np.array([0.9, 2.1, 2.9])}
    >>> choose_rule(loss, units)
    'weights'
    """
    blends: list[Rule] = [rule for rule in loss_RB if rule != "best_block"]
    best = min(blends, key=lambda rule: float(loss_RB[rule].mean()))
    if "best_block" not in loss_RB:
        return best
    _, unit_B = np.unique(units_B, return_inverse=True)
    gain_U = np.bincount(unit_B, loss_RB[best] - loss_RB["best_block"])
    error = float(gain_U.std()) * np.sqrt(len(gain_U))
    return "best_block" if gain_U.sum() > error and len(gain_U) > 1 else best


def mix_out_of_fold(
    score_KBH: Floats, labels: Labels, folds: Folds, rule: Rule, penalty: float
) -> Floats:
    """Mix each fold's scores by calibrations and weights of the other folds."""
    odds_BH = np.empty(labels.y_BH.shape)
    for rest_B, own_B in folds.parts:
        learned_B = rest_B if rest_B.any() else own_B
        platt_KHX, mix = calibrate_and_mix(
            score_KBH[:, learned_B], labels.take(learned_B), rule, penalty
        )
        odds_BH[own_B] = mix(calibrated(score_KBH[:, own_B], platt_KHX))
    return odds_BH


def calibrate_and_mix(
    score_KBH: Floats, labels: Labels, rule: Rule, penalty: float
) -> tuple[Floats, Mix]:
    """Calibrate every block and learn how they are mixed."""
    platt_KHX = np.stack([_calibrate(score_BH, labels) for score_BH in score_KBH])
    odds_KBH = calibrated(score_KBH, platt_KHX)
    telling_K = platt_KHX[:, :, 0].max(axis=1) > 0
    allowed_K = telling_K if telling_K.any() else np.ones(len(odds_KBH), dtype=bool)
    if rule == "best_block":
        loss_K = [log_loss_B(odds_BH, labels).mean() for odds_BH in odds_KBH]
        allowed_loss_K = np.where(allowed_K, loss_K, np.inf)
        best = int(np.argmin(allowed_loss_K))
        allowed_K = np.arange(len(odds_KBH)) == best
    return platt_KHX, fit_mix(
        odds_KBH,
        labels,
        allowed_K=allowed_K,
        penalty=penalty if rule == "weights" else None,
    )


def _calibrate(score_BH: Floats, labels: Labels) -> Floats:
    """Return slope (never negative) and intercept of each horizon: [H, 2]."""
    return np.array(
        [
            _platt(*column)
            for column in zip(score_BH.T, labels.y_BH.T, labels.w_BH.T, strict=True)
        ]
    )


def _platt(score_B: Floats, y_B: Bools, w_B: Floats) -> tuple[float, float]:
    """Fit a logistic regression of the label on the score (Platt 1999), a little penalised."""
    from scipy.optimize import minimize

    known_B = w_B > 0
    score_B = score_B[known_B]
    y_B = y_B[known_B]
    w_B = w_B[known_B]
    rate = rate_log_odds(y_B, w_B)
    spread = float(score_B.std()) if len(score_B) else 0.0
    if not two_classes(y_B) or spread < 1e-9:
        return 0.0, rate
    standard_B = (score_B - score_B.mean()) / spread
    w_B = w_B / w_B.sum()

    def loss(at: Floats) -> tuple[float, Floats]:
        value, gradient_2 = line_loss(at, standard_B, y_B, w_B)
        gradient_2[0] += 2 * PLATT_PENALTY * at[0]
        return value + PLATT_PENALTY * at[0] ** 2, gradient_2

    fitted = minimize(
        loss, [0.5, rate], jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)]
    ).x
    slope = fitted[0] / spread
    return float(slope), float(fitted[1] - slope * score_B.mean())


def rate_log_odds(y_B: Bools, w_B: Floats) -> float:
    """Return the log-odds of the weighted rate; 0 where nothing is known."""
    return float(log_odds(np.average(y_B, weights=w_B))) if w_B.sum() > 0 else 0.0


def calibrated(score_KBH: Floats, platt_KHX: Floats) -> Floats:
    """Return calibrated log-odds [K, B, H] from slopes and intercepts [K, H, 2]."""
    return platt_KHX[:, None, :, 0] * score_KBH + platt_KHX[:, None, :, 1]


def fit_mix(
    odds_KBH: Floats,
    labels: Labels,
    *,
    allowed_K: Bools,
    penalty: float | None,
    towards_K: Floats | None = None,
) -> Mix:
    """Learn weights w_K ≥ 0 that sum to 1, and a slope and an intercept per horizon.

    They minimise the mean log-loss of horizons. A horizon with one kind of label is left out: its
    slope stays 1 and its intercept 0.

    Args:
        odds_KBH: calibrated log-odds of the blocks.
        labels: of the windows.
        allowed_K: blocks that may have a weight; the others have 0.
        penalty: of the squared distance to equal weights; None keeps equal ones.
        towards_K: weights to be drawn to, instead of equal ones; 0 where none is allowed.

    >>> rng = np.random.default_rng(0)
    >>> y_BH = rng.random((2000, 1)) < 0.3
    >>> good_BH = np.where(y_BH, 2.0, -2.0) + rng.normal(size=(2000, 1))
    >>> odds_KBH = np.stack([good_BH, rng.normal(size=(2000, 1))])
    >>> both, labels = np.array([True, True]), Labels(y_BH, np.ones(y_BH.shape))
    >>> good, useless = fit_mix(odds_KBH, labels, allowed_K=both, penalty=0.0).weight_K
    >>> bool(good > 0.9), round(float(good + useless), 6)
    (True, 1.0)
    """
    from scipy.optimize import minimize

    blocks = np.flatnonzero(allowed_K)
    horizons = labels.y_BH.shape[1]
    count = len(blocks)
    rows = list(_horizon_rows(odds_KBH[blocks], labels))
    start_K = np.full(count, 1 / count) if towards_K is None else towards_K[blocks]

    def loss(at: Floats) -> tuple[float, Floats]:
        weight_K = at[:count]
        gradient = np.zeros(len(at))
        value = (penalty or 0.0) * float(((weight_K - start_K) ** 2).sum())
        gradient[:count] = 2 * (penalty or 0.0) * (weight_K - start_K)
        for h, odds_KB, y_B, w_B in rows:
            slope, intercept = at[count + 2 * h : count + 2 * h + 2]
            mixed_B = weight_K @ odds_KB
            fused_B = slope * mixed_B + intercept
            error_B = (expit(fused_B) - y_B) * w_B / len(rows)
            value += float((np.logaddexp(0, fused_B) - y_B * fused_B) @ w_B) / len(rows)
            gradient[:count] += slope * (odds_KB @ error_B)
            gradient[count + 2 * h : count + 2 * h + 2] += (
                error_B @ mixed_B,
                error_B.sum(),
            )
        return value, gradient

    start = np.concatenate([start_K, np.tile([1.0, 0.0], horizons)])
    fixed = penalty is None or count == 1
    weight_bounds: list[Any] = (
        [(weight, weight) for weight in start_K] if fixed else [(0, 1)] * count
    )
    bounds = weight_bounds + [SLOPES, (None, None)] * horizons
    sums: Any = {
        "type": "eq",
        "fun": lambda at: at[:count].sum() - 1,
        "jac": lambda at: np.arange(len(at)) < count,
    }
    at = start
    if rows:
        at = minimize(
            loss,
            start,
            jac=True,
            method="SLSQP",
            bounds=bounds,
            constraints=[] if fixed else [sums],
        ).x
    weight_K = np.zeros(len(odds_KBH))
    weight_K[blocks] = np.where(at[:count] < LEAST_WEIGHT, 0.0, at[:count])
    slopes_H2 = at[count:].reshape(horizons, 2)
    slope_H = slopes_H2[:, 0].copy()
    intercept_H = slopes_H2[:, 1].copy()
    return Mix(weight_K / weight_K.sum(), slope_H, intercept_H)


def _horizon_rows(
    odds_KBH: Floats, labels: Labels
) -> Iterator[tuple[int, Floats, Bools, Floats]]:
    """Yield horizon, log-odds, labels and weights (summing to 1) of horizons with both labels."""
    for h in range(labels.y_BH.shape[1]):
        known_B = labels.w_BH[:, h] > 0
        y_B = labels.y_BH[known_B, h]
        w_B = labels.w_BH[known_B, h]
        if two_classes(y_B):
            yield h, odds_KBH[:, known_B, h], y_B, w_B / w_B.sum()
