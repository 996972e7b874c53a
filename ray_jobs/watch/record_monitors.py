"""The monitors of data and of inputs: what every bucket's task read, joined and charted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import ray

from hvac.arrays import Floats
from hvac.days import date_of
from hvac.features.peer_files import published_level
from hvac.features.peer_groups import peer_groups
from hvac.features.recipe import Recipe
from hvac.monitor.alert_rows import Watch, data_rows, input_rows
from hvac.monitor.data import count_odd, watch_data
from hvac.monitor.inputs import InputWeeks, watch_inputs
from hvac.monitor.periods import PeriodMeans, first_day_of, week_means
from hvac.panel.registry import Registry
from ray_jobs.run.progress import finished
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.watch.found import Found, chart_facts, waiting
from ray_jobs.watch.weeks import BucketWeeks, Subject, WeeksPlan, bucket_weeks

LEAST_REFERENCE = 26  # weeks


def weeks_of_buckets(
    workspace: Workspace, recipes: Sequence[Recipe], watch: Watch
) -> list[BucketWeeks]:
    """Read the weeks of all buckets, one Ray task each."""
    points = {recipe.class_name: recipe.points for recipe in recipes}
    plan = WeeksPlan(
        str(workspace.panel),
        str(workspace.root / "peers"),
        points,
        recipes[0].windows.aggregate,
        watch,
    )
    task = ray.remote(num_cpus=1, max_retries=2)(bucket_weeks)
    shared, buckets = ray.put(plan), sorted(workspace.buckets)
    refs = [task.remote(shared, bucket) for bucket in buckets]
    return finished("monitor", "buckets", refs)


def input_alerts(
    config: RunConfig,
    workspace: Workspace,
    registry: Registry,
    watch: Watch,
    parts: Sequence[BucketWeeks],
) -> Found:
    """Chart the inputs of all units beside their peers."""
    subjects = [subject for part in parts for subject in part.subjects]
    level_PG, groups = _levels(workspace, registry, watch)
    if watch.reference < LEAST_REFERENCE or not groups or not subjects:
        return _waits(config, watch, "inputs")
    joined = zip(*(part.means for part in parts), strict=True)
    means = PeriodMeans(*(np.hstack(arrays) for arrays in joined))
    kind_S = np.array([f"{s['class']}\x1f{s['point_id']}" for s in subjects])
    inputs = InputWeeks(watch.weeks, means, kind_S, level_PG)
    charts = watch_inputs(inputs, watch.reference, config.monitor)
    if not charts[0].series:
        return _waits(config, watch, "inputs")
    return Found(input_rows(charts, watch, subjects, groups), chart_facts(charts))


def _levels(
    workspace: Workspace, registry: Registry, watch: Watch
) -> tuple[Floats, list[Subject]]:
    """Return the weekly medians of every group of peers and point, and what each is about."""
    columns, groups = list[Floats](), list[Subject]()
    folder = workspace.root / "peers"
    for group in dict.fromkeys(peer_groups(registry).values()):
        facility = group.facility or group.units[0].facility_id
        level = published_level(folder, group.kind, facility)
        if level is None:
            continue
        means = week_means(
            level.median_TC.astype(np.float64),
            level.median_TC.astype(np.float64),
            first_day=level.first_day,
            weeks=watch.weeks,
        )
        columns.append(means.value_PN)
        for point in level.points:
            name = group.facility or "*"
            groups.append({"facility_id": name, "class": group.kind, "point_id": point})
    empty = np.zeros((len(watch.weeks), 0))
    return np.hstack([empty, *columns]), groups


def data_alerts(config: RunConfig, watch: Watch, parts: Sequence[BucketWeeks]) -> Found:
    """Chart the odd points of every facility."""
    some = [part for part in parts if part.subjects]
    if watch.reference < LEAST_REFERENCE or not some:
        return _waits(config, watch, "data")
    names = np.array([part.subjects[0]["facility_id"] for part in some])
    facilities, odd_PFK = count_odd(names, np.stack([part.odd_PK for part in some]))
    points = [
        sum(
            len(part.subjects)
            for part, of in zip(some, names, strict=True)
            if of == name
        )
        for name in facilities
    ]
    charts = watch_data(odd_PFK, watch.reference, config.monitor)
    rows = data_rows(charts, watch, facilities, odd_PFK, points)
    return Found(rows, chart_facts(charts))


def _waits(config: RunConfig, watch: Watch, monitor: str) -> Found:
    weeks = config.monitor.reference_weeks
    since = str(date_of(first_day_of(watch.first)))
    return waiting(monitor, weeks=weeks, since=since)
