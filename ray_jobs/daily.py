"""The daily job: new readings → panel → scores → published tables.

    python -m ray_jobs.daily --config FILE [key.sub=value …]

It needs a trained workspace (`python -m ray_jobs.pipeline`), whose bundles go on scoring; nothing
is trained here. New and changed files are ingested, the buckets of their equipment are scored for
the newest `score.days` days, and `latest.parquet`, `latest_ranking.csv` and `published.json` are
replaced. What has not changed is skipped: run it as often as you like. The monitors run with it once
a week (`python -m ray_jobs.monitor` runs them at once); `monitor.enabled: false` leaves them out.
"""

from __future__ import annotations

import logging

from hvac.days import date_of
from hvac.errors import InputError
from hvac.json_values import Json, JsonObject
from hvac.panel.grid import Unit
from hvac.panel.registry import Registry
from hvac.scoring.alarm_changes import NAMED, NEEDS, alarm_changes, alarmed_units
from hvac.storage import parquet_dataset, read_mark, write_json
from hvac.update.champions import serving_bundles
from ray_jobs import ingest, monitor, score
from ray_jobs.run.command import main
from ray_jobs.run.records import IngestRecord, TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, workspace_of

log = logging.getLogger(__name__)
MOST_LOST = 0.1  # of the readings, of what was published last
BEFORE = "alarmed_before.json"  # while a run goes on: which alarms it began with


def run(config: RunConfig) -> dict[str, Json]:
    """Ingest, score, publish and watch; return how much that took, and which alarms changed."""
    workspace = workspace_of(config)
    trained = workspace.record(TrainRecord).bundles
    before = _alarmed_before(workspace)
    ingested = ingest.run(config)
    check_not_shrunk(read_mark(workspace.root / "published.json"), ingested)
    scored = score.run(config)
    changes = alarm_changes(before, _alarmed(workspace))
    log.info("daily: %s", changes.sentence)
    last_day = Registry.load(workspace.panel).days[1]
    published: dict[str, Json] = {
        "last_date": str(date_of(last_day)),
        "readings": ingested.readings,
        "units": scored.units,
        "bundles": serving_bundles(workspace.root, trained),
    }
    if config.score.day is None:  # one past day goes to the history only
        write_json(workspace.root / "published.json", published)
    watched = None
    if config.monitor.enabled and workspace.has_finished("score"):
        watched = monitor.run_weekly(config)
    (workspace.root / BEFORE).unlink(missing_ok=True)
    return {
        **published,
        "alerts": watched.alerts if watched else None,
        "files_read": 0 if ingested.skipped else ingested.files_read,
        "buckets_scored": 0 if scored.skipped else scored.buckets_scored,
        "alarms_new": [" ".join(unit) for unit in changes.new[:NAMED]],
        "alarms_began": len(changes.new),
        "alarms_ended": len(changes.ended),
    }


def check_not_shrunk(published: JsonObject, now: IngestRecord) -> None:
    """Refuse to score a record that has lost many readings since it was published.

    Raises:
        InputError: it has lost more than a tenth of its readings.
    """
    before = int(str(published.get("readings", 0)))
    until = str(published.get("last_date", ""))
    if before - now.readings > MOST_LOST * before:
        raise InputError(
            f"the record has {now.readings:,} readings, and had {before:,} when it was published"
            " last: files that were read before are not in source.readings now. Let it name them"
            " and the new ones, such as their folder; where they are to be left out, delete"
            " published.json"
        )
    if now.last_date < until:
        log.warning(
            "the record ends on %s; published last was %s", now.last_date, until
        )


def _alarmed_before(workspace: Workspace) -> set[Unit]:
    """Return the equipment in alarm as last told: before a run that was killed, else as published."""
    file = workspace.root / BEFORE
    if not file.exists():
        write_json(file, {"alarmed": sorted(_alarmed(workspace))})
    return {Unit(*unit) for unit in read_mark(file).get("alarmed", ())}


def _alarmed(workspace: Workspace) -> set[Unit]:
    """Return the equipment in alarm as last published; of a large fleet the first in the ranking."""
    file = workspace.root / "latest.parquet"
    if not file.exists():
        return set()
    latest = parquet_dataset([file])
    columns = [name for name in NEEDS if name in latest.schema.names]
    return alarmed_units(latest.to_table(columns=columns))


if __name__ == "__main__":
    main(run, __doc__)
