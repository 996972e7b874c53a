"""Groups of peers: whose median a unit is compared with, and the levels of a whole record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hvac.features.peer_files import FLEET
from hvac.features.peers import LEAST_PEERS as LEAST_PEERS
from hvac.features.peers import MOST_PEERS, PeerLevel, peer_level, peer_series
from hvac.features.recipe import Recipe
from hvac.panel.grid import Panel, Unit
from hvac.panel.joins import units_of
from hvac.panel.registry import READ_TOGETHER, Registry
from hvac.panel.windows import fit_scale
from hvac.storage import name_hash

KindAndFacility = tuple[str, str]


class PeerGroup(NamedTuple):
    """Units of one kind whose median is one level; `facility` is empty for those of the fleet."""

    kind: str
    facility: str
    units: tuple[Unit, ...]


def peer_groups(registry: Registry) -> dict[KindAndFacility, PeerGroup]:
    """Choose the group of every (kind, facility): its own units where at least 5, else the fleet's.

    A group takes at most 128 units, by a hash of their ids. Where the fleet has fewer than 5 units
    of a kind, there is no group.
    """
    units = registry.units
    ids = units.group_by(["kind", "facility_id"]).aggregate([("equipment_id", "list")])
    counts = units.group_by("kind").aggregate([([], "count_all")])
    sizes = dict(zip(*(column.to_pylist() for column in counts.columns), strict=True))
    pairs = (ids[name].to_pylist() for name in ("kind", "facility_id"))
    groups: dict[KindAndFacility, PeerGroup] = {}
    of_fleet: dict[str, PeerGroup] = {}
    for kind, facility, equipment in zip(*pairs, ids["equipment_id_list"], strict=True):
        if len(equipment) >= LEAST_PEERS:
            members = (Unit(facility, name) for name in equipment.as_py())
            groups[kind, facility] = PeerGroup(kind, facility, _sample(members))
        elif sizes[kind] >= LEAST_PEERS:
            if kind not in of_fleet:
                everyone = units.filter(pc.equal(units["kind"], kind))
                of_fleet[kind] = PeerGroup(kind, FLEET, _sample(_each(everyone)))
            groups[kind, facility] = of_fleet[kind]
    return groups


def _each(units: pa.Table) -> Iterator[Unit]:
    """Yield the units of a table, of which few are held at a time."""
    for some in units.select(list(Unit._fields)).to_batches(READ_TOGETHER):
        yield from units_of(pa.table(some))


def _sample(units: Iterable[Unit]) -> tuple[Unit, ...]:
    by_hash = nsmallest(MOST_PEERS, units, key=lambda unit: name_hash(*unit))
    return tuple(sorted(by_hash))


def peer_levels(
    registry: Registry, panels: Iterable[Panel], recipe: Recipe
) -> Mapping[KindAndFacility, PeerLevel]:
    """Compute the level of every group from the panels of a whole record.

    Args:
        panels: of all units of the recipe's class, with the recipe's points.
    """
    by_unit = {panel.unit: panel for panel in panels}
    levels: dict[KindAndFacility, PeerLevel] = {}
    of_group: dict[PeerGroup, PeerLevel | None] = {}
    for key, group in peer_groups(registry).items():
        if group not in of_group:
            members = [by_unit[unit] for unit in group.units if unit in by_unit]
            of_group[group] = _level(members, recipe)
        level = of_group[group]
        if level is not None:
            levels[key] = level
    return levels


def _level(panels: Sequence[Panel], recipe: Recipe) -> PeerLevel | None:
    normalise = recipe.windows.normalise
    series = [peer_series(panel, fit_scale(panel, normalise)) for panel in panels]
    return peer_level(recipe.points, series)
