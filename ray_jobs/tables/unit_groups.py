"""The units of a bucket as they are scored: some thousands of one class together.

They come from their states, or where these do not reach from their record.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hvac.days import EPOCH
from hvac.features.recipe import Recipe
from hvac.features.scene import Scene, grids_of
from hvac.features.unit_grids import UnitGrids
from hvac.panel.grid import Panel, Unit
from hvac.panel.partitions import bucket_folder
from hvac.panel.registry import Registry
from hvac.scoring.newest_windows import PanelsOf
from hvac.state.state_files import StateFile, read_unit_states
from hvac.state.unit_states import UnitFacts, UnitStates, ring_days
from hvac.storage import AnyPath, place
from ray_jobs.tables.bucket_states import (
    bring_up_to_date,
    facility_registry,
    read_scenes,
    stated,
)
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes
from ray_jobs.tables.peer_levels import level_of
from ray_jobs.tables.state_paths import state_file

TOGETHER: Final = 2048  # units that are described at once


@dataclass(frozen=True)
class UnitGroup:
    """Units of one class; `panels_of` reads the record of some, `scenes` where it is at hand."""

    class_name: str
    grids: UnitGrids
    panels_of: PanelsOf
    scenes: tuple[Scene, ...] = ()


def state_groups(
    plan: BucketPlan, bucket: str, recipes: Mapping[str, Recipe], folder: AnyPath
) -> Iterator[UnitGroup]:
    """Yield the units of some classes from their states.

    Args:
        plan: of the job.
        bucket: whose units.
        recipes: of the classes.
        folder: where the states of buckets lie.
    """
    if not recipes or plan.predecessor:
        return
    file = _states(plan, bucket, folder)
    known = facility_registry(plan, bucket)
    record = bucket_folder(place(plan.panel_folder), bucket)
    for name, recipe in recipes.items():
        states = file.classes.get(name)
        for start in range(0, len(states) if states else 0, TOGETHER):
            assert states is not None, "an empty class has no rows"
            part = states.take(np.arange(start, min(start + TOGETHER, len(states))))
            facts = [_facts(unit, known, plan) for unit in part.unit_U]
            yield UnitGroup(
                name, part.grids(recipe, facts), _Record(record, part, recipe)
            )
    yield from record_groups(plan, bucket, recipes, only=file.apart)


def _states(plan: BucketPlan, bucket: str, folder: AnyPath) -> StateFile:
    """Read the states of a bucket; they are made where they are missing or damaged."""
    recipes = stated(plan.recipes)
    path = state_file(folder, bucket)
    file = read_unit_states(path, recipes)
    if file is None:
        bring_up_to_date(plan, bucket, str(folder), key="")
        file = read_unit_states(path, recipes)
    assert file is not None, f"{path} was written a moment ago"
    return file


def _facts(unit: Unit, known: Registry, plan: BucketPlan) -> UnitFacts:
    kind = known.kinds[unit]
    level = level_of(plan.peers.get((kind, unit.facility_id)))
    return UnitFacts(known.events_of(unit), known.install_days[unit], kind, level)


@dataclass(frozen=True)
class _Record:
    """Read the whole record of some of the units with states."""

    folder: AnyPath
    states: UnitStates
    recipe: Recipe

    def __call__(self, rows: Sequence[int]) -> list[Panel]:
        units = {self.states.unit_U[u] for u in rows}
        _, made = read_scenes(self.folder, units, self.recipe)
        found = {
            (scene.panel.unit, scene.panel.point_id): scene.panel for scene in made
        }
        return [found[self.states.unit_U[u], self.states.point_U[u]] for u in rows]


def record_groups(
    plan: BucketPlan,
    bucket: str,
    recipes: Mapping[str, Recipe],
    *,
    days_back: int = 0,
    on: dt.date | None = None,
    only: Collection[Unit] | None = None,
) -> Iterator[UnitGroup]:
    """Yield the units of some classes from their record.

    Args:
        plan: of the job.
        bucket: whose units.
        recipes: of the classes.
        days_back: how long before a unit's last day its first window to be scored ends.
        on: the one day on which windows end; units without it are left out.
        only: some units; by default all.
    """
    if not recipes or (only is not None and not only):
        return
    of_class: dict[str, list[Scene]] = defaultdict(list)
    for scene, recipe in bucket_scenes(plan, bucket):
        asked = only is None or scene.panel.unit in only
        if recipe.class_name in recipes and asked and _covers(scene, on):
            of_class[recipe.class_name].append(scene)
    for name, every in of_class.items():
        for start in range(0, len(every), TOGETHER):
            scenes = every[start : start + TOGETHER]
            last = [_last_day(scene, on) for scene in scenes]
            days = ring_days(recipes[name].windows) + days_back
            grids = grids_of(scenes, recipes[name], last, days)
            yield UnitGroup(name, grids, _Panels(scenes), tuple(scenes))


@dataclass(frozen=True)
class _Panels:
    scenes: Sequence[Scene]

    def __call__(self, rows: Sequence[int]) -> list[Panel]:
        return [self.scenes[u].panel for u in rows]


def _covers(scene: Scene, on: dt.date | None) -> bool:
    if on is None:
        return True
    return scene.panel.first_day <= (on - EPOCH).days <= scene.panel.last_day


def _last_day(scene: Scene, on: dt.date | None) -> int:
    return scene.panel.last_day if on is None else (on - EPOCH).days
