"""The newest window of every unit → risks, alarms, forecast: `latest.parquet` and a ranked CSV that Excel opens.

python -m ray_jobs.score --config FILE [key.sub=value …]
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from typing import Any

import pyarrow as pa
import ray

from hvac.features.describe import Scene
from hvac.models.bundle import Bundle
from hvac.models.latest import latest_rows
from hvac.models.ranking import ranking, write_ranking
from hvac.panel.registry import EPOCH
from hvac.storage import write_parquet
from ray_jobs.buckets import BucketPlan, actors_for, bucket_scenes, make_plan
from ray_jobs.command import main
from ray_jobs.run_config import RunConfig
from ray_jobs.windows_table import load_recipes
from ray_jobs.workspace import Result, Workspace, content_key, run_step, workspace_of

log = logging.getLogger(__name__)


def run(config: RunConfig) -> Result:
    """Score the newest window of every unit, unless bundle and readings are those of the last run."""
    workspace = workspace_of(config)
    trained, ingested = workspace.finished("train"), workspace.finished("ingest")
    key = content_key(trained["bundles"], ingested["key"], config.language)
    return run_step(workspace, "score", key, lambda: _score(config, workspace, trained["bundles"]))


def _score(config: RunConfig, workspace: Workspace, bundles: dict[str, str]) -> Result:
    plan = make_plan(config, workspace, load_recipes(workspace.windows))
    if plan.seed:
        log.info("score: the seed's format holds ready windows and no record, so there is no newest window to score")
        return {"units": {}}
    folders = {name: str(workspace.bundles / bundle) for name, bundle in bundles.items()}
    buckets = workspace.finished("ingest")["buckets"]
    found = (
        ray.data.from_items([{"bucket": b} for b in range(buckets)], override_num_blocks=buckets)
        .map_batches(
            Scorer,
            batch_size=None,
            batch_format="pyarrow",
            fn_constructor_args=(plan, folders),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors_for(buckets // 4)),
            num_cpus=0.5,
        )
        .iter_batches(batch_size=None, batch_format="pyarrow")
    )
    table = pa.concat_tables([rows for rows in found if rows.num_rows])
    order = [(name, "ascending") for name in ("facility_id", "equipment_id", "point_id", "horizon")]
    table = table.sort_by(order)
    write_parquet(table, workspace.root / "latest.parquet")
    entries = ranking(table.to_pylist(), last_day=EPOCH + dt.timedelta(days=plan.registry.days[1]))
    write_ranking(entries, workspace.root / "latest_ranking.csv", config.language)
    statuses = table.group_by("status").aggregate([([], "count_all")]).to_pylist()
    horizons = len(config.windows.horizons)
    return {"units": {row["status"]: row["count_all"] // horizons for row in statuses}}


class Scorer:
    """An actor with the bundles loaded once: bucket numbers in, predictions out."""

    def __init__(self, plan: BucketPlan, folders: dict[str, str]) -> None:
        import torch

        torch.set_num_threads(1)
        self.plan, self.bundles = plan, {name: Bundle.load(folder) for name, folder in folders.items()}

    def __call__(self, block: pa.Table) -> pa.Table:
        """Newest windows of the units of each bucket."""
        tables: list[Any] = []
        for bucket in block["bucket"].to_pylist():
            found: dict[str, list[Scene]] = defaultdict(list)
            for scene, recipe in bucket_scenes(self.plan, bucket):
                found[recipe.class_name].append(scene)
            tables += [latest_rows(scenes, self.bundles[name]) for name, scenes in found.items()]
        return pa.concat_tables(tables) if tables else pa.table({"facility_id": pa.array([], pa.string())})


if __name__ == "__main__":
    main(run, __doc__)
