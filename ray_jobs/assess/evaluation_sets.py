"""What evaluate and compare put before a judge: windows of a part of the record, and what every
model says of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import ray

from hvac.evaluation.alarms import Onsets
from hvac.evaluation.comparison import EvaluationSet, ModelRisks
from hvac.features.describe import Recipe
from hvac.features.table import concat
from ray_jobs.assess.decided import EVALUATED
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes
from ray_jobs.tables.windows_table import read_windows


def onsets(plan: BucketPlan, buckets: Iterable[str]) -> Onsets:
    """Every target onset, named by unit as windows name it."""
    task = ray.remote(num_cpus=1, max_retries=2)(_bucket_onsets)
    shared = ray.put(plan)
    rows = sorted(
        {row for part in ray.get([task.remote(shared, b) for b in buckets]) for row in part}
    )
    units, days = zip(*rows, strict=True) if rows else ((), ())
    return Onsets(np.array(units, dtype=np.str_), np.array(days, dtype=np.int64))


def _bucket_onsets(plan: BucketPlan, bucket: str) -> list[tuple[str, int]]:
    return [
        ("\x1f".join(scene.panel.unit), int(day))
        for scene, _ in bucket_scenes(plan, bucket)
        for day in scene.targets.start_N
    ]


def evaluation_set(
    workspace: Workspace,
    recipes: dict[str, Recipe],
    verdicts: Mapping[tuple[str, str], Any],
    names: Sequence[str],
    events: Onsets,
    *,
    splits: tuple[str, ...] = ("test",),
) -> EvaluationSet:
    """Windows of all classes, one after another, with the risks of every named model.

    Args:
        verdicts: by (class, model): risks and cut-offs of the windows of `EVALUATED` in the order
            `read_windows` gives, and the training base rates `reference_H`.
    """
    windows, keep = [], {}
    for name, recipe in recipes.items():
        evaluated = read_windows(workspace.windows, recipe, EVALUATED)
        keep[name] = np.isin(evaluated.column("split").astype(str), splits)
        windows.append(evaluated.take(keep[name]))
    horizons = next(iter(recipes.values())).windows.horizons

    def judged(model: str) -> ModelRisks:
        parts = [(verdicts[name, model], keep[name]) for name in recipes]
        risks = [verdict.risk_BH[rows] for verdict, rows in parts]
        cuts = [verdict.threshold_BH[rows] for verdict, rows in parts]
        return ModelRisks(np.concatenate(risks), np.concatenate(cuts))

    reference = [
        np.tile(verdicts[name, names[0]].reference_H, (int(keep[name].sum()), 1))
        for name in recipes
    ]
    return EvaluationSet(
        windows=concat(windows),
        judged={model: judged(model) for model in names},
        reference_BH=np.concatenate(reference),
        events=events,
        horizons=horizons,
    )
