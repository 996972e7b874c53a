"""Facilities evaluated by models that saw nothing of them, each and all of them together.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NotRequired, TypedDict

import numpy as np

from hvac.evaluation.compared_windows import EvaluationSet, ModelRisks
from hvac.evaluation.comparison import MeasuredHorizon, evaluations
from hvac.evaluation.model_metrics import HEADLINE_EVENTS
from hvac.features.table import concat

SHOWN = ("pr_auc", "roc_auc", "brier_skill", "base_rate", "events", "windows", "units")


class UnseenFacilities(TypedDict):
    """Figures by facility, model and horizon, and of all facilities together.

    A file of them also names the `table` of windows, the run's `model`, and why classes
    could not be tested (`left_out`, by facility and class).
    """

    horizons: list[int]
    models: list[str]
    least_events: int
    facilities: dict[str, dict[str, dict[str, MeasuredHorizon]]]
    all: dict[str, dict[str, MeasuredHorizon]]
    table: NotRequired[str]
    model: NotRequired[str]
    left_out: NotRequired[dict[str, dict[str, str]]]


def unseen_facilities(
    by_facility: Mapping[str, EvaluationSet], *, replicates: int
) -> UnseenFacilities:
    """Return every model's figures with intervals (bootstrap over units), by facility.

    Args:
        by_facility: each facility's test windows, with the risks of models that were fitted,
            chosen and calibrated without it. All have the same models and horizons.
        replicates: how many bootstrap replicates.

    Returns:
        `facilities` and `all` (every window scored by the models that did not see its facility):
        the figures by model and horizon, and `headline`, which is False under `least_events`
        events: show counts, claim nothing.
    """
    joined = join(list(by_facility.values()))
    figures = {name: _figures(part, replicates) for name, part in by_facility.items()}
    return {
        "horizons": list(joined.horizons),
        "models": list(joined.risks),
        "least_events": HEADLINE_EVENTS,
        "facilities": figures,
        "all": _figures(joined, replicates),
    }


def join(parts: list[EvaluationSet]) -> EvaluationSet:
    """Join evaluation sets of different windows into one.

    The events are those of the first, which holds the events of all units.
    """
    risks = {}
    for model in parts[0].risks:
        columns = zip(*(part.risks[model] for part in parts), strict=True)
        risks[model] = ModelRisks(*map(np.concatenate, columns))
    return replace(
        parts[0],
        windows=concat([part.windows for part in parts]),
        risks=risks,
        reference_BH=np.concatenate([part.reference_BH for part in parts]),
    )


def _figures(
    evaluation_set: EvaluationSet, replicates: int
) -> dict[str, dict[str, MeasuredHorizon]]:
    """Return the shown metrics by model and horizon."""
    by_model = {}
    for model, evaluation in evaluations(evaluation_set, replicates=replicates).items():
        by_horizon: dict[str, MeasuredHorizon] = {}
        for horizon, stored in evaluation.to_json().items():
            shown = {key: stored["metrics"][key] for key in SHOWN}
            by_horizon[horizon] = {**shown, "headline": stored["headline"]}
        by_model[model] = by_horizon
    return by_model
