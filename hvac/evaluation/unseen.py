"""Facilities judged by models that saw nothing of them: figures for each, and for all of them
together.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hvac.evaluation.comparison import EvaluationSet, ModelRisks, evaluations
from hvac.evaluation.model_metrics import HEADLINE_EVENTS
from hvac.features.table import concat

SHOWN = ("pr_auc", "roc_auc", "brier_skill", "base_rate", "events", "windows", "units")


def unseen_facilities(trials: Mapping[str, EvaluationSet], *, replicates: int) -> dict[str, Any]:
    """Every model's figures with intervals (bootstrap over units), by facility.

    Args:
        trials: by facility: its test windows, and what models say of them that were fitted, chosen
            and calibrated without it. All with the same models and horizons.

    Returns:
        `facilities` and `all` (every window judged by the model that did not see its facility): by
        model and horizon
        the figures, and `headline`, which is False under `least_events` events: show counts, claim
        nothing.
    """
    joined = join(list(trials.values()))
    return {
        "horizons": list(joined.horizons),
        "models": list(joined.judged),
        "least_events": HEADLINE_EVENTS,
        "facilities": {name: _figures(trial, replicates) for name, trial in trials.items()},
        "all": _figures(joined, replicates),
    }


def join(trials: list[EvaluationSet]) -> EvaluationSet:
    """Trials of different windows as one; the events are the first's, which holds those of all
    units.
    """
    judged = {
        name: ModelRisks(
            *(
                np.concatenate(parts)
                for parts in zip(*(each.judged[name] for each in trials), strict=True)
            )
        )
        for name in trials[0].judged
    }
    windows = concat([each.windows for each in trials])
    return replace(
        trials[0],
        windows=windows,
        judged=judged,
        reference_BH=np.concatenate([each.reference_BH for each in trials]),
    )


def _figures(trial: EvaluationSet, replicates: int) -> dict[str, Any]:
    found = {
        name: each.to_json() for name, each in evaluations(trial, replicates=replicates).items()
    }
    return {
        name: {
            h: {key: each["metrics"][key] for key in SHOWN} | {"headline": each["headline"]}
            for h, each in by.items()
        }
        for name, by in found.items()
    }
