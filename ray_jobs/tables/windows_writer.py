"""Buckets of a panel → their part of a table of windows, made and embedded by Ray Data.

A CPU task per bucket cuts, describes and labels the windows; an actor pool embeds them (of a few
buckets, the task does it itself); a task writes the bucket's parts, whole or not at all.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import ray

from hvac.errors import HvacError
from hvac.features.encoder_weights import encoder_stamp
from hvac.features.recipe import Recipe
from hvac.features.table import from_arrow, to_arrow
from hvac.json_values import branch
from hvac.panel.partitions import label_keys
from hvac.panel.registry import Registry
from hvac.panel.splits import Splitter
from hvac.storage import AnyPath, content_key, place, read_mark, write_parquet
from ray_jobs.run.progress import counted
from ray_jobs.run.records import IngestRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.buckets import (
    BucketPlan,
    actors_for,
    bucket_windows,
    done_file,
    fetched,
    make_plan,
    mark_done,
)
from ray_jobs.tables.embedder import Embedder, embed
from ray_jobs.tables.peer_levels import make_peers, peer_keys
from ray_jobs.tables.trainable import SECTIONS
from ray_jobs.tables.windows_table import class_folder

log = logging.getLogger(__name__)
# Raised when the same settings give other rows, so that tables are made anew (6: inspections).
TABLE = 6
BLOCK_BYTES = 2**30
# Encoders live as long as the job: were they to take what a task needs, on nodes of one CPU (or on
# those that are left when others are lost) no task would ever start. A hundredth keeps them off
# nodes without CPUs, and ten leave room.
ENCODER_CPUS, TASK_CPUS = 0.01, 0.9
FEW_BUCKETS = 16
ENCODER_BYTES = 640 * 2**20  # measured: 423 MiB; Ray wants a quarter more


class WindowsMade(NamedTuple):
    """How many buckets were made anew, and how many windows of all were left out, by reason."""

    buckets: int
    left_out: dict[str, int]


def table_rules(config: RunConfig) -> str:
    """Return a hash of the settings that the windows of a run depend on."""
    return content_key(
        [getattr(config, name).model_dump(mode="json") for name in SECTIONS],
        encoder_stamp(config.encoder),
        config.keeps_values,
        TABLE,
    )


def windows_plan(
    config: RunConfig,
    workspace: Workspace,
    registry: Registry,
    recipes: dict[str, Recipe],
    splitter: Splitter,
) -> BucketPlan:
    """Return the plan of a table of windows, with peers, and the key of every bucket."""
    ingested = workspace.record(IngestRecord)
    buckets, bucket_keys = ingested.buckets, ingested.buckets_each
    follow_up = registry.follow_up(config.labels.kinds)
    parts = label_keys(splitter, follow_up, bucket_keys)
    root, panel = workspace.root, workspace.panel
    peers = (
        {}
        if config.ready_windows
        else make_peers(root, panel, registry, recipes, buckets, each=bucket_keys)
    )
    level_keys = peer_keys(peers, buckets)
    rules = table_rules(config)
    recipe_settings = {name: recipe.to_json() for name, recipe in recipes.items()}
    borders = {"t1": splitter.t1, "t2": splitter.t2, "purge": splitter.purge}
    keys = {
        bucket: content_key(
            rules, recipe_settings, borders, key, parts[bucket], level_keys.get(bucket)
        )
        for bucket, key in buckets.items()
    }
    plan = make_plan(config, workspace, recipes)
    return replace(plan, splitter=splitter, follow_up=follow_up, keys=keys, peers=peers)


def make_windows(config: RunConfig, plan: BucketPlan, *, step: str) -> WindowsMade:
    """Make the windows of the buckets of a plan whose key is another one than when they were made.

    Args:
        config: how to embed, and whether values are kept.
        plan: with the folder, and the key of every bucket.
        step: that progress names.

    Raises:
        HvacError: a bucket was not written whole.
    """
    folder = place(plan.windows_folder)
    todo = _drop_others(folder, plan.keys)
    if len(todo) < len(plan.keys):
        there = len(plan.keys) - len(todo)
        log.info("%s: %d of %d buckets are there already", step, there, len(plan.keys))
    if todo:
        _stream(config, plan, todo, step)
    return WindowsMade(len(todo), _left_out(folder, list(plan.keys)))


def _drop_others(folder: AnyPath, keys: Mapping[str, str]) -> list[str]:
    """Remove parts that other settings made or a killed run left without a mark; return the buckets
    still to be made.
    """
    parts = {
        (path.parent.name, path.stem): path
        for path in folder.glob("class=*/part-*.parquet")
    }
    marks = {path.stem: read_mark(path) for path in (folder / "_parts").glob("*.json")}
    whole = set()
    for bucket, mark in marks.items():
        files = {
            (class_folder(folder, c).name, f"part-{bucket}")
            for c in branch(mark, "rows")
        }
        if bucket in keys and mark.get("key") == keys[bucket] and files <= parts.keys():
            whole.add(bucket)
    for bucket in sorted(set(marks) - whole):
        done_file(folder, bucket).unlink(missing_ok=True)
    for (_, part), path in parts.items():
        if part.removeprefix("part-") not in whole:
            path.unlink(missing_ok=True)
    return [bucket for bucket in keys if bucket not in whole]


def _stream(config: RunConfig, plan: BucketPlan, todo: list[str], step: str) -> None:
    """Send buckets through features, embeddings and the writer."""
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = BLOCK_BYTES
    tasks = {"num_cpus": TASK_CPUS, "resources": config.featurize.resources}
    whole: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow"}
    shared = ray.put(plan)
    embedding = _embedding(config, len(todo), tasks)
    # Of what needs the same, Ray Data makes one task, and runs one on each CPU.
    writing = tasks if embedding["fn"] is embed else {"num_cpus": 0.5}
    written = (
        ray.data.from_items(
            [{"bucket": b} for b in todo], override_num_blocks=len(todo)
        )
        .map_batches(_windows_of, fn_args=(shared,), **tasks, **whole)
        .map_batches(**embedding, **whole)
        .map_batches(_write, fn_args=(shared, config.keeps_values), **writing, **whole)
    )
    blocks = written.iter_batches(batch_size=None, batch_format="pyarrow")
    for _ in counted(step, "buckets", len(todo), blocks, lambda block: block.num_rows):
        pass


def _embedding(
    config: RunConfig, buckets: int, tasks: dict[str, Any]
) -> dict[str, Any]:
    """Return what embeds: a pool of actors, or, of a few buckets on CPUs, the tasks that cut windows.

    An actor is a process of its own, which takes seconds to start; tasks share processes.
    """
    settings = config.featurize
    encoder = (config.encoder, config.windows.lookback)
    has_actors = (
        settings.encoders or settings.encoder_gpus or settings.encoder_resources
    )
    if buckets <= FEW_BUCKETS and not has_actors:
        stamp = content_key(encoder_stamp(config.encoder))
        return {"fn": embed, "fn_args": (stamp, *encoder), **tasks}
    gpus = settings.encoder_gpus
    encoders = settings.encoders or actors_for(buckets)
    return {
        "fn": Embedder,
        "fn_constructor_args": encoder,
        "compute": ray.data.ActorPoolStrategy(min_size=encoders, max_size=encoders),
        "resources": settings.encoder_resources,
        "memory": ENCODER_BYTES,
        **({"num_gpus": gpus} if gpus else {"num_cpus": ENCODER_CPUS}),
    }


def _windows_of(
    block: pa.Table, plan: BucketPlan | ray.ObjectRef[BucketPlan]
) -> pa.Table:
    """Make the windows of the buckets of a block, as plain lists (one schema whatever C is), with
    each bucket's count.
    """
    bucket_plan = fetched(plan)
    return pa.concat_tables(
        [bucket_windows(bucket_plan, bucket) for bucket in block["bucket"].to_pylist()]
    )


def _write(
    block: pa.Table, plan: BucketPlan | ray.ObjectRef[BucketPlan], keep_values: bool
) -> pa.Table:
    """Write the parts of one bucket, then its mark; raise where a row is missing or doubled."""
    bucket_plan = fetched(plan)
    folder = place(bucket_plan.windows_folder)
    buckets = sorted(set(block["bucket"].to_pylist()))
    for bucket in buckets:
        rows = block.filter(pc.equal(block["bucket"], bucket))
        expected = rows["bucket_rows"][0].as_py()
        if rows.num_rows != expected:
            raise RuntimeError(
                f"bucket {bucket}: {rows.num_rows} windows arrived, {expected} were cut"
            )
        rows = rows.drop_columns(
            ["bucket", "bucket_rows", *([] if keep_values else ["values"])]
        )
        counts = Counter(rows["class"].to_pylist())
        for name in sorted(counts):
            part = from_arrow(
                rows.filter(pc.equal(rows["class"], name)),
                points=bucket_plan.recipes[name].width,
            )
            write_parquet(
                to_arrow(part), class_folder(folder, name) / f"part-{bucket}.parquet"
            )
        mark_done(bucket_plan, bucket, counts)
    return pa.table({"bucket": pa.array(buckets, pa.string())})


def _left_out(folder: AnyPath, buckets: list[str]) -> dict[str, int]:
    """Count what was left out, by reason. Raise HvacError where a bucket is not whole."""
    left_out: Counter[str] = Counter()
    for bucket in buckets:
        reasons = read_mark(folder / "_left_out" / f"{bucket}.json")
        rows = reasons.pop("rows", None)
        done = read_mark(done_file(folder, bucket))
        if "rows" not in done or sum(done["rows"].values()) != rows:
            raise HvacError(
                f"{folder}: bucket {bucket} was not written whole; run the step again"
            )
        left_out.update(reasons)
    return dict(left_out)
