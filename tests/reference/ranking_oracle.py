"""Recall and lift at the top, and replicates one after the other: slow versions of what `ranks` counts at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hvac.arrays import AnyArray, Floats
from hvac.evaluation.bootstrap import Replicated, UnitWeights
from hvac.evaluation.ranks import rank_metrics, sort_scores


def recall_at(
    score_B: AnyArray, y_B: AnyArray, w_B: AnyArray | None = None, *, share: float
) -> float:
    """The share of the positives that lie in the top `share` of windows; a tie at the cut counts in part."""
    w_B = np.ones(len(y_B)) if w_B is None else np.asarray(w_B, np.float64)
    ranking = rank_metrics(sort_scores(score_B, y_B), w_B[None], shares=(share,))
    return float(ranking.recall_RS[0, 0])


def lift_at(
    score_B: AnyArray, y_B: AnyArray, w_B: AnyArray | None = None, *, share: float
) -> float:
    """The base rate in the top `share` of windows over the base rate of all."""
    return recall_at(score_B, y_B, w_B, share=share) / share


def replicate(metric: Callable[[Floats], float], weights: UnitWeights) -> Replicated:
    """A metric of window weights `w_B`, one replicate after the other."""
    value_R = np.array([metric(w_U[weights.unit_index_B]) for w_U in weights.w_RU])
    return Replicated(metric(np.ones(len(weights.unit_index_B))), value_R)
