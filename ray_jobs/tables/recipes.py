"""From a run's settings and its panel to a recipe per class, and the splitter."""

from __future__ import annotations

from collections.abc import Sequence

import ray

from hvac.arrays import Floats
from hvac.errors import InputError
from hvac.features.context import ContextSpec
from hvac.features.describe import Recipe
from hvac.panel.grid import Panel
from hvac.panel.joins import folded
from hvac.panel.limits import fit_limits, sample_values
from hvac.panel.registry import ALL, Registry
from hvac.panel.splits import Splitter, make_splitter
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
    splitter = make_splitter(
        config.splits,
        registry.classes,
        spans=registry.unit_spans,
        lookback=config.windows.lookback,
        purge=max(config.windows.horizons),
        onsets={
            unit: events.of_kinds(config.labels.kinds).start_N
            for unit, events in registry.unit_events.items()
        },
    )
    pooled = sorted(set(registry.kinds.values())) if set(registry.classes.values()) == {ALL} else []
    context = ContextSpec(
        kinds=registry.event_kinds,
        classes=tuple(pooled) if len(pooled) > 1 else (),
        rates=registry.yearly_rates(
            list(filter(splitter.trains, registry.classes)), splitter.training_end
        ),
    )
    needs = config.labels.source == "limits" or config.labels.label == "value_at"
    limits = _fitted_limits(config, registry, splitter, workspace, buckets) if needs else {}
    recipes = {
        name: Recipe(
            class_name=name,
            points=points,
            windows=config.windows,
            labels=config.labels,
            context=context,
            limits=limits.get(name, {}),
        )
        for name, points in registry.points.items()
    }
    return recipes, splitter


def check_kinds(config: RunConfig, registry: Registry) -> None:
    """Raise InputError where a kind of events is to be predicted that the log does not have."""
    if config.labels.source != "events" or config.ready_windows:
        return
    if not registry.event_kinds:
        without_log = config.source is not None and not config.source.events
        what = "source.events is not set" if without_log else "the event log has no events"
        raise InputError(
            f"{what}: name a log with failures in source.events, or set labels.source: limits"
        )
    there = set(map(folded, registry.event_kinds))
    unknown = [kind for kind in config.labels.events if folded(kind) not in there]
    if unknown:
        raise InputError(
            f"labels.events names {', '.join(unknown)}; the event log has only"
            f" {', '.join(registry.event_kinds)}: correct labels.events, or set labels.source:"
            " limits"
        )


def _fitted_limits(
    config: RunConfig,
    registry: Registry,
    splitter: Splitter,
    workspace: Workspace,
    buckets: Sequence[str],
) -> dict[str, dict[str, tuple[float, float]]]:
    task = ray.remote(num_cpus=1, max_retries=2)(_sample_bucket)
    shared = ray.put(registry)
    refs = [task.remote(str(workspace.panel), b, shared, config, splitter) for b in buckets]
    samples: dict[str, list[dict[str, Floats]]] = {name: [] for name in registry.points}
    for part in ray.get(refs):
        for name, sample in part:
            samples[name].append(sample)
    return {
        name: fit_limits(class_samples, config.labels.limit_quantiles)
        for name, class_samples in samples.items()
    }


def _sample_bucket(
    folder: str, bucket: str, registry: Registry, config: RunConfig, splitter: Splitter
) -> list[tuple[str, dict[str, Floats]]]:
    unit_panels, known = bucket_panels(
        folder, bucket, registry, registry.points, config.windows.aggregate
    )
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
