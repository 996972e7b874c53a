"""Held-out windows with the risks of every model: joined by equipment, pooled over turns, in parts.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from hvac.arrays import Bools, Floats, Ints
from hvac.decision.thresholds import alarms
from hvac.evaluation.alarms import Onsets
from hvac.features.table import Windows, concat
from hvac.models.blocks import base_rates


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
    each window where models were fitted in turns (`pooled`). `age_B` is the age of each window's
    machine in days, nan where it is unknown (None: of all).
    """

    windows: Windows
    risks: dict[str, ModelRisks]
    reference_BH: Floats
    events: Onsets
    horizons: tuple[int, ...]
    turn_B: Ints | None = None
    age_B: Floats | None = None


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
        name: _highest(risks, group_B, len(first))
        for name, risks in evaluation_set.risks.items()
    }
    turn_B = None if evaluation_set.turn_B is None else evaluation_set.turn_B[first]
    age_B = None if evaluation_set.age_B is None else evaluation_set.age_B[first]
    return replace(
        evaluation_set,
        windows=merged,
        risks=risks,
        reference_BH=evaluation_set.reference_BH[first],
        turn_B=turn_B,
        age_B=age_B,
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
    keys = np.array(
        [f"{unit}\x1f{day}" for unit, day in zip(units_B, day_B, strict=True)]
    )
    _, first, group_B = np.unique(keys, return_index=True, return_inverse=True)
    y_BH, known_BH = windows.labels
    positive = _any(y_BH & known_BH, group_B, len(first))
    unknown = _any(~known_BH, group_B, len(first))
    w_BH = np.zeros(unknown.shape, np.float32)
    np.maximum.at(w_BH, group_B, windows.weights)
    return (
        replace(windows.take(first), y_BH=positive, known_BH=~unknown, w_BH=w_BH),
        first,
        group_B,
    )


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
    events = Onsets(
        *(np.concatenate(columns) for columns in zip(*parts_E, strict=True))
    )
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
    ages = [one.age_B for one in evaluation_sets if one.age_B is not None]
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
        age_B=np.concatenate(ages) if len(ages) == len(evaluation_sets) else None,
    )


def part_of(evaluation_set: EvaluationSet, keep_B: Bools) -> EvaluationSet:
    """Return some windows of an evaluation set."""
    keep_B = np.asarray(keep_B, dtype=bool)
    risks = {
        name: ModelRisks(*(array[keep_B] for array in risks))
        for name, risks in evaluation_set.risks.items()
    }
    turn_B = None if evaluation_set.turn_B is None else evaluation_set.turn_B[keep_B]
    age_B = None if evaluation_set.age_B is None else evaluation_set.age_B[keep_B]
    return replace(
        evaluation_set,
        windows=evaluation_set.windows.take(keep_B),
        risks=risks,
        reference_BH=evaluation_set.reference_BH[keep_B],
        turn_B=turn_B,
        age_B=age_B,
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
