"""The states of the units of a bucket, brought up to date with the parts of its record that are new."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from hvac.features.recipe import Recipe
from hvac.features.scene import Scene, UnitRecord, scenes
from hvac.panel.grid import Unit, panels
from hvac.panel.joins import units_of
from hvac.panel.partitions import bucket_folder
from hvac.panel.registry import Registry
from hvac.state.state_files import (
    StateFile,
    all_units,
    read_unit_states,
    write_unit_states,
)
from hvac.state.unit_states import UnitStates, joined, ring_days
from hvac.state.updating import pending_limits, update
from hvac.storage import AnyPath, matching, place, write_json
from ray_jobs.run.run_config import ScoreConfig
from ray_jobs.run.workspace import whole_table
from ray_jobs.tables.buckets import BucketPlan
from ray_jobs.tables.state_paths import state_file, state_mark


def stated(recipes: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """Return the recipes of the classes whose units have states."""
    return {name: recipe for name, recipe in recipes.items() if _has_states(recipe)}


def _has_states(recipe: Recipe) -> bool:
    """Tell whether the units of a class have states.

    Events out of limits rest on the whole record: where they are predicted, it is read.
    """
    return recipe.labels.source != "limits"


def within_reach(section: ScoreConfig, recipe: Recipe) -> bool:
    """Tell whether all windows to be scored rest on the newest days that a state holds."""
    back = max(section.days - 1, section.trend_days)
    reaches = back + recipe.windows.lookback <= ring_days(recipe.windows)
    return _has_states(recipe) and reaches and section.day is None


def facility_registry(
    plan: BucketPlan, bucket: str, *, brief: bool = False
) -> Registry:
    """Read what is known of the units of a bucket's facility (`Registry.load`)."""
    panel = place(plan.panel_folder)
    (part, *_) = matching(bucket_folder(panel, bucket), "part-*.parquet")
    with part.open("rb") as file:  # one row of it, however large it is
        rows = pq.ParquetFile(file).iter_batches(batch_size=1, columns=["facility_id"])
        facility = next(rows)["facility_id"][0].as_py()
    return Registry.load(panel, facility, brief=brief)


def bring_up_to_date(
    plan: BucketPlan, bucket: str, states_folder: str, key: str
) -> None:
    """Lay the new readings of a bucket into its states, or make them of its record."""
    recipes, folder = stated(plan.recipes), place(states_folder)
    path = state_file(folder, bucket)
    record = bucket_folder(place(plan.panel_folder), bucket)
    parts = {
        part.stem.removeprefix("part-"): part
        for part in matching(record, "part-*.parquet")
    }
    classes = facility_registry(plan, bucket, brief=True).classes
    before = read_unit_states(path, recipes)
    if before is None or not _fits(before, parts, classes):
        before = StateFile({})
    new = [parts[name] for name in sorted(parts.keys() - before.parts)]
    readings = whole_table(new, "ingest") if new else None
    states, apart = dict[str, UnitStates](), set(before.apart)
    for name, recipe in recipes.items():
        states[name] = before.classes.get(name, UnitStates.none(recipe))
        of_class = {unit for unit, class_name in classes.items() if class_name == name}
        if readings is None or not of_class:
            continue
        rows = _rows_of(readings, of_class)
        updated = update(states[name], rows, recipe)
        again = updated.again | (apart & of_class)
        states[name] = updated.states
        if again:
            made, pending = _made_anew(record, again, recipe)
            states[name] = joined([updated.states, made])
            apart = (apart - again) | pending
    write_unit_states(
        path, StateFile(states, frozenset(parts), frozenset(apart)), recipes
    )
    write_json(state_mark(folder, bucket), {"key": key})


def _fits(
    before: StateFile, parts: Collection[str], classes: Mapping[Unit, str]
) -> bool:
    """Tell whether states can be brought up to date: no part is gone, no unit of another class."""
    same = all(classes.get(unit) == name for unit, name in all_units(before).items())
    return before.parts <= set(parts) and same


def _rows_of(readings: pa.Table, units: Collection[Unit]) -> pa.Table:
    """Return the rows of some units of one facility."""
    names = pa.array([unit.equipment_id for unit in units], pa.string())
    return readings.filter(pc.is_in(readings["equipment_id"], names))


def _made_anew(
    record: AnyPath, units: Collection[Unit], recipe: Recipe
) -> tuple[UnitStates, set[Unit]]:
    """Return the states of units from their record, and the units that can have none yet."""
    table, made = read_scenes(record, units, recipe)
    pending = pending_limits(table, made)
    kept = [scene for scene in made if scene.panel.unit not in pending]
    return UnitStates.of(kept, recipe), pending


def read_scenes(
    record: AnyPath, units: Collection[Unit], recipe: Recipe
) -> tuple[pa.Table, list[Scene]]:
    """Read the record of some units of a bucket, without their events."""
    only = pads.field("equipment_id").isin([unit.equipment_id for unit in units])
    table = whole_table(record, "ingest", filter=only)
    points = dict.fromkeys(units_of(table), recipe.points)
    unit_panels = panels(table, points, aggregate=recipe.windows.aggregate)
    return table, [
        s for panel in unit_panels for s in scenes(panel, recipe, UnitRecord())
    ]
