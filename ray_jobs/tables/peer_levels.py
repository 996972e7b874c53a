"""The levels of peers: for each kind of equipment and facility the median of every point, day by
day.

They lie in workspace/peers/<kind>/<facility>.parquet, or `_fleet.parquet` for facilities with too
few units of a kind, and are made anew where the readings they come from have changed. Featurize,
score and the service read them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow.dataset as pads
import ray

from hvac.features import peer_files
from hvac.features.peer_files import key_of, level_path, mark_of
from hvac.features.peer_groups import peer_groups
from hvac.features.peers import (
    PeerLevel,
    PeerSeries,
    level_from_arrow,
    level_to_arrow,
    peer_level,
    peer_series,
)
from hvac.features.recipe import Recipe
from hvac.panel.grid import Unit, panels
from hvac.panel.partitions import bucket_folder, bucket_of
from hvac.panel.registry import Registry
from hvac.panel.windows import fit_scale
from hvac.state.peer_moves import moved_level
from hvac.state.state_files import read_unit_states
from hvac.storage import (
    AnyPath,
    content_key,
    folder_name,
    matching,
    place,
    read_mark,
    read_parquet,
    write_json,
    write_parquet,
)
from ray_jobs.run.workspace import whole_table
from ray_jobs.tables.state_paths import state_file

log = logging.getLogger(__name__)
VERSION = 1
# before the key of a level of which only the newest days were made again
MOVED = "moved:"


class States(NamedTuple):
    """Where the states of buckets lie, and the recipes of their classes."""

    folder: str
    recipes: Mapping[str, Recipe]


class PeerFile(NamedTuple):
    """The path of a level, and the key of what it depends on."""

    path: str
    key: str


def make_peers(
    workspace_root: AnyPath,
    panel: AnyPath,
    registry: Registry,
    recipes: Mapping[str, Recipe],
    buckets: Mapping[str, str],
    *,
    each: int,
    states: States | None = None,
) -> dict[tuple[str, str], PeerFile]:
    """Make the levels that are missing, one Ray task each, and return the file of every (kind,
    facility).

    Args:
        buckets: content keys of the panel's buckets.
        each: into how many buckets every facility is cut.
        states: of the units; where they are given, a level moves on by its newest days alone.
    """
    folder = workspace_root / "peers"
    class_of = classes_of_kinds(registry)
    files, todo = {}, {}
    for place_of, group in peer_groups(registry).items():
        units, class_name = group.units, class_of[group.kind]
        if class_name not in recipes:
            continue
        recipe = recipes[class_name]
        names = {bucket_of(unit, each) for unit in units}
        content = sorted((name, buckets[name]) for name in names & buckets.keys())
        key = content_key(content, units, _settings(recipe), VERSION)
        file = PeerFile(str(level_path(folder, group.kind, group.facility)), key)
        files[place_of] = file
        there = key_of(place(file.path))
        if there != key and not (states and there == MOVED + key):
            todo[file] = (units, recipe)
    _remove_others(folder, {file.path for file in files.values()})
    task = ray.remote(num_cpus=1, max_retries=2)(_make_level)
    folder_of_panel = str(panel)
    shared = ray.put(states)
    ray.get(
        [
            task.remote(folder_of_panel, *each_group, file, each, shared)
            for file, each_group in todo.items()
        ]
    )
    if todo:
        log.info("peers: %d of %d levels made", len(todo), len(set(files.values())))
    return files


def _remove_others(folder: AnyPath, kept: Collection[str]) -> None:
    """Remove the levels of groups that are gone, so that the service does not use them."""
    for path in matching(folder, "*/*.parquet"):
        if str(path) not in kept:
            mark_of(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def _make_level(
    panel: str,
    units: Sequence[Unit],
    recipe: Recipe,
    file: PeerFile,
    each: int,
    states: States | None,
) -> None:
    """Write the level of one group, then what it depends on."""
    path = place(file.path)
    rules = level_rules(units, recipe)
    level = _moved_on(path, rules, units, recipe, each, states) if states else None
    moved = level is not None
    if level is None:
        level = peer_level(recipe.points, _series(panel, units, recipe, each))
    if level is None:
        path.unlink(missing_ok=True)
    else:
        write_parquet(level_to_arrow(level), path)
    key = MOVED + file.key if moved else file.key
    write_json(mark_of(path), {"key": key, "rules": rules, "there": level is not None})


def level_rules(units: Sequence[Unit], recipe: Recipe) -> str:
    """Return what a level depends on beside readings."""
    return content_key(units, _settings(recipe), VERSION)


def _settings(recipe: Recipe) -> tuple[object, ...]:
    return recipe.points, recipe.windows.normalise, recipe.windows.aggregate


def _series(
    panel: str, units: Sequence[Unit], recipe: Recipe, each: int
) -> list[PeerSeries]:
    """Read the whole record of a group's units."""
    series: list[PeerSeries] = []
    members = set(units)
    for bucket in sorted({bucket_of(unit, each) for unit in units}):
        folder = bucket_folder(place(panel), bucket)
        if folder.exists():
            points = dict.fromkeys(members, recipe.points)
            only = pads.field("equipment_id").isin(
                [unit.equipment_id for unit in units]
            )
            table = whole_table(folder, "ingest", filter=only)
            for unit_panel in panels(
                table, defaultdict(tuple, points), aggregate=recipe.windows.aggregate
            ):
                series.append(
                    peer_series(
                        unit_panel, fit_scale(unit_panel, recipe.windows.normalise)
                    )
                )
    return series


def _moved_on(
    path: AnyPath,
    rules: str,
    units: Sequence[Unit],
    recipe: Recipe,
    each: int,
    states: States,
) -> PeerLevel | None:
    """Return the level that is there with its newest days made again from the states of its units.

    None where it was made of other units or settings, or a unit has no state.
    """
    if not path.exists() or read_mark(mark_of(path)).get("rules") != rules:
        return None
    parts, members = [], set(units)
    for bucket in sorted({bucket_of(unit, each) for unit in units}):
        file = read_unit_states(
            state_file(place(states.folder), bucket), states.recipes
        )
        if file is None or file.apart & members:
            return None
        of_class = file.classes.get(recipe.class_name)
        if of_class is not None and len(of_class):
            parts.append(
                of_class.take(np.array([unit in members for unit in of_class.unit_U]))
            )
    return moved_level(level_from_arrow(read_parquet(path)), parts, recipe)


def classes_of_kinds(registry: Registry) -> dict[str, str]:
    """Return the class that each kind of equipment is trained with."""
    pairs = registry.units.group_by(["kind", "class"]).aggregate([])
    return dict(zip(pairs["kind"].to_pylist(), pairs["class"].to_pylist(), strict=True))


def peer_keys(
    files: Mapping[tuple[str, str], PeerFile], buckets: Collection[str]
) -> dict[str, list[str]]:
    """Return the keys of the levels of each bucket's facility."""
    of_facility: dict[str, set[str]] = defaultdict(set)
    for (_, facility), file in files.items():
        of_facility[folder_name(facility)].add(file.key)
    keys = {bucket: of_facility[bucket.rpartition(".")[0]] for bucket in buckets}
    return {
        bucket: sorted(of_bucket) for bucket, of_bucket in keys.items() if of_bucket
    }


def level_of(file: PeerFile | None) -> PeerLevel | None:
    """Read a level; None where there is none."""
    return None if file is None else peer_files.read_level(*file)
