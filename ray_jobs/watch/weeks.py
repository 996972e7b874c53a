"""The weekly means and odd weeks of a bucket's units, for the monitors, in a task of Ray's."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow.dataset as pads

from hvac.arrays import Floats, Ints
from hvac.days import EPOCH
from hvac.features.peer_files import published_level
from hvac.features.peers import PeerLevel
from hvac.monitor.alert_rows import Watch
from hvac.monitor.data import KINDS, by_week, odd_weeks, without_marks
from hvac.monitor.periods import PeriodMeans, first_day_of, week_means
from hvac.panel.daily_readings import Aggregate
from hvac.panel.grid import Panel, panels
from hvac.panel.partitions import bucket_folder
from hvac.panel.registry import Registry
from hvac.storage import place
from ray_jobs.run.workspace import whole_table

Subject = dict[str, str]


class WeeksPlan(NamedTuple):
    """What a task needs beside its bucket: folders, the points of each class, and the weeks."""

    panel: str
    peers: str
    points: Mapping[str, tuple[str, ...]]
    aggregate: Aggregate
    watch: Watch


class BucketWeeks(NamedTuple):
    """Weekly means of the series of a bucket, and how many of its points were odd by kind."""

    subjects: list[Subject]
    means: PeriodMeans
    odd_PK: Ints


def bucket_weeks(plan: WeeksPlan, bucket: str) -> BucketWeeks:
    """Read the watched weeks and their reference of the units of one bucket."""
    weeks, subjects = plan.watch.weeks, list[Subject]()
    parts: list[PeriodMeans] = []
    odd_PK = np.zeros((len(weeks), len(KINDS)), np.int64)
    for panel, subject in _panels(plan, bucket):
        level = published_level(
            place(plan.peers), subject["kind"], panel.unit.facility_id
        )
        readings = by_week(
            panel.value_TC, panel.known_TC, first_day=panel.first_day, weeks=weeks
        )
        levels = by_week(
            _level_of(panel, level),
            panel.known_TC,
            first_day=panel.first_day,
            weeks=weeks,
        )
        value_TC, level_TC = (
            part.value_PDC.reshape(-1, len(panel.points))
            for part in (without_marks(readings, plan.watch.reference), levels)
        )
        parts.append(
            week_means(value_TC, level_TC, first_day=readings.first_day, weeks=weeks)
        )
        odd_PK += odd_weeks(readings, plan.watch.reference).sum(axis=1)
        subjects += [{**subject, "point_id": point} for point in panel.points]
    empty = PeriodMeans(
        *(np.zeros((len(weeks), 0)),) * 2, np.zeros((len(weeks), 0), int)
    )
    means = [np.hstack(arrays) for arrays in zip(empty, *parts, strict=True)]
    return BucketWeeks(subjects, PeriodMeans(*means), odd_PK)


def _panels(plan: WeeksPlan, bucket: str) -> list[tuple[Panel, Subject]]:
    """Return the panels of a bucket from the first week on, and what each is about."""
    folder = bucket_folder(place(plan.panel), bucket)
    if not folder.exists():
        return []
    start = EPOCH + dt.timedelta(days=first_day_of(plan.watch.weeks.start))
    table = whole_table(folder, "ingest", filter=pads.field("date") >= start)
    if not table.num_rows:
        return []
    registry = Registry.load(place(plan.panel), table["facility_id"][0].as_py())
    points = {unit: plan.points.get(c, ()) for unit, c in registry.classes.items()}
    series = []
    for panel in panels(table, defaultdict(tuple, points), aggregate=plan.aggregate):
        subject = {
            "facility_id": panel.unit.facility_id,
            "equipment_id": panel.unit.equipment_id,
            "class": registry.classes[panel.unit],
            "kind": registry.kinds[panel.unit],
        }
        series.append((panel, subject))
    return series


def _level_of(panel: Panel, level: PeerLevel | None) -> Floats:
    """Return the level of a panel's points on its days [T, C]; nan where there is none."""
    level_TC = np.full(panel.value_TC.shape, np.nan)
    if level is None or level.points != panel.points:
        return level_TC
    row_T = panel.first_day + np.arange(len(level_TC)) - level.first_day
    inside_T = (row_T >= 0) & (row_T < len(level.median_TC))
    level_TC[inside_T] = level.median_TC[row_T[inside_T]]
    return level_TC
