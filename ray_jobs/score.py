"""Newest windows → risks, alarms, forecast: `latest.parquet`, a ranked CSV for Excel, and a history
of scores.

    python -m ray_jobs.score --config FILE [key.sub=value …]

Buckets whose readings and bundles are as they were are not scored again. `scores/history` keeps
the scores of every facility on every day; `score.days` is how many of the newest days are scored
(again), so that readings that come late change them; `score.facilities`, `score.day` and
`score.again` score one facility or one day and touch nothing else.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from hvac.days import EPOCH
from hvac.errors import InputError
from hvac.panel.names import FILE as NAMES_FILE
from hvac.panel.names import load_names
from hvac.panel.windows import LEARNING
from hvac.scoring.bundle import Bundle
from hvac.scoring.latest import LATEST
from hvac.scoring.latest_rows import LatestRow, RankedUnit
from hvac.scoring.worklist import ranking, write_ranking
from hvac.storage import (
    AnyPath,
    content_key,
    file_sha256,
    folder_name,
    matching,
    parquet_dataset,
    read_mark,
    replacing,
)
from ray_jobs.assess.report_page import add_newest_scores
from ray_jobs.run.command import main
from ray_jobs.run.progress import counted
from ray_jobs.run.records import IngestRecord, ScoreRecord, TrainRecord
from ray_jobs.run.run_config import RunConfig, ScoreConfig
from ray_jobs.run.runtime import require_ray
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.buckets import BucketPlan, make_plan
from ray_jobs.tables.peer_levels import make_peers, peer_keys
from ray_jobs.tables.scorer import score_buckets, score_mark

log = logging.getLogger(__name__)
TASK_CPUS = 0.9  # of a bucket: leaves room on nodes of one CPU
RANKED = (
    "facility_id",
    "equipment_id",
    "point_id",
    "class",
    "end_date",
    "horizon",
    "risk",
    "threshold",
    "alarm",
    "status",
    "learning_days_left",
    "observed_share",
    "doubts",
    "driving_point",
    "reasons",
    "needs_look",
    "bundle_id",
)


def run(config: RunConfig) -> ScoreRecord:
    """Score what has changed since the last run, or the facilities or the day of the settings."""
    workspace = workspace_of(config)
    trained = workspace.record(TrainRecord)
    ingested = workspace.record(IngestRecord)
    if config.ready_windows:
        log.info(
            "score: the predecessor's CSV holds ready windows and no record, so there is no newest"
            " window to score"
        )
        return ScoreRecord(units={})
    trend = [config.score.trend_days] if config.score.trend_days else []
    rules = content_key(trained.bundles, config.score.days, config.score.reasons, *trend)
    section = config.score
    if section.facilities or section.day or section.again:
        require_ray()
        return _score(config, workspace, trained, ingested, rules)
    names = workspace.panel / NAMES_FILE
    named = [file_sha256(names)] if names.exists() else []
    key = content_key(rules, ingested.key, config.language, *named)
    return run_step(
        workspace,
        ScoreRecord,
        key,
        lambda: _score(config, workspace, trained, ingested, rules),
    )


def _score(
    config: RunConfig,
    workspace: Workspace,
    trained: TrainRecord,
    ingested: IngestRecord,
    rules: str,
) -> ScoreRecord:
    section = config.score
    folder = workspace.root / "scores"
    bundles = {name: str(workspace.bundles / bundle) for name, bundle in trained.bundles.items()}
    recipes = {name: Bundle.load(path).recipe for name, path in bundles.items()}
    plan = _score_plan(make_plan(config, workspace, recipes), workspace, ingested, rules)
    _warn_of_unknown_classes(plan)
    _drop_gone(folder, set(ingested.buckets))
    chosen = _of_facilities(list(ingested.buckets), section.facilities)
    all_again = bool(section.day or section.again)
    todo = [b for b in chosen if all_again or _key(folder, b) != plan.keys[b]]
    if len(todo) < len(chosen):
        log.info("score: %d of %d buckets are as they were", len(chosen) - len(todo), len(chosen))
    if todo:
        _stream(plan, bundles, str(folder), section, todo)
    last_day = plan.registry.days[1]
    entries = [] if section.day else publish_latest(config, workspace, folder, last_day)
    days_left = [row["learning_days_left"] for row in entries if row["status"] == LEARNING]
    learning = [days for days in days_left if days is not None]
    return ScoreRecord(
        units=dict(Counter(row["status"] for row in entries)),
        learning_days_left=(min(learning), max(learning)) if learning else None,
        buckets_scored=len(todo),
    )


def _score_plan(
    plan: BucketPlan, workspace: Workspace, ingested: IngestRecord, rules: str
) -> BucketPlan:
    """Add peers, and what the scores of each bucket depend on."""
    buckets, per_facility = ingested.buckets, ingested.buckets_each
    peers = make_peers(
        workspace.root, workspace.panel, plan.registry, plan.recipes, buckets, each=per_facility
    )
    levels = peer_keys(peers, plan.registry, each=per_facility)
    keys = {bucket: content_key(rules, key, levels.get(bucket)) for bucket, key in buckets.items()}
    return replace(plan, keys=keys, peers=peers)


def _warn_of_unknown_classes(plan: BucketPlan) -> None:
    """Warn of equipment of a class that no bundle was trained for."""
    classes = plan.registry.units["class"].to_pylist()
    unknown = Counter(name for name in classes if name not in plan.recipes)
    for name, count in sorted(unknown.items()):
        log.warning(
            "score: %d units of class '%s' are not scored: no bundle was trained for it",
            count,
            name,
        )


def _of_facilities(buckets: list[str], facilities: tuple[str, ...]) -> list[str]:
    """Return the buckets of some facilities; all where none is named."""
    if not facilities:
        return buckets
    folders = {name: folder_name(name) for name in facilities}
    chosen = [bucket for bucket in buckets if bucket.rpartition(".")[0] in folders.values()]
    known = {bucket.rpartition(".")[0] for bucket in chosen}
    for name, folder in folders.items():
        if folder not in known:
            raise InputError(
                f"score.facilities names '{name}', of which there is no reading: correct the"
                " facility's id"
            )
    return chosen


def _stream(
    plan: BucketPlan, folders: dict[str, str], folder: str, section: ScoreConfig, todo: list[str]
) -> None:
    shared = ray.put(plan)
    blocks = (
        ray.data.from_items([{"bucket": b} for b in todo], override_num_blocks=len(todo))
        .map_batches(
            score_buckets,
            batch_size=None,
            batch_format="pyarrow",
            fn_args=(shared, folders, folder, section),
            num_cpus=TASK_CPUS,
        )
        .iter_batches(batch_size=None, batch_format="pyarrow")
    )
    for _ in counted("score", "buckets", len(todo), blocks, lambda block: block.num_rows):
        pass


def _key(folder: AnyPath, bucket: str) -> str:
    return str(read_mark(score_mark(folder, bucket)).get("key", ""))


def _drop_gone(folder: AnyPath, buckets: set[str]) -> None:
    """Remove the newest scores of units whose readings are gone; their history stays."""
    for path in matching(folder / "_parts", "*.json"):
        if path.stem not in buckets:
            path.unlink(missing_ok=True)
            (folder / "latest" / f"part-{path.stem}.parquet").unlink(missing_ok=True)


def publish_latest(
    config: RunConfig, workspace: Workspace, folder: AnyPath, last_day: int
) -> list[RankedUnit]:
    """Join the buckets' newest scores into `latest.parquet`, part after part, and rank all
    equipment.
    """
    ranked: list[LatestRow] = []
    with (
        replacing(workspace.root / "latest.parquet") as building,
        pq.ParquetWriter(building, LATEST) as writer,
    ):
        for table in _parts(folder):
            writer.write_table(table)
            ranked += table.select(RANKED).to_pylist()
    entries = ranking(ranked, last_day=EPOCH + dt.timedelta(days=last_day))
    names = load_names(workspace.panel)
    write_ranking(entries, workspace.root / "latest_ranking.csv", config.language, names)
    add_newest_scores(workspace, config, entries)
    return entries


def _parts(folder: AnyPath) -> Iterable[pa.Table]:
    for path in matching(folder / "latest", "part-*.parquet"):
        yield parquet_dataset([path]).to_table()


if __name__ == "__main__":
    main(run, __doc__)
