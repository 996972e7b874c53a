"""The main job, all steps in order: ingest → featurize → train → evaluate → score.

    python -m ray_jobs.pipeline --config FILE [key.sub=value …]

A step that was done with the same configuration and input is skipped, and says so.
"""

from __future__ import annotations

import sys

from ray_jobs import evaluate, featurize, ingest, score, train
from ray_jobs.assess.run_facts import closing_summary
from ray_jobs.run.command import main
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Result, workspace_of

STEPS = (ingest, featurize, train, evaluate, score)


def run(config: RunConfig) -> Result:
    """Run every step, then say what was read, left out and found; returns the seconds each step
    took.
    """
    found = {step.__name__.rpartition(".")[2]: step.run(config) for step in STEPS}
    sys.stdout.write(closing_summary(workspace_of(config)) + "\n")
    return {"seconds": {name: each.get("seconds") for name, each in found.items()}}


if __name__ == "__main__":
    main(run, __doc__)
