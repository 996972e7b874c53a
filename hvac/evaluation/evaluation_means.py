"""Means of evaluations over seeds, kinds of events and horizons, and differences of two.

Shape: R replicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hvac.evaluation.bootstrap import Difference, Replicated, paired_difference
from hvac.evaluation.horizon_figures import COUNTS, Figure, with_interval
from hvac.evaluation.model_metrics import Evaluation

COMPARED = {"pr_auc": True, "roc_auc": True, "brier": False}  # metric: is higher better


def mean_over_seeds(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Average one model trained with several seeds: every figure, replicate by replicate.

    All must come from the same `HeldOut`. Curves, counts and exact intervals are those of the
    first seed.
    """
    first = evaluations[0]
    if len(evaluations) == 1:
        return first
    mean = _mean(evaluations)
    for horizon, figures in mean.metrics.items():
        for name, first_figure in first.metrics[horizon].items():
            if "k" in first_figure:
                figures[name] = first_figure
    return mean


def mean_over_kinds(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Average one model's evaluations for several kinds of events: every figure and count.

    All must come from the same units and bootstrap weights, so that a replicate holds the same
    units for every kind. There are no curves and no exact intervals of a mean; it is a headline
    where that of every kind is.
    """
    if len(evaluations) == 1:
        return evaluations[0]
    mean = _mean(evaluations)
    headline = {}
    for horizon, figures in mean.metrics.items():
        headline[horizon] = all(one.headline[horizon] for one in evaluations)
        for name in COUNTS:
            values = [one.metrics[horizon][name]["value"] for one in evaluations]
            figures[name] = {**figures[name], "value": float(np.mean(values))}
    curves: dict[int, dict[str, dict[str, list[float]]]] = {
        horizon: {} for horizon in headline
    }
    return replace(mean, headline=headline, curves=curves)


def _mean(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Average the replicated figures; everything else is that of the first."""
    first = evaluations[0]
    metrics: dict[int, dict[str, Figure]] = {}
    replicates: dict[int, dict[str, Replicated]] = {}
    for horizon, first_replicates in first.replicates.items():
        metrics[horizon] = dict(first.metrics[horizon])
        replicates[horizon] = {}
        for name in first_replicates:
            mean = _mean_replicated(
                [one.replicates[horizon][name] for one in evaluations]
            )
            replicates[horizon][name] = mean
            metrics[horizon][name] = with_interval(mean)
    return replace(first, metrics=metrics, replicates=replicates)


def _mean_replicated(replicated: Sequence[Replicated]) -> Replicated:
    value = float(np.mean([one.value for one in replicated]))
    return Replicated(value, np.mean([one.value_R for one in replicated], axis=0))


def compare(a: Evaluation, b: Evaluation) -> dict[int, dict[str, Difference]]:
    """Subtract b from a in PR-AUC, ROC-AUC and Brier, on the same replicates, by horizon.

    "better" means that a is better. Both evaluations must come from the same `HeldOut`. At a
    horizon without a headline there are too few events for a conclusion.
    """
    differences: dict[int, dict[str, Difference]] = {}
    for horizon in a.replicates:
        differences[horizon] = {}
        for name, higher_is_better in COMPARED.items():
            differences[horizon][name] = paired_difference(
                a.replicates[horizon][name],
                b.replicates[horizon][name],
                higher_is_better=higher_is_better,
                headline=a.headline[horizon],
            )
    return differences


def mean_over_horizons(evaluation: Evaluation, name: str = "pr_auc") -> Replicated:
    """Average a figure over horizons, replicate by replicate: what a model is chosen by.

    It is undefined where it is at any horizon.

    >>> low, high = (Replicated(v, np.array([v, v + 0.2])) for v in (0.2, 0.4))
    >>> replicates = {30: {"pr_auc": low}, 60: {"pr_auc": high}}
    >>> mean = mean_over_horizons(
    ...     Evaluation(metrics={}, headline={}, curves={}, replicates=replicates))
    >>> round(mean.value, 3), mean.value_R.round(3).tolist()
    (0.3, [0.3, 0.5])
    """
    return _mean_replicated(
        [by_name[name] for by_name in evaluation.replicates.values()]
    )
