"""The main job, all steps in order: ingest → featurize → train → evaluate → score.

    python -m ray_jobs.pipeline --config FILE [key.sub=value …]

A step that was done with the same configuration and input is skipped, and says so.
"""

from __future__ import annotations

import json
import shlex
import sys

from hvac.report.closing_summary import closing_summary
from ray_jobs import evaluate, featurize, ingest, score, train
from ray_jobs.run.command import main
from ray_jobs.run.records import IngestRecord, ScoreRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, workspace_of


def run(config: RunConfig) -> dict[str, dict[str, float]]:
    """Run every step and print the closing summary; returns the seconds each step took now."""
    records = {
        "ingest": ingest.run(config),
        "featurize": featurize.run(config),
        "train": train.run(config),
        "evaluate": evaluate.run(config),
        "score": score.run(config),
    }
    sys.stdout.write(run_summary(workspace_of(config)) + "\n")
    took = {
        name: 0.0 if record.skipped else record.seconds
        for name, record in records.items()
    }
    return {"seconds": took}


def run_summary(workspace: Workspace) -> str:
    """Return what a run read, left out and found, as text for a terminal."""
    root = workspace.root
    scored = workspace.record(ScoreRecord) if workspace.has_finished("score") else None
    metrics = json.loads((root / "metrics.json").read_text(encoding="utf-8"))
    if metrics.get("compare_command"):  # of this run, though the workspace was moved
        command = ["python", "-m", "ray_jobs.compare", *sys.argv[1:]]
        metrics["compare_command"] = shlex.join(command)
    return closing_summary(
        metrics,
        warnings=workspace.record(IngestRecord).warnings,
        units_by_status=scored.units if scored else {},
        learning_days_left=scored.learning_days_left if scored else None,
        files=sorted(map(str, root.glob("[!.]*.*"))),
        report=str(root / "report.html"),
        language=str(metrics["run"]["language"]),
    )


if __name__ == "__main__":
    main(run, __doc__)
