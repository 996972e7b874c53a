"""All models on the same held-out windows: figures with intervals, paired differences, slices.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypedDict, TypeVar

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats
from hvac.evaluation.bootstrap import unit_weights
from hvac.evaluation.compared_windows import EvaluationSet, ModelRisks, part_of
from hvac.evaluation.evaluation_means import compare
from hvac.evaluation.held_out_windows import HeldOut, held_out
from hvac.evaluation.model_metrics import (
    Evaluation,
    StoredCurve,
    StoredFigure,
    StoredHorizon,
    evaluate_model,
)
from hvac.features.table import Windows

Value = TypeVar("Value")
SLICE_REPLICATES = 500
SLICE_METRICS = ("pr_auc", "roc_auc")


MeasuredHorizon = dict[str, StoredFigure | bool]
"""Figures of one model at one horizon by metric, and whether it is a `headline`."""
HorizonCurves = dict[str, StoredCurve | float | str | None]
"""Curves of one model at one horizon by name, and the `base_rate`."""
StoredDifference = dict[str, float | str | None]
"""The parts of a `Difference`."""


class ComparedModels(TypedDict):
    """Figures of all models for metrics.json, by model and horizon; slices by facility and class.

    `differences` are also by metric; `slices` by column, value of the column and horizon.
    """

    models: dict[str, dict[str, MeasuredHorizon]]
    curves: dict[str, dict[str, HorizonCurves]]
    differences: dict[str, dict[str, dict[str, StoredDifference]]]
    slices: dict[str, dict[str, dict[str, dict[str, StoredFigure]]]]


class ReportedModels(ComparedModels):
    """`ComparedModels` with ablations in sections of their own."""

    ablation: dict[str, dict[str, MeasuredHorizon]]
    ablation_differences: dict[str, dict[str, dict[str, StoredDifference]]]


def compare_models(
    evaluation_set: EvaluationSet, *, default: str, replicates: int, seed: int = 0
) -> ComparedModels:
    """Return figures, differences to the default, curves, and slices, as for metrics.json.

    Slices are by facility, class, season, age of the machine and completeness of the window.

    Returns:
        `models`, `differences` (default minus the other; "better" speaks of the default), `curves`,
        `slices`.
    """
    by_model = evaluations(evaluation_set, replicates=replicates, seed=seed)
    plain = {name: evaluation.to_json() for name, evaluation in by_model.items()}
    differences = {}
    for name, evaluation in by_model.items():
        if name != default:
            differences[name] = _differences(by_model[default], evaluation)
    return {
        "models": {name: _models(stored) for name, stored in plain.items()},
        "curves": {name: _curves(stored) for name, stored in plain.items()},
        "differences": differences,
        "slices": {
            key: _slices(evaluation_set, names, default)
            for key, names in _SLICES.items()
        },
    }


def evaluations(
    evaluation_set: EvaluationSet, *, replicates: int, seed: int = 0
) -> dict[str, Evaluation]:
    """Evaluate every model of an evaluation set on the same bootstrap weights."""
    test = _held_out(evaluation_set, replicates, seed)
    return {
        name: _evaluate(risks, test, evaluation_set.reference_BH)
        for name, risks in evaluation_set.risks.items()
    }


def _held_out(evaluation_set: EvaluationSet, replicates: int, seed: int) -> HeldOut:
    windows = evaluation_set.windows
    y_BH, known_BH = windows.labels
    return held_out(
        y_BH,
        known_BH=known_BH,
        units_B=windows.units,
        end_day_B=windows.end_day_B,
        events=evaluation_set.events,
        horizons=evaluation_set.horizons,
        weights=unit_weights(windows.units, replicates=replicates, seed=seed),
        label_weight_BH=windows.weights,
        turn_B=evaluation_set.turn_B,
    )


SEASONS = ("spring", "summer", "autumn", "winter")
WELL_OBSERVED = 0.9


def season_of(windows: Windows) -> AnyArray:
    """Return the season in which each window ends, by months (spring: March to May)."""
    month_B = (
        windows.keys["end_date"].to_numpy().astype("datetime64[M]").astype(int) % 12
    )
    return np.asarray(np.array(SEASONS)[(month_B - 2) % 12 // 3])


def observation_of(windows: Windows) -> AnyArray:
    """Return how complete each window is: `complete` from 90 % of its days on, else `gaps`."""
    return np.where(windows.observed_B >= WELL_OBSERVED, "complete", "gaps")


def ages_of(age_B: Floats) -> AnyArray:
    """Return whether each machine is among the `younger` or the `older` half; `unknown` where nan.

    >>> ages_of(np.array([100.0, 300.0, np.nan, 200.0])).tolist()
    ['younger', 'older', 'unknown', 'younger']
    """
    known_B = np.isfinite(age_B)
    middle = np.median(age_B[known_B]) if known_B.any() else np.nan
    half_B = np.where(age_B <= middle, "younger", "older")
    return np.where(known_B, half_B, "unknown")


def _ages(evaluation_set: EvaluationSet) -> AnyArray:
    age_B = evaluation_set.age_B
    return ages_of(
        np.full(len(evaluation_set.windows), np.nan) if age_B is None else age_B
    )


_SLICES: dict[str, Callable[[EvaluationSet], AnyArray]] = {
    "facility": lambda evaluated: evaluated.windows.column("facility_id"),
    "class": lambda evaluated: evaluated.windows.column("class"),
    "season": lambda evaluated: season_of(evaluated.windows),
    "age": _ages,
    "observation": lambda evaluated: observation_of(evaluated.windows),
}


def _evaluate(risks: ModelRisks, test: HeldOut, reference_BH: Floats) -> Evaluation:
    return evaluate_model(
        risks.risk_BH, test=test, alarm_BH=risks.alarm_BH, reference_H=reference_BH
    )


def _models(by_horizon: dict[str, StoredHorizon]) -> dict[str, MeasuredHorizon]:
    return {
        h: {**stored["metrics"], "headline": stored["headline"]}
        for h, stored in by_horizon.items()
    }


def _curves(by_horizon: dict[str, StoredHorizon]) -> dict[str, HorizonCurves]:
    return {
        h: {**stored["curves"], "base_rate": stored["metrics"]["base_rate"]["value"]}
        for h, stored in by_horizon.items()
    }


def _differences(
    default: Evaluation, other: Evaluation
) -> dict[str, dict[str, StoredDifference]]:
    by_horizon = {}
    for horizon, by_metric in compare(default, other).items():
        by_horizon[str(horizon)] = {
            name: by_metric[name]._asdict() for name in by_metric
        }
    return by_horizon


def _slices(
    evaluation_set: EvaluationSet,
    names: Callable[[EvaluationSet], AnyArray],
    default: str,
) -> dict[str, dict[str, dict[str, StoredFigure]]]:
    value_B = names(evaluation_set)
    return {
        str(value): _slice(evaluation_set, value_B == value, default)
        for value in sorted(set(value_B.tolist()))
    }


def _slice(
    evaluation_set: EvaluationSet, keep_B: Bools, default: str
) -> dict[str, dict[str, StoredFigure]]:
    of_default = {default: evaluation_set.risks[default]}
    part = part_of(replace(evaluation_set, risks=of_default), keep_B)
    by_horizon = evaluations(part, replicates=SLICE_REPLICATES)[default].to_json()
    shown = (*SLICE_METRICS, "base_rate", "events", "windows")
    figures = {}
    for horizon, stored in by_horizon.items():
        figures[horizon] = {name: stored["metrics"][name] for name in shown}
    return figures


def apart(
    compared: ComparedModels, ablation: Collection[str], default: str
) -> ReportedModels:
    """Put ablations into sections of their own: they explain the default and are no candidates."""
    models = compared["models"]
    named = {name: models[name] for name in ablation if name in models}
    if named:
        named["both"] = models[default]
    contrasts = {n: v for n, v in compared["differences"].items() if n in ablation}
    return {
        "models": _without(models, ablation),
        "curves": _without(compared["curves"], ablation),
        "differences": _without(compared["differences"], ablation),
        "slices": compared["slices"],
        "ablation": named,
        "ablation_differences": contrasts,
    }


def _without(by_model: dict[str, Value], left_out: Collection[str]) -> dict[str, Value]:
    return {name: value for name, value in by_model.items() if name not in left_out}
