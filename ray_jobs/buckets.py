"""What the tasks of featurize and score do with one bucket of equipment."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import ray

from hvac.errors import InputError
from hvac.features.context import ContextSpec
from hvac.features.describe import Recipe, Scene, UnitRecord, scenes, training_windows
from hvac.features.describe_seed import seed_windows
from hvac.features.table import KEY_SCHEMA, Windows, from_arrow, to_arrow
from hvac.panel.grid import Panel, panels
from hvac.panel.limits import fit_limits, sample_values
from hvac.panel.registry import ALL, Registry
from hvac.panel.splits import SPLITS, Splitter, make_splitter
from ray_jobs.run_config import RunConfig
from ray_jobs.workspace import Workspace, write_json


@dataclass(frozen=True)
class BucketPlan:
    """What a bucket task needs beside its number."""

    panel_folder: str
    windows_folder: str
    registry: Registry
    recipes: dict[str, Recipe]
    splitter: Splitter | None = None
    seed: bool = False


def make_plan(
    config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe], splitter: Splitter | None = None
) -> BucketPlan:
    """The plan of a run; `splitter` is given where training windows are asked for."""
    registry, seed = Registry.load(workspace.panel), config.source is not None and config.source.format == "seed"
    return BucketPlan(str(workspace.panel), str(workspace.windows), registry, recipes, splitter, seed)


def bucket_panels(panel_folder: str, bucket: int, registry: Registry, aggregate: Any) -> list[Panel]:
    """Panels of the units of one bucket."""
    folder = Path(panel_folder) / "readings" / f"bucket-{bucket:05d}"
    if not folder.exists():
        return []
    points = {unit: registry.points[name] for unit, name in registry.classes.items()}
    return list(panels(pads.dataset(folder).to_table(), points, aggregate=aggregate))


def record_of(panel: Panel, registry: Registry) -> UnitRecord:
    """What is known of a panel's unit beside its readings."""
    return UnitRecord(
        events=registry.events_of(panel.unit),
        install_day=registry.install_days[panel.unit],
        class_name=registry.kinds[panel.unit],
    )


def bucket_scenes(plan: BucketPlan, bucket: int) -> list[tuple[Scene, Recipe]]:
    """All units of a bucket with the recipe of their class; none for the seed's windows, which have no record."""
    if plan.seed:
        return []
    aggregate = next(iter(plan.recipes.values())).windows.aggregate
    found = []
    for panel in bucket_panels(plan.panel_folder, bucket, plan.registry, aggregate):
        recipe = plan.recipes[plan.registry.classes[panel.unit]]
        found += [(scene, recipe) for scene in scenes(panel, recipe, record_of(panel, plan.registry))]
    return found


def bucket_windows(plan: BucketPlan, bucket: int) -> pa.Table:
    """The labelled windows of a bucket as plain lists; what was left out is counted in a file beside the table."""
    left_out: Counter[str] = Counter()
    tables = []
    for windows, reasons in _labelled(plan, bucket):
        left_out.update(reasons)
        tables.append(to_arrow(windows, fixed=False))
    table = pa.concat_tables(tables) if tables else KEY_SCHEMA.empty_table()
    write_json(
        Path(plan.windows_folder) / "_left_out" / f"{bucket:05d}.json",
        {**{k: n for k, n in left_out.items() if n}, "rows": table.num_rows},
    )
    if not table.num_rows:
        return _empty(table)
    rows = pa.array(np.full(table.num_rows, table.num_rows, dtype=np.int64))
    number = pa.array(np.full(table.num_rows, bucket, dtype=np.int64))
    return table.append_column("bucket", number).append_column("bucket_rows", rows)


def _labelled(plan: BucketPlan, bucket: int) -> Iterator[tuple[Windows, Counter[str]]]:
    assert plan.splitter is not None, "only featurize asks for training windows"
    for scene, recipe in bucket_scenes(plan, bucket):
        yield training_windows(scene, recipe, plan.splitter)
    folder = Path(plan.panel_folder) / "readings" / f"bucket-{bucket:05d}"
    if plan.seed and folder.exists():
        (recipe,) = plan.recipes.values()
        yield seed_windows(pads.dataset(folder).to_table(), recipe, plan.splitter)


def _empty(table: pa.Table) -> pa.Table:
    nothing = pa.array([], pa.int64())
    return table.slice(0, 0).append_column("bucket", nothing).append_column("bucket_rows", nothing)


def fit_recipes(
    config: RunConfig, registry: Registry, workspace: Workspace, buckets: int
) -> tuple[dict[str, Recipe], Splitter]:
    """A recipe per class and the splitter; limits are fitted on training where labels need some and there are none."""
    _check_kinds(config, registry)
    splitter = make_splitter(
        config.splits,
        registry.classes,
        days=registry.days,
        lookback=config.windows.lookback,
        purge=max(config.windows.horizons),
    )
    pooled = sorted(set(registry.kinds.values())) if set(registry.classes.values()) == {ALL} else []
    context = ContextSpec(kinds=registry.event_kinds, classes=tuple(pooled) if len(pooled) > 1 else ())
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


def _check_kinds(config: RunConfig, registry: Registry) -> None:
    ready = config.source is not None and config.source.format == "seed"
    if config.labels.source == "events" and not ready:
        unknown = sorted(set(config.labels.events) - set(registry.event_kinds))
        if unknown:
            raise InputError(
                f"labels.events names {', '.join(unknown)}; the event log has only "
                f"{', '.join(registry.event_kinds) or 'no events'}: correct labels.events, or set labels.source: limits"
            )


def _fitted_limits(
    config: RunConfig, registry: Registry, splitter: Splitter, workspace: Workspace, buckets: int
) -> dict[str, dict[str, tuple[float, float]]]:
    task = ray.remote(num_cpus=1, max_retries=2)(_sample_bucket)
    refs = [task.remote(str(workspace.panel), b, registry, config, splitter) for b in range(buckets)]
    samples: dict[str, list[Any]] = {name: [] for name in registry.points}
    for part in ray.get(refs):
        for name, sample in part:
            samples[name].append(sample)
    return {name: fit_limits(found, config.labels.limit_quantiles) for name, found in samples.items()}


def _sample_bucket(
    folder: str, bucket: int, registry: Registry, config: RunConfig, splitter: Splitter
) -> list[tuple[str, Any]]:
    return [
        (
            registry.classes[panel.unit],
            sample_values(panel, normalise=config.windows.normalise, training_end=splitter.training_end),
        )
        for panel in bucket_panels(folder, bucket, registry, config.windows.aggregate)
        if splitter.trains(panel.unit)
    ]


def read_windows(folder: Path, recipe: Recipe, splits: tuple[str, ...], columns: tuple[str, ...] = ()) -> Windows:
    """Windows of one class and some splits, in a fixed order (by unit, point and end date)."""
    dataset = pads.dataset(sorted(map(str, (folder / f"class={recipe.class_name}").glob("part-*.parquet"))))
    wanted = [*KEY_SCHEMA.names, "observed", *columns, "labels", "known"]
    table = dataset.to_table(columns=wanted, filter=pads.field("split").isin(list(splits)))
    order = [(name, "ascending") for name in ("facility_id", "equipment_id", "point_id", "end_date")]
    return from_arrow(table.sort_by(order), points=recipe.width)


def split_counts(folder: Path, recipe: Recipe) -> dict[str, Any]:
    """Windows, units, known labels and positives of every split."""
    windows = read_windows(folder, recipe, SPLITS)
    return {name: _count(windows.split(name), recipe.windows.horizons) for name in SPLITS}


def _count(part: Windows, horizons: tuple[int, ...]) -> dict[str, Any]:
    y_BH, known_BH = part.y_BH, part.known_BH
    assert y_BH is not None, "the table is labelled"
    assert known_BH is not None, "the table is labelled"
    known = dict(zip(map(str, horizons), known_BH.sum(axis=0).tolist(), strict=True))
    positives = dict(zip(map(str, horizons), (y_BH & known_BH).sum(axis=0).tolist(), strict=True))
    units = sorted(set(part.units.tolist()))
    return {"windows": len(part), "units": len(units), "known": known, "positives": positives}


def actors_for(buckets: int) -> int:
    """Actors that are worth their start (importing an encoder takes seconds): one per 4 buckets, at most one a CPU."""
    cpus = int(ray.cluster_resources().get("CPU", os.cpu_count() or 1))
    return max(min(cpus, buckets // 4), 1)


def load_recipes(folder: Path) -> dict[str, Recipe]:
    """Recipes of the featurized table, by class."""
    found = json.loads((folder / "recipes.json").read_text(encoding="utf-8"))
    return {name: Recipe.from_json(each) for name, each in found.items()}
