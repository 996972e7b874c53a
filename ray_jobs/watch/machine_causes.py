"""Alarms, events and found faults of the machines that monitors alert about, one Ray task a facility."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from hvac.arrays import Ints
from hvac.casework.told_outcomes import read_outcomes
from hvac.monitor.known_causes import Machine, MachineDays, machine_of, with_cause
from hvac.panel.grid import Unit
from hvac.panel.registry import Registry
from hvac.storage import place
from ray_jobs.run.progress import finished
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.kept_scores import day_numbers, scores_of
from ray_jobs.tables.matured_scores import scored_until
from ray_jobs.watch.found import Found


def with_causes(
    config: RunConfig, workspace: Workspace, registry: Registry, found: Found
) -> Found:
    """Return what a monitor found, its alerts with what is known of their machines."""
    machines = sorted({m for row in found.rows if (m := machine_of(row)) is not None})
    if not machines:
        return found
    alarms = _alarm_days(workspace, machines)
    outcomes = read_outcomes(config.outcomes, registry)
    events = registry.unit_events if config.labels.source == "events" else {}
    known = {}
    for machine in machines:
        logged = events.get(Unit(*machine))
        onset_N = np.zeros(0, np.int32)
        if logged is not None:
            onset_N = logged.of_kinds(config.labels.kinds).start_N
        hits = [o.day for o in outcomes.get(Unit(*machine), ()) if o.code == "hit"]
        known[machine] = MachineDays(onset_N, alarms[machine], np.array(hits, np.int64))
    longest = max(config.windows.horizons)
    rows = [with_cause(row, known, longest) for row in found.rows]
    explained = sum(row.cause is not None for row in rows)
    return found._replace(rows=rows, explained=explained)


def _alarm_days(
    workspace: Workspace, machines: Sequence[Machine]
) -> dict[Machine, Ints]:
    by_facility: dict[str, list[str]] = {}
    for facility, equipment in machines:
        by_facility.setdefault(facility, []).append(equipment)
    task = ray.remote(num_cpus=1, max_retries=2)(facility_alarm_days)
    root, until = str(workspace.root), scored_until(workspace.root)
    refs = [task.remote(root, until, *pair) for pair in by_facility.items()]
    parts: list[dict[Machine, Ints]] = finished("monitor", "facilities", refs)
    return {machine: days for part in parts for machine, days in part.items()}


def facility_alarm_days(
    root: str, known_until: int, facility: str, equipment: Sequence[str]
) -> dict[Machine, Ints]:
    """Return the days on which each machine was in alarm at any horizon."""
    table = scores_of(place(root), facility, known_until)
    names = table["equipment_id"].cast(pa.string())
    is_of_these = pc.is_in(names, pa.array(equipment, pa.string()))
    table = table.filter(pc.and_(is_of_these, pc.fill_null(table["alarm"], False)))
    day_N = day_numbers(table)
    name_N = np.array(table["equipment_id"].to_pylist(), dtype=np.str_)
    return {(facility, name): np.unique(day_N[name_N == name]) for name in equipment}
