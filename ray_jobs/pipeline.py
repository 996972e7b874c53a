"""The main job, all steps in order: ingest → featurize → train → evaluate → score.

    python -m ray_jobs.pipeline --config FILE [key.sub=value …]

A step that was done with the same configuration and input is skipped, and says so.
"""

from __future__ import annotations

import sys

from ray_jobs import evaluate, featurize, ingest, score, train
from ray_jobs.command import main
from ray_jobs.run_config import RunConfig
from ray_jobs.summary import closing_summary
from ray_jobs.workspace import workspace_of

STEPS = (ingest, featurize, train, evaluate, score)


def run(config: RunConfig) -> None:
    """Run every step, then say what was read, left out and found."""
    for step in STEPS:
        step.run(config)
    sys.stdout.write(closing_summary(workspace_of(config)) + "\n")


if __name__ == "__main__":
    main(run, __doc__)
