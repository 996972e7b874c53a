"""Panel buckets → the featurized table: one row per window, one Parquet part per class and bucket.

    python -m ray_jobs.featurize --config FILE [key.sub=value …]

Ray Data: a CPU task per bucket cuts, describes and labels the windows; an actor pool embeds them
(on GPUs where the config says so; of a few buckets, the task does it itself); a task writes the
bucket's parts, whole or not at all. A bucket whose readings, events, split and settings are as they
were is left alone: a killed run goes on where it was, and new readings of one facility make that
facility's windows again and no others."""

from __future__ import annotations

from hvac.features.encoder_weights import encoder_stamp
from hvac.json_values import as_json
from hvac.panel.registry import Registry
from hvac.storage import content_key, write_json
from ray_jobs.run.command import main
from ray_jobs.run.records import Borders, FeaturizeRecord, IngestRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.fitted_recipes import fit_recipes
from ray_jobs.tables.trainable import SECTIONS
from ray_jobs.tables.windows_table import split_counts
from ray_jobs.tables.windows_writer import make_windows, table_rules, windows_plan


def run(config: RunConfig) -> FeaturizeRecord:
    """Featurize the ingested panel, unless the same windows were made before."""
    workspace = workspace_of(config)
    ingested = workspace.record(IngestRecord)
    key = content_key(ingested.key, table_rules(config))
    return run_step(
        workspace,
        FeaturizeRecord,
        key,
        lambda: _featurize(config, workspace, ingested),
    )


def _featurize(
    config: RunConfig, workspace: Workspace, ingested: IngestRecord
) -> FeaturizeRecord:
    registry = Registry.load(workspace.panel)
    recipes, splitter = fit_recipes(config, registry, workspace, list(ingested.buckets))
    plan = windows_plan(config, workspace, registry, recipes, splitter)
    written = make_windows(config, plan, step="featurize")
    recipe_settings = {
        name: as_json(recipe.to_json()) for name, recipe in recipes.items()
    }
    write_json(workspace.windows / "recipes.json", recipe_settings)
    counts = {}
    for name, recipe in recipes.items():
        by_split = split_counts(workspace.windows, recipe)
        if any(part["windows"] for part in by_split.values()):
            counts[name] = by_split
    return FeaturizeRecord(
        left_out=written.left_out,
        borders=Borders(t1=splitter.t1, t2=splitter.t2, purge=splitter.purge),
        windows=counts,
        encoder=encoder_stamp(config.encoder),
        asked={
            name: getattr(config, name).model_dump(mode="json") for name in SECTIONS
        },
        buckets_made=written.buckets,
    )


if __name__ == "__main__":
    main(run, __doc__)
