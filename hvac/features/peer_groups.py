"""Groups of peers: whose median a unit is compared with, and the levels of a whole record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from hvac.features.describe import Recipe
from hvac.features.peer_files import FLEET
from hvac.features.peers import LEAST_PEERS as LEAST_PEERS
from hvac.features.peers import MOST_PEERS, PeerLevel, peer_level, peer_series
from hvac.panel.grid import Panel, Unit
from hvac.panel.registry import Registry
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
    by_facility: dict[KindAndFacility, list[Unit]] = defaultdict(list)
    by_kind: dict[str, list[Unit]] = defaultdict(list)
    for unit, kind in registry.kinds.items():
        by_facility[kind, unit.facility_id].append(unit)
        by_kind[kind].append(unit)
    groups = {}
    for (kind, facility), units in by_facility.items():
        if len(units) >= LEAST_PEERS:
            groups[kind, facility] = PeerGroup(kind, facility, _sample(units))
        elif len(by_kind[kind]) >= LEAST_PEERS:
            groups[kind, facility] = PeerGroup(kind, FLEET, _sample(by_kind[kind]))
    return groups


def _sample(units: Sequence[Unit]) -> tuple[Unit, ...]:
    chosen = sorted(units, key=lambda unit: name_hash(*unit))[:MOST_PEERS]
    return tuple(sorted(chosen))


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
