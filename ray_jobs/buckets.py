"""What the tasks of featurize and score do with one bucket of equipment."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import ray

from hvac.features.describe import Recipe, Scene, UnitRecord, scenes, training_windows
from hvac.features.describe_seed import seed_windows
from hvac.features.table import KEY_SCHEMA, Windows, to_arrow
from hvac.panel.grid import Panel, panels
from hvac.panel.registry import Registry
from hvac.panel.splits import Splitter
from hvac.storage import parquet_dataset, place, write_json
from ray_jobs.run_config import RunConfig
from ray_jobs.workspace import Workspace


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
    folder = place(panel_folder) / "readings" / f"bucket-{bucket:05d}"
    if not folder.exists():
        return []
    points = {unit: registry.points[name] for unit, name in registry.classes.items()}
    return list(panels(parquet_dataset(folder).to_table(), points, aggregate=aggregate))


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
        place(plan.windows_folder) / "_left_out" / f"{bucket:05d}.json",
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
    folder = place(plan.panel_folder) / "readings" / f"bucket-{bucket:05d}"
    if plan.seed and folder.exists():
        (recipe,) = plan.recipes.values()
        yield seed_windows(parquet_dataset(folder).to_table(), recipe, plan.splitter)


def _empty(table: pa.Table) -> pa.Table:
    nothing = pa.array([], pa.int64())
    return table.slice(0, 0).append_column("bucket", nothing).append_column("bucket_rows", nothing)


def actors_for(buckets: int) -> int:
    """Actors that are worth their start (importing an encoder takes seconds): one per 4 buckets, at most one a CPU."""
    cpus = int(ray.cluster_resources().get("CPU", os.cpu_count() or 1))
    return max(min(cpus, buckets // 4), 1)
