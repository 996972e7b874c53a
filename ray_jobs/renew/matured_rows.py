"""The risks of a workspace's bundles with what became of them, read one Ray task a facility."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import ray

from hvac.casework.told_outcomes import of_facility, read_outcomes
from hvac.days import date_of
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.update.bent_bundle import fitted_until, same_risks
from hvac.update.ladder import NoLabelsError
from hvac.update.matured import Matured
from ray_jobs.run.progress import finished
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.runtime import require_ray
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.matured_scores import (
    FacilityRows,
    MaturedPlan,
    facility_matured,
    scored_until,
)

log = logging.getLogger(__name__)


def read_matured(
    config: RunConfig,
    workspace: Workspace,
    bundles: Mapping[str, str],
    registry: Registry,
) -> Matured:
    """Read the risks that the bundles gave, with what became of them, one Ray task a facility.

    What people found on visits (`outcomes`) is laid over the labels.

    Raises:
        NoLabelsError: labels come from limits.
        InputError: the table of outcomes cannot be read.
    """
    if config.labels.source != "events":
        raise NoLabelsError(
            "labels.source: limits: updates need a log of events; set labels.source=events"
        )
    outcomes = read_outcomes(config.outcomes, registry)
    require_ray()
    follow_up = registry.follow_up(config.labels.kinds)
    serving = [Bundle.load(workspace.bundles / name) for name in bundles.values()]
    plan = matured_plan(config, workspace, serving)
    task = ray.remote(num_cpus=1, max_retries=2)(facility_matured)
    shared, refs = ray.put(plan), []
    for facility in sorted(set(registry.units["facility_id"].to_pylist())):
        followed = {
            unit: f for unit, f in follow_up.items() if unit.facility_id == facility
        }
        visits = of_facility(outcomes, facility)
        refs.append(task.remote(shared, facility, followed, visits))
    parts: list[FacilityRows] = finished("update", "facilities", refs)
    columns: list[Any] = [
        np.concatenate(arrays) for arrays in zip(*(p.rows for p in parts), strict=True)
    ]
    rows = Matured(*columns)
    if outcomes:
        log.info(
            "update: of %d labels, visits found %d onsets that the log does not hold; %d windows in"
            " alarm that were visited count neither way",
            len(rows.end_day_N),
            rows.found_N.sum(),
            sum(part.left_out for part in parts),
        )
    return rows


def matured_plan(
    config: RunConfig, workspace: Workspace, serving: Iterable[Bundle]
) -> MaturedPlan:
    """Return what a facility's task needs; bundles that gave the same risks count too."""
    return MaturedPlan(
        str(workspace.root),
        scored_until(workspace.root),
        {
            name: fitted_until(bundle)
            for bundle in serving
            for name in same_risks(bundle)
        },
        config.windows.horizons,
    )


def nothing_matured(config: RunConfig, day: int) -> NoLabelsError:
    """Return the error that says when the first label matures."""
    longest = max(config.windows.horizons)
    return NoLabelsError(
        f"no label of the serving bundles has matured: the first labels of {longest} days mature on"
        f" {date_of(day + longest)} at the latest; run ray_jobs.daily until then"
    )
