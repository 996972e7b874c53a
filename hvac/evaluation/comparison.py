"""All models on the same held-out windows: figures with intervals, paired differences, slices.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict, TypeVar

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats, Ints
from hvac.decision.thresholds import alarms
from hvac.evaluation.alarms import Onsets
from hvac.evaluation.bootstrap import unit_weights
from hvac.evaluation.evaluation_means import compare
from hvac.evaluation.held_out_windows import HeldOut, held_out
from hvac.evaluation.model_metrics import (
    Evaluation,
    StoredCurve,
    StoredFigure,
    StoredHorizon,
    evaluate_model,
)
from hvac.features.table import Windows, concat
from hvac.models.blocks import base_rates

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


class ModelRisks(NamedTuple):
    """The risks that one model gives the held-out windows, and the threshold of each."""

    risk_BH: Floats
    threshold_BH: Floats

    @property
    def alarm_BH(self) -> Bools:
        """Return the alarms; an alarm at a horizon is one at the longer horizons."""
        return alarms(self.risk_BH, self.threshold_BH)


@dataclass(frozen=True, kw_only=True)
class EvaluationSet:
    """Held-out windows with the risks that every model gives them.

    `reference_BH` is the training base rate of each window's class. `turn_B` numbers the turn of
    each window where models were fitted in turns (`pooled`).
    """

    windows: Windows
    risks: dict[str, ModelRisks]
    reference_BH: Floats
    events: Onsets
    horizons: tuple[int, ...]
    turn_B: Ints | None = None


def by_equipment(evaluation_set: EvaluationSet) -> EvaluationSet:
    """Join points into their equipment: its risk is the highest of its points'.

    A label is positive where any point's is, and known where it is for every point, whatever it is:
    positives that are kept where negatives are not would tell the label. It weighs as much as the
    label of the point that weighs most, as all of them must have been decided. The threshold is
    that of the point that gave the highest risk, which decides whether the equipment alarms at a
    horizon; then it alarms at the longer ones too.
    """
    if not _of_points(evaluation_set.windows):
        return evaluation_set
    merged, first, group_B = _joined(evaluation_set.windows)
    risks = {
        name: _highest(risks, group_B, len(first)) for name, risks in evaluation_set.risks.items()
    }
    turn_B = None if evaluation_set.turn_B is None else evaluation_set.turn_B[first]
    return replace(
        evaluation_set,
        windows=merged,
        risks=risks,
        reference_BH=evaluation_set.reference_BH[first],
        turn_B=turn_B,
    )


def equipment_rates(windows: Windows) -> Floats:
    """Return the base rate of equipment at each horizon.

    That of its points would flatter whatever is measured against it.
    """
    return base_rates(_joined(windows)[0] if _of_points(windows) else windows)


def _of_points(windows: Windows) -> bool:
    return bool(windows.keys["point_id"].null_count < len(windows))


def _joined(windows: Windows) -> tuple[Windows, Ints, Ints]:
    """Join windows of points into windows of equipment.

    Returns:
        The windows, the first window of a point that each is made of, and the place that each
        point's window goes to.
    """
    units_B = windows.units
    day_B = windows.end_day_B
    keys = np.array([f"{unit}\x1f{day}" for unit, day in zip(units_B, day_B, strict=True)])
    _, first, group_B = np.unique(keys, return_index=True, return_inverse=True)
    y_BH, known_BH = windows.labels
    positive = _any(y_BH & known_BH, group_B, len(first))
    unknown = _any(~known_BH, group_B, len(first))
    w_BH = np.zeros(unknown.shape, np.float32)
    np.maximum.at(w_BH, group_B, windows.weights)
    return replace(windows.take(first), y_BH=positive, known_BH=~unknown, w_BH=w_BH), first, group_B


def pooled(evaluation_sets: Sequence[EvaluationSet]) -> EvaluationSet:
    """Pool evaluation sets of the same models on windows of different units into one.

    Every set brings the events of its own units. Each set is a turn, with models of its own, so
    that risks of different turns are never ranked together.
    """
    first = evaluation_sets[0]
    keeps = [np.isin(one.events.unit_E, one.windows.units) for one in evaluation_sets]
    parts_E = [
        [column[keep_E] for column in one.events]
        for one, keep_E in zip(evaluation_sets, keeps, strict=True)
    ]
    events = Onsets(*(np.concatenate(columns) for columns in zip(*parts_E, strict=True)))
    risks = {
        name: ModelRisks(
            *(
                np.concatenate(parts)
                for parts in zip(
                    *(one.risks[name] for one in evaluation_sets),
                    strict=True,
                )
            )
        )
        for name in first.risks
    }
    windows = concat([t.windows for t in evaluation_sets])
    reference_BH = np.concatenate([t.reference_BH for t in evaluation_sets])
    turn_B = np.repeat(
        np.arange(len(evaluation_sets)),
        [len(one.windows) for one in evaluation_sets],
    )
    return replace(
        first,
        windows=windows,
        risks=risks,
        reference_BH=reference_BH,
        events=events,
        turn_B=turn_B,
    )


def part_of(evaluation_set: EvaluationSet, keep_B: Bools) -> EvaluationSet:
    """Return some windows of an evaluation set."""
    keep_B = np.asarray(keep_B, dtype=bool)
    risks = {
        name: ModelRisks(*(array[keep_B] for array in risks))
        for name, risks in evaluation_set.risks.items()
    }
    turn_B = None if evaluation_set.turn_B is None else evaluation_set.turn_B[keep_B]
    windows = evaluation_set.windows.take(keep_B)
    reference_BH = evaluation_set.reference_BH[keep_B]
    return replace(
        evaluation_set, windows=windows, risks=risks, reference_BH=reference_BH, turn_B=turn_B
    )


def _any(flag_BH: Bools, group_B: Ints, groups: int) -> Bools:
    any_BH = np.zeros((groups, flag_BH.shape[1]), dtype=bool)
    np.logical_or.at(any_BH, group_B, flag_BH)
    return any_BH


def _highest(risks: ModelRisks, group_B: Ints, groups: int) -> ModelRisks:
    columns = []
    for h in range(risks.risk_BH.shape[1]):
        order = np.lexsort((risks.risk_BH[:, h], group_B))
        behind = np.searchsorted(group_B[order], np.arange(groups), side="right")
        last = order[behind - 1]
        columns.append((risks.risk_BH[last, h], risks.threshold_BH[last, h]))
    risk_H, threshold_H = zip(*columns, strict=True)
    risk_BH = np.stack(risk_H, axis=1)
    threshold_BH = np.stack(threshold_H, axis=1)
    return ModelRisks(risk_BH, threshold_BH)


def compare_models(
    evaluation_set: EvaluationSet, *, default: str, replicates: int, seed: int = 0
) -> ComparedModels:
    """Return figures, differences to the default, curves, and slices, as for metrics.json.

    Slices are by facility, class, season and completeness of the window.

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
        "slices": {key: _slices(evaluation_set, names, default) for key, names in _SLICES.items()},
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
    month_B = windows.keys["end_date"].to_numpy().astype("datetime64[M]").astype(int) % 12
    return np.asarray(np.array(SEASONS)[(month_B - 2) % 12 // 3])


def observation_of(windows: Windows) -> AnyArray:
    """Return how complete each window is: `complete` from 90 % of its days on, else `gaps`."""
    return np.where(windows.observed_B >= WELL_OBSERVED, "complete", "gaps")


_SLICES: dict[str, Callable[[Windows], AnyArray]] = {
    "facility": lambda windows: windows.column("facility_id"),
    "class": lambda windows: windows.column("class"),
    "season": season_of,
    "observation": observation_of,
}


def _evaluate(risks: ModelRisks, test: HeldOut, reference_BH: Floats) -> Evaluation:
    return evaluate_model(
        risks.risk_BH, test=test, alarm_BH=risks.alarm_BH, reference_H=reference_BH
    )


def _models(by_horizon: dict[str, StoredHorizon]) -> dict[str, MeasuredHorizon]:
    return {
        h: {**stored["metrics"], "headline": stored["headline"]} for h, stored in by_horizon.items()
    }


def _curves(by_horizon: dict[str, StoredHorizon]) -> dict[str, HorizonCurves]:
    return {
        h: {**stored["curves"], "base_rate": stored["metrics"]["base_rate"]["value"]}
        for h, stored in by_horizon.items()
    }


def _differences(default: Evaluation, other: Evaluation) -> dict[str, dict[str, StoredDifference]]:
    by_horizon = {}
    for horizon, by_metric in compare(default, other).items():
        by_horizon[str(horizon)] = {name: by_metric[name]._asdict() for name in by_metric}
    return by_horizon


def _slices(
    evaluation_set: EvaluationSet, names: Callable[[Windows], AnyArray], default: str
) -> dict[str, dict[str, dict[str, StoredFigure]]]:
    value_B = names(evaluation_set.windows)
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


def apart(compared: ComparedModels, ablation: Collection[str], default: str) -> ReportedModels:
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
