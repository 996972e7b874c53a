"""Metrics of risks against labels, each with optional window weights.

A window of weight 2 counts as two windows. Undefined is `nan`. Counts and what is made of them take
arrays as well as numbers, so bootstrap replicates use the same functions.
Shapes: B windows, K bins or points of a curve, T distinct risks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hvac.arrays import AnyArray, AnyFloats, Floats, Ints
from hvac.evaluation.bootstrap import exact_interval
from hvac.evaluation.ranks import TINY, calibration_error, rank_metrics, sort_scores
from hvac.features.table import Windows

Weights = AnyArray | None
PR_POINTS = 200


class Confusion(NamedTuple):
    """Weighted counts at a threshold: numbers, or one array each over replicates."""

    tn: Any
    fp: Any
    fn: Any
    tp: Any


class Reliability(NamedTuple):
    """Per bin: mean risk, observed rate, windows, and the exact 95 % interval of the rate."""

    risk_K: Floats
    rate_K: Floats
    count_K: Ints
    low_K: Floats
    high_K: Floats


class PrecisionRecall(NamedTuple):
    """Points of the precision–recall curve, recall rising."""

    recall_K: Floats
    precision_K: Floats
    threshold_K: Floats


def ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    """Divide part by whole, nan where whole is 0; both are numbers or arrays.

    >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    part = np.asarray(part, np.float64)
    whole = np.asarray(whole, np.float64)
    share: Floats = np.full(np.broadcast(part, whole).shape, np.nan)
    np.divide(part, whole, out=share, where=whole != 0)
    return share


def _weights(y_B: AnyArray, w_B: Weights) -> Floats:
    if w_B is None:
        return np.ones(len(y_B))
    return np.asarray(w_B, np.float64)


def _mean(value_B: AnyArray, w_B: Weights) -> float:
    w_B = _weights(value_B, w_B)
    total = w_B @ np.asarray(value_B, np.float64)
    return float(ratio(total, w_B.sum()))


def roc_auc(score_B: AnyArray, y_B: AnyArray, w_B: Weights = None) -> float:
    """Return the chance that a positive scores above a negative; a tie counts half.

    It is nan without positives or without negatives. Chance level: 0.5.

    >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    0.75
    """
    w_1B = _weights(y_B, w_B)[None]
    ranking = rank_metrics(sort_scores(score_B, y_B), w_1B)
    return float(ranking.roc_auc_R[0])


def pr_auc(score_B: AnyArray, y_B: AnyArray, w_B: Weights = None) -> float:
    """Return the average precision, step-wise as scikit-learn's; nan without a positive.

    Chance level: the base rate.

    >>> round(pr_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])), 4)
    0.8333
    """
    w_1B = _weights(y_B, w_B)[None]
    ranking = rank_metrics(sort_scores(score_B, y_B), w_1B)
    return float(ranking.pr_auc_R[0])


def known_pr_auc(score_BH: AnyFloats, windows: Windows) -> Floats:
    """Return the weighted PR-AUC over known labels per horizon [H].

    It is nan where only one kind of label is known.
    """
    y_BH, known_BH = windows.labels
    value_H = np.full(score_BH.shape[1], np.nan)
    for h, known_B in enumerate(known_BH.T):
        y_B = y_BH[known_B, h]
        if 0 < y_B.sum() < len(y_B):
            value_H[h] = pr_auc(score_BH[known_B, h], y_B, windows.weights[known_B, h])
    return value_H


def brier(risk_B: AnyArray, y_B: AnyArray, w_B: Weights = None) -> float:
    """Return the mean squared error of the risk; nan on no windows.

    >>> brier(np.array([0.5, 1.0]), np.array([1, 1]))
    0.125
    """
    return _mean((np.asarray(risk_B, np.float64) - y_B) ** 2, w_B)


def brier_skill(
    risk_B: AnyArray, y_B: AnyArray, w_B: Weights = None, *, reference: float
) -> float:
    """Return 1 − Brier / Brier of the constant `reference`, the base rate in *training*.

    The test's own rate will not do, because nobody knew it. A value of 0 is no better than that
    constant; nan where the constant is perfect.

    >>> brier_skill(np.array([0.0, 1.0]), np.array([0, 1]), reference=0.5)
    1.0
    """
    constant = brier(np.full(len(y_B), reference), y_B, w_B)
    return float(1 - ratio(brier(risk_B, y_B, w_B), constant))


def ece(
    risk_B: AnyArray, y_B: AnyArray, w_B: Weights = None, *, bins: int = 10
) -> float:
    """Return the expected calibration error over bins of equal mass; nan on no windows.

    Noise alone makes it positive.

    >>> ece(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 0]), bins=2)
    0.25
    """
    return float(
        calibration_error(
            sort_scores(risk_B, y_B), _weights(y_B, w_B)[None], bins=bins
        )[0]
    )


def confusion(alarm_B: AnyArray, y_B: AnyArray, w_B: Weights = None) -> Confusion:
    """Return weighted counts of windows; alarm and label are 0/1 or bool.

    >>> confusion(np.array([True, True, False]), np.array([1, 0, 0]))
    Confusion(tn=1.0, fp=1.0, fn=0.0, tp=1.0)
    """
    count_4 = _weights(y_B, w_B) @ confusion_cells(alarm_B, y_B)
    return Confusion(*count_4.tolist())


def confusion_cells(alarm_B: AnyArray, y_B: AnyArray) -> Floats:
    """Tell which of tn, fp, fn, tp each window is, as [B, 4] of 0 and 1."""
    alarm_B = np.asarray(alarm_B, bool)
    y_B = np.asarray(y_B) > 0
    cells = [~alarm_B & ~y_B, alarm_B & ~y_B, ~alarm_B & y_B, alarm_B & y_B]
    return np.stack(cells, axis=1).astype(np.float64)


def precision(counts: Confusion) -> Floats:
    """Return the share of the alarms with a positive label; nan without an alarm."""
    return ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Confusion) -> Floats:
    """Return the share of the positives in alarm; nan without a positive."""
    return ratio(counts.tp, counts.tp + counts.fn)


def f1(counts: Confusion) -> Floats:
    """Return 2 TP / (2 TP + FP + FN); nan where there is neither an alarm nor a positive.

    >>> float(f1(Confusion(tn=5, fp=1, fn=1, tp=2)))
    0.6666666666666666
    """
    return ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def accuracy(counts: Confusion) -> Floats:
    """Return the share of the windows where alarm and label agree; nan on no windows.

    On rare events it is high by doing nothing.
    """
    return ratio(counts.tp + counts.tn, counts.tn + counts.fp + counts.fn + counts.tp)


def reliability_curve(
    risk_B: AnyArray, y_B: AnyArray, w_B: Weights = None, *, bins: int = 10
) -> Reliability:
    """Return the observed rate against the mean risk in bins of equal mass.

    Equal risks share a bin, empty bins are left out. The Clopper–Pearson interval takes windows as
    independent; overlapping ones are not, so it is too narrow. Weighted windows count as Kish's
    effective number of them there, and one each in `count_K`.

    >>> curve = reliability_curve(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 0, 1, 0]), bins=2)
    >>> curve.rate_K.tolist(), curve.count_K.tolist()
    ([0.0, 0.5], [2, 2])
    """
    w_B = _weights(y_B, w_B)
    _, tie_B = np.unique(risk_B, return_inverse=True)
    mass_T = np.bincount(tie_B, w_B)
    middle_T = np.cumsum(mass_T) - mass_T / 2
    bin_T = (bins * middle_T / max(mass_T.sum(), TINY)).astype(int)
    _, bin_B = np.unique(bin_T[tie_B], return_inverse=True)
    mass_K = np.bincount(bin_B, w_B)
    square_K = np.bincount(bin_B, w_B**2)
    hits_K = np.bincount(bin_B, w_B * np.asarray(y_B, np.float64))
    windows_each_K = (
        mass_K / square_K
    )  # Kish's effective number of windows / their weight
    effective_K2 = np.stack([hits_K, mass_K], axis=1) * windows_each_K[:, None]
    ends = [exact_interval(k, n) for k, n in effective_K2]
    ends_K2 = np.array(ends).reshape(-1, 2)
    return Reliability(
        risk_K=np.bincount(bin_B, w_B * np.asarray(risk_B, np.float64)) / mass_K,
        rate_K=hits_K / mass_K,
        count_K=np.bincount(bin_B),
        low_K=ends_K2[:, 0],
        high_K=ends_K2[:, 1],
    )


def precision_recall_curve(
    score_B: AnyArray, y_B: AnyArray, w_B: Weights = None, *, points: int = PR_POINTS
) -> PrecisionRecall:
    """Return the precision–recall curve, thinned to at most `points` evenly over recall.

    It is empty without a positive.

    >>> curve = precision_recall_curve(np.array([0.9, 0.5, 0.1]), np.array([1, 0, 1]))
    >>> curve.recall_K.tolist(), curve.threshold_K.tolist()
    ([0.5, 1.0], [0.9, 0.1])
    """
    rows = sort_scores(score_B, y_B, weight_B=w_B)
    last_K = np.flatnonzero(rows.last_B)
    tp_K = np.cumsum(rows.weight_B * rows.y_B)[last_K]
    seen_K = np.cumsum(rows.weight_B)[last_K]
    if not len(tp_K) or tp_K[-1] == 0:
        return PrecisionRecall(np.empty(0), np.empty(0), np.empty(0))
    recall_K = tp_K / tp_K[-1]
    regular = np.linspace(0, 1, points)
    keep = np.unique(np.searchsorted(recall_K, regular))
    precision_K = tp_K / seen_K
    score_K = rows.score_B[last_K]
    return PrecisionRecall(recall_K[keep], precision_K[keep], score_K[keep])
