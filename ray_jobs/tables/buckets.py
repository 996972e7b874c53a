"""The work of featurize and score on one bucket of equipment."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from hvac.features.describe_predecessor import predecessor_windows
from hvac.features.recipe import Recipe
from hvac.features.scene import Scene, UnitRecord, scenes
from hvac.features.table import KEY_SCHEMA, Windows, to_arrow
from hvac.features.training_windows import training_windows
from hvac.panel.daily_readings import Aggregate
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Panel, Unit, panels
from hvac.panel.partitions import bucket_folder
from hvac.panel.registry import Registry
from hvac.panel.splits import Splitter
from hvac.storage import AnyPath, place, write_json
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, whole_table
from ray_jobs.tables.peer_levels import PeerFile, level_of


@dataclass(frozen=True)
class BucketPlan:
    """What a bucket task needs beside its name; `keys` holds by bucket what the task's result
    depends on.
    """

    panel_folder: str
    windows_folder: str
    recipes: dict[str, Recipe]
    splitter: Splitter | None = None
    predecessor: bool = False
    follow_up: Mapping[Unit, FollowUp] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    peers: Mapping[tuple[str, str], PeerFile] = field(default_factory=dict)


def make_plan(
    config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe]
) -> BucketPlan:
    """Return the plan of a run."""
    return BucketPlan(
        str(workspace.panel),
        str(workspace.windows),
        recipes,
        None,
        config.ready_windows,
    )


def fetched(plan: BucketPlan | ray.ObjectRef[BucketPlan]) -> BucketPlan:
    """Return a plan out of Ray's object store, as Ray does not fetch arguments of Ray Data's
    functions itself.
    """
    return ray.get(plan) if isinstance(plan, ray.ObjectRef) else plan


def bucket_panels(
    panel_folder: str,
    bucket: str,
    points: Mapping[str, tuple[str, ...]],
    aggregate: Aggregate,
) -> tuple[list[Panel], Registry | None]:
    """Return the panels of the units of one bucket, with the points of their class, and the
    registry of its facility.

    Units of a class that is not in `points` have no panel; there is no registry where there are no
    readings.
    """
    folder = bucket_folder(place(panel_folder), bucket)
    if not folder.exists():
        return [], None
    table = whole_table(folder, "ingest")
    (facility,) = pc.unique(table["facility_id"]).to_pylist()
    known = Registry.load(place(panel_folder), facility)
    return (
        list(
            panels(
                table,
                {u: points.get(c, ()) for u, c in known.classes.items()},
                aggregate=aggregate,
            )
        ),
        known,
    )


def record_of(panel: Panel, registry: Registry, plan: BucketPlan) -> UnitRecord:
    """Return what is known of a panel's unit beside its readings."""
    kind = registry.kinds[panel.unit]
    return UnitRecord(
        events=registry.events_of(panel.unit),
        install_day=registry.install_days[panel.unit],
        class_name=kind,
        follow_up=plan.follow_up.get(panel.unit),
        peers=level_of(plan.peers.get((kind, panel.unit.facility_id))),
    )


def bucket_scenes(plan: BucketPlan, bucket: str) -> list[tuple[Scene, Recipe]]:
    """Return all units of a bucket with the recipe of their class; [] for the predecessor's
    windows, which have no record.
    """
    if plan.predecessor:
        return []
    aggregate = next(iter(plan.recipes.values())).windows.aggregate
    points = {name: recipe.points for name, recipe in plan.recipes.items()}
    unit_panels, registry = bucket_panels(plan.panel_folder, bucket, points, aggregate)
    if registry is None:
        return []
    named: list[tuple[Scene, Recipe]] = []
    for panel in unit_panels:
        recipe = plan.recipes[registry.classes[panel.unit]]
        for scene in scenes(panel, recipe, record_of(panel, registry, plan)):
            named.append((scene, recipe))
    return named


def bucket_windows(plan: BucketPlan, bucket: str) -> pa.Table:
    """Return the labelled windows of a bucket as plain lists; a file beside the table counts what
    was left out.
    """
    left_out: Counter[str] = Counter()
    tables = []
    for windows, reasons in _labelled(plan, bucket):
        left_out.update(reasons)
        tables.append(to_arrow(windows, fixed=False))
    table = pa.concat_tables(tables) if tables else KEY_SCHEMA.empty_table()
    counts = {**{k: n for k, n in left_out.items() if n}, "rows": table.num_rows}
    write_json(place(plan.windows_folder) / "_left_out" / f"{bucket}.json", counts)
    if not table.num_rows:
        mark_done(plan, bucket, {})
    rows = pa.array(np.full(table.num_rows, table.num_rows, dtype=np.int64))
    number = pa.array([bucket] * table.num_rows, pa.string())
    return table.append_column("bucket", number).append_column("bucket_rows", rows)


def mark_done(plan: BucketPlan, bucket: str, rows: Mapping[str, int]) -> None:
    """Write the mark that the parts of a bucket, one per class with its rows, are whole."""
    write_json(
        done_file(place(plan.windows_folder), bucket),
        {"rows": dict(rows), "key": plan.keys[bucket]},
    )


def done_file(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the path of the bucket's completion mark."""
    return folder / "_parts" / f"{bucket}.json"


def _labelled(plan: BucketPlan, bucket: str) -> Iterator[tuple[Windows, Counter[str]]]:
    assert plan.splitter is not None, "only featurize asks for training windows"
    for scene, recipe in bucket_scenes(plan, bucket):
        yield training_windows(scene, recipe, plan.splitter)
    folder = bucket_folder(place(plan.panel_folder), bucket)
    if plan.predecessor and folder.exists():
        (recipe,) = plan.recipes.values()
        yield predecessor_windows(whole_table(folder, "ingest"), recipe, plan.splitter)


def actors_for(buckets: int) -> int:
    """Return how many actors are worth their start, which takes seconds: one per 4 buckets, at most
    one a CPU.
    """
    cpus = int(ray.cluster_resources().get("CPU", os.cpu_count() or 1))
    return max(min(cpus, buckets // 4), 1)
