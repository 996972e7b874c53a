"""The figures of one model at one horizon, on the sample and on every bootstrap replicate.

Shapes: B windows, U units, R replicates, K columns.
"""

from __future__ import annotations

import math
from typing import NotRequired, TypedDict

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats
from hvac.evaluation import alarms, metrics
from hvac.evaluation.bootstrap import Replicated, exact_interval, interval
from hvac.evaluation.held_out_windows import HorizonRows
from hvac.evaluation.ranks import (
    Ranking,
    calibration_error,
    mean_ranking,
    rank_metrics,
    sort_scores,
)

TOP_SHARES = (0.01, 0.05, 0.10)
COUNTS = ("events", "windows", "units")
RANKING = (
    "pr_auc",
    "roc_auc",
    *(f"{name}_{100 * s:.0f}" for name in ("recall", "lift") for s in TOP_SHARES),
)


class Figure(TypedDict):
    """A value with its interval; `note` tells why it has none, `k` of `n` are exact counts."""

    value: float
    low: float
    high: float
    note: NotRequired[str]
    k: NotRequired[int]
    n: NotRequired[int]


def replicated_figures(
    rows: HorizonRows, matched: alarms.Match
) -> dict[str, Replicated]:
    """Return every figure with its bootstrap replicates, by name."""
    value_R = {**_ranking(rows), **_probability(rows), **_at_threshold(rows)}
    figures = {
        name: Replicated(float(both_R[0]), both_R[1:])
        for name, both_R in value_R.items()
    }
    return figures | _on_events(rows, matched)


def _ranking(rows: HorizonRows) -> dict[str, Floats]:
    ordered = sort_scores(
        rows.risk_B, rows.y_B, unit_B=rows.grid.unit_B, weight_B=rows.weight_B
    )
    w_RU = rows.all_w_RU
    turns = np.unique(rows.turn_B)
    if len(turns) > 1:
        by_turn = [_of_turn(rows, rows.turn_B == turn, w_RU) for turn in turns]
        rankings, positives = zip(*by_turn, strict=True)
        ranking = mean_ranking(rankings, np.stack(positives))
    else:
        ranking = rank_metrics(ordered, w_RU, shares=TOP_SHARES)
    figures = {
        "pr_auc": ranking.pr_auc_R,
        "roc_auc": ranking.roc_auc_R,
        "ece": calibration_error(ordered, w_RU),
    }
    for s, share in enumerate(TOP_SHARES):
        figures[f"recall_{share * 100:.0f}"] = ranking.recall_RS[:, s]
        figures[f"lift_{share * 100:.0f}"] = ranking.recall_RS[:, s] / share
    return figures


def _of_turn(
    rows: HorizonRows, in_turn_B: Bools, w_RU: Floats
) -> tuple[Ranking, Floats]:
    """Rank the windows of one turn, and count its positives in every replicate."""
    y_B = rows.y_B[in_turn_B]
    unit_B = rows.grid.unit_B[in_turn_B]
    weight_B = rows.weight_B[in_turn_B]
    ordered = sort_scores(rows.risk_B[in_turn_B], y_B, unit_B=unit_B, weight_B=weight_B)
    positives_R = w_RU @ np.bincount(unit_B, y_B * weight_B, minlength=w_RU.shape[1])
    return rank_metrics(ordered, w_RU, shares=TOP_SHARES), positives_R


def _probability(rows: HorizonRows) -> dict[str, Floats]:
    columns = [
        np.ones(len(rows.y_B)),
        rows.y_B,
        (rows.risk_B - rows.y_B) ** 2,
        (rows.reference_B - rows.y_B) ** 2,
    ]
    sums_KR = rows.weighted_sums(np.stack(columns, axis=1))
    windows_R, positives_R, error_R, constant_R = sums_KR
    return {
        "base_rate": metrics.ratio(positives_R, windows_R),
        "brier": metrics.ratio(error_R, windows_R),
        "brier_skill": 1 - metrics.ratio(error_R, constant_R),
    }


def _at_threshold(rows: HorizonRows) -> dict[str, Floats]:
    cells_BK = metrics.confusion_cells(rows.alarm_B, rows.y_B)
    cells = metrics.Confusion(*rows.weighted_sums(cells_BK))
    return {
        **cells._asdict(),
        "f1": metrics.f1(cells),
        "precision": metrics.precision(cells),
        "recall": metrics.recall(cells),
        "accuracy": metrics.accuracy(cells),
    }


def _on_events(rows: HorizonRows, matched: alarms.Match) -> dict[str, Replicated]:
    low, median, high = alarms.lead_quantiles(matched, rows.w_RU)
    false_alarms = alarms.false_alarms_per_unit_year(matched)
    return {
        "event_recall": alarms.event_recall(matched).replicated(rows.w_RU),
        "alarm_precision": alarms.alarm_precision(matched).replicated(rows.w_RU),
        "false_alarms_per_unit_year": false_alarms.replicated(rows.w_RU),
        "lead_q25": low,
        "lead_median": median,
        "lead_q75": high,
    }


def with_interval(replicated: Replicated) -> Figure:
    """Return a value with its interval, and a note where the interval is undefined."""
    value, low, high, _, note = interval(replicated)
    shown: Figure = {"value": value, "low": low, "high": high}
    if note:
        shown["note"] = note
    return shown


def sample_sizes(rows: HorizonRows, matched: alarms.Match) -> dict[str, Figure]:
    """Return the sizes of the sample, without intervals: events, windows, units."""
    sizes = {
        "events": len(matched.unit_E),
        "windows": len(rows.y_B),
        "units": len(np.unique(rows.grid.unit_B)),
    }
    return {
        name: {"value": sizes[name], "low": math.nan, "high": math.nan}
        for name in COUNTS
    }


def exact_figures(matched: alarms.Match) -> dict[str, Figure]:
    """Return event recall and alarm precision with counts and Clopper–Pearson intervals.

    They are for few events: a bootstrap over hardly any units tells nothing.
    """
    ratios = {
        "event_recall": alarms.event_recall(matched),
        "alarm_precision": alarms.alarm_precision(matched),
    }
    figures: dict[str, Figure] = {}
    for name, unit_ratio in ratios.items():
        k = int(unit_ratio.part_U.sum())
        n = int(unit_ratio.whole_U.sum())
        low, high = exact_interval(k, n)
        figures[name] = {
            "value": unit_ratio.value,
            "low": low,
            "high": high,
            "k": k,
            "n": n,
        }
    return figures


def figure_curves(rows: HorizonRows) -> dict[str, dict[str, list[float]]]:
    """Return the points of the precision–recall and the reliability curve."""
    pr = metrics.precision_recall_curve(rows.risk_B, rows.y_B, rows.weight_B)
    reliability = metrics.reliability_curve(rows.risk_B, rows.y_B, rows.weight_B)
    return {"pr": _points(pr._asdict()), "reliability": _points(reliability._asdict())}


def _points(columns: dict[str, AnyArray]) -> dict[str, list[float]]:
    return {
        name.removesuffix("_K"): value_K.tolist() for name, value_K in columns.items()
    }
