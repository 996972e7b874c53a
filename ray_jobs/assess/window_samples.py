"""Samples of windows cut anew from the panel, with the days that came after them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import ray

from hvac.arrays import Floats
from hvac.features.describe import Recipe
from hvac.scoring.bundle import Bundle
from hvac.scoring.future_windows import (
    ForecastFigures,
    FutureWindows,
    fit_bands,
    forecast_metrics,
    future_windows,
)
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes, make_plan
from ray_jobs.tables.windows_table import read_windows

UnitDays = dict[tuple[str, str, str | None], list[int]]


def forecast_bands(
    config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe]
) -> dict[str, dict[int, Floats]]:
    """Fit the forecast's band of every class and horizon on a sample of training windows."""
    samples = sample_windows(config, workspace, recipes, "train")
    return {
        name: fit_bands(samples[name], recipe.windows.horizons) if name in samples else {}
        for name, recipe in recipes.items()
    }


def measure_forecasts(
    config: RunConfig,
    workspace: Workspace,
    recipes: dict[str, Recipe],
    bundles: Mapping[str, str],
) -> dict[str, ForecastFigures]:
    """Measure the forecasts on a sample of test windows, by horizon and method."""
    samples = sample_windows(config, workspace, recipes, "test")
    loaded = {name: Bundle.load(bundles[name]) for name in samples}
    has_head = config.encoder.source != "random"
    return forecast_metrics(samples, loaded, config.windows.horizons, with_encoder=has_head)


def sample_windows(
    config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe], split: str
) -> dict[str, FutureWindows]:
    """Cut at most `evaluate.forecast_windows` windows per class of one split, with their future."""
    days_of_unit: UnitDays = defaultdict(list)
    for recipe in recipes.values():
        _choose_days(config, workspace, recipe, split, days_of_unit)
    shared = ray.put(make_plan(config, workspace, recipes))
    days = ray.put(dict(days_of_unit))
    task = ray.remote(num_cpus=1, max_retries=2)(_bucket_windows)
    parts = ray.get([task.remote(shared, bucket, days) for bucket in workspace.buckets])
    of_class: dict[str, list[FutureWindows]] = defaultdict(list)
    for part in parts:
        for name, windows in part:
            of_class[name].append(windows)
    return {name: _joined(windows) for name, windows in of_class.items()}


def _choose_days(
    config: RunConfig, workspace: Workspace, recipe: Recipe, split: str, days_of_unit: UnitDays
) -> None:
    """Draw windows of one class at random, and add the days they end on to their unit's."""
    windows = read_windows(workspace.windows, recipe, (split,))
    count = min(config.evaluate.forecast_windows, len(windows))
    rng = np.random.default_rng(config.seed)
    sample = windows.take(np.sort(rng.choice(len(windows), count, replace=False)))
    ids = (sample.column(name) for name in ("facility_id", "equipment_id", "point_id"))
    for facility, equipment, point, day in zip(*ids, sample.end_day_B.tolist(), strict=True):
        days_of_unit[facility, equipment, point].append(day)


def _bucket_windows(
    plan: BucketPlan, bucket: str, days_of_unit: UnitDays
) -> list[tuple[str, FutureWindows]]:
    samples = []
    for scene, recipe in bucket_scenes(plan, bucket):
        days = days_of_unit.get((*scene.panel.unit, scene.panel.point_id))
        if days:
            end_day_B = np.array(days, dtype=np.int32)
            samples.append((recipe.class_name, future_windows(scene, end_day_B, recipe)))
    return samples


def _joined(parts: list[FutureWindows]) -> FutureWindows:
    x_BCL = np.concatenate([part.x_BCL for part in parts])
    return FutureWindows(x_BCL, np.concatenate([part.future_BCD for part in parts]))
