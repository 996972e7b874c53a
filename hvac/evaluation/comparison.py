"""All models on the same held-out windows: figures with intervals, paired differences, slices.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hvac.decision.thresholds import alarms
from hvac.evaluation.alarms import Onsets
from hvac.evaluation.bootstrap import unit_weights
from hvac.evaluation.evaluation_means import compare
from hvac.evaluation.held_out_windows import HeldOut, held_out
from hvac.evaluation.model_metrics import Evaluation, evaluate_model
from hvac.features.table import Windows, concat
from hvac.models.blocks import base_rates

Floats = npt.NDArray[np.float64]
SLICE_REPLICATES = 500
SLICE_METRICS = ("pr_auc", "roc_auc")


class ModelRisks(NamedTuple):
    """What one model says of the held-out windows, and the cut-off of each."""

    risk_BH: Floats
    threshold_BH: Floats

    @property
    def alarm_BH(self) -> npt.NDArray[np.bool_]:
        """Alarms: whoever alarms at a horizon alarms at the longer ones."""
        return alarms(self.risk_BH, self.threshold_BH)


@dataclass(frozen=True, kw_only=True)
class EvaluationSet:
    """Held-out windows, what every model says of them, and the training base rate of each window's
    class.

    `turn_B` numbers the turn of each window where models were fitted in turns (`pooled`).
    """

    windows: Windows
    judged: dict[str, ModelRisks]
    reference_BH: Floats
    events: Onsets
    horizons: tuple[int, ...]
    turn_B: npt.NDArray[np.int64] | None = None


def by_equipment(trial: EvaluationSet) -> EvaluationSet:
    """Points joined into their equipment: the risk of an equipment is the highest of its points'.

    A label is positive where any point's is, and known where it is for every point, whatever it is:
    positives that are kept where negatives are not would tell the label. It weighs as much as the
    label of the point that weighs most, as all of them must have been decided. The threshold is
    that of the point that gave the highest risk, which decides whether the equipment alarms at a
    horizon; then it alarms at the longer ones too."""
    if not _of_points(trial.windows):
        return trial
    merged, first, group_B = _joined(trial.windows)
    judged = {name: _highest(each, group_B, len(first)) for name, each in trial.judged.items()}
    turn_B = None if trial.turn_B is None else trial.turn_B[first]
    return replace(
        trial, windows=merged, judged=judged, reference_BH=trial.reference_BH[first], turn_B=turn_B
    )


def equipment_rates(windows: Windows) -> Floats:
    """Base rate of each horizon, of equipment: that of its points would flatter whoever is measured
    against it.
    """
    return base_rates(_joined(windows)[0] if _of_points(windows) else windows)


def _of_points(windows: Windows) -> bool:
    return bool(windows.keys["point_id"].null_count < len(windows))


def _joined(windows: Windows) -> tuple[Windows, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Windows of equipment, the first window of a point that each is made of, and the place each
    point's goes to.
    """
    units_B, day_B = windows.units, windows.end_day_B
    keys = np.array([f"{unit}\x1f{day}" for unit, day in zip(units_B, day_B, strict=True)])
    _, first, group_B = np.unique(keys, return_index=True, return_inverse=True)
    y_BH, known_BH = windows.labels
    positive, unknown = (
        _any(flag_BH, group_B, len(first)) for flag_BH in (y_BH & known_BH, ~known_BH)
    )
    w_BH = np.zeros(unknown.shape, np.float32)
    np.maximum.at(w_BH, group_B, windows.weights)
    return replace(windows.take(first), y_BH=positive, known_BH=~unknown, w_BH=w_BH), first, group_B


def pooled(trials: Sequence[EvaluationSet]) -> EvaluationSet:
    """Trials of the same models on windows of different units, as one: with every trial's events of
    its own units.

    Each trial is a turn, with models of its own, so that risks of different turns are never ranked
    together."""
    first = trials[0]
    own = [np.isin(trial.events.unit_E, trial.windows.units) for trial in trials]
    parts_E = [
        [column[keep_E] for column in trial.events]
        for trial, keep_E in zip(trials, own, strict=True)
    ]
    events = Onsets(*(np.concatenate(columns) for columns in zip(*parts_E, strict=True)))
    judged = {
        name: ModelRisks(
            *(
                np.concatenate(parts)
                for parts in zip(*(trial.judged[name] for trial in trials), strict=True)
            )
        )
        for name in first.judged
    }
    windows, reference_BH = (
        concat([t.windows for t in trials]),
        np.concatenate([t.reference_BH for t in trials]),
    )
    turn_B = np.repeat(np.arange(len(trials)), [len(trial.windows) for trial in trials])
    return replace(
        first,
        windows=windows,
        judged=judged,
        reference_BH=reference_BH,
        events=events,
        turn_B=turn_B,
    )


def part_of(trial: EvaluationSet, keep_B: npt.NDArray[np.bool_]) -> EvaluationSet:
    """Some of a trial's windows."""
    keep_B = np.asarray(keep_B, dtype=bool)
    judged = {
        name: ModelRisks(*(array[keep_B] for array in each)) for name, each in trial.judged.items()
    }
    turn_B = None if trial.turn_B is None else trial.turn_B[keep_B]
    windows, reference_BH = trial.windows.take(keep_B), trial.reference_BH[keep_B]
    return replace(trial, windows=windows, judged=judged, reference_BH=reference_BH, turn_B=turn_B)


def _any(
    flag_BH: npt.NDArray[np.bool_], group_B: npt.NDArray[np.int64], groups: int
) -> npt.NDArray[np.bool_]:
    found = np.zeros((groups, flag_BH.shape[1]), dtype=bool)
    np.logical_or.at(found, group_B, flag_BH)
    return found


def _highest(judged: ModelRisks, group_B: npt.NDArray[np.int64], groups: int) -> ModelRisks:
    columns = []
    for h in range(judged.risk_BH.shape[1]):
        order = np.lexsort((judged.risk_BH[:, h], group_B))
        last = order[np.searchsorted(group_B[order], np.arange(groups), side="right") - 1]
        columns.append((judged.risk_BH[last, h], judged.threshold_BH[last, h]))
    risks, thresholds = zip(*columns, strict=True)
    return ModelRisks(np.stack(risks, axis=1), np.stack(thresholds, axis=1))


def compare_models(
    trial: EvaluationSet, *, default: str, replicates: int, seed: int = 0
) -> dict[str, Any]:
    """Figures, differences to the default, curves, and slices by facility and class: plain values
    for metrics.json.

    Returns:
        `models`, `differences` (default minus the other; "better" speaks of the default), `curves`,
        `slices`.
    """
    found = evaluations(trial, replicates=replicates, seed=seed)
    plain = {name: evaluation.to_json() for name, evaluation in found.items()}
    return {
        "models": {name: _models(each) for name, each in plain.items()},
        "curves": {name: _curves(each) for name, each in plain.items()},
        "differences": {
            name: _differences(found[default], evaluation)
            for name, evaluation in found.items()
            if name != default
        },
        "slices": {key: _slices(trial, column, default) for key, column in _SLICES.items()},
    }


def evaluations(trial: EvaluationSet, *, replicates: int, seed: int = 0) -> dict[str, Evaluation]:
    """Every model of a trial on the same bootstrap weights."""
    test = _held_out(trial, replicates, seed)
    return {
        name: _evaluate(judged, test, trial.reference_BH) for name, judged in trial.judged.items()
    }


def _held_out(trial: EvaluationSet, replicates: int, seed: int) -> HeldOut:
    windows = trial.windows
    y_BH, known_BH = windows.labels
    return held_out(
        y_BH,
        known_BH=known_BH,
        units_B=windows.units,
        end_day_B=windows.end_day_B,
        events=trial.events,
        horizons=trial.horizons,
        weights=unit_weights(windows.units, replicates=replicates, seed=seed),
        label_weight_BH=windows.weights,
        turn_B=trial.turn_B,
    )


_SLICES = {"facility": "facility_id", "class": "class"}


def _evaluate(judged: ModelRisks, test: HeldOut, reference_BH: Floats) -> Evaluation:
    return evaluate_model(
        judged.risk_BH, test=test, alarm_BH=judged.alarm_BH, reference_H=reference_BH
    )


def _models(found: dict[str, Any]) -> dict[str, Any]:
    return {h: {**each["metrics"], "headline": each["headline"]} for h, each in found.items()}


def _curves(found: dict[str, Any]) -> dict[str, Any]:
    return {
        h: {**each["curves"], "base_rate": each["metrics"]["base_rate"]["value"]}
        for h, each in found.items()
    }


def _differences(default: Evaluation, other: Evaluation) -> dict[str, Any]:
    return {
        str(h): {name: d._asdict() for name, d in each.items()}
        for h, each in compare(default, other).items()
    }


def _slices(trial: EvaluationSet, column: str, default: str) -> dict[str, Any]:
    value_B = trial.windows.column(column)
    return {
        str(value): _slice(trial, value_B == value, default)
        for value in sorted(set(value_B.tolist()))
    }


def _slice(trial: EvaluationSet, keep_B: npt.NDArray[np.bool_], default: str) -> dict[str, Any]:
    part = part_of(replace(trial, judged={default: trial.judged[default]}), keep_B)
    found = evaluations(part, replicates=SLICE_REPLICATES)[default].to_json()
    return {
        h: {
            name: each["metrics"][name]
            for name in (*SLICE_METRICS, "base_rate", "events", "windows")
        }
        for h, each in found.items()
    }


def apart(found: dict[str, Any], ablation: Collection[str], default: str) -> dict[str, Any]:
    """Ablations in sections of their own: they explain the default model and are no rivals."""
    models = found["models"]
    named = {name: models[name] for name in ablation if name in models}
    if named:
        named["both"] = models[default]
    rivals = {key: {n: v for n, v in found[key].items() if n not in ablation} for key in _BY_MODEL}
    contrasts = {n: v for n, v in found["differences"].items() if n in ablation}
    return {**found, **rivals, "ablation": named, "ablation_differences": contrasts}


_BY_MODEL = ("models", "curves", "differences")
