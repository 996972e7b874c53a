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
from collections.abc import Mapping
from dataclasses import replace

import ray

from hvac.days import EPOCH
from hvac.errors import BundleError, InputError
from hvac.features.recipe import Recipe
from hvac.lasting import unsearched
from hvac.panel.joins import text_counts
from hvac.panel.names import FILE as NAMES_FILE
from hvac.panel.names import load_names
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.scoring.worklist import write_ranking
from hvac.storage import (
    AnyPath,
    content_key,
    file_sha256,
    folder_name,
    matching,
    read_mark,
)
from hvac.update.champions import Champions, read_champions
from ray_jobs.assess.report_page import add_newest_scores
from ray_jobs.run.command import main
from ray_jobs.run.progress import finished
from ray_jobs.run.records import IngestRecord, ScoreRecord, TrainRecord
from ray_jobs.run.run_config import RunConfig, ScoreConfig
from ray_jobs.run.runtime import require_ray
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.bucket_states import bring_up_to_date, stated, within_reach
from ray_jobs.tables.buckets import BucketPlan, make_plan
from ray_jobs.tables.peer_levels import States, make_peers, peer_keys
from ray_jobs.tables.published import (
    FleetTurns,
    fleet_turns,
    join_newest,
    newest_entries,
    newest_file,
    turns_file,
)
from ray_jobs.tables.scorer import (
    Serving,
    keys_where_it_speaks,
    score_bucket,
    score_mark,
)
from ray_jobs.tables.state_paths import FOLDER as STATES
from ray_jobs.tables.state_paths import state_file, state_key, state_keys

log = logging.getLogger(__name__)
VERSION = 3  # raised when the same windows leave other files
TASK_CPUS = 0.9  # of a bucket: leaves room on nodes of one CPU


def run(config: RunConfig) -> ScoreRecord:
    """Score what has changed since the last run, or the facilities or the day of the settings."""
    workspace = workspace_of(config)
    trained = workspace.record(TrainRecord).bundles
    champions = _with_whole_challenger(
        workspace, read_champions(workspace.root, trained)
    )
    ingested = workspace.record(IngestRecord)
    if config.ready_windows:
        log.info(
            "score: the predecessor's CSV holds ready windows and no record, so there is no newest"
            " window to score"
        )
        return ScoreRecord(units={})
    trend = [config.score.trend_days] if config.score.trend_days else []
    watched = champions.challenger
    shadow = [watched.bundles] if watched else []
    rules = content_key(
        champions.champion,
        config.score.days,
        config.score.reasons,
        VERSION,
        *trend,
        *shadow,
    )
    section = config.score
    if section.facilities or section.day or section.again:
        require_ray()
        return _score(config, workspace, champions, ingested, rules)
    names = workspace.panel / NAMES_FILE
    named = [file_sha256(names)] if names.exists() else []
    more = (*named, *champions.speaks_in)
    key = content_key(rules, ingested.key, config.language, *more)
    return run_step(
        workspace,
        ScoreRecord,
        key,
        lambda: _score(config, workspace, champions, ingested, rules),
    )


def _score(
    config: RunConfig,
    workspace: Workspace,
    champions: Champions,
    ingested: IngestRecord,
    rules: str,
) -> ScoreRecord:
    section = config.score
    folder = workspace.root / "scores"
    challenger = champions.challenger
    bundles = Serving(
        _paths(workspace, champions.champion),
        _paths(workspace, challenger.bundles if challenger else {}),
        frozenset(map(folder_name, champions.speaks_in)),
    )
    recipes = {
        name: Bundle.load(path).recipe for name, path in bundles.champion.items()
    }
    registry = Registry.load(workspace.panel, brief=True)
    _warn_of_unknown_classes(registry, recipes)
    plan = make_plan(config, workspace, recipes)
    states = _bring_up_states(plan, workspace.root / STATES, ingested, section)
    plan = _with_peers(plan, workspace, registry, ingested, rules, states)
    plan = replace(plan, keys=keys_where_it_speaks(plan.keys, bundles.speaks_in))
    _drop_gone(folder, set(ingested.buckets))
    chosen = _of_facilities(list(ingested.buckets), section.facilities)
    all_again = bool(section.day or section.again)
    todo = [b for b in chosen if all_again or _key(folder, b) != plan.keys[b]]
    if len(todo) < len(chosen):
        log.info(
            "score: %d of %d buckets are as they were",
            len(chosen) - len(todo),
            len(chosen),
        )
    if todo:
        _score_buckets(plan, bundles, str(folder), section, todo)
    turns = fleet_turns(folder)
    if not section.day:
        publish_latest(config, workspace, turns, registry.days[1])
    return ScoreRecord(
        units={} if section.day else turns.statuses,
        learning_days_left=None if section.day else turns.learning_days,
        buckets_scored=len(todo),
    )


def _with_whole_challenger(workspace: Workspace, champions: Champions) -> Champions:
    """Return the champions; without a challenger that is only watched and cannot be read.

    Raises:
        BundleError: it cannot be read, and speaks in some facilities.
    """
    challenger = champions.challenger
    try:
        for path in _paths(
            workspace, challenger.bundles if challenger else {}
        ).values():
            Bundle.load(path)
    except BundleError as error:
        if champions.speaks_in:
            raise BundleError(
                f"the challenger speaks in {', '.join(champions.speaks_in)}, and {error}:"
                " take it back with python -m ray_jobs.rollback"
            ) from error
        log.warning("score: the challenger is not watched today: %s", error)
        return champions.model_copy(update={"challenger": None})
    return champions


def _paths(workspace: Workspace, bundles: Mapping[str, str]) -> dict[str, str]:
    return {name: str(workspace.bundles / bundle) for name, bundle in bundles.items()}


def _bring_up_states(
    plan: BucketPlan, folder: AnyPath, ingested: IngestRecord, section: ScoreConfig
) -> States | None:
    """Lay new readings into the states of the buckets that have any, one Ray task each.

    Returns where they lie; None where no class is scored from states, and these are left behind.
    """
    if not any(within_reach(section, recipe) for recipe in plan.recipes.values()):
        return None
    keys = state_keys(ingested.buckets, plan.recipes)
    todo = [bucket for bucket, key in keys.items() if state_key(folder, bucket) != key]
    for path in matching(folder, "*.json"):
        if path.stem not in keys:
            path.unlink(missing_ok=True)
            state_file(folder, path.stem).unlink(missing_ok=True)
    task = ray.remote(num_cpus=1, max_retries=2)(bring_up_to_date)
    shared, where = ray.put(plan), str(folder)
    refs = [task.remote(shared, bucket, where, keys[bucket]) for bucket in todo]
    finished("score", "states", refs)
    return States(where, stated(plan.recipes))


def _with_peers(
    plan: BucketPlan,
    workspace: Workspace,
    registry: Registry,
    ingested: IngestRecord,
    rules: str,
    states: States | None,
) -> BucketPlan:
    """Add peers, and what the scores of each bucket depend on."""
    buckets, per_facility = ingested.buckets, ingested.buckets_each
    peers = make_peers(
        workspace.root,
        workspace.panel,
        registry,
        plan.recipes,
        buckets,
        each=per_facility,
        states=states,
    )
    levels = peer_keys(peers, buckets)
    keys = {
        bucket: content_key(rules, key, levels.get(bucket))
        for bucket, key in buckets.items()
    }
    return replace(plan, keys=keys, peers=peers)


def _warn_of_unknown_classes(registry: Registry, recipes: Mapping[str, Recipe]) -> None:
    """Warn of equipment of a class that no bundle was trained for."""
    counts = text_counts(registry.units["class"])
    for name in sorted(counts.keys() - recipes.keys()):
        log.warning(
            "score: %d units of class '%s' are not scored: no bundle was trained for it",
            counts[name],
            name,
        )


def _of_facilities(buckets: list[str], facilities: tuple[str, ...]) -> list[str]:
    """Return the buckets of some facilities; all where none is named."""
    if not facilities:
        return buckets
    folders = {name: folder_name(name) for name in facilities}
    chosen = [
        bucket for bucket in buckets if bucket.rpartition(".")[0] in folders.values()
    ]
    known = {bucket.rpartition(".")[0] for bucket in chosen}
    for name, folder in folders.items():
        if folder not in known:
            raise InputError(
                f"score.facilities names '{name}', of which there is no reading: correct the"
                " facility's id"
            )
    return chosen


def _score_buckets(
    plan: BucketPlan,
    bundles: Serving,
    folder: str,
    section: ScoreConfig,
    todo: list[str],
) -> None:
    """Score buckets, one Ray task each: they are done by the processes that brought states up."""
    task = ray.remote(num_cpus=TASK_CPUS, max_retries=2)(score_bucket)
    shared = [ray.put(plan)]  # in a list: each process fetches it once
    refs = [task.remote(shared, bundles, folder, section, bucket) for bucket in todo]
    finished("score", "buckets", refs)


def _key(folder: AnyPath, bucket: str) -> str:
    return str(read_mark(score_mark(folder, bucket)).get("key", ""))


def _drop_gone(folder: AnyPath, buckets: set[str]) -> None:
    """Remove the newest scores of units whose readings are gone; their history stays."""
    for path in matching(folder / "_parts", "*.json"):
        if path.stem not in buckets:
            path.unlink(missing_ok=True)
            newest_file(folder, path.stem).unlink(missing_ok=True)
            turns_file(folder, path.stem).unlink(missing_ok=True)


def publish_latest(
    config: RunConfig, workspace: Workspace, turns: FleetTurns, last_day: int
) -> None:
    """Write `latest.parquet` and the ranking; of a fleet that is too large for one table only the
    first part of the ranking.
    """
    folder, whole = workspace.root / "scores", workspace.root / "latest.parquet"
    most, chosen = config.score.listed, None
    if len(turns.table) > most:
        log.warning(
            "score: %d pieces of equipment are more than score.listed: the ranking holds the first"
            " %d, and instead of latest.parquet there are the parts in %s",
            len(turns.table),
            most,
            folder / "latest",
        )
        whole.unlink(missing_ok=True)
        chosen = turns.first(most)
    else:
        join_newest(folder, whole)
    names, ranked = load_names(workspace.panel), workspace.root / "latest_ranking.csv"
    with unsearched():
        entries = newest_entries(folder, EPOCH + dt.timedelta(days=last_day), chosen)
        write_ranking(entries, ranked, config.language, names)
    add_newest_scores(workspace, config, entries)


if __name__ == "__main__":
    main(run, __doc__)
