"""All figures of one model on the test part, per horizon, with intervals on shared bootstrap
weights.

Shapes: B windows, H horizons, U units, R replicates, E events.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvac.decision.alarm_episodes import infer_stride
from hvac.evaluation import alarms, metrics
from hvac.evaluation.alarms import Grid, Onsets
from hvac.evaluation.bootstrap import (
    Difference,
    Replicated,
    UnitWeights,
    exact_interval,
    interval,
    paired_difference,
    unit_sums,
    unit_weights,
)
from hvac.evaluation.ranks import (
    Ranking,
    calibration_error,
    mean_ranking,
    rank_metrics,
    sort_scores,
)

FloatArray = NDArray[np.float64]
Figure = dict[str, Any]

HEADLINE_EVENTS = 30
TOP_SHARES = (0.01, 0.05, 0.10)
COUNTS = ("events", "windows", "units")
RANKING = (
    "pr_auc",
    "roc_auc",
    *(f"{name}_{100 * s:.0f}" for name in ("recall", "lift") for s in TOP_SHARES),
)
COMPARED = {"pr_auc": True, "roc_auc": True, "brier": False}  # metric: is higher better


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The test part, prepared once and shared by every model. Make it with `held_out`.

    `turn_B` tells windows apart that different models score (None: one model scores all of them).
    """

    y_BH: NDArray[Any]
    known_BH: NDArray[np.bool_]
    end_day_B: NDArray[np.int64]
    units: NDArray[Any]
    events: Onsets
    horizons: tuple[int, ...]
    weights: UnitWeights
    stride: int
    label_weight_BH: FloatArray
    turn_B: NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures by horizon and metric, curves by horizon, and the replicates that comparisons need.

    `metrics[h][name]` is `{"value", "low", "high"}`, plus `"note"` where an interval is undefined,
    plus `"k", "n"` where it is exact. `headline[h]` is False under 30 detectable events: show
    counts, claim nothing."""

    metrics: dict[int, dict[str, Figure]]
    headline: dict[int, bool]
    curves: dict[int, dict[str, dict[str, list[float]]]]
    replicates: dict[int, dict[str, Replicated]]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `metrics.json`, by horizon as text; nan becomes null."""
        found = {
            str(h): {
                "headline": self.headline[h],
                "metrics": self.metrics[h],
                "curves": self.curves[h],
            }
            for h in self.metrics
        }
        plain: dict[str, Any] = _plain(found)
        return plain


@dataclass(frozen=True, kw_only=True)
class _Slice:
    """The known windows of one horizon."""

    risk_B: FloatArray
    y_B: FloatArray
    alarm_B: NDArray[np.bool_]
    grid: Grid
    events: Onsets
    horizon: int
    reference_B: FloatArray
    weight_B: FloatArray
    w_RU: FloatArray
    turn_B: NDArray[np.int64]


def held_out(
    y_BH: NDArray[Any],
    *,
    known_BH: NDArray[np.bool_],
    units_B: NDArray[Any],
    end_day_B: NDArray[Any],
    events: Onsets,
    horizons: tuple[int, ...],
    weights: UnitWeights | None = None,
    label_weight_BH: NDArray[Any] | None = None,
    turn_B: NDArray[np.int64] | None = None,
) -> HeldOut:
    """Prepare a test part.

    Args:
        weights: how often each unit is drawn, from `unit_weights(units_B)` (2,000 replicates, seed
            0 by default).
        label_weight_BH: how many windows each label stands for; one each by default.
        turn_B: which model scored each window, where several did. Their risks are not on one scale,
            so that ranking (`pr_auc`, `roc_auc`, recall and lift at the top) is judged within turns
            and averaged by their positives.
    """
    assert y_BH.shape == known_BH.shape == (len(units_B), len(horizons)), (
        "one column per horizon, one row per window"
    )
    return HeldOut(
        y_BH=y_BH,
        known_BH=np.asarray(known_BH, bool),
        end_day_B=np.asarray(end_day_B, np.int64),
        units=np.unique(units_B),
        events=events,
        horizons=tuple(horizons),
        weights=weights or unit_weights(units_B),
        stride=infer_stride(units_B, end_day_B),
        label_weight_BH=(
            np.ones(y_BH.shape)
            if label_weight_BH is None
            else np.asarray(label_weight_BH, np.float64)
        ),
        turn_B=turn_B,
    )


def evaluate_model(
    risk_BH: NDArray[Any], *, test: HeldOut, alarm_BH: NDArray[np.bool_], reference_H: NDArray[Any]
) -> Evaluation:
    """Every figure of DESIGN §10 for one model.

    Masked (censored) windows are left out per horizon; a label counts as often as its weight says,
    while events and alarms count once each. Undefined figures are nan (a class missing, no alarms,
    no events), never an error.

    Args:
        alarm_BH: as `hvac.decision.thresholds.alarms` gives them.
        reference_H: the training base rate (Brier skill), also per window ([B, H]: several bundles
            together).

    >>> days = np.arange(0, 140, 7)
    >>> y_BH = ((days < 50) & (days >= 20)).astype(float)[:, None]
    >>> test = held_out(y_BH, known_BH=y_BH >= 0, units_B=np.zeros(20, int), end_day_B=days,
    ...                 events=Onsets(np.array([0]), np.array([50])), horizons=(30,))
    >>> found = evaluate_model(y_BH, test=test, alarm_BH=y_BH > 0, reference_H=np.array([0.2]))
    >>> found.metrics[30]["pr_auc"]["value"], found.metrics[30]["lead_median"]["value"], found.headline[30]
    (1.0, 29.0, False)
    """
    assert alarm_BH.shape == risk_BH.shape, "an alarm or none for every risk"
    reference_BH = np.broadcast_to(reference_H, risk_BH.shape)
    metrics_H, headline_H, curves_H, replicates_H = {}, {}, {}, {}
    for i, horizon in enumerate(test.horizons):
        rows = _slice(risk_BH, test, i, alarm_BH[:, i], reference_BH[:, i])
        found = alarms.match(rows.alarm_B, grid=rows.grid, events=rows.events, horizon=horizon)
        replicated = {
            **_ranking(rows),
            **_probability(rows),
            **_at_threshold(rows),
            **_on_events(rows, found),
        }
        headline = len(found.unit_E) >= HEADLINE_EVENTS
        figures = {name: _figure(each) for name, each in replicated.items()} | _counts(rows, found)
        metrics_H[horizon] = figures if headline else figures | _exact(found)
        headline_H[horizon], curves_H[horizon] = headline, _curves(rows)
        replicates_H[horizon] = replicated
    return Evaluation(
        metrics=metrics_H, headline=headline_H, curves=curves_H, replicates=replicates_H
    )


def mean_over_seeds(found: Sequence[Evaluation]) -> Evaluation:
    """One model trained with several seeds: every figure is the mean over seeds, replicate by
    replicate.

    All must come from the same `HeldOut`. Curves, counts and exact intervals are those of the first
    seed."""
    first = found[0]
    if len(found) == 1:
        return first
    mean = _mean(found)
    exact = {
        h: {name: each for name, each in first.metrics[h].items() if "k" in each}
        for h in first.metrics
    }
    return replace(mean, metrics={h: {**each, **exact[h]} for h, each in mean.metrics.items()})


def mean_over_kinds(found: Sequence[Evaluation]) -> Evaluation:
    """One model for each of several kinds of events: every figure and count is the mean over kinds.

    All must come from the same units and bootstrap weights, so that a replicate holds the same
    units for every kind. There are no curves and no exact intervals of a mean; it is a headline
    where that of every kind is."""
    if len(found) == 1:
        return found[0]
    counts = {
        h: {
            name: {
                **each,
                "value": float(np.mean([one.metrics[h][name]["value"] for one in found])),
            }
            for name, each in named.items()
            if name in COUNTS
        }
        for h, named in found[0].metrics.items()
    }
    mean = _mean(found)
    return replace(
        mean,
        metrics={h: {**each, **counts[h]} for h, each in mean.metrics.items()},
        headline={h: all(each.headline[h] for each in found) for h in mean.headline},
        curves={h: {} for h in mean.headline},
    )


def _mean(found: Sequence[Evaluation]) -> Evaluation:
    first = found[0]
    replicates = {
        h: {
            name: Replicated(
                float(np.mean([each.replicates[h][name].value for each in found])),
                np.mean([each.replicates[h][name].value_R for each in found], axis=0),
            )
            for name in named
        }
        for h, named in first.replicates.items()
    }
    averaged = {
        h: {name: _figure(each) for name, each in named.items()} for h, named in replicates.items()
    }
    metrics_H = {h: {**first.metrics[h], **averaged[h]} for h in averaged}
    return replace(first, metrics=metrics_H, replicates=replicates)


def compare(a: Evaluation, b: Evaluation) -> dict[int, dict[str, Difference]]:
    """a − b for PR-AUC, ROC-AUC and Brier on the same replicates; "better" means that a is better.

    Both evaluations must come from the same `HeldOut`. There is no verdict at a horizon without a
    headline."""
    return {
        horizon: {
            name: paired_difference(
                a.replicates[horizon][name],
                b.replicates[horizon][name],
                higher_is_better=higher,
                headline=a.headline[horizon],
            )
            for name, higher in COMPARED.items()
        }
        for horizon in a.replicates
    }


def mean_over_horizons(found: Evaluation, name: str = "pr_auc") -> Replicated:
    """A figure's mean over horizons, replicate by replicate: what a model is chosen by, with its
    interval.

    It is undefined where it is at any horizon.

    >>> at = {h: {"pr_auc": Replicated(value, np.array([value, value + 0.2]))} for h, value in ((30, 0.2), (60, 0.4))}
    >>> mean = mean_over_horizons(Evaluation(metrics={}, headline={}, curves={}, replicates=at))
    >>> round(mean.value, 3), mean.value_R.round(3).tolist()
    (0.3, [0.3, 0.5])
    """
    each = [named[name] for named in found.replicates.values()]
    return Replicated(
        float(np.mean([one.value for one in each])), np.mean([one.value_R for one in each], axis=0)
    )


def _slice(
    risk_BH: NDArray[Any],
    test: HeldOut,
    i: int,
    alarm_B: NDArray[np.bool_],
    reference_B: FloatArray,
) -> _Slice:
    known_B = test.known_BH[:, i]
    risk_B = np.asarray(risk_BH[known_B, i], np.float64)
    return _Slice(
        risk_B=risk_B,
        y_B=np.asarray(test.y_BH[known_B, i], np.float64),
        alarm_B=alarm_B[known_B],
        grid=Grid(
            test.weights.unit_index_B[known_B], test.end_day_B[known_B], test.units, test.stride
        ),
        events=test.events,
        horizon=test.horizons[i],
        reference_B=reference_B[known_B],
        weight_B=test.label_weight_BH[known_B, i],
        w_RU=test.weights.w_RU,
        turn_B=(
            np.zeros(int(known_B.sum()), np.int64) if test.turn_B is None else test.turn_B[known_B]
        ),
    )


def _with_own(rows: _Slice) -> FloatArray:
    """Row 0: every unit once, the sample itself; then the replicates."""
    return np.concatenate([np.ones((1, rows.w_RU.shape[1])), rows.w_RU])


def _replicated(value_R: FloatArray) -> Replicated:
    return Replicated(float(value_R[0]), value_R[1:])


def _ranking(rows: _Slice) -> dict[str, Replicated]:
    ordered = sort_scores(rows.risk_B, rows.y_B, unit_B=rows.grid.unit_B, weight_B=rows.weight_B)
    w_RU = _with_own(rows)
    turns = np.unique(rows.turn_B)
    if len(turns) > 1:
        rankings, positives = zip(
            *(_of_turn(rows, rows.turn_B == turn, w_RU) for turn in turns), strict=True
        )
        found = mean_ranking(rankings, np.stack(positives))
    else:
        found = rank_metrics(ordered, w_RU, shares=TOP_SHARES)
    named = {
        "pr_auc": found.pr_auc_R,
        "roc_auc": found.roc_auc_R,
        "ece": calibration_error(ordered, w_RU),
    }
    for s, share in enumerate(TOP_SHARES):
        named[f"recall_{share * 100:.0f}"] = found.recall_RS[:, s]
        named[f"lift_{share * 100:.0f}"] = found.recall_RS[:, s] / share
    return {name: _replicated(value_R) for name, value_R in named.items()}


def _of_turn(
    rows: _Slice, own_B: NDArray[np.bool_], w_RU: FloatArray
) -> tuple[Ranking, FloatArray]:
    """Rank the windows of one turn; also its positives in every replicate."""
    y_B, unit_B, weight_B = rows.y_B[own_B], rows.grid.unit_B[own_B], rows.weight_B[own_B]
    ordered = sort_scores(rows.risk_B[own_B], y_B, unit_B=unit_B, weight_B=weight_B)
    positives_R = w_RU @ np.bincount(unit_B, y_B * weight_B, minlength=w_RU.shape[1])
    return rank_metrics(ordered, w_RU, shares=TOP_SHARES), positives_R


def _probability(rows: _Slice) -> dict[str, Replicated]:
    errors_BK = np.stack(
        [
            np.ones(len(rows.y_B)),
            rows.y_B,
            (rows.risk_B - rows.y_B) ** 2,
            (rows.reference_B - rows.y_B) ** 2,
        ],
        axis=1,
    )
    sums_UK = unit_sums(
        errors_BK * rows.weight_B[:, None], rows.grid.unit_B, units=len(rows.grid.units)
    )
    windows_R, positives_R, error_R, constant_R = (_with_own(rows) @ sums_UK).T
    named = {
        "base_rate": metrics.ratio(positives_R, windows_R),
        "brier": metrics.ratio(error_R, windows_R),
        "brier_skill": 1 - metrics.ratio(error_R, constant_R),
    }
    return {name: _replicated(value_R) for name, value_R in named.items()}


def _at_threshold(rows: _Slice) -> dict[str, Replicated]:
    cells_BK = metrics.confusion_cells(rows.alarm_B, rows.y_B)
    sums_UK = unit_sums(
        cells_BK * rows.weight_B[:, None], rows.grid.unit_B, units=len(rows.grid.units)
    )
    counts = metrics.Confusion(*(_with_own(rows) @ sums_UK).T)
    named = counts._asdict() | {
        "f1": metrics.f1(counts),
        "precision": metrics.precision(counts),
        "recall": metrics.recall(counts),
        "accuracy": metrics.accuracy(counts),
    }
    return {name: _replicated(value_R) for name, value_R in named.items()}


def _on_events(rows: _Slice, found: alarms.Match) -> dict[str, Replicated]:
    leads = alarms.lead_quantiles(found, rows.w_RU)
    return {
        "event_recall": alarms.event_recall(found).replicated(rows.w_RU),
        "alarm_precision": alarms.alarm_precision(found).replicated(rows.w_RU),
        "false_alarms_per_unit_year": (
            alarms.false_alarms_per_unit_year(found).replicated(rows.w_RU)
        ),
        **dict(zip(("lead_q25", "lead_median", "lead_q75"), leads, strict=True)),
    }


def _figure(replicated: Replicated) -> Figure:
    found = interval(replicated)
    figure = {"value": found.value, "low": found.low, "high": found.high}
    return figure | ({"note": found.note} if found.note else {})


def _counts(rows: _Slice, found: alarms.Match) -> dict[str, Figure]:
    """Sizes of the sample: facts, without an interval."""
    sizes = {
        "events": len(found.unit_E),
        "windows": len(rows.y_B),
        "units": len(np.unique(rows.grid.unit_B)),
    }
    return {name: {"value": sizes[name], "low": math.nan, "high": math.nan} for name in COUNTS}


def _exact(found: alarms.Match) -> dict[str, Figure]:
    """Few events: counts and Clopper–Pearson intervals instead of a bootstrap over hardly any
    units.
    """
    figures = {}
    for name, each in (
        ("event_recall", alarms.event_recall(found)),
        ("alarm_precision", alarms.alarm_precision(found)),
    ):
        k, n = int(each.part_U.sum()), int(each.whole_U.sum())
        low, high = exact_interval(k, n)
        figures[name] = {"value": each.value, "low": low, "high": high, "k": k, "n": n}
    return figures


def _curves(rows: _Slice) -> dict[str, dict[str, list[float]]]:
    pr = metrics.precision_recall_curve(rows.risk_B, rows.y_B, rows.weight_B)
    reliability = metrics.reliability_curve(rows.risk_B, rows.y_B, rows.weight_B)
    return {
        "pr": {name.removesuffix("_K"): values.tolist() for name, values in pr._asdict().items()},
        "reliability": {
            name.removesuffix("_K"): values.tolist()
            for name, values in reliability._asdict().items()
        },
    }


def _plain(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_plain(value) for value in found]
    if isinstance(found, float) and not math.isfinite(found):
        return None
    return found
