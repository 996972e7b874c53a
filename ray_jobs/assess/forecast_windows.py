"""Windows cut anew from the panel with what came after them: to calibrate and to judge forecasts,
and to draw them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import ray

from hvac.features.describe import Recipe
from hvac.panel.windows import fit_scale
from hvac.scoring.forecast import damped_quadratic, fit_band, window_spread
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes, make_plan
from ray_jobs.tables.windows_table import read_windows

Floats = npt.NDArray[np.float64]


class FutureWindows(NamedTuple):
    """Windows of one class with the days after them, normalised; the future is nan where it was not
    observed.
    """

    x_BCL: Floats
    future_BCD: Floats


def forecast_bands(
    config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe]
) -> dict[str, dict[int, Floats]]:
    """Conformal half-widths q_CD per class and horizon, from a sample of training windows."""
    outcomes = sample_outcomes(config, workspace, recipes, "train")
    return {name: _bands(outcomes.get(name), recipe) for name, recipe in recipes.items()}


def _bands(outcome: FutureWindows | None, recipe: Recipe) -> dict[int, Floats]:
    if outcome is None:
        return {}
    points = range(outcome.x_BCL.shape[1])
    return {h: np.stack([_band(outcome, c, h) for c in points]) for h in recipe.windows.horizons}


def _band(outcome: FutureWindows, c: int, horizon: int) -> Floats:
    x_BL = outcome.x_BCL[:, c]
    return fit_band(
        outcome.future_BCD[:, c, :horizon], damped_quadratic(x_BL, horizon), window_spread(x_BL)
    )


def sample_outcomes(
    config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe], split: str
) -> dict[str, FutureWindows]:
    """At most `evaluate.forecast_windows` windows per class of one split, with their future."""
    chosen: dict[tuple[str, str, str | None], list[int]] = defaultdict(list)
    for recipe in recipes.values():
        windows = read_windows(workspace.windows, recipe, (split,))
        count = min(config.evaluate.forecast_windows, len(windows))
        rows = np.sort(
            np.random.default_rng(config.seed).choice(len(windows), count, replace=False)
        )
        picked = windows.take(rows)
        ids = (picked.column(name) for name in ("facility_id", "equipment_id", "point_id"))
        for facility, equipment, point, day in zip(*ids, picked.end_day_B.tolist(), strict=True):
            chosen[facility, equipment, point].append(day)
    plan, days = ray.put(make_plan(config, workspace, recipes)), ray.put(dict(chosen))
    task = ray.remote(num_cpus=1, max_retries=2)(_bucket_outcomes)
    parts = ray.get([task.remote(plan, bucket, days) for bucket in workspace.buckets])
    joined: dict[str, list[FutureWindows]] = defaultdict(list)
    for part in parts:
        for name, outcome in part:
            joined[name].append(outcome)
    return {
        name: FutureWindows(*map(np.concatenate, zip(*found, strict=True)))
        for name, found in joined.items()
    }


def _bucket_outcomes(
    plan: BucketPlan, bucket: str, chosen: dict[Any, list[int]]
) -> list[tuple[str, FutureWindows]]:
    from hvac.panel.windows import cut

    found = []
    for scene, recipe in bucket_scenes(plan, bucket):
        days = chosen.get((*scene.panel.unit, scene.panel.point_id))
        if days:
            end_day_B = np.array(days, dtype=np.int32)
            x_BCL = cut(scene.panel, end_day_B, recipe.windows).x_BCL
            future_BCD = future_values(scene.panel, end_day_B, recipe)
            found.append((recipe.class_name, FutureWindows(x_BCL, future_BCD)))
    return found


def future_values(panel: Any, end_day_B: npt.NDArray[np.int32], recipe: Recipe) -> Floats:
    """Normalised values of the days after each window, nan where unobserved or after the record."""
    scale = fit_scale(panel, recipe.windows.normalise)
    value_TC = np.where(
        panel.observed_TC, (panel.value_TC - scale.centre_TC) / scale.spread_TC, np.nan
    )
    row_BD = end_day_B[:, None] - panel.first_day + 1 + np.arange(max(recipe.windows.horizons))
    inside_BD = row_BD < len(value_TC)
    future_BDC = value_TC[np.where(inside_BD, row_BD, 0)]
    future_BDC[~inside_BD] = np.nan
    return np.moveaxis(future_BDC, 2, 1)
