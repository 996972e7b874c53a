"""From a run's settings and its panel to a recipe per class, and the splitter."""

from __future__ import annotations

from collections.abc import Sequence

import ray

from hvac.arrays import Floats
from hvac.features.recipe import Recipe
from hvac.features.recipes import (
    make_recipes,
    needs_limits,
    require_kinds,
    split_registry,
)
from hvac.panel.grid import Panel
from hvac.panel.limits import fit_limits, sample_values
from hvac.panel.registry import Registry
from hvac.panel.splits import Splitter
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.buckets import bucket_panels


def fit_recipes(
    config: RunConfig, registry: Registry, workspace: Workspace, buckets: Sequence[str]
) -> tuple[dict[str, Recipe], Splitter]:
    """Return a recipe per class and the splitter; missing limits that labels need are fitted on
    training.
    """
    check_kinds(config, registry)
    splitter = split_registry(registry, config.windows, config.labels, config.splits)
    limits = {}
    if needs_limits(config.labels):
        limits = _fitted_limits(config, registry, splitter, workspace, buckets)
    return make_recipes(
        registry, config.windows, config.labels, splitter, limits
    ), splitter


def check_kinds(config: RunConfig, registry: Registry) -> None:
    """Raise InputError where a kind of events is to be predicted that the log does not have."""
    if not config.ready_windows:
        has_log = config.source is None or bool(config.source.events)
        require_kinds(registry, config.labels, has_log=has_log)


def _fitted_limits(
    config: RunConfig,
    registry: Registry,
    splitter: Splitter,
    workspace: Workspace,
    buckets: Sequence[str],
) -> dict[str, dict[str, tuple[float, float]]]:
    task = ray.remote(num_cpus=1, max_retries=2)(_sample_bucket)
    shared, points = ray.put(splitter), registry.points
    refs = [
        task.remote(str(workspace.panel), b, points, config, shared) for b in buckets
    ]
    samples: dict[str, list[dict[str, Floats]]] = {name: [] for name in registry.points}
    for part in ray.get(refs):
        for name, sample in part:
            samples[name].append(sample)
    return {
        name: fit_limits(class_samples, config.labels.limit_quantiles)
        for name, class_samples in samples.items()
    }


def _sample_bucket(
    folder: str,
    bucket: str,
    points: dict[str, tuple[str, ...]],
    config: RunConfig,
    splitter: Splitter,
) -> list[tuple[str, dict[str, Floats]]]:
    unit_panels, known = bucket_panels(folder, bucket, points, config.windows.aggregate)
    if known is None:
        return []
    return [
        (
            known.classes[panel.unit],
            _sample(panel, config, splitter),
        )
        for panel in unit_panels
        if splitter.trains(panel.unit)
    ]


def _sample(panel: Panel, config: RunConfig, splitter: Splitter) -> dict[str, Floats]:
    normalise = config.windows.normalise
    return sample_values(panel, normalise=normalise, training_end=splitter.training_end)
