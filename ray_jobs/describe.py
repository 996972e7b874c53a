"""Print what a trained workspace holds: steps, classes, points, models, figures, thresholds, days.

    python -m ray_jobs.describe WORKSPACE [--json]

It only reads, and starts no Ray. Exit status: 0, or 2 where no step has been run there."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter

import pyarrow.compute as pc

from hvac.days import date_of
from hvac.errors import HvacError
from hvac.json_values import Json, JsonObject, branch, finite
from hvac.report.workspace_summary import STEPS, workspace_facts, workspace_lines
from hvac.scoring.alarm_changes import alarmed_units
from hvac.storage import place, read_mark, read_parquet
from hvac.update.champions import Champions, read_champions
from ray_jobs.run.command import start_logging, stop_for
from ray_jobs.run.workspace import Workspace

UNIT = ["facility_id", "equipment_id"]


def main() -> None:
    """Describe a workspace from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", metavar="WORKSPACE", help="folder or URL of a run")
    parser.add_argument(
        "--json", action="store_true", help="print JSON instead of lines"
    )
    arguments = parser.parse_args()
    start_logging()
    started = time.monotonic()
    workspace = Workspace(place(arguments.workspace))
    try:
        metrics = read_mark(workspace.root / "metrics.json")
        facts = run(workspace, metrics)
    except (HvacError, OSError) as error:
        stop_for(error, started)
    if arguments.json:
        sys.stdout.write(
            json.dumps(finite(facts), ensure_ascii=False, default=str) + "\n"
        )
        return
    sys.stdout.write(f"workspace   {workspace.root}\n")
    sys.stdout.write("".join(f"{line}\n" for line in workspace_lines(facts, metrics)))


def run(workspace: Workspace, metrics: JsonObject) -> JsonObject:
    """Return what a workspace holds. Raise HvacError where no step has been run there."""
    records = {step: read_mark(workspace.record_file(step)) for step in STEPS}
    records = {step: record for step, record in records.items() if record}
    if not records:
        raise HvacError(
            f"{workspace.root}: no step has been run here: name the workspace of a run, or run"
            " python -m ray_jobs.pipeline --config …"
        )
    manifests: dict[str, JsonObject] = {}
    trained = {k: str(v) for k, v in branch(records, "train", "bundles").items()}
    champions = read_champions(workspace.root, trained)
    for name, bundle in champions.champion.items():
        manifests[name] = read_mark(workspace.bundles / bundle / "manifest.json")
    facts = workspace_facts(records, manifests, metrics, _newest(workspace))
    return {**facts, "challenger": _challenger(champions)}


def _challenger(champions: Champions) -> JsonObject:
    """Return the bundles that are watched, since when, and where they speak; {} without."""
    challenger = champions.challenger
    if challenger is None:
        return {}
    since = challenger.speaks_since
    return {
        "bundles": [*challenger.bundles.values()],
        "since": str(date_of(challenger.since)),
        "speaks_in": list(challenger.speaks_in),
        "speaks_since": None if since is None else str(date_of(since)),
    }


def _newest(workspace: Workspace) -> JsonObject:
    """Return the newest scored day, units by status and sure alarms by horizon; {} before `score`."""
    file = workspace.root / "latest.parquet"
    if not file.exists():
        return {}
    latest = read_parquet(file)
    if not latest.num_rows:
        return {}
    units = latest.group_by(UNIT).aggregate([("status", "min")])
    counts: dict[str, Json] = {}
    for days in sorted(set(latest["horizon"].drop_null().to_pylist())):
        counts[f"{days} days"] = len(alarmed_units(latest, days))
    return {
        "day": str(pc.max(latest["end_date"])),
        "units": dict(Counter(units["status_min"].to_pylist())),
        "alarms": counts,
    }


if __name__ == "__main__":
    main()
