"""Evaluation sets: the windows of a part of the record, with the risks that every model gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import ray

from hvac.evaluation.alarms import Onsets
from hvac.evaluation.compared_windows import EvaluationSet, ModelRisks
from hvac.features.recipe import Recipe
from hvac.features.table import concat
from ray_jobs.assess.decided_risks import EVALUATED, DecidedRisks
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes
from ray_jobs.tables.windows_table import read_windows

Risks = Mapping[tuple[str, str], DecidedRisks]


def onsets(plan: BucketPlan, buckets: Iterable[str]) -> Onsets:
    """Return every onset of a predicted event, its unit named as windows name it."""
    task = ray.remote(num_cpus=1, max_retries=2)(_bucket_onsets)
    shared = ray.put(plan)
    parts = ray.get([task.remote(shared, bucket) for bucket in buckets])
    rows = sorted(set().union(*parts))
    units = [unit for unit, _ in rows]
    days = [day for _, day in rows]
    return Onsets(np.array(units, dtype=np.str_), np.array(days, dtype=np.int64))


def _bucket_onsets(plan: BucketPlan, bucket: str) -> list[tuple[str, int]]:
    rows = []
    for scene, _ in bucket_scenes(plan, bucket):
        unit = "\x1f".join(scene.panel.unit)
        rows += [(unit, int(day)) for day in scene.targets.start_N]
    return rows


def evaluation_set(
    workspace: Workspace,
    recipes: Mapping[str, Recipe],
    risks: Risks,
    models: Sequence[str],
    events: Onsets,
    *,
    splits: tuple[str, ...] = ("test",),
) -> EvaluationSet:
    """Join the windows of all classes, one after another, with the risks of every named model.

    Args:
        risks: by (class, model), of the windows of the splits `EVALUATED`.
    """
    windows, ages, rows_of_class = [], [], {}
    for name, recipe in recipes.items():
        evaluated = read_windows(workspace.windows, recipe, EVALUATED, ("context",))
        rows = np.isin(evaluated.column("split").astype(str), splits)
        rows_of_class[name] = rows
        windows.append(replace(evaluated.take(rows), k_BK=None))
        age = recipe.context.names.index("age_days")
        ages.append(np.asarray(evaluated.k_BK)[rows, age].astype(np.float64))

    def joined(model: str) -> ModelRisks:
        risk = [
            risks[name, model].risk_BH[rows] for name, rows in rows_of_class.items()
        ]
        threshold = [
            risks[name, model].threshold_BH[rows]
            for name, rows in rows_of_class.items()
        ]
        return ModelRisks(np.concatenate(risk), np.concatenate(threshold))

    reference = []
    for name, rows in rows_of_class.items():
        reference.append(
            np.tile(risks[name, models[0]].reference_H, (int(rows.sum()), 1))
        )
    return EvaluationSet(
        windows=concat(windows),
        risks={model: joined(model) for model in models},
        reference_BH=np.concatenate(reference),
        events=events,
        horizons=next(iter(recipes.values())).windows.horizons,
        age_B=np.concatenate(ages),
    )
