"""Samples of windows cut anew from the panel, with the days that came after them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import ray

from hvac.arrays import Floats
from hvac.evaluation.forecast_choice import (
    ClassForecasts,
    HorizonForecasts,
    choose_method,
    forecast_figures,
)
from hvac.features.encoder import load_encoder
from hvac.features.recipe import Recipe
from hvac.models.family import loaded_once
from hvac.scoring.bundle import Bundle
from hvac.scoring.forecast_methods import LAST_VALUE
from hvac.scoring.future_windows import (
    FutureWindows,
    fit_bands,
    future_windows,
    inside_band,
    method_errors,
)
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes, make_plan
from ray_jobs.tables.windows_table import read_windows

UnitDays = dict[tuple[str, str, str | None], list[int]]


class ShownForecast(NamedTuple):
    """The method by which a class's values are forecast, and its band by horizon."""

    method: str = LAST_VALUE
    band: dict[int, Floats] = {}  # noqa: RUF012


def shown_forecasts(
    config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe]
) -> dict[str, ShownForecast]:
    """Choose how every class is forecast, on samples of validation windows, and fit its band.

    The method is chosen on the *tune* units and its band fitted on the *tune* and *cal* units: the
    encoder may have been trained on the others. Where those are too few for a band, training units
    join them. A class that has no such window shows the last value.
    """
    tune = sample_windows(config, workspace, recipes, "tune")
    cal = sample_windows(config, workspace, recipes, "cal")
    train: dict[str, FutureWindows] = {}
    encoder = loaded_once(lambda: load_encoder(config.encoder))
    shown = {}
    for name, recipe in recipes.items():
        method, horizons = LAST_VALUE, recipe.windows.horizons
        if name in tune:
            error_NH = method_errors(
                tune[name], horizons, encoder if has_head(config) else None
            )
            method = choose_method(error_NH, tune[name].unit_N)
        parts = [part[name] for part in (tune, cal) if name in part]
        band = fit_bands(_joined(parts), horizons, method, encoder) if parts else {}
        if not band or not all(np.isfinite(half_CD).all() for half_CD in band.values()):
            train = train or sample_windows(config, workspace, recipes, "train")
            parts += [train[name]] if name in train else []
            band = fit_bands(_joined(parts), horizons, method, encoder) if parts else {}
        shown[name] = ShownForecast(method, band)
    return shown


def has_head(config: RunConfig) -> bool:
    """Tell whether the encoder's own head can forecast: that of random weights cannot."""
    return config.encoder.source != "random"


def measure_forecasts(
    config: RunConfig, samples: Mapping[str, FutureWindows], bundles: Mapping[str, str]
) -> tuple[dict[str, HorizonForecasts], dict[str, str]]:
    """Measure the forecasts on samples of test windows, by horizon and method.

    Returns:
        The figures, and the method that is shown by class.
    """
    horizons = config.windows.horizons
    classes = {}
    for name, windows in samples.items():
        bundle = Bundle.load(bundles[name])
        encoder = (lambda own=bundle: own.encoder) if has_head(config) else None
        classes[name] = ClassForecasts(
            error_NH=method_errors(windows, horizons, encoder),
            unit_N=windows.unit_N,
            shown=bundle.forecast_method,
            inside_NH=inside_band(windows, bundle, horizons),
        )
    methods = {name: one.shown for name, one in classes.items()}
    return forecast_figures(classes, horizons), methods


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
    config: RunConfig,
    workspace: Workspace,
    recipe: Recipe,
    split: str,
    days_of_unit: UnitDays,
) -> None:
    """Draw windows of one class at random, and add the days they end on to their unit's."""
    windows = read_windows(workspace.windows, recipe, (split,))
    count = min(config.evaluate.forecast_windows, len(windows))
    rng = np.random.default_rng(config.seed)
    sample = windows.take(np.sort(rng.choice(len(windows), count, replace=False)))
    ids = (sample.column(name) for name in ("facility_id", "equipment_id", "point_id"))
    for facility, equipment, point, day in zip(
        *ids, sample.end_day_B.tolist(), strict=True
    ):
        days_of_unit[facility, equipment, point].append(day)


def _bucket_windows(
    plan: BucketPlan, bucket: str, days_of_unit: UnitDays
) -> list[tuple[str, FutureWindows]]:
    samples = []
    for scene, recipe in bucket_scenes(plan, bucket):
        days = days_of_unit.get((*scene.panel.unit, scene.panel.point_id))
        if days:
            end_day_B = np.array(days, dtype=np.int32)
            samples.append(
                (recipe.class_name, future_windows(scene, end_day_B, recipe))
            )
    return samples


def _joined(parts: list[FutureWindows]) -> FutureWindows:
    return FutureWindows(
        *(np.concatenate(columns) for columns in zip(*parts, strict=True))
    )
