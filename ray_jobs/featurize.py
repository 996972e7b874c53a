"""Panel buckets → the featurized table: one row per window, one Parquet part per class and bucket.

    python -m ray_jobs.featurize --config FILE [key.sub=value …]

Ray Data: a CPU task per bucket cuts, describes and labels the windows; an actor pool embeds them (on GPUs where the
config says so); a task writes the bucket's parts, whole or not at all. A bucket that is written is skipped by the next
run with the same configuration and input, so a killed run goes on where it was.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import ray
from tqdm import tqdm

from hvac.errors import HvacError
from hvac.features.encoder import EncoderConfig, encoder_stamp, load_encoder, untrained
from hvac.features.table import from_arrow, to_arrow
from hvac.panel.registry import Registry
from hvac.storage import AnyPath, place, remove_tree, write_json, write_parquet
from ray_jobs.buckets import BucketPlan, actors_for, bucket_windows, make_plan
from ray_jobs.command import main
from ray_jobs.recipes import fit_recipes
from ray_jobs.run_config import RunConfig
from ray_jobs.windows_table import split_counts
from ray_jobs.workspace import Result, Workspace, content_key, run_step, workspace_of

log = logging.getLogger(__name__)
BLOCK_BYTES = 2**30


def run(config: RunConfig) -> Result:
    """Featurize the ingested panel, unless the same windows were made before."""
    workspace = workspace_of(config)
    ingested = workspace.finished("ingest")
    sections = [getattr(config, name).model_dump(mode="json") for name in ("windows", "labels", "splits")]
    encoder = encoder_stamp(config.encoder)
    extras = (config.keeps_values, config.evaluate.ablation)
    key = content_key(ingested["key"], sections, encoder, extras)
    return run_step(workspace, "featurize", key, lambda: _featurize(config, workspace, key, ingested["buckets"]))


def _featurize(config: RunConfig, workspace: Workspace, key: str, buckets: int) -> Result:
    _start_or_resume(workspace, key)
    registry = Registry.load(workspace.panel)
    recipes, splitter = fit_recipes(config, registry, workspace, buckets)
    plan = make_plan(config, workspace, recipes, splitter)
    todo = [b for b in range(buckets) if not _done_file(workspace.windows, b).exists()]
    if len(todo) < buckets:
        log.info("featurize: %d of %d buckets are there already", buckets - len(todo), buckets)
    if todo:
        _stream(config, plan, todo)
    return _close(workspace, recipes, buckets, splitter, config.encoder)


def _start_or_resume(workspace: Workspace, key: str) -> None:
    """Parts of another configuration or input go; parts of this one stay."""
    mark = workspace.windows / "_building.json"
    if not (mark.exists() and json.loads(mark.read_text(encoding="utf-8"))["key"] == key):
        remove_tree(workspace.windows)
        write_json(mark, {"key": key})


def _stream(config: RunConfig, plan: BucketPlan, todo: list[int]) -> None:
    """Buckets through features, embeddings and the writer."""
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = BLOCK_BYTES
    encoders = config.featurize.encoders or actors_for(len(todo))
    gpus = config.featurize.encoder_gpus
    extra = {"num_gpus": gpus} if gpus else {"num_cpus": 0.5}
    shared = ray.put(plan)
    width = {name: recipe.width for name, recipe in plan.recipes.items()}
    written = (
        ray.data.from_items([{"bucket": b} for b in todo], override_num_blocks=len(todo))
        .map_batches(_windows_of, batch_size=None, batch_format="pyarrow", fn_args=(shared,), num_cpus=1)
        .map_batches(
            Embedder,
            batch_size=None,
            batch_format="pyarrow",
            fn_constructor_args=(config.encoder, config.windows.lookback, config.evaluate.ablation),
            compute=ray.data.ActorPoolStrategy(min_size=encoders, max_size=encoders),
            **extra,
        )
        .map_batches(
            _write, batch_size=None, batch_format="pyarrow", num_cpus=0.5,
            fn_args=(plan.windows_folder, width, config.keeps_values),
        )
    )  # fmt: skip
    with tqdm(total=len(todo), desc="featurize", unit="bucket", disable=not os.isatty(2)) as bar:
        for rows in written.iter_batches(batch_size=None, batch_format="pyarrow"):
            bar.update(rows.num_rows)


def _windows_of(block: pa.Table, plan: Any) -> pa.Table:
    """The windows of the buckets of a block, as plain lists (one schema whatever C is), and each bucket's count."""
    found = ray.get(plan) if isinstance(plan, ray.ObjectRef) else plan
    tables = [bucket_windows(found, bucket) for bucket in block["bucket"].to_pylist()]
    return pa.concat_tables(tables)


class Embedder:
    """An actor with the encoder loaded once: values in, embeddings beside them."""

    def __init__(self, config: EncoderConfig, lookback: int, ablation: bool) -> None:
        import torch

        torch.set_num_threads(1)
        self.lookback = lookback
        device = "cuda" if torch.cuda.is_available() and ray.get_gpu_ids() else "cpu"
        self.encoders = {"embedding": load_encoder(config.replace(device=device))}
        if ablation:
            self.encoders["untrained"] = load_encoder(untrained(config).replace(device=device))

    def __call__(self, block: pa.Table) -> pa.Table:
        """Embed every series of a block, whatever number of points its rows have."""
        if not block.num_rows:
            return block
        values = block["values"].combine_chunks()
        series_NL = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, 1, self.lookback)
        for name, encoder in self.encoders.items():
            flat = pa.array(encoder.embed(series_NL).ravel())
            offsets = pc.multiply(pc.divide(_offsets(values), self.lookback), encoder.dim)
            block = block.append_column(name, pa.ListArray.from_arrays(offsets.cast(pa.int32()), flat))
        return block


def _offsets(column: pa.ListArray) -> pa.Array:
    """List offsets that start at 0, whatever slice the column is."""
    return pc.subtract(column.offsets, column.offsets[0])


def _write(block: pa.Table, folder: str, width: dict[str, int], keep_values: bool) -> pa.Table:
    """Write the parts of one bucket, then its mark; raise where a row is missing or doubled."""
    for bucket in sorted(set(block["bucket"].to_pylist())):
        rows = block.filter(pc.equal(block["bucket"], bucket))
        expected = rows["bucket_rows"][0].as_py()
        if rows.num_rows != expected:
            raise RuntimeError(f"bucket {bucket}: {rows.num_rows} windows arrived, {expected} were cut")
        rows = rows.drop_columns(["bucket", "bucket_rows", *([] if keep_values else ["values"])])
        for name in sorted(set(rows["class"].to_pylist())):
            part = rows.filter(pc.equal(rows["class"], name))
            ready = to_arrow(from_arrow(part, points=width[name]))
            write_parquet(ready, place(folder) / f"class={name}" / f"part-{bucket:05d}.parquet")
        write_json(_done_file(place(folder), bucket), {"rows": expected})
    return pa.table({"bucket": sorted(set(block["bucket"].to_pylist()))})


def _done_file(folder: AnyPath, bucket: int) -> AnyPath:
    return folder / "_parts" / f"{bucket:05d}.json"


def _close(
    workspace: Workspace, recipes: dict[str, Any], buckets: int, splitter: Any, encoder: EncoderConfig
) -> Result:
    """Check that every bucket is whole, and count windows, positives and what was left out."""
    left_out: Counter[str] = Counter()
    for bucket in range(buckets):
        told = json.loads((workspace.windows / "_left_out" / f"{bucket:05d}.json").read_text(encoding="utf-8"))
        rows = told.pop("rows")
        done = _done_file(workspace.windows, bucket)
        if rows and (not done.exists() or json.loads(done.read_text(encoding="utf-8"))["rows"] != rows):
            raise HvacError(f"featurize: bucket {bucket} was not written whole; run the step again")
        left_out.update(told)
    write_json(workspace.windows / "recipes.json", {name: recipe.to_json() for name, recipe in recipes.items()})
    borders = {"t1": splitter.t1, "t2": splitter.t2, "purge": splitter.purge}
    counts = _counts(workspace.windows, recipes)
    return {"left_out": dict(left_out), "borders": borders, "windows": counts, "encoder": encoder_stamp(encoder)}


def _counts(folder: AnyPath, recipes: dict[str, Any]) -> dict[str, Any]:
    """Windows, units, known labels and positives per split and class."""
    parts: Iterable[str] = (name for name in recipes if (folder / f"class={name}").exists())
    return {name: split_counts(folder, recipes[name]) for name in parts}


if __name__ == "__main__":
    main(run, __doc__)
