"""Let the bundles serve again that served before the last update.

    python -m ray_jobs.rollback --config FILE [key.sub=value …]

`champions.json` says which these are. The next `score`, `daily` or load of the service uses them;
their scores are the very bits of before. Every call takes one more change back (a promotion, or a
step of thresholds). A challenger that speaks in some facilities (`update.canary_share`) is taken back
first, and set aside.
"""

from __future__ import annotations

from typing import Final

from hvac.json_values import Json
from hvac.scoring.bundle import Bundle
from hvac.update.champions import read_champions, write_champions
from ray_jobs.run.command import main
from ray_jobs.run.records import TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import workspace_of

WHY: Final = "taken back by hand, with ray_jobs.rollback"


def run(config: RunConfig) -> dict[str, Json]:
    """Let the previous bundles serve.

    Raises:
        HvacError: nothing served before, or a bundle that did is gone or damaged.
    """
    workspace = workspace_of(config)
    trained = workspace.record(TrainRecord).bundles
    champions = read_champions(workspace.root, trained).rolled_back(WHY)
    for bundle in champions.champion.values():
        Bundle.load(workspace.bundles / bundle)
    write_champions(workspace.root, champions)
    return {"champion": champions.champion, "previous": champions.previous}


if __name__ == "__main__":
    main(run, __doc__)
