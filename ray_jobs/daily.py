"""The daily job: new readings → panel → scores → published tables. What has not changed is skipped:
run it at will.

    python -m ray_jobs.daily --config FILE [key.sub=value …]

It needs a trained workspace (`python -m ray_jobs.pipeline`), whose bundles go on judging; nothing
is trained here. New and changed files are ingested, the buckets of their equipment are scored for
the newest `score.days` days, and `latest.parquet`, `latest_ranking.csv` and `published.json` are
replaced."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hvac.panel.registry import EPOCH, Registry
from hvac.storage import write_json
from ray_jobs import ingest, score
from ray_jobs.run.command import main
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Result, workspace_of


def run(config: RunConfig) -> Result:
    """Ingest, score and publish; says how many files and buckets that took."""
    workspace = workspace_of(config)
    workspace.finished("train")
    ingested, scored = ingest.run(config), score.run(config)
    last_day = Registry.load(workspace.panel).days[1]
    told: dict[str, Any] = {
        "last_date": str(EPOCH + dt.timedelta(days=last_day)),
        "units": scored["units"],
        "bundles": workspace.finished("train")["bundles"],
    }
    if config.score.day is None:  # one past day goes to the history only
        write_json(workspace.root / "published.json", told)
    done = {"files_read": (ingested, "files_read"), "buckets_scored": (scored, "buckets_scored")}
    return {
        **told,
        **{
            name: 0 if step.get("skipped") else step.get(key, 0)
            for name, (step, key) in done.items()
        },
    }


if __name__ == "__main__":
    main(run, __doc__)
