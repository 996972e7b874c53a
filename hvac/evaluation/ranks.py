"""Compiled passes over sorted scores: every ranking metric for every replicate, ties exact.

A replicate weighs each window by its unit and by how many windows its label stands for: `w_RU[r,
unit_B[b]] * weight_B[b]`. A plain weighted metric is the case R = 1 with every window its own unit.
Shapes: B windows, U units, R replicates, S top shares, T turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats, Ints
from hvac.compiled import compiled

TINY = 1e-300  # makes 0 / 0 a 0 without a branch: the passes are as fast as their branches are few


class Sorted(NamedTuple):
    """Windows by falling score; `last_B` marks the last of each run of equal scores."""

    score_B: Floats
    y_B: Floats
    unit_B: Ints
    last_B: Bools
    weight_B: Floats


class Ranking(NamedTuple):
    """Ranking metrics per replicate; nan where a replicate lacks positives or negatives."""

    roc_auc_R: Floats
    pr_auc_R: Floats
    recall_RS: Floats


def sort_scores(
    score_B: AnyArray,
    y_B: AnyArray,
    *,
    unit_B: AnyArray | None = None,
    weight_B: AnyArray | None = None,
) -> Sorted:
    """Sort windows by falling score, once for all replicates.

    Without `unit_B` every window is its own unit, without `weight_B` it counts once.

    >>> sort_scores(np.array([0.1, 0.3, 0.3]), np.array([0, 1, 0])).last_B.tolist()
    [False, True, True]
    """
    score_B = np.asarray(score_B, np.float64)
    assert not np.any(np.isnan(score_B)), "scores must not be nan"
    order = np.argsort(-score_B, kind="stable")
    unit_B = np.arange(len(score_B)) if unit_B is None else np.asarray(unit_B, np.int64)
    weight_B = (
        np.ones(len(score_B)) if weight_B is None else np.asarray(weight_B, np.float64)
    )
    falling_B = score_B[order]
    last_B = np.r_[falling_B[1:] != falling_B[:-1], True][: len(order)]
    return Sorted(
        falling_B,
        np.asarray(y_B, np.float64)[order],
        unit_B[order],
        last_B,
        weight_B[order],
    )


def rank_metrics(
    rows: Sorted, w_RU: Floats, *, shares: tuple[float, ...] = ()
) -> Ranking:
    """Return ROC-AUC, average precision and recall in the top shares, per replicate.

    ROC-AUC counts a tie as half. Average precision is the step-wise sum over distinct scores, as
    scikit-learn's. A share that ends inside a tie takes that part of the tie's positives. A metric
    is nan without a positive, ROC-AUC also without a negative.

    >>> rows = sort_scores(np.array([0.1, 0.4, 0.8]), np.array([0, 1, 0]))
    >>> ranking = rank_metrics(rows, np.ones((1, 3)), shares=(2 / 3,))
    >>> ranking.roc_auc_R.tolist(), ranking.pr_auc_R.tolist(), ranking.recall_RS.tolist()
    ([0.5], [0.5], [[1.0]])
    """
    assert list(shares) == sorted(shares), "shares must rise"
    out_RM = np.full((len(w_RU), 2 + len(shares)), np.nan)
    w_RU = np.asarray(w_RU, np.float64)
    share_S = np.array(shares, np.float64)
    _rank_pass(rows.y_B, rows.last_B, rows.unit_B, rows.weight_B, w_RU, share_S, out_RM)
    return Ranking(out_RM[:, 0], out_RM[:, 1], out_RM[:, 2:])


def mean_ranking(rankings: Sequence[Ranking], positives_TR: Floats) -> Ranking:
    """Average rankings of several turns, replicate by replicate, weighted by their positives.

    A turn in which a metric is undefined does not count; nan where it is undefined in every turn.

    >>> one, other = (Ranking(np.array([v]), np.array([v]), np.array([[v]])) for v in (0.5, np.nan))
    >>> better = one._replace(pr_auc_R=np.array([0.9]))
    >>> mean_ranking([one, better, other], np.array([[1.0], [3.0], [5.0]])).pr_auc_R
    array([0.8])
    """
    turns = [np.column_stack([r.roc_auc_R, r.pr_auc_R, r.recall_RS]) for r in rankings]
    value_TRM = np.stack(turns)
    weight_TRM = np.where(np.isnan(value_TRM), 0.0, positives_TR[:, :, None])
    total_RM = weight_TRM.sum(axis=0)
    sum_RM = (weight_TRM * np.nan_to_num(value_TRM)).sum(axis=0)
    mean_RM = np.full(total_RM.shape, np.nan)
    np.divide(sum_RM, total_RM, out=mean_RM, where=total_RM > 0)
    return Ranking(mean_RM[:, 0], mean_RM[:, 1], mean_RM[:, 2:])


def calibration_error(rows: Sorted, w_RU: Floats, *, bins: int = 10) -> Floats:
    """Return the expected calibration error per replicate, over bins of equal weight.

    Equal risks share a bin; a replicate without weight is nan.

    >>> rows = sort_scores(np.array([0.25, 0.25, 0.25, 0.25]), np.array([1, 0, 0, 0]))
    >>> calibration_error(rows, np.ones((1, 4))).tolist()
    [0.0]
    """
    out_R = np.full(len(w_RU), np.nan)
    w_RU = np.asarray(w_RU, np.float64)
    _error_pass(
        rows.score_B - rows.y_B,
        rows.last_B,
        rows.unit_B,
        rows.weight_B,
        w_RU,
        bins,
        out_R,
    )
    return out_R


@compiled
def _per_unit(value_B: Floats, unit_B: Ints, units: int) -> Floats:
    sum_U = np.zeros(units)
    for b in range(len(unit_B)):
        sum_U[unit_B[b]] += value_B[b]
    return sum_U


@compiled
def _rank_pass(
    y_B: Floats,
    last_B: Bools,
    unit_B: Ints,
    weight_B: Floats,
    w_RU: Floats,
    share_S: Floats,
    out_RM: Floats,
) -> None:
    windows_U = _per_unit(weight_B, unit_B, w_RU.shape[1])
    positives_U = _per_unit(weight_B * y_B, unit_B, w_RU.shape[1])
    for r in range(w_RU.shape[0]):
        w_U = w_RU[r]
        total, positives = (w_U * windows_U).sum(), (w_U * positives_U).sum()
        if positives <= 0.0:
            continue
        tp, seen, area, steps = 0.0, 0.0, 0.0, 0.0
        tie_tp, tie, s = 0.0, 0.0, 0
        for b in range(len(y_B)):
            w = w_U[unit_B[b]] * weight_B[b]
            tie += w
            tie_tp += w * y_B[b]
            if last_B[b]:
                while s < len(share_S) and share_S[s] * total <= seen + tie:
                    out_RM[r, 2 + s] = (
                        tp + tie_tp * (share_S[s] * total - seen) / tie
                    ) / positives
                    s += 1
                area += (tie - tie_tp) * (tp + 0.5 * tie_tp)
                seen += tie
                tp += tie_tp
                steps += tie_tp * tp / (seen + TINY)
                tie_tp, tie = 0.0, 0.0
        out_RM[r, 2 + s :] = 1.0
        out_RM[r, 1] = steps / positives
        if total > positives:
            out_RM[r, 0] = area / (positives * (total - positives))


@compiled
def _error_pass(
    error_B: Floats,
    last_B: Bools,
    unit_B: Ints,
    weight_B: Floats,
    w_RU: Floats,
    bins: int,
    out_R: Floats,
) -> None:
    """Put each run of equal risks into the bin of its middle weight.

    The bin is floor(bins x (before + half) / total).
    """
    windows_U = _per_unit(weight_B, unit_B, w_RU.shape[1])
    for r in range(w_RU.shape[0]):
        w_U = w_RU[r]
        total = (w_U * windows_U).sum()
        if total <= 0.0:
            continue
        bin_sum, absolute, upto = 0.0, 0.0, 1
        before, tie, tie_sum = 0.0, 0.0, 0.0
        for b in range(len(error_B)):
            w = w_U[unit_B[b]] * weight_B[b]
            tie += w
            tie_sum += w * error_B[b]
            if last_B[b]:
                if (before + 0.5 * tie) * bins >= upto * total:
                    absolute += abs(bin_sum)
                    bin_sum = 0.0
                    while (before + 0.5 * tie) * bins >= upto * total:
                        upto += 1
                bin_sum += tie_sum
                before += tie
                tie, tie_sum = 0.0, 0.0
        out_R[r] = (absolute + abs(bin_sum)) / total
